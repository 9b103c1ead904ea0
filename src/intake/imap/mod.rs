//! One folder of a mail account over IMAP: its messages are stored in the archive, raw, and then moved out of the
//! folder, deleted or flagged.
//!
//! Each folder has a task and a connection of its own, so one that hangs delays none. The order is that of every
//! source: fetched (never marking a message as read) → stored durably → let go at the server. A connection that is cut
//! between two steps leaves the message where it is, and the next look finds it again: under the same key (account,
//! folder, UIDVALIDITY, UID) it is the same arrival, under another one the archive knows its bytes. Nothing is ever
//! searched for by "unseen": people read these mailboxes too.
//!
//! The server tells of new messages where it can (IDLE); everything is looked at again every few minutes all the same.
//! While the server cannot be reached it is tried again, ever less often, up to every five minutes.
//!
//! Log lines name the source and the document's id; never an address, a subject or what the server says, which may
//! quote either.

mod connect;
mod fetch;
mod letting_go;
mod look;
mod oauth;
mod tls;
mod trouble;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_imap::types::UnsolicitedResponse;
use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tracing::{error, warn};

use self::connect::{Connection, PATIENCE};
use self::look::Mailbox;
pub use self::oauth::{TokenSettings, Tokens};
pub use self::tls::check_authorities;
pub use self::trouble::{ImapError, Trouble};
use super::status::SourceStatuses;
use super::stopped;
use crate::archive::Archive;
use crate::config::Encryption;
use crate::config::secret::SecretPlace;
use crate::document::DocumentId;
use crate::log;

/// The server is asked anew after this long without a word of it: networks drop connections that are silent for ten
/// minutes, and some servers forget to tell.
const IDLE_FOR: Duration = Duration::from_secs(5 * 60);

/// Before the next look when the server told of more during one.
const AFTER_NEWS: Duration = Duration::from_millis(200);

/// Waits between tries to connect: twice as long each time, from the first to the last.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

/// A sign-in that was refused is tried less often from the start: accounts are locked for less.
const REFUSED_WAIT: Duration = Duration::from_secs(60);

/// One `[[intake.mailbox]]` with `imap`.
#[derive(Clone, Debug)]
pub struct ImapSettings {
    /// The source's name, as queue items show it.
    pub source: String,
    /// The configuration's key for it.
    pub key: String,
    pub host: String,
    pub port: u16,
    pub tls: Encryption,
    /// Certificates (PEM) of the authorities to believe, in place of the system's.
    pub ca_file: Option<PathBuf>,
    pub user: String,
    pub sign_in: SignIn,
    /// As the server spells it.
    pub folder: String,
    pub after: AfterStored,
    /// How often everything is looked at where the server does not tell of new messages.
    pub poll: Duration,
    /// Larger messages are refused.
    pub max_bytes: u64,
}

impl ImapSettings {
    /// Account and folder, as source keys bear them.
    fn place(&self) -> String {
        format!("imap/{}/{}@{}/{}", self.source, self.user, self.host, self.folder)
    }
}

/// How the daemon shows who it is.
#[derive(Clone, Debug)]
pub enum SignIn {
    Password(SecretPlace),
    /// XOAUTH2, with access tokens fetched as they are needed.
    Tokens(TokenSettings),
}

/// What becomes of a message at the server once it is stored durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterStored {
    /// Into this folder of the same account, which is made if there is none.
    MoveTo(String),
    Delete,
    /// It stays where it is and gets this flag, by which it is passed over from then on. A keyword of our own: what
    /// people set too (seen, answered) would pass over what was never fetched.
    Flag(String),
}

