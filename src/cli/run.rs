//! `run`: the daemon, until a signal or, with `--drain`, until nothing is left.

use std::io::IsTerminal;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;

use super::{EX_CONFIG, EX_SOFTWARE, EX_TEMPFAIL, archive_exit_code, say};
use crate::config::Config;
use crate::control::Failure;
use crate::daemon::knowledge::KnowledgeError;
use crate::daemon::memory::share_one_arena;
use crate::daemon::{self, DaemonError, Mode, Progress};
use crate::log;
use crate::outbox::alarm;

pub fn run(config: &Config, drain: bool) -> Result<(), Failure> {
    share_one_arena();
    let last_error = log::start(&config.log);
    // Waiting is all that these threads do; what computes runs in workers or on blocking threads.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(16)
        .enable_all()
        .build()
        .map_err(|error| Failure::software(&error))?;
    let (progress, shown) = watch::channel(Progress::default());
    let mode = if drain { Mode::Drain } else { Mode::Serve };
    let outcome = runtime.block_on(async {
        let display = (drain && std::io::stderr().is_terminal()).then(|| tokio::spawn(display(shown)));
        let outcome = daemon::run(Arc::new(config.clone()), mode, progress, last_error).await;
        if let Some(display) = display {
            // It ends when the daemon has dropped its end of the channel.
            _ = display.await;
        }
        if let Err(error) = &outcome {
            log::fatal(&error.to_string(), exit_code(error) != EX_CONFIG);
            if let Some(told) = alarm_words(error) {
                alarm::tell(config, &told).await;
            }
        }
        outcome
    });
    // A thread that hangs on a dead network share must not keep a stopped daemon alive.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match outcome {
        Ok(summary) => {
            if drain {
                let lost = match summary.lost {
                    0 => String::new(),
                    lost => format!(", {lost} lost (nicufaxd held list names what can be done)"),
                };
                say(format_args!(
                    "nicufaxd: {} documents queued, {} held{lost}; see {}",
                    summary.queued,
                    summary.held,
                    config.export.folder.join("index.html").display()
                ));
            }
            Ok(())
        }
        Err(error) => {
            let exit = exit_code(&error);
            Err(Failure::new(exit, error.to_string()))
        }
    }
}

/// What the operators are told by mail when this ends the daemon.
fn alarm_words(error: &DaemonError) -> Option<String> {
    match error {
        DaemonError::Archive(error) | DaemonError::Knowledge(KnowledgeError::Archive(error)) => alarm::words(error),
        DaemonError::Knowledge(_)
        | DaemonError::Reader(_)
        | DaemonError::Template(_)
        | DaemonError::Source(_)
        | DaemonError::Control(_)
        | DaemonError::Export(_)
        | DaemonError::Thread(_)
        | DaemonError::Signals(_)
        | DaemonError::Task => None,
    }
}

fn exit_code(error: &DaemonError) -> u8 {
    match error {
        DaemonError::Archive(error) | DaemonError::Knowledge(KnowledgeError::Archive(error)) => {
            archive_exit_code(error)
        }
        DaemonError::Knowledge(_) | DaemonError::Reader(_) | DaemonError::Template(_) => EX_CONFIG,
        DaemonError::Source(_) | DaemonError::Control(_) | DaemonError::Export(_) | DaemonError::Thread(_) => {
            EX_TEMPFAIL
        }
        DaemonError::Signals(_) | DaemonError::Task => EX_SOFTWARE,
    }
}

/// A bar on the terminal: documents done of those accepted so far.
async fn display(mut shown: watch::Receiver<Progress>) {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} documents  {msg}  {elapsed}") {
        bar.set_style(style);
    }
    while shown.changed().await.is_ok() {
        let progress = *shown.borrow_and_update();
        bar.set_length(progress.accepted);
        bar.set_position(progress.queued + progress.held);
        bar.set_message(format!("{} pages, {} held", progress.pages, progress.held));
    }
    bar.finish();
}
