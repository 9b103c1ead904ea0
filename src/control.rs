//! How other commands speak with a running daemon: a Unix socket in the state directory, one request a connection.
//!
//! A request is a line of JSON, for `submit` followed by the document's bytes; the answer is a line of JSON. The
//! commands that need the archive ask the daemon when one runs, and open the archive themselves when none does, so
//! that both ways give the same answer: [`answer`]. Only the daemon's own user reaches the socket (0600 in a 0700
//! directory), so no further check is made.

mod mails;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};

use crate::archive::event::{Event, List, Operation, Refusal};
use crate::archive::{Accepted, Archive, ArchiveError, Arrival, Content, DeadLetter, DocumentState, Status};
use crate::cli::{EX_DATAERR, EX_SOFTWARE, EX_TEMPFAIL, EX_UNAVAILABLE, archive_exit_code};
use crate::clock;
use crate::config::Config;
use crate::daemon::Progress;
use crate::daemon::knowledge::{CasesInForce, ground, load_cases};
use crate::daemon::retention::{self, PurgeError};
use crate::document::{DocumentId, Receipt};
use crate::intake::status::SourceStatuses;
use crate::intake::submit::{self, RefusedFile, Submission};
use crate::link::Registry;
use crate::log::{self, LastError};
use crate::outbox::OutboxStatus;
use crate::pipeline::Knowledge;
use crate::queue::acts::{self, Disposition};
use crate::queue::ground::Ground;
use crate::queue::item::{ItemId, ItemState, QueueItem};
use crate::reader::pool::ReaderPool;

/// Longest request line; a document's bytes come after it and are bounded by `MAX_DOCUMENT`.
const MAX_REQUEST: u64 = 1 << 20;
/// Largest document over the socket, as for a folder at its highest setting.
const MAX_DOCUMENT: u64 = 2_000_000_000;
/// A peer that is silent for so long is dropped.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a command asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    Status,
    /// Which case snapshot is in force.
    Cases,
    /// An operator has this done: it is recorded.
    Operated(Operation),
    /// This part of the trail is about to be shown: it is recorded.
    TrailShown(List),
    /// Cases are about to be shown, this one or so many of them: it is recorded.
    CasesShown {
        case: Option<String>,
        entries: usize,
    },
    /// `bytes` of document follow the request line.
    Submit {
        receipt: Receipt,
        source_key: String,
        /// See [`Submission::refusals`].
        refusals: String,
        bytes: u64,
    },
    /// `submit` did not take this file.
    SubmitRefused(RefusedFile),
    QueueList {
        lane: Option<String>,
    },
    QueueShow {
        id: String,
    },
    /// A person does something with an item.
    Act(Disposition),
    /// What was determined of a case, or of all.
    Determinations {
        case: Option<String>,
    },
    /// The item, with what was read of its document, is about to be shown: it is recorded.
    LinkExplain {
        id: String,
    },
    HeldList,
    HeldShow {
        id: String,
    },
    HeldRetry {
        id: String,
    },
    /// A person has seen to a file that `submit` refused.
    HeldDismiss {
        id: String,
    },
    /// The mails that were not sent yet.
    OutboxList,
    OutboxShow {
        id: String,
    },
    OutboxRetry {
        id: String,
    },
    OutboxDismiss {
        id: String,
    },
    /// What the daemon's index holds.
    Index,
    /// Purge what the retention rules let go, or only tell it.
    Purge {
        dry_run: bool,
        /// The operator says that the clock, however far ahead, is right.
        #[serde(default)]
        clock_is_right: bool,
    },
}

/// Why a command fails, with its exit code.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    pub exit: u8,
    pub message: String,
}

impl Failure {
    pub fn new(exit: u8, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// A fault that the user can do nothing about.
    pub fn software(error: &dyn std::fmt::Display) -> Self {
        Self::new(EX_SOFTWARE, error.to_string())
    }
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        Self::new(archive_exit_code(&error), error.to_string())
    }
}

