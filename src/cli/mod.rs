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
mod route;
mod run;
mod status;
mod submit;
mod terminal;
mod verify;

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::archive::event::MACHINE;
use crate::archive::{ArchiveError, AuditFilter, ChainHead};
use crate::config::{self, Config};
use crate::control::{self, Failure, Request};
use crate::document::{DocumentType, TransferDirection};
use crate::intake::submit::SubmitOptions;
use crate::queue::acts::{Action, Disposition};
use crate::queue::determination::{Decision, Determination};

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
    /// What was determined: the days of cases that were approved or denied.
    Determinations {
        /// Only of this case.
        #[arg(long, value_name = "ID")]
        case: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// The rules by which documents are routed.
    #[command(subcommand)]
    Route(RouteCommand),
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
        /// Only this lane, what was copied to it included.
        #[arg(long)]
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
        /// It is not ours.
        #[arg(long)]
        misdirected: bool,
        /// A remark for the record; `-` reads it from standard input, so that no list of processes shows it.
        #[arg(long)]
        note: Option<String>,
    },
    /// Take an item for a shift (8 hours): nobody else closes it meanwhile. Taking it again begins anew.
    Take {
        id: String,
        #[arg(long, value_parser = a_person)]
        by: String,
    },
    /// Give an item back.
    Release {
        id: String,
        #[arg(long, value_parser = a_person)]
        by: String,
    },
    /// The sender was asked for information: the clock stands still, as long as the due rule allows.
    Ask {
        id: String,
        #[arg(long, value_parser = a_person)]
        by: String,
        /// What was asked for; `-` reads it from standard input, so that no list of processes shows it.
        #[arg(long)]
        what: String,
    },
    /// What was asked for came, or is not waited for any more: the clock goes on.
    Resume {
        id: String,
        #[arg(long, value_parser = a_person)]
        by: String,
    },
    /// Record which days of the item's case were approved or denied, which closes the item.
    Determine(Determine),
    /// Put right what the machine told of an item, which is routed by it anew; with neither type nor case, confirm it.
    Amend {
        id: String,
        #[arg(long, value_parser = a_person)]
        by: String,
        #[arg(long = "type", value_parser = a_word::<DocumentType>)]
        document_type: Option<DocumentType>,
        /// Of a transfer.
        #[arg(long, value_parser = a_word::<TransferDirection>)]
        direction: Option<TransferDirection>,
        #[arg(long, value_name = "ID")]
        case: Option<String>,
    },
}

#[derive(clap::Args)]
struct Determine {
    id: String,
    #[arg(long, value_parser = a_person)]
    by: String,
    /// The case, if the item is not linked to it.
    #[arg(long, value_name = "ID")]
    case: Option<String>,
    /// First day.
    #[arg(long, value_name = "DATE")]
    from: Date,
    /// Last day, which counts too.
    #[arg(long, value_name = "DATE")]
    to: Date,
    /// How many days that is; it must add up.
    #[arg(long)]
    days: u32,
    /// Level of care that was asked for, 1 to 4.
    #[arg(long, value_name = "LEVEL")]
    requested: u8,
    /// Level of care that is approved.
    #[arg(long, value_name = "LEVEL")]
    approved: Option<u8>,
    /// `approve_per_criteria`, `approve_per_physician_reviewer` or `deny`.
    #[arg(long, value_parser = a_word::<Decision>)]
    decision: Decision,
    #[arg(long)]
    criterion: Option<String>,
    #[arg(long, value_name = "DATE")]
    next_review: Option<Date>,
    /// What the next review must hold.
    #[arg(long)]
    next_review_notes: Option<String>,
    #[arg(long, value_name = "NUMBER")]
    auth_number: Option<String>,
    /// The number of the determination that was wrong.
    #[arg(long, value_name = "NUMBER")]
    replaces: Option<u64>,
}

/// A word of the exports, as they write it.
fn a_word<T: serde::de::DeserializeOwned>(word: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).map_err(|error| error.to_string())
}