/// Watches a folder until `stop` becomes true. Ids of documents that came and wait for the pipeline go to `accepted`; a full
/// channel does not hold up the storing.
///
/// # Errors
/// The archive failed in a way after which the process must end.
pub async fn watch_mailbox(
    settings: ImapSettings,
    tokens: Tokens,
    archive: Archive,
    accepted: mpsc::Sender<DocumentId>,
    statuses: SourceStatuses,
    mut stop: watch::Receiver<bool>,
) -> Result<(), ImapError> {
    let settings = Arc::new(settings);
    let announced = Announcing::start(accepted);
    let mut mailbox = Mailbox::new(settings.clone(), archive, statuses.clone(), announced);
    let mut failures = 0;
    loop {
        // What a server sends is parsed here, outside the cage: what breaks the parser must not break the others.
        let staying = AssertUnwindSafe(stay(&settings, &tokens, &mut mailbox, &statuses, &mut failures)).catch_unwind();
        let ended = tokio::select! {
            ended = staying => ended,
            () = stopped(&mut stop) => return Ok(()),
        };
        let trouble = match ended {
            Ok(Err(Trouble::Archive(error))) if error.is_fatal() => {
                return Err(ImapError { source_name: settings.source.clone(), trouble: Trouble::Archive(error) });
            }
            Ok(Err(trouble)) => trouble,
            Err(_panicked) => Trouble::Garbled,
        };
        let wait = wait_after(&trouble, failures, jitter());
        tell(&settings, &statuses, &trouble, wait);
        failures = failures.saturating_add(1);
        tokio::select! {
            () = sleep(wait) => {}
            () = stopped(&mut stop) => return Ok(()),
        }
    }
}

/// Takes everything that lies in the folder now; ids go to `accepted`, whose receiver must receive meanwhile.
///
/// # Errors
/// The folder could not be read to its end, or the archive could not store.
pub async fn drain_mailbox(
    settings: ImapSettings,
    tokens: Tokens,
    archive: Archive,
    accepted: mpsc::Sender<DocumentId>,
    statuses: SourceStatuses,
) -> Result<(), ImapError> {
    let settings = Arc::new(settings);
    let failed = |trouble| ImapError { source_name: settings.source.clone(), trouble };
    let mut mailbox = Mailbox::new(settings.clone(), archive, statuses.clone(), Announcing::start(accepted));
    let mut connection = connect::connect(&settings, &tokens).await.map_err(failed)?;
    // What one look leaves undecided, the next one decides.
    let not_let_go = loop {
        let look = mailbox.look(&mut connection).await.map_err(failed)?;
        if !look.again {
            break look.not_let_go;
        }
    };
    connection.leave().await;
    statuses.succeeded(&settings.source);
    mailbox.announced().await;
    not_let_go.map_or(Ok(()), |trouble| Err(failed(trouble)))
}

/// Connects and stays; ends only with what went wrong.
async fn stay(
    settings: &ImapSettings,
    tokens: &Tokens,
    mailbox: &mut Mailbox,
    statuses: &SourceStatuses,
    failures: &mut u32,
) -> Result<std::convert::Infallible, Trouble> {
    let mut connection = connect::connect(settings, tokens).await?;
    loop {
        let look = mailbox.look(&mut connection).await?;
        *failures = 0;
        match &look.not_let_go {
            None => statuses.succeeded(&settings.source),
            Some(trouble) => {
                let again_in = if connection.can_idle { IDLE_FOR } else { settings.poll };
                tell(settings, statuses, trouble, again_in);
            }
        }
        if look.again || connection.told_of_more() {
            // A server that tells of new messages at every answer, and has none, must not be asked for ever.
            sleep(AFTER_NEWS).await;
            continue;
        }
        connection = if connection.can_idle {
            idle(connection).await?
        } else {
            sleep(settings.poll).await;
            connection
        };
    }
}

/// Waits until the server tells of something, or long enough.
async fn idle(mut connection: Connection) -> Result<Connection, Trouble> {
    let told = connection.session.unsolicited_responses.clone();
    let mut idling = connection.session.idle();
    timeout(PATIENCE, idling.init()).await.map_err(|_| Trouble::TimedOut)??;
    // A server may tell of new messages before it says that it idles, and does not tell of them again.
    if !is_of_more(told.is_full(), || told.try_recv().ok()) {
        let (news, _interrupt) = idling.wait_with_timeout(IDLE_FOR);
        // Chatter keeps a server's side of the wait alive for ever; ours ends all the same. What is new, the look will
        // see.
        if let Ok(news) = timeout(IDLE_FOR, news).await {
            news?;
        }
    }
    connection.session = timeout(PATIENCE, idling.done()).await.map_err(|_| Trouble::TimedOut)??;
    Ok(connection)
}

impl Connection {
    /// Whether the server has told of new messages beside its answers, or of so much that it may have.
    fn told_of_more(&self) -> bool {
        let told = &self.session.unsolicited_responses;
        is_of_more(told.is_full(), || told.try_recv().ok())
    }
}