impl From<PurgeError> for Failure {
    fn from(error: PurgeError) -> Self {
        match error {
            PurgeError::Archive(error) => error.into(),
            PurgeError::Export(_) => Self::new(EX_TEMPFAIL, error.to_string()),
        }
    }
}

/// The socket's place.
fn socket_path(state_dir: &Path) -> PathBuf {
    state_dir.join("control.sock")
}

// ---- asking

/// Asks the running daemon, or the archive itself when none runs.
pub fn ask(config: &Config, request: &Request) -> Result<Value, Failure> {
    if let Some(value) = ask_daemon(config, request, &[])? {
        return Ok(value);
    }
    let archive = Archive::open(&config.state_dir, &config.archive_options())?;
    let offline = || {
        let registry = load_cases(config).map(|(registry, _)| registry).or_else(|_| {
            let kept = archive.cases()?.and_then(|kept| Registry::parse(&kept.bytes).ok());
            Ok::<_, ArchiveError>(kept.unwrap_or_else(Registry::empty))
        })?;
        Ok(ground(config, registry))
    };
    answer(&archive, offline, request, &this_user())
}

/// Who runs this program, for the record: the kernel's word, not a name that somebody gives.
pub fn this_user() -> String {
    user(rustix::process::getuid().as_raw())
}

fn user(uid: u32) -> String {
    format!("uid {uid}")
}

/// Hands a document to the running daemon, or stores it when none runs; the next start reads it then.
pub fn submit(config: &Config, submission: Submission) -> Result<DocumentId, Failure> {
    let Submission { bytes, receipt, source_key, refusals } = submission;
    let request = Request::Submit {
        receipt: receipt.clone(),
        source_key: source_key.clone(),
        refusals: refusals.clone(),
        bytes: bytes.len() as u64,
    };
    if let Some(value) = ask_daemon(config, &request, &bytes)? {
        return serde_json::from_value(value["document"].clone()).map_err(|error| Failure::software(&error));
    }
    let archive = Archive::open(&config.state_dir, &config.archive_options())?;
    let arrival = Arrival { content: Content::Bytes(bytes), receipt, source_key };
    Ok(accept_and_clear(&archive, arrival, &refusals)?.document)
}

/// Has a file that `submit` did not take held for a person; gives the entry's id.
pub fn refuse(config: &Config, refused: RefusedFile) -> Result<String, Failure> {
    let answer = ask(config, &Request::SubmitRefused(refused))?;
    Ok(answer["refused"].as_str().unwrap_or_default().to_owned())
}

/// `None` when no daemon listens.
pub fn ask_daemon(config: &Config, request: &Request, bytes: &[u8]) -> Result<Option<Value>, Failure> {
    let Ok(mut stream) = BlockingStream::connect(socket_path(&config.state_dir)) else { return Ok(None) };
    let lost =
        |error: std::io::Error| Failure::new(EX_TEMPFAIL, format!("the daemon did not answer: {error}; try again"));
    let mut line = serde_json::to_vec(request).map_err(|error| Failure::software(&error))?;
    line.push(b'\n');
    stream.write_all(&line).and_then(|()| stream.write_all(bytes)).map_err(lost)?;
    let mut reply = String::new();
    BufReader::new(stream).read_line(&mut reply).map_err(lost)?;
    let reply: Result<Value, Failure> = serde_json::from_str(&reply)
        .map_err(|_| Failure::new(EX_TEMPFAIL, "the daemon ended before it answered; try again"))?;
    reply.map(Some)
}

// ---- answering

