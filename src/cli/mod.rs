//! argv → exit code; a file a command.
//!
//! Results go to standard output, everything else to standard error. Exit codes are those of sysexits.h.

mod audit;
mod cases;
mod check;
mod cover;
mod held;
mod key;
mod link;
mod outbox;
mod purge;
mod queue;
mod read;
mod run;
mod status;
mod submit;
mod verify;

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};
use jiff::Timestamp;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::archive::event::MACHINE;
use crate::archive::{ArchiveError, AuditFilter, ChainHead};
use crate::config::{self, Config};
use crate::control::{self, Failure, Request};
use crate::intake::submit::SubmitOptions;
use crate::route::Lane;

/// Bytes of a remark.
const LONGEST_REMARK: u64 = 64 * 1024;

/// sysexits.h: the command was used wrongly.
pub const EX_USAGE: u8 = 64;
/// sysexits.h: the input data was wrong.
pub const EX_DATAERR: u8 = 65;
/// sysexits.h: a service is unavailable (the daemon is not running).
pub const EX_UNAVAILABLE: u8 = 69;
/// sysexits.h: an internal error.
pub const EX_SOFTWARE: u8 = 70;
/// sysexits.h: an error of the disk; the archive ends the process on a failed sync.
pub const EX_IOERR: u8 = 74;
/// sysexits.h: a temporary failure; try again.
pub const EX_TEMPFAIL: u8 = 75;
/// sysexits.h: the configuration is wrong.
pub const EX_CONFIG: u8 = 78;

/// Largest file that `submit` takes: as a folder's `max_bytes` at its default.
const SUBMIT_LIMIT: u64 = 100_000_000;

