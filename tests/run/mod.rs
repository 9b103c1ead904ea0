//! The built program on a set-up of its own: a temporary folder with inbox, cases, configuration, state and exports.
//!
//! Use it in an integration test with `mod run;`. It waits for what it waits for (a log line, an export, an answer),
//! never for a while; a wait that takes longer than [`PATIENCE`] fails the test and shows the log.

#![allow(dead_code, reason = "each test that includes this uses a part of it")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

pub mod memory;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nicufaxd::archive::{self, Archive, AtRest, KeyPlace};
use nicufaxd::document::DocumentId;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// What anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Between two looks at what tells no event.
const LOOK: Duration = Duration::from_millis(20);

/// sysexits.h.
pub const USAGE: i32 = 64;
pub const DATAERR: i32 = 65;
pub const UNAVAILABLE: i32 = 69;
pub const TEMPFAIL: i32 = 75;
pub const CONFIG: i32 = 78;

/// The heading of `cases.csv`, with no case.
pub const NO_CASES: &str = "case_id,status,member_id,auth_number,mrn,facility,facility_fax,facility_npi,last_name,\
first_name,birth_order,sex,dob,mother_first,mother_last,mother_dob,admit_date,discharge_date,plan,level_of_care,\
assigned_nurse,next_review_date,race_ethnicity,preferred_language\n";

/// A line of `cases.csv` with these cells, named by their columns; the others are empty. No cell needs quotes.
pub fn case(cells: &[(&str, &str)]) -> String {
    let cell = |column: &str| cells.iter().find(|(name, _)| *name == column).map_or("", |(_, cell)| *cell);
    NO_CASES.trim_end().split(',').map(cell).collect::<Vec<_>>().join(",") + "\n"
}

/// The configuration's default.
pub const AT_REST: AtRest = AtRest::Sealed(KeyPlace::Beside);

/// A set-up of its own for a test.
pub struct Setup {
    folder: tempfile::TempDir,
}

impl Setup {
    /// With no cases; files settle at once, logs are JSON.
    pub fn new() -> Self {
        Self::with("", "")
    }

    /// With more keys for the watched folder and more tables; a table `[log]` replaces the usual one.
    pub fn with(folder_keys: &str, tables: &str) -> Self {
        let setup = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(setup.inbox()).unwrap();
        setup.write_cases(NO_CASES.as_bytes());
        setup.configure(folder_keys, tables);
        setup
    }

    /// Writes the configuration anew.
    pub fn configure(&self, folder_keys: &str, tables: &str) {
        let log = if tables.contains("[log]") { "" } else { "[log]\nformat = \"json\"\n" };
        let text = format!(
            "state_dir = \"state\"\ntime_zone = \"America/New_York\"\n\n\
             [[intake.folder]]\nname = \"secure-fax\"\npath = \"inbox\"\nsettle = \"0s\"\nrescan = \"1s\"\n{folder_keys}\n\
             [cases]\npath = \"cases.csv\"\n\n[export]\ndir = \"worklist\"\n\n{log}{tables}"
        );
        fs::write(self.config(), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path("nicufaxd.toml")
    }

    pub fn inbox(&self) -> PathBuf {
        self.path("inbox")
    }

    pub fn done(&self) -> PathBuf {
        self.path("done")
    }

    /// Replaces the case file as a registry should: whole, by renaming.
    pub fn write_cases(&self, bytes: &[u8]) {
        fs::write(self.path("cases.next"), bytes).unwrap();
        fs::rename(self.path("cases.next"), self.path("cases.csv")).unwrap();
    }

    /// Puts a file into the inbox by renaming, as a careful fax server does.
    pub fn arrive(&self, name: &str, bytes: &[u8]) {
        let elsewhere = self.path("arriving");
        fs::write(&elsewhere, bytes).unwrap();
        fs::rename(elsewhere, self.inbox().join(name)).unwrap();
    }

    /// Names of what lies in a folder of the set-up, sorted; none if there is no such folder.
    pub fn files(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The program with these arguments, to be run in another way than the ways below.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nicufaxd"));
        command.arg("--config").arg(self.config()).args(arguments).stdin(Stdio::null());
        command.env_remove("JOURNAL_STREAM").env_remove("NOTIFY_SOCKET");
        command
    }

    /// Runs a command to its end, which must come in time.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        Self::finish(&mut self.command(arguments))
    }

    /// Runs any program to its end.
    pub fn finish(command: &mut Command) -> Ended {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        let (sender, receiver) = std::sync::mpsc::channel();
        thread::spawn(move || sender.send(child.wait_with_output().unwrap()));
        let Ok(output) = receiver.recv_timeout(PATIENCE) else {
            _ = kill_process(pid, Signal::KILL);
            panic!("{command:?} did not end");
        };
        Ended::of(&output)
    }