/// The answer to a request that needs nothing but the archive. `by` is who asks: what is shown is recorded.
/// `ground` is what acts on items are judged by.
pub fn answer(
    archive: &Archive,
    ground: impl FnOnce() -> Result<Ground, Failure>,
    request: &Request,
    by: &str,
) -> Result<Value, Failure> {
    let listed = |entries: usize, list: List| {
        archive.record(Event::Listed { by: by.to_owned(), entries: entries as u64, list: Some(list) })
    };
    let shown = |document: DocumentId| archive.record(Event::Shown { document, by: by.to_owned() });
    match request {
        Request::Status | Request::Cases | Request::Submit { .. } | Request::Purge { .. } => {
            Err(Failure::new(EX_UNAVAILABLE, "the daemon is not running"))
        }
        Request::SubmitRefused(RefusedFile { source_file, reason, key }) => {
            let begun = Instant::now();
            archive.record(Event::Refused {
                source: submit::SOURCE.to_owned(),
                source_file: source_file.clone(),
                reason: reason.clone(),
                key: key.clone(),
            })?;
            let id = archive.refusal_id(key);
            log::submit_refused(&id, reason, begun.elapsed());
            Ok(json!({ "refused": id }))
        }
        Request::Operated(what) => {
            archive.record(Event::Operated { by: by.to_owned(), what: *what })?;
            Ok(Value::Null)
        }
        Request::TrailShown(trail) => {
            listed(0, trail.clone())?;
            Ok(Value::Null)
        }
        Request::CasesShown { case, entries } => {
            match case {
                Some(case_id) => archive.record(Event::CaseShown { case_id: case_id.clone(), by: by.to_owned() })?,
                None => listed(*entries, List::Cases)?,
            }
            Ok(Value::Null)
        }
        Request::Index => Ok(json!(archive.index_summary()?)),
        Request::QueueList { lane } => {
            let mut items = Vec::new();
            for item in archive.items() {
                let item = item?;
                if item.state != ItemState::Resolved && lane.as_ref().is_none_or(|lane| item.is_in(lane)) {
                    items.push(item);
                }
            }
            items.sort_by(|a, b| (a.due_at, &a.id).cmp(&(b.due_at, &b.id)));
            listed(items.len(), List::Queue { lane: lane.clone() })?;
            items.iter().map(as_exported).collect()
        }
        Request::QueueShow { id } => {
            let item = archive.item(&item_id(id)?)?.ok_or_else(|| no_such(id))?;
            if let Some(document) = archive.find_document(item.id.document())? {
                shown(document)?;
            }
            let mut exported = as_exported(&item)?;
            if let Some(resolution) = archive.resolution(&item.id)? {
                exported["resolution"] = json!({
                    "by": resolution.by,
                    "disposition": resolution.disposition,
                    "case_id": resolution.case_id,
                    "note": resolution.note,
                    "at": resolution.at.to_string(),
                });
            }
            Ok(exported)
        }
        Request::Act(disposition) => {
            let id = disposition.item.to_string();
            let item = archive.item(&disposition.item)?.ok_or_else(|| no_such(&id))?;
            let name = format!("{} ({by})", disposition.by.trim());
            let earlier = match acts::determined_case(&item, disposition) {
                Some(case_id) => archive.determinations(Some(case_id))?,
                None => Vec::new(),
            };
            let refused = |refused| Failure::new(EX_DATAERR, format!("{id} {refused}"));
            let events =
                acts::events(&item, disposition, &name, &ground()?, clock::now(), &earlier).map_err(refused)?;
            archive.record_all(events)?;
            let item = archive.item(&disposition.item)?.ok_or_else(|| no_such(&id))?;
            as_exported(&item)
        }
        Request::Determinations { case } => {
            let found = archive.determinations(case.as_deref())?;
            match case {
                Some(case_id) => archive.record(Event::CaseShown { case_id: case_id.clone(), by: by.to_owned() })?,
                None => listed(found.len(), List::Cases)?,
            }
            Ok(json!(found))
        }
        Request::LinkExplain { id } => {
            let item = archive.item(&item_id(id)?)?.ok_or_else(|| no_such(id))?;
            let document = archive.find_document(item.id.document())?.ok_or_else(|| no_such(id))?;
            let receipt = archive.document(&document)?.and_then(|state| state.receipts.into_iter().next());
            let Some((reading, receipt)) = archive.reading(&document)?.zip(receipt) else {
                return Err(Failure::new(
                    EX_DATAERR,
                    format!("{id}: nothing of it was read; there is nothing to weigh"),
                ));
            };
            shown(document)?;
            Ok(json!({ "item": item, "reading": reading, "receipt": receipt }))
        }
        Request::OutboxList => {
            let unsent = mails::unsent(archive)?;
            let documents = unsent.iter().filter_map(mails::Unsent::document).map(short).collect();
            listed(unsent.len(), List::Outbox { documents })?;
            Ok(unsent.iter().map(mails::Unsent::listed).collect())
        }
        Request::OutboxShow { id } => {
            let mail = mails::find(archive, id)?;
            match mail.document() {
                Some(document) => shown(document.clone())?,
                None => listed(1, List::Other)?,
            }
            Ok(mail.whole())
        }
        Request::OutboxRetry { id } => {
            archive.record(mails::find(archive, id)?.retried(by))?;
            Ok(json!({ "mail": id }))
        }
        Request::OutboxDismiss { id } => {
            archive.record(mails::find(archive, id)?.dismissed(by))?;
            Ok(json!({ "dismissed": id }))
        }
        Request::HeldList => {
            let (lost, letters) = (archive.lost()?, archive.dead_letters()?);
            let entries = held_entries(archive, &lost, &letters)?;
            let of_letters = letters.iter().filter_map(|letter| letter.document.as_ref());
            let documents = lost.iter().map(|lost| &lost.document).chain(of_letters).map(short).collect();
            listed(entries.len(), List::Held { documents })?;
            Ok(Value::Array(entries))
        }
        Request::HeldShow { id } => {
            let mut entry = if let Some(letter) = mails::dead_letter(archive, id)? {
                mails::held_whole(&letter)
            } else {
                let entries = held_entries(archive, &archive.lost()?, &[])?;
                entries.into_iter().find(|entry| names(entry, id)).ok_or_else(|| no_such(id))?
            };
            let document = entry.get("document").and_then(|document| serde_json::from_value(document.clone()).ok());
            if let Some(document) = &document
                && let Some(Status::Held { mail: Some(mail), .. }) = archive.document(document)?.map(|held| held.status)
            {
                // Which message it is: not for a list, which lies about on screens.
                entry["subject"] = json!(mail.subject);
            }
            match document {
                Some(document) => shown(document)?,
                None => listed(1, List::Other)?,
            }
            Ok(entry)
        }
        Request::HeldRetry { id } => {
            if let Some(letter) = mails::dead_letter(archive, id)? {
                archive.record(mails::Unsent::GivenUp(letter).retried(by))?;
                return Ok(json!({ "mail": id }));
            }
            let held = archive.held()?;
            let mut named = held.iter().filter(|held| held.document.as_str().starts_with(id.as_str()));
            match (named.next(), named.next()) {
                (Some(held), None) if id.len() >= 8 => {
                    archive.record(Event::Retried { document: held.document.clone(), by: by.to_owned() })?;
                    Ok(json!({ "document": held.document }))
                }
                (Some(_), _) => {
                    Err(Failure::new(EX_DATAERR, format!("{id} names several held documents; give more digits")))
                }
                (None, _) => match archive.refused()?.iter().find(|refusal| refusal.id == *id) {
                    Some(refusal) => Err(refused_by_hand(id, &refusal.source)),
                    None => Err(lost_by_hand(archive, id)?.unwrap_or_else(|| no_such(id))),
                },
            }
        }
        Request::HeldDismiss { id } if id.starts_with(mails::MAIL) => {
            let letter = mails::dead_letter(archive, id)?.ok_or_else(|| no_such(id))?;
            archive.record(mails::Unsent::GivenUp(letter).dismissed(by))?;
            Ok(json!({ "dismissed": id }))
        }
        Request::HeldDismiss { id } => match archive.refused()?.iter().find(|refusal| refusal.id == *id) {
            Some(refusal) if refusal.source == submit::SOURCE => {
                archive.record(Event::RefusalCleared { key: refusal.key.clone(), by: Some(by.to_owned()) })?;
                log::refusal_dismissed(id);
                Ok(json!({ "dismissed": id }))
            }
            Some(refusal) => Err(refused_by_hand(id, &refusal.source)),
            None if archive.held()?.iter().any(|held| held.document.as_str().starts_with(id.as_str())) => {
                let message = format!("{id} is a document: resolve its item once a person has read it by hand");
                Err(Failure::new(EX_DATAERR, message))
            }
            // Giving a document up is a decision that bears a name, as any other on an item.
            None => Err(lost_by_hand(archive, id)?.unwrap_or_else(|| no_such(id))),
        },
    }
}

