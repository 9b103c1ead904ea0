//! The most memory that a daemon and its workers have had resident, as the kernel tells it.

use std::fs;

/// In kB; 0 of what was never seen.
#[derive(Clone, Copy, Default)]
pub struct Peaks {
    pub daemon: u64,
    /// Of the worker that took the most.
    pub worker: u64,
}

impl Peaks {
    /// Looks at a running daemon. Memory tells no event, so whoever wants to know has to look again and again.
    pub fn look(&mut self, daemon: u32) {
        self.daemon = self.daemon.max(most_resident(daemon));
        for child in children(daemon) {
            self.worker = self.worker.max(most_resident(child));
        }
    }
}

/// The processes that a process has started.
pub fn children(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = threads.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    lists.flat_map(|list| list.split_whitespace().filter_map(|child| child.parse().ok()).collect::<Vec<_>>()).collect()
}

/// The most that a process has had resident so far; 0 when it has ended.
fn most_resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
}