/// Whether what a server told (all of it is taken) is of new messages; where there was no room for all, it may have been.
fn is_of_more(is_full: bool, mut next: impl FnMut() -> Option<UnsolicitedResponse>) -> bool {
    let mut more = is_full;
    while let Some(response) = next() {
        more |= matches!(response, UnsolicitedResponse::Exists(_));
    }
    more
}

/// How long to wait before the next try, when there were this many in vain before. `jitter` is between 0 and 1: many
/// daemons that lost one server shall not all come back at once.
fn wait_after(trouble: &Trouble, failures: u32, jitter: f64) -> Duration {
    let first = if trouble.is_refusal() { REFUSED_WAIT } else { FIRST_WAIT };
    let wait = first.saturating_mul(1 << failures.min(16)).min(LONGEST_WAIT);
    wait.mul_f64(0.5 + jitter / 2.0)
}

fn jitter() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}

/// Tells of trouble when it is new: a server that is away for a night is two lines.
fn tell(settings: &ImapSettings, statuses: &SourceStatuses, trouble: &Trouble, wait: Duration) {
    let (source, reason, again_in_s) = (&settings.source, trouble.to_string(), log::whole_seconds(wait));
    if !statuses.failed(source, &reason) {
        return;
    }
    if trouble.is_passing() {
        warn!(%source, %reason, again_in_s, "mailbox: connection lost; connecting again");
    } else {
        error!(%source, %reason, again_in_s, "source failed; trying again");
    }
}

/// Passes ids on to whoever works on them, without holding up whoever finds them.
struct Announcing {
    found: mpsc::UnboundedSender<DocumentId>,
    passing_on: tokio::task::JoinHandle<()>,
}

impl Announcing {
    fn start(accepted: mpsc::Sender<DocumentId>) -> Self {
        let (found, mut waiting) = mpsc::unbounded_channel();
        let passing_on = tokio::spawn(async move {
            while let Some(document) = waiting.recv().await {
                // Nobody works any more: the archive keeps what was stored.
                if accepted.send(document).await.is_err() {
                    return;
                }
            }
        });
        Self { found, passing_on }
    }

    fn announce(&self, document: DocumentId) {
        // Whoever is gone works on nothing any more.
        _ = self.found.send(document);
    }

    /// Ends when everything has been passed on.
    async fn end(self) {
        drop(self.found);
        _ = self.passing_on.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_five_minutes_and_are_never_the_same_for_all() {
        let lost = Trouble::Lost(std::io::ErrorKind::ConnectionReset);
        let waits: Vec<u64> = (0..12).map(|failures| wait_after(&lost, failures, 1.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(wait_after(&lost, 40, 0.0), LONGEST_WAIT / 2);
    }

    #[test]
    fn a_sign_in_that_was_refused_is_not_hammered() {
        assert_eq!(wait_after(&Trouble::SignInRefused, 0, 1.0), REFUSED_WAIT);
        assert_eq!(wait_after(&Trouble::SignInRefused, 9, 1.0), LONGEST_WAIT);
    }

    #[tokio::test]
    async fn what_a_server_tells_before_it_says_that_it_idles_is_heard() {
        use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

        let (ours, theirs) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            let (said, mut answers) = tokio::io::split(theirs);
            let mut said = BufReader::new(said).lines();
            let mut idling = String::new();
            while let Ok(Some(line)) = said.next_line().await {
                let tag = line.split(' ').next().unwrap().to_owned();
                let answer = if line.ends_with("IDLE") {
                    idling = tag;
                    "* 1 EXISTS\r\n+ idling\r\n".to_owned()
                } else if line == "DONE" {
                    format!("{idling} OK done\r\n")
                } else {
                    format!("{tag} OK done\r\n")
                };
                answers.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let client = async_imap::Client::new(Box::new(ours) as Box<dyn connect::Wire>);
        let session = client.login("um", "secret").await.map_err(|(error, _)| error).unwrap();
        let connection = Connection { session, validity: 1, can_idle: true, can_move: false, can_expunge_some: false };
        let idled = timeout(Duration::from_secs(10), idle(connection)).await;
        assert!(idled.expect("a new message was told of").is_ok());
    }
}