/// An item as `queue.jsonl` has it: the numbers as they are written there. Making a [`Value`] of it directly would widen
/// them, 0.98 to 0.9800000190734863.
pub fn as_exported(item: &QueueItem) -> Result<Value, Failure> {
    let line = serde_json::to_string(item).map_err(|error| Failure::software(&error))?;
    serde_json::from_str(&line).map_err(|error| Failure::software(&error))
}

/// What can be done with a file that was refused: nothing from here.
fn refused_by_hand(id: &str, source: &str) -> Failure {
    let remedy = if source == submit::SOURCE {
        "put it right and submit it again; once a person has seen to it otherwise: nicufaxd held dismiss"
    } else {
        "put it right in its folder, and it is taken from there; once it is removed, it is listed no longer"
    };
    Failure::new(EX_DATAERR, format!("{id} is a refused file: {remedy}"))
}

/// Stores a submitted document; what was refused under the same path before is listed no longer.
fn accept_and_clear(archive: &Archive, arrival: Arrival, refusals: &str) -> Result<Accepted, ArchiveError> {
    let accepted = archive.accept(arrival)?;
    if archive.counts().refused > 0 {
        let of_this_path = |refusal: &Refusal| refusal.source == submit::SOURCE && refusal.key.starts_with(refusals);
        let cleared = archive.refused().and_then(|refused| {
            let keys = refused.into_iter().filter(of_this_path).map(|refusal| refusal.key);
            archive.record_all(keys.map(|key| Event::RefusalCleared { key, by: None }).collect())
        });
        // The document is stored, which is what was asked; an entry too many can be dismissed by hand.
        _ = cleared;
    }
    Ok(accepted)
}