/// Reads NICU faxes, tells what each is, links it to its open case, and queues it for a nurse.
#[derive(Parser)]
#[command(name = "nicufaxd", version, about, max_term_width = 100)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", default_value = config::DEFAULT_FILE)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the daemon until SIGTERM; SIGHUP reloads rules and cases.
    Run {
        /// Take all that the sources hold now, work until nothing is left, bring every export up to date, stop.
        #[arg(long)]
        drain: bool,
    },
    /// Validate the configuration, every path, the rules, the cases, and Tesseract with its language data.
    Check,
    /// Accept documents from a script (a fax server's hook); an id each is printed once they are stored durably.
    Submit {
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The source's name in logs and exports.
        #[arg(long, value_name = "NAME", default_value = "submit")]
        source: String,
        /// The sender's fax number.
        #[arg(long, value_name = "NUMBER")]
        sender: Option<String>,
        /// When the fax server received it; the due time runs from here. Default: the file's own time.
        #[arg(long, value_name = "RFC3339")]
        received_at: Option<Timestamp>,
        /// A remark for the nurse; `-` reads it from standard input, so that no list of processes shows it.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Print what the daemon would read on this document, accepting nothing; pages are parted by form feeds.
    Read {
        file: PathBuf,
        /// Words with boxes and confidences.
        #[arg(long)]
        json: bool,
        /// Type, fields and link with their reasons too.
        #[arg(long)]
        explain: bool,
    },
    /// The open-case registry.
    #[command(subcommand)]
    Cases(CasesCommand),
    /// Print a cover sheet for a case, as a PDF for the hospital: the case's id and authorization number, also as a QR code.
    Cover {
        #[arg(long, value_name = "ID")]
        case: String,
        /// A new file, for nobody but you. Default: standard output.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// The work queue.
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Why documents are linked as they are.
    #[command(subcommand)]
    Link(LinkCommand),
    /// Learn from one's own papers what the built-in tables say in general.
    #[command(subcommand)]
    Train(TrainCommand),
    /// Documents that no stage could finish, and mails that could not be sent, with the reason.
    #[command(subcommand)]
    Held(HeldCommand),
    /// Mails that the daemon wrote and that were not sent yet: those that wait, and those that were given up.
    #[command(subcommand)]
    Outbox(OutboxCommand),
    /// What the daemon is doing; exit code 69 when it is not running.
    Status {
        #[arg(long)]
        json: bool,
    },
    /// Check that every accepted document is present and unchanged, and that journal, index and exports agree.
    Verify {
        /// Only check the journal's chain and print its head, to be kept elsewhere; needs no key.
        #[arg(long)]
        head: bool,
        /// Only prove that nothing was rewritten up to a head that was kept elsewhere; needs no key.
        #[arg(long, value_name = "SEQ:HASH", conflicts_with = "head")]
        against: Option<ChainHead>,
    },
    /// Who did what, and when: the journal in words.
    Audit {
        /// Only documents that were linked to this case.
        #[arg(long, value_name = "ID")]
        case: Option<String>,
        /// Only this document, by the beginning of its id or by an item's id.
        #[arg(long, value_name = "ID")]
        document: Option<String>,
        /// Only what was recorded since.
        #[arg(long, value_name = "RFC3339")]
        since: Option<Timestamp>,
    },
    /// Forget what the retention rules let go: destroy the documents' keys, for good.
    Purge {
        /// Only tell what would be purged.
        #[arg(long)]
        dry_run: bool,
        /// Purge although the clock is far ahead of the last time that is sure: you have checked that it is right.
        #[arg(long, conflicts_with = "dry_run")]
        clock_is_right: bool,
    },
    /// The key that seals the state directory.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Make the index anew from journal and documents.
    Rebuild,
    /// A worker process; started by the daemon, of no use by hand.
    #[command(hide = true)]
    Worker,
}

#[derive(Subcommand)]
enum CasesCommand {
    /// Validate a snapshot and put it in the place of the one in force.
    Import { file: PathBuf },
    /// The cases in force, a line each.
    List {
        #[arg(long)]
        json: bool,
    },
    /// One case, every column.
    Show { id: String },
}

#[derive(Subcommand)]
enum QueueCommand {
    /// The open items, soonest due first.
    List {
        /// Only this lane.
        #[arg(long, value_parser = PossibleValuesParser::new(Lane::ALL.map(Lane::name)))]
        lane: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// One item, whole, as JSON.
    Show { id: String },
    /// Close an item: a person has dealt with it.
    Resolve {
        id: String,
        /// Who dealt with it; the user who runs this is recorded too.
        #[arg(long, value_parser = a_person)]
        by: String,
        /// The case it belongs to, if a person linked it.
        #[arg(long, value_name = "ID")]
        case: Option<String>,
        /// A remark for the record; `-` reads it from standard input, so that no list of processes shows it.
        #[arg(long)]
        note: Option<String>,
    },
}

#[derive(Subcommand)]
enum LinkCommand {
    /// What speaks for and against each case that an item may belong to, figure by figure; it is recorded that it was shown.
    Explain { id: String },
}

#[derive(Subcommand)]
enum TrainCommand {
    /// Fit the weights of linking to the papers of the archive, and to the cases that nurses gave them when they resolved
    /// items. Prints what changes, and writes a new file for `[link] weights`. The daemon must be stopped.
    Link {
        /// A new file.
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
        /// More known cases: lines of `{"source_file": "0042.tif", "first_page": 1, "case_id": "UM01"}`; `first_page` may
        /// be left out.
        #[arg(long, value_name = "JSONL")]
        labels: Option<PathBuf>,
    },
}

/// A name for the record, which must not pass for the machine's.
fn a_person(name: &str) -> Result<String, &'static str> {
    let name = name.trim();
    if name.is_empty() || name.eq_ignore_ascii_case(MACHINE) {
        Err("name the person who dealt with it")
    } else {
        Ok(name.to_owned())
    }
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Write a new key into a new file, for nobody but you.
    New { file: PathBuf },
    /// Put the state directory under another key; no document is sealed anew. The daemon must be stopped.
    Rotate { new_key_file: PathBuf },
}

#[derive(Subcommand)]
enum HeldCommand {
    /// Every held document, refused file and mail that was given up, with its reason.
    List {
        #[arg(long)]
        json: bool,
    },
    /// One of them, whole, as JSON.
    Show { id: String },
    /// Give a held document, or a mail that was given up, its attempts back and try again.
    Retry { id: String },
    /// Take a file that `submit` refused, or a mail that was given up, off the list: a person has seen to it.
    Dismiss { id: String },
}

#[derive(Subcommand)]
enum OutboxCommand {
    /// Every mail that was not sent yet, without address and text.
    List {
        #[arg(long)]
        json: bool,
    },
    /// One of them, whole, as JSON.
    Show { id: String },
    /// Try it again at once, with all its attempts.
    Retry { id: String },
    /// Do not send it: a person has seen to it. What is on its way this moment is not called back.
    Dismiss { id: String },
}

/// Keys and patients' data are in memory: no crash writes them to disk, and no other process looks at them. The bound
/// alone does not hold where dumps are piped to a collector (core(5)).
fn leave_no_dump() -> rustix::io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

/// Runs the command that argv asks for.
pub fn main() -> ExitCode {
    // What anybody else may read is given to them by name: the exports, to `[export] group`.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    if let Err(error) = leave_no_dump() {
        say(format_args!(
            "nicufaxd: warning: should it crash, what it holds in memory may be written to disk: {error}"
        ));
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(told) => return misused(&told),
    };
    let config = &arguments.config;
    let outcome = match arguments.command {
        Command::Worker => return crate::reader::worker::main(),
        Command::Check => check::check(config),
        Command::Run { drain } => load(config).and_then(|config| run::run(&config, drain)),
        Command::Submit { files, source, sender, received_at, note } => load(config).and_then(|config| {
            let note = remark(note)?;
            let max_bytes = SUBMIT_LIMIT;
            submit::submit(&config, &files, &SubmitOptions { source, sender, received_at, note, max_bytes })
        }),
        Command::Read { file, json, explain } => {
            load(config).and_then(|config| read::read(&config, &file, json, explain))
        }
        Command::Cases(CasesCommand::Import { file }) => load(config).and_then(|config| cases::import(&config, &file)),
        Command::Cases(CasesCommand::List { json }) => load(config).and_then(|config| cases::list(&config, json)),
        Command::Cases(CasesCommand::Show { id }) => load(config).and_then(|config| cases::show(&config, &id)),
        Command::Cover { case, output } => {
            load(config).and_then(|config| cover::cover(&config, &case, output.as_deref()))
        }
        Command::Queue(QueueCommand::List { lane, json }) => {
            load(config).and_then(|config| queue::list(&config, lane.as_deref(), json))
        }
        Command::Queue(QueueCommand::Show { id }) => {
            load(config).and_then(|config| show(&config, &Request::QueueShow { id }))
        }
        Command::Queue(QueueCommand::Resolve { id, by, case, note }) => load(config).and_then(|config| {
            let note = remark(note)?;
            queue::resolve(&config, &Request::QueueResolve { id, by, case, note })
        }),
        Command::Link(LinkCommand::Explain { id }) => load(config).and_then(|config| link::explain_item(&config, &id)),
        Command::Train(TrainCommand::Link { output, labels }) => {
            load(config).and_then(|config| link::train(&config, &output, labels.as_deref()))
        }
        Command::Held(HeldCommand::List { json }) => load(config).and_then(|config| held::list(&config, json)),
        Command::Held(HeldCommand::Show { id }) => {
            load(config).and_then(|config| show(&config, &Request::HeldShow { id }))
        }
        Command::Held(HeldCommand::Retry { id }) => load(config).and_then(|config| held::retry(&config, id)),
        Command::Held(HeldCommand::Dismiss { id }) => load(config).and_then(|config| held::dismiss(&config, id)),
        Command::Outbox(OutboxCommand::List { json }) => load(config).and_then(|config| outbox::list(&config, json)),
        Command::Outbox(OutboxCommand::Show { id }) => {
            load(config).and_then(|config| show(&config, &Request::OutboxShow { id }))
        }
        Command::Outbox(OutboxCommand::Retry { id }) => load(config).and_then(|config| outbox::retry(&config, id)),
        Command::Outbox(OutboxCommand::Dismiss { id }) => load(config).and_then(|config| outbox::dismiss(&config, id)),
        Command::Status { json } => load(config).and_then(|config| status::status(&config, json)),
        Command::Verify { head: true, .. } => load(config).and_then(|config| verify::head(&config)),
        Command::Verify { against: Some(kept), .. } => load(config).and_then(|config| verify::against(&config, &kept)),
        Command::Verify { .. } => load(config).and_then(|config| verify::verify(&config)),
        Command::Audit { case, document, since } => {
            load(config).and_then(|config| audit::audit(&config, &AuditFilter { case, document, since }))
        }
        Command::Purge { dry_run, clock_is_right } => {
            load(config).and_then(|config| purge::purge(&config, dry_run, clock_is_right))
        }
        Command::Key(KeyCommand::New { file }) => key::new(&file),
        Command::Key(KeyCommand::Rotate { new_key_file }) => {
            load(config).and_then(|config| key::rotate(&config, &new_key_file))
        }
        Command::Rebuild => load(config).and_then(|config| verify::rebuild(&config)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(format_args!("nicufaxd: {}", failure.message));
            ExitCode::from(failure.exit)
        }
    }
}

