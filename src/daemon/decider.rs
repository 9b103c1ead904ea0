//! The one thread on which documents are decided, one after the other.
//!
//! A compiled pattern keeps scratch memory for each thread that has ever looked with it, and there are some hundreds of
//! patterns: deciding wherever a thread is free would multiply by threads what one of them needs. Deciding takes a
//! hundredth of the time that reading takes, so one thread keeps up with any number of workers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// The thread; clones are the same one, and it ends with the last of them.
#[derive(Clone)]
pub struct Decider {
    jobs: mpsc::Sender<Job>,
}

impl Decider {
    pub fn start() -> std::io::Result<Self> {
        let (jobs, todo) = mpsc::channel::<Job>();
        std::thread::Builder::new().name("decider".to_owned()).spawn(move || {
            for job in todo {
                // Who waits for a job that panicked is told by its answer being dropped; the panic itself is logged.
                _ = catch_unwind(AssertUnwindSafe(job));
            }
        })?;
        Ok(Self { jobs })
    }

    /// Does a piece of work in its turn; `None` when it panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || {
            let done = work();
            // Who asked may have gone.
            _ = answer.send(done);
        });
        self.jobs.send(job).ok()?;
        answered.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_panics_ends_alone() {
        let decider = Decider::start().unwrap();
        assert_eq!(decider.run(|| -> u32 { panic!("a fault in the program") }).await, None);
        assert_eq!(
            decider.run(|| std::thread::current().name().map(str::to_owned)).await,
            Some(Some("decider".into()))
        );
    }
}