/// Held documents, those that were lost among them, then refused files, then mails that were given up.
fn held_entries(archive: &Archive, lost: &[DocumentState], letters: &[DeadLetter]) -> Result<Vec<Value>, ArchiveError> {
    let held: Vec<Value> = archive.held()?.iter().chain(lost).map(held_value).collect();
    let refused = archive.refused()?.into_iter().map(|refusal| {
        json!({ "id": refusal.id, "kind": "refused", "source": refusal.source, "source_file": refusal.source_file,
                "reason": refusal.reason, "since": refusal.at })
    });
    Ok(held.into_iter().chain(refused).chain(letters.iter().map(mails::held_value)).collect())
}

/// The lost document that goes by the beginning of its id, and what can be done about it: nothing from here.
fn lost_by_hand(archive: &Archive, id: &str) -> Result<Option<Failure>, ArchiveError> {
    let lost = archive.lost()?.into_iter().find(|lost| id.len() >= 8 && lost.document.as_str().starts_with(id));
    Ok(lost.map(|lost| {
        let items: Vec<String> = lost.items.iter().map(ToString::to_string).collect();
        Failure::new(
            EX_DATAERR,
            format!(
                "{id} is a document whose stored file is missing or damaged: restore it from a copy, or have the same \
                 document sent again, and it is there as before; if neither can be had, say who gave it up: nicufaxd \
                 queue resolve ID --by NAME, for {}",
                items.join(", ")
            ),
        )
    }))
}

fn short(document: &DocumentId) -> String {
    document.short().to_owned()
}

fn held_value(held: &DocumentState) -> Value {
    let (stage, reason, since, mail) = match &held.status {
        Status::Held { reason, stage, since, mail } => (stage.name(), reason.as_str(), Some(*since), mail.as_ref()),
        Status::Waiting | Status::Queued => ("", "", None, None),
    };
    let of_receipt = held.receipts.first().and_then(|receipt| receipt.sender.as_ref());
    let sender = of_receipt.map(String::as_str).or_else(|| mail?.sender());
    json!({ "id": held.document.short(), "kind": "document", "document": held.document, "stage": stage,
            "sender": sender, "reason": reason, "since": since, "receipts": held.receipts })
}