    /// Runs a command that must succeed; gives what it printed.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "`nicufaxd {}`: {}", arguments.join(" "), ended.said);
        ended.printed
    }

    /// Runs a command that must succeed and print JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.succeed(arguments)).unwrap()
    }

    /// `run --drain`, which must succeed; gives its log.
    pub fn drain(&self) -> String {
        let ended = self.run(&["run", "--drain"]);
        assert_eq!(ended.code, Some(0), "{}", ended.said);
        ended.said
    }

    /// Starts the daemon and waits until it has started.
    pub fn start(&self) -> Daemon {
        let daemon = self.launch();
        daemon.wait_for_line("the start", |line| line["stage"] == "daemon" && line["message"] == "started");
        daemon
    }

    /// Starts the daemon, waiting for nothing.
    pub fn launch(&self) -> Daemon {
        Daemon::new(self.command(&["run"]))
    }

    /// The items of `queue.jsonl`; none when there is no such file yet.
    pub fn exported(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("worklist/queue.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The exported items of this file.
    pub fn exported_of(&self, source_file: &str) -> Vec<Value> {
        self.exported().into_iter().filter(|item| item["source_file"] == source_file).collect()
    }

    /// The entries of the held list.
    pub fn held(&self) -> Vec<Value> {
        self.json(&["held", "list", "--json"]).as_array().unwrap().clone()
    }

    /// The held document or refused file of this name.
    pub fn held_of(&self, source_file: &str) -> Value {
        let named =
            |entry: &Value| entry["source_file"] == source_file || entry["receipts"][0]["source_file"] == source_file;
        let held = self.held();
        held.iter().find(|entry| named(entry)).unwrap_or_else(|| panic!("{source_file} is not in {held:#?}")).clone()
    }

    /// The id that the archive gives these bytes.
    pub fn id(&self, bytes: &[u8]) -> DocumentId {
        archive::name(&self.path("state"), &AT_REST, bytes).unwrap()
    }

    /// Where the state directory keeps the bytes of a document, if it keeps them whole.
    pub fn sealed(&self, bytes: &[u8]) -> Option<PathBuf> {
        let id = self.id(bytes);
        let mut documents = files_below(&self.path("state/documents")).into_iter();
        let file = documents.find(|file| file.ends_with(id.as_str()))?;
        let archive = Archive::look(&self.path("state"), &AT_REST).unwrap();
        archive.read_document(&id).is_ok_and(|stored| stored == bytes).then_some(file)
    }
}

/// Every file below a folder; none if there is no such folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        // A socket, such as a running daemon's, is none.
        if kind.is_dir() {
            found.extend(files_below(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}

/// Waits until `look` finds something.
pub fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(LOOK);
    }
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ended {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub printed: String,
    /// Its standard error.
    pub said: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            printed: String::from_utf8(output.stdout.clone()).unwrap(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    child: Child,
    log: Arc<Log>,
    listener: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Log {
    lines: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Default)]
struct Lines {
    text: Vec<String>,
    ended: bool,
}

impl Daemon {
    pub fn new(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Log::default());
        let heard = Arc::clone(&log);
        let stderr = child.stderr.take().unwrap();
        let listener = thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                heard.lines.lock().unwrap().text.push(line.unwrap());
                heard.changed.notify_all();
            }
            heard.lines.lock().unwrap().ended = true;
            heard.changed.notify_all();
        });
        Self { child, log, listener: Some(listener) }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The log so far, a line each.
    pub fn log(&self) -> Vec<String> {
        self.log.lines.lock().unwrap().text.clone()
    }

    /// Waits until the log holds `count` lines.
    pub fn wait_for_lines(&self, count: usize) {
        self.wait(&format!("{count} log lines"), |lines| (lines.len() >= count).then_some(()));
    }

    /// Waits for a JSON log line, also among those that came already.
    pub fn wait_for_line(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.wait(what, |lines| {
            lines.iter().filter_map(|line| serde_json::from_str(line).ok()).find(|line| wanted(line))
        })
    }

    /// Waits until so many lines of the log hold this text.
    pub fn wait_for_count(&self, text: &str, count: usize) {
        let (mut seen, mut found) = (0, 0);
        self.wait(&format!("{count} lines of `{text}`"), |lines| {
            found += lines.iter().skip(seen).filter(|line| line.contains(text)).count();
            seen = lines.len();
            (found >= count).then_some(())
        });
    }

    fn wait<T>(&self, what: &str, mut look: impl FnMut(&[String]) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.log.lines.lock().unwrap();
        loop {
            if let Some(found) = look(&lines.text) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || lines.ended {
                let log = lines.text.join("\n");
                // Not while the lock is held: the listener needs it.
                drop(lines);
                panic!("waited in vain for {what}; the log:\n{log}");
            }
            lines = self.log.changed.wait_timeout(lines, left).unwrap().0;
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// SIGTERM; gives the exit status, the log, and how long the end took.
    pub fn stop(self) -> (ExitStatus, Vec<String>, Duration) {
        let begun = Instant::now();
        self.signal(Signal::TERM);
        let (status, log) = self.ended();
        (status, log, begun.elapsed())
    }

    /// SIGKILL: no chance to put anything in order.
    pub fn kill(self) {
        self.signal(Signal::KILL);
        let (status, _) = self.ended();
        assert_eq!(status.signal(), Some(9), "it had ended before it was killed");
    }

    /// Waits for the end.
    pub fn ended(mut self) -> (ExitStatus, Vec<String>) {
        let status = wait_until("the daemon's end", || self.child.try_wait().unwrap());
        self.listener.take().unwrap().join().unwrap();
        (status, self.log())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail when it has ended, which is what is wanted.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