impl QueueCommand {
    /// What it does with an item; `None`: it only looks.
    fn disposition(self) -> Result<Option<Disposition>, Failure> {
        let of = |id: &str, action, by| Ok::<_, Failure>(Disposition::new(control::item_id(id)?, action, by));
        Ok(Some(match self {
            Self::List { .. } | Self::Show { .. } => return Ok(None),
            Self::Resolve { id, by, case, misdirected, note } => {
                let action = if misdirected { Action::Misdirected } else { Action::Done };
                Disposition { case_id: case, note: remark(note)?, ..of(&id, action, by)? }
            }
            Self::Take { id, by } => of(&id, Action::Take, by)?,
            Self::Release { id, by } => of(&id, Action::Release, by)?,
            Self::Ask { id, by, what } => Disposition { note: remark(Some(what))?, ..of(&id, Action::Ask, by)? },
            Self::Resume { id, by } => of(&id, Action::Resume, by)?,
            Self::Determine(determine) => {
                let determination = Determination {
                    from: determine.from,
                    to: determine.to,
                    days: determine.days,
                    level_requested: determine.requested,
                    level_approved: determine.approved,
                    decision: determine.decision,
                    criterion: determine.criterion,
                    next_review_date: determine.next_review,
                    next_review_notes: determine.next_review_notes,
                    auth_number: determine.auth_number,
                    replaces: determine.replaces,
                };
                let determined = of(&determine.id, Action::Determine, determine.by)?;
                Disposition { case_id: determine.case, determination: Some(determination), ..determined }
            }
            Self::Amend { id, by, document_type, direction, case } => {
                let amended = of(&id, Action::Amend, by)?;
                Disposition { document_type, transfer_direction: direction, case_id: case, ..amended }
            }
        }))
    }
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
enum RouteCommand {
    /// Why an item is where it is: the rules that were passed over, each with the reason, and the one that applies.
    Explain { id: String },
    /// What the rules would do with the facts in a JSON file: an object, or an array of them.
    Test { file: PathBuf },
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
        Command::Queue(command) => load(config).and_then(|config| match command.disposition()? {
            Some(disposition) => queue::act(&config, disposition),
            None => Ok(()),
        }),
        Command::Determinations { case, json } => {
            load(config).and_then(|config| queue::determinations(&config, case, json))
        }
        Command::Route(RouteCommand::Explain { id }) => load(config).and_then(|config| route::explain(&config, &id)),
        Command::Route(RouteCommand::Test { file }) => load(config).and_then(|config| route::test(&config, &file)),
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
    if !told.use_stderr() {
        _ = told.print();
        return ExitCode::SUCCESS;
    }
    // It repeats what it was given, so it is asked about the same words made plain.
    let plain = std::env::args_os().map(|argument| terminal::line(&argument.to_string_lossy()));
    match Arguments::try_parse_from(plain) {
        Err(told) => _ = told.print(),
        Ok(_) => say(format_args!("{told}")),
    }
    ExitCode::from(EX_USAGE)
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
    Config::load(file).map_err(|mut problems| {
        let last = problems.pop().map(|problem| problem.to_string());
        for problem in problems {
            say(format_args!("nicufaxd: {problem}"));
        }
        Failure::new(EX_CONFIG, last.unwrap_or_default())
    })
}

/// Prints what a request gives, as indented JSON.
fn show(config: &Config, request: &Request) -> Result<(), Failure> {
    print_json(&control::ask(config, request)?)
}

fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::software(&error))?;
    print_text(&format!("{}\n", terminal::json(&text)))
}

/// Writes a line to standard error; one that nobody can read any more is no failure, least of all a document's.
fn say(line: std::fmt::Arguments<'_>) {
    use std::io::Write;
    _ = writeln!(std::io::stderr().lock(), "{}", terminal::line(&line.to_string()));
}

/// Writes to standard output; a reader that has gone away (`| head`) is no failure.
fn print_text(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    match std::io::stdout().lock().write_all(terminal::text(text).as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::software(&error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// `1 document`, `2 documents`.
fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// A table with columns as wide as their widest cell; the last column is not padded. Names of files come from anywhere:
/// what would steer a terminal or break a row is shown as a mark.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| terminal::part(cell)).collect()).collect();
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