/// Whether this entry of the held list goes by `id`: the short id, or the whole digest.
fn names(entry: &Value, id: &str) -> bool {
    entry["id"] == id || (entry["kind"] == "document" && entry["document"] == id)
}

pub fn item_id(id: &str) -> Result<ItemId, Failure> {
    ItemId::try_from(id.to_owned()).map_err(|error| Failure::new(EX_DATAERR, format!("{id}: {error}")))
}

fn no_such(id: &str) -> Failure {
    Failure::new(
        EX_DATAERR,
        format!("{id} is not known; `nicufaxd queue list`, `held list` and `outbox list` show what is"),
    )
}

// ---- serving

/// What the running daemon answers from.
pub struct Serving {
    pub config: Arc<Config>,
    pub archive: Archive,
    pub pool: Arc<ReaderPool>,
    pub sources: SourceStatuses,
    pub outbox: OutboxStatus,
    pub cases: watch::Receiver<CasesInForce>,
    pub knowledge: watch::Receiver<Knowledge>,
    pub progress: watch::Receiver<Progress>,
    pub last_error: LastError,
    /// Weak, so that a draining daemon can end though it still answers.
    pub accepted: mpsc::WeakSender<DocumentId>,
    pub stopping: watch::Receiver<bool>,
}

/// The listener's task; dropped sockets are removed by [`Control::end`].
pub struct Control {
    task: tokio::task::JoinHandle<()>,
    path: PathBuf,
}

impl Control {
    /// Stops answering and removes the socket.
    pub async fn end(self) {
        self.task.abort();
        _ = self.task.await;
        // Without a listener the file refuses connections, which asks as "not running"; a leftover does no harm.
        _ = std::fs::remove_file(&self.path);
    }
}

/// Listens from now on.
pub fn serve(serving: Serving) -> std::io::Result<Control> {
    let path = socket_path(&serving.config.state_dir);
    // The state directory is locked by us: a socket that lies there is a dead daemon's.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let serving = Arc::new(serving);
    let started = clock::now();
    let task = tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let serving = serving.clone();
            tokio::spawn(async move {
                // A peer that goes away or stays silent has lost its answer, nothing else.
                _ = tokio::time::timeout(PATIENCE, converse(stream, &serving, started)).await;
            });
        }
    });
    Ok(Control { task, path })
}

async fn converse(stream: UnixStream, serving: &Arc<Serving>, started: Timestamp) -> std::io::Result<()> {
    let by = user(stream.peer_cred()?.uid());
    let (receiving, mut sending) = stream.into_split();
    let mut receiving = tokio::io::BufReader::new(receiving);
    let mut line = String::new();
    (&mut receiving).take(MAX_REQUEST).read_line(&mut line).await?;
    let reply = match serde_json::from_str(&line) {
        Ok(Request::Status) => {
            let serving = serving.clone();
            let told = tokio::task::spawn_blocking(move || status(&serving, started)).await;
            told.unwrap_or_else(|error| Err(Failure::software(&error)))
        }
        Ok(Request::Cases) => Ok(json!(*serving.cases.borrow())),
        Ok(Request::Submit { receipt, source_key, refusals, bytes }) => {
            let mut document = Vec::new();
            (&mut receiving).take(bytes.min(MAX_DOCUMENT)).read_to_end(&mut document).await?;
            if document.len() as u64 == bytes {
                accept(serving, Arrival { content: Content::Bytes(document), receipt, source_key }, refusals).await
            } else {
                Err(Failure::new(EX_TEMPFAIL, "the document did not arrive whole; try again"))
            }
        }
        Ok(Request::Purge { dry_run, clock_is_right }) => {
            let serving = serving.clone();
            let purged = tokio::task::spawn_blocking(move || {
                let Serving { config, archive, stopping, .. } = &*serving;
                retention::asked(config, archive, (dry_run, clock_is_right), &by, || *stopping.borrow())
            });
            let purged = purged.await;
            purged.map_err(|error| Failure::software(&error)).and_then(|due| Ok(json!(due?)))
        }
        Ok(request) => {
            let archive = serving.archive.clone();
            let retries = matches!(request, Request::HeldRetry { .. });
            let ground = serving.knowledge.borrow().ground();
            let answered = tokio::task::spawn_blocking(move || answer(&archive, || Ok(ground), &request, &by)).await;
            let reply = answered.unwrap_or_else(|error| Err(Failure::software(&error)));
            // A retried document goes back to the work loop at once.
            if retries
                && let Ok(value) = &reply
                && let Some(id) = value.get("document").and_then(|id| serde_json::from_value(id.clone()).ok())
            {
                announce(serving, id).await;
            }
            reply
        }
        Err(error) => Err(Failure::new(EX_DATAERR, format!("the request is not understood: {error}"))),
    };
    let mut text = serde_json::to_vec(&reply).map_err(std::io::Error::other)?;
    text.push(b'\n');
    sending.write_all(&text).await
}