/// Prints what the command line came to instead of a command: help and version are answers, the rest is misuse.
fn misused(told: &clap::Error) -> ExitCode {
    // When nobody reads it, the exit code says enough.
    _ = told.print();
    if told.use_stderr() { ExitCode::from(EX_USAGE) } else { ExitCode::SUCCESS }
}

/// What an archive's fault means to a script.
pub fn archive_exit_code(error: &ArchiveError) -> u8 {
    if matches!(
        error,
        ArchiveError::StateDirectory { .. }
            | ArchiveError::OthersMayRead { .. }
            | ArchiveError::KeyMissing { .. }
            | ArchiveError::KeyWrong { .. }
            | ArchiveError::KeyFile { .. }
            | ArchiveError::KeyringMissing { .. }
            | ArchiveError::StatePlain { .. }
            | ArchiveError::StateSealed { .. }
    ) {
        EX_CONFIG
    } else if error.is_fatal() && !matches!(error, ArchiveError::Locked { .. }) {
        EX_IOERR
    } else {
        EX_TEMPFAIL
    }
}

/// A remark as it was given, or from standard input.
fn remark(given: Option<String>) -> Result<Option<String>, Failure> {
    if given.as_deref() != Some("-") {
        return Ok(given);
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(LONGEST_REMARK).read_to_string(&mut text);
    read.map_err(|error| Failure::new(EX_DATAERR, format!("the remark cannot be read from standard input: {error}")))?;
    Ok(Some(text.trim().to_owned()))
}

fn load(file: &std::path::Path) -> Result<Config, Failure> {
    Config::load(file).map_err(|problems| Failure {
        exit: EX_CONFIG,
        message: problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nnicufaxd: "),
    })
}

/// Prints what a request gives, as indented JSON.
fn show(config: &Config, request: &Request) -> Result<(), Failure> {
    print_json(&control::ask(config, request)?)
}

fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::software(&error))?;
    print_text(&format!("{text}\n"))
}

