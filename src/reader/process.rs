//! One worker process as the pool sees it: started, asked, killed, and its death explained.
//!
//! The only file that starts a process. The worker gets an empty environment but for what the library needs, and
//! nothing but three pipes; what else it may do it forbids itself ([`cage`](crate::reader::cage)). What it says is believed as far as its answers go; of the rest a bounded part is logged.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::document::DocumentId;
use crate::reader::cage::Lack;
use crate::reader::pool::{PoolSettings, ReadError, WORK_A_WORKER};
use crate::reader::protocol::{
    Answer, LONGEST_MESSAGE, Request, WorkerSettings, frame, header, receive, receive_answer,
};

/// Loading the engine takes 100 ms; a machine under load may take long, a worker that hangs must not block for ever.
const START_TIME: Duration = Duration::from_secs(60);

/// A dead worker's exit status and last words come at once.
const END_TIME: Duration = Duration::from_secs(5);

/// Lines of a worker's stderr that are logged.
const STDERR_LINES: usize = 50;

/// Characters of what a worker says that may reach a log line: it has parsed foreign bytes, and is believed no further.
const SAID_CHARACTERS: usize = 300;

/// A running worker process; killed when dropped.
pub(super) struct Worker {
    child: Child,
    pub(super) id: u32,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// Ends with the worker's stderr; true if a want of memory was its last word.
    last_words: JoinHandle<bool>,
    /// The document whose bytes it holds.
    pub(super) held: Option<DocumentId>,
    /// Since when it reads pages of plain text from the document held; `None` if it does not.
    pub(super) texts_since: Option<Instant>,
    /// Pages it has read.
    pub(super) pages: u64,
    /// Wall time that it has worked; it has used no more processor time, but for its start.
    pub(super) worked: Duration,
    /// What its cage lacks; empty where the configuration requires all.
    pub(super) lacking: Vec<Lack>,
}