async fn accept(serving: &Arc<Serving>, arrival: Arrival, refusals: String) -> Result<Value, Failure> {
    let begun = Instant::now();
    let archive = serving.archive.clone();
    let accepted = tokio::task::spawn_blocking(move || accept_and_clear(&archive, arrival, &refusals))
        .await
        .map_err(|error| Failure::software(&error))??;
    log::document_submitted(&accepted.document, accepted.first, begun.elapsed());
    announce(serving, accepted.document.clone()).await;
    Ok(json!({ "document": accepted.document, "first": accepted.first }))
}

/// Tells the work loop; when that has ended, the document waits in the archive for the next start.
async fn announce(serving: &Serving, id: DocumentId) {
    if let Some(accepted) = serving.accepted.upgrade() {
        _ = accepted.send(id).await;
    }
}

fn status(serving: &Serving, started: Timestamp) -> Result<Value, Failure> {
    let mut lanes: BTreeMap<String, u64> = BTreeMap::new();
    let (mut oldest, mut held) = (None::<QueueItem>, Vec::new());
    for item in serving.archive.items() {
        let item = item?;
        held.extend((item.state == ItemState::Held).then(|| item.id.clone()));
        *lanes.entry(item.lane.clone()).or_default() += 1;
        if oldest.as_ref().is_none_or(|oldest| item.received_at < oldest.received_at) {
            oldest = Some(item);
        }
    }
    let (sources, counts) = (serving.sources.snapshot(), serving.archive.counts());
    let in_hand = serving.progress.borrow().in_hand as u64;
    let stages = json!({
        "intake": sources.values().map(|source| source.waiting).sum::<usize>(),
        "waiting_to_be_read": counts.waiting.saturating_sub(in_hand),
        "being_read": in_hand,
        "queued": counts.unresolved_items.saturating_sub(counts.held),
        "held": counts.held,
        "lost": serving.archive.lost_among(&held)?.len(),
        "refused": counts.refused,
    });
    Ok(json!({
        "running": true,
        "version": env!("CARGO_PKG_VERSION"),
        "started_at": started,
        "stopping": *serving.stopping.borrow(),
        "sources": sources,
        "cases": *serving.cases.borrow(),
        "documents": counts,
        "stages": stages,
        "disk": serving.archive.disk_status(),
        "oldest_waiting": oldest_waiting(&serving.archive)?,
        "lanes": lanes,
        "oldest_item": oldest.map(|item| json!({ "id": item.id, "received_at": item.received_at, "due_at": item.due_at })),
        "outbox": serving.outbox.tell()?,
        "workers": serving.pool.status(),
        "last_error": serving.last_error.line(),
    }))
}

/// The document that has waited longest to be read.
fn oldest_waiting(archive: &Archive) -> Result<Option<Value>, ArchiveError> {
    let Some(first) = archive.waiting()?.into_iter().next() else { return Ok(None) };
    let Some(state) = archive.document(&first)? else { return Ok(None) };
    let received_at = state.receipts.first().map(|receipt| receipt.received_at);
    Ok(Some(json!({ "document": first.short(), "received_at": received_at, "attempts": state.attempts })))
}