/// Writes a line to standard error; one that nobody can read any more is no failure, least of all a document's.
fn say(line: std::fmt::Arguments<'_>) {
    use std::io::Write;
    _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Writes to standard output; a reader that has gone away (`| head`) is no failure.
fn print_text(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::software(&error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// `1 document`, `2 documents`.
fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// Whether a sign steers a terminal: control characters, and those that turn the direction of writing round or are not
/// to be seen.
fn steers(sign: char) -> bool {
    sign.is_control()
        || matches!(sign, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A table with columns as wide as their widest cell; the last column is not padded. Names of files come from anywhere:
/// what would steer a terminal or break a row is shown as a mark.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let plain = |cell: &String| cell.chars().map(|sign| if steers(sign) { '\u{fffd}' } else { sign }).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(plain).collect()).collect();
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let head_row: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    for row in std::iter::once(&head_row).chain(&rows) {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_table_lines_its_columns_up() {
        let rows = vec![vec!["1".to_owned(), "b".to_owned()]];
        assert_eq!(table(&["head", "x"], &rows), "head  x\n1     b\n");
        let steering = vec![vec!["esc\u{1b}[2J\nfake".to_owned()]];
        assert_eq!(table(&["file"], &steering), "file\nesc\u{fffd}[2J\u{fffd}fake\n");
    }
}