impl Worker {
    /// Starts a process and waits until its engine is loaded and its cage shut; the error is the reason for an
    /// operator.
    pub(super) async fn start(settings: &PoolSettings) -> Result<Self, ReadError> {
        let cannot_start = |reason: String| ReadError::CannotStart { reason };
        let mut command = Command::new(&settings.program);
        command
            .arg("worker")
            .env_clear()
            // Before the library loads; see reader/tesseract.rs.
            .env("OMP_THREAD_LIMIT", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C at a terminal is for the daemon, which then stops its workers in order.
            .process_group(0)
            .kill_on_drop(true);
        for name in ["TESSDATA_PREFIX", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let not_started = |error: io::Error| {
            cannot_start(format!("{} could not be run as a worker: {error}", settings.program.display()))
        };
        let mut child = command.spawn().map_err(not_started)?;
        let id = child.id().unwrap_or_default();
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(not_started(io::ErrorKind::BrokenPipe.into()));
        };
        let last_words = tokio::spawn(listen(stderr, id));
        let mut worker = Self {
            child,
            id,
            stdin,
            stdout: BufReader::new(stdout),
            last_words,
            held: None,
            texts_since: None,
            pages: 0,
            worked: Duration::ZERO,
            lacking: Vec::new(),
        };
        let request = Request::Start(WorkerSettings {
            memory: settings.worker_memory,
            languages: settings.languages.clone(),
            tessdata: settings.tessdata.clone(),
            max_pages: settings.limits.max_pages,
            max_pixels: settings.limits.max_pixels,
            cage: settings.cage,
            // The pool replaces a worker that has worked so long, and ends a page that takes too long: an honest worker
            // never gets there, the last page and a slow start included.
            cpu_seconds: (WORK_A_WORKER + 2 * settings.page_timeout).as_secs(),
            daemon: std::process::id(),
        });
        let ready = timeout(START_TIME, async {
            worker.stdin.write_all(&frame(&request)?).await?;
            worker.stdin.flush().await?;
            receive(&mut worker.stdout, LONGEST_MESSAGE).await
        });
        match ready.await {
            Ok(Ok(Answer::Ready { lacking })) => {
                tracing::debug!(stage = "read", worker = id, "a worker started");
                worker.lacking = lacking;
                Ok(worker)
            }
            Ok(Ok(Answer::NoCage { lacking })) => Err(ReadError::NoCage { lacking }),
            Ok(Ok(Answer::CannotStart { reason })) => Err(cannot_start(reason)),
            Ok(Ok(
                Answer::Inspected { .. }
                | Answer::Looked { .. }
                | Answer::PageRead { .. }
                | Answer::Pictured { .. }
                | Answer::Refused { .. },
            )) => Err(cannot_start(format!("{} is no worker of this version", settings.program.display()))),
            Ok(Err(_)) => {
                let death = worker.cause_of_death().await;
                Err(cannot_start(if death == ReadError::OutOfMemory {
                    format!(
                        "{} bytes of worker memory do not suffice to load the languages: raise it in the configuration",
                        settings.worker_memory
                    )
                } else {
                    format!("the worker ended while it started: {death}")
                }))
            }
            Err(_) => Err(cannot_start(format!("it was not ready after {} s", START_TIME.as_secs()))),
        }
    }

    /// Sends the document, unless the worker holds it, and the request; waits for the answer.
    pub(super) async fn ask(&mut self, id: &DocumentId, bytes: &[u8], request: &Request) -> io::Result<Answer> {
        if self.held.as_ref() != Some(id) {
            self.held = None;
            self.texts_since = None;
            self.stdin.write_all(&frame(&Request::Hold { document: id.clone() })?).await?;
            self.stdin.write_all(&header(bytes.len())?).await?;
            self.stdin.write_all(bytes).await?;
            self.held = Some(id.clone());
        }
        self.stdin.write_all(&frame(request)?).await?;
        self.stdin.flush().await?;
        receive_answer(&mut self.stdout).await
    }

    /// Why the worker no longer answers. Kills it if it lives, having said something out of turn.
    pub(super) async fn cause_of_death(&mut self) -> ReadError {
        let status = timeout(END_TIME, self.child.wait()).await;
        let alive = !matches!(status, Ok(Ok(_)));
        if alive {
            self.kill().await;
        }
        let starved = matches!(timeout(END_TIME, &mut self.last_words).await, Ok(Ok(true)));
        match status {
            _ if starved => ReadError::OutOfMemory,
            Ok(Ok(status)) => match ExitStatus::signal(&status) {
                Some(signal) if signal == Signal::SYS.as_raw() => ReadError::ForbiddenCall,
                signal => ReadError::WorkerDied { signal },
            },
            Ok(Err(_)) | Err(_) => ReadError::WorkerDied { signal: None },
        }
    }

    /// SIGKILL, and waits until it is gone.
    pub(super) async fn kill(&mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::warn!(stage = "read", worker = self.id, %error, "a worker could not be killed");
        }
    }

    /// Lets it end by itself, which it does when its stdin closes; kills it if it doesn't.
    pub(super) async fn end(self) {
        let Self { mut child, stdin, id, .. } = self;
        drop(stdin);
        if timeout(END_TIME, child.wait()).await.is_err()
            && let Err(error) = child.kill().await
        {
            tracing::warn!(stage = "read", worker = id, %error, "a worker could not be killed");
        }
    }
}

/// Reads a worker's stderr to its end, so that it never blocks on it, and logs a bounded part of it for developers.
/// True if it says that memory was wanting: neither Rust nor C++ has an exit status for that.
async fn listen(stderr: ChildStderr, worker: u32) -> bool {
    let mut stderr = BufReader::new(stderr);
    let mut starved = false;
    let mut lines = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        // A line beyond the bound comes as several; what a worker says holds no patient data by its contract.
        match (&mut stderr).take(4 * SAID_CHARACTERS as u64).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return starved,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        starved |= text.contains("memory allocation of") || text.contains("std::bad_alloc");
        if lines < STDERR_LINES {
            lines += 1;
            let said = bounded(text.trim_end());
            tracing::debug!(stage = "read", worker, said, "a worker's stderr");
        }
    }
}

/// What a worker says, fit for a log line.
pub(super) fn bounded(said: &str) -> String {
    said.chars().filter(|character| !character.is_control()).take(SAID_CHARACTERS).collect()
}
