//! One look at a folder: which messages are there, which of them are new to us, their bytes into the archive, and then
//! off the server.
//!
//! Small messages are fetched many at a time and stored together; a large one is fetched in pieces that go straight to
//! the archive, so that none is ever in memory as a whole. What the server lists and does not give out is asked for once
//! more, and then shown to a person: it is never passed over without a word.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::connect::{Connection, PATIENCE};
use super::fetch::{self, Fetched, Listed, PIECE, Pieces, Uid, set_of};
use super::letting_go::{let_go, still_there};
use super::{Announcing, ImapSettings, Trouble};
use crate::archive::event::Event;
use crate::archive::{Accepted, Archive, ArchiveError, Arrival, Content, Remedy};
use crate::clock;
use crate::document::{DocumentId, Receipt, echoes_ours};
use crate::fault::{self, Step};
use crate::intake::refusals::Refusals;
use crate::intake::status::SourceStatuses;
use crate::intake::{Refusal, on_blocking_thread};

/// Messages whose sizes are asked for in one command.
const SIZES_TOGETHER: usize = 500;

/// Messages fetched in one command and stored together, and what they may hold.
const BATCH_MESSAGES: usize = 64;
const BATCH_BYTES: u64 = 2 * 1024 * 1024;

/// What a look came to.
pub(super) struct Looked {
    /// Whether another look has something to do at once.
    pub again: bool,
    /// Why the server does not let go of what is stored, if so: everything was taken all the same.
    pub not_let_go: Option<Trouble>,
}

/// The task's memory between looks. None of it is truth: a restart begins with what the archive tells.
pub(super) struct Mailbox {
    settings: Arc<ImapSettings>,
    archive: Archive,
    statuses: SourceStatuses,
    refusals: Refusals,
    announcing: Announcing,
    /// What the UIDs below belong to.
    validity: Option<u32>,
    /// Stored, and still at the server as far as is known: never fetched again.
    stored: HashMap<Uid, DocumentId>,
    /// Listed by the server, and not given out when the last look asked for it.
    withheld: HashSet<Uid>,
    now: ThisLook,
    /// Messages that did not fit on the disk together may fit one by one.
    one_by_one: bool,
}

/// What one look has found that is not taken, or not let go of.
#[derive(Default)]
struct ThisLook {
    /// By source key, each with its name at the source.
    refused: HashMap<String, (String, Refusal)>,
    /// Listed by the server, and not given out.
    withheld: HashSet<Uid>,
    /// What the server said when it was to let go of messages.
    not_let_go: Option<Trouble>,
}

impl Mailbox {
    pub fn new(
        settings: Arc<ImapSettings>,
        archive: Archive,
        statuses: SourceStatuses,
        announcing: Announcing,
    ) -> Self {
        statuses.update(&settings.source, |_| {});
        Self {
            refusals: Refusals::new(&settings.source, archive.clone()),
            settings,
            archive,
            statuses,
            announcing,
            validity: None,
            stored: HashMap::new(),
            withheld: HashSet::new(),
            now: ThisLook::default(),
            one_by_one: false,
        }
    }

    /// Waits until every document found has been passed on.
    pub async fn announced(self) {
        self.announcing.end().await;
    }

    /// Takes everything that is in the folder, and tells of what cannot be taken.
    pub async fn look(&mut self, connection: &mut Connection) -> Result<Looked, Trouble> {
        let looked = Instant::now();
        if self.validity != Some(connection.validity) {
            // The same numbers may be other messages now. What was stored under these, in an earlier run too, is known.
            self.stored = self.stored_before(connection.validity).await?;
            self.withheld.clear();
            self.validity = Some(connection.validity);
        }
        let search = still_there(&self.settings.after);
        let present = timeout(PATIENCE, connection.session.uid_search(&search)).await;
        let present: BTreeSet<Uid> = present.map_err(|_| Trouble::TimedOut)??.into_iter().collect();
        self.stored.retain(|uid, _| present.contains(uid));
        self.withheld.retain(|uid| present.contains(uid));
        // What an earlier look could not let go of. If it still cannot, that is told below, after the new ones are safe.
        let unreleased: Vec<(Uid, DocumentId)> = self.stored.iter().map(|(uid, id)| (*uid, id.clone())).collect();
        let fresh: Vec<Uid> = present.iter().filter(|uid| !self.stored.contains_key(uid)).copied().collect();
        if !fresh.is_empty() {
            // Told before anything is fetched for nothing.
            let archive = self.archive.clone();
            on_blocking_thread(move || archive.check_room()).await?;
        }
        self.now = ThisLook::default();
        let mut taken = self.take_all(connection, &fresh).await;
        if taken.is_ok() && !unreleased.is_empty() {
            taken = self.release(connection, &unreleased).await;
        }
        let ThisLook { refused, withheld, not_let_go } = std::mem::take(&mut self.now);

        // Only a look that went through has seen everything.
        let whole = taken.is_ok();
        self.statuses.update(&self.settings.source, |status| {
            status.waiting = self.stored.len();
            status.refused = refused.len();
        });
        self.refusals.tell(refused, |_| !whole, looked).await?;
        taken?;
        let again = !withheld.is_subset(&self.withheld);
        self.withheld = withheld;
        Ok(Looked { again, not_let_go })
    }

    /// What is stored of this folder under this validity, and was not let go of.
    async fn stored_before(&self, validity: u32) -> Result<HashMap<Uid, DocumentId>, ArchiveError> {
        let (archive, beginning) = (self.archive.clone(), self.keys_begin(validity));
        let stored = on_blocking_thread(move || archive.unreleased(&beginning)).await?;
        Ok(stored.into_iter().filter_map(|(uid, document)| Some((uid.parse().ok()?, document))).collect())
    }

    /// Takes these messages, a batch at a time.
    async fn take_all(&mut self, connection: &mut Connection, uids: &[Uid]) -> Result<(), Trouble> {
        for page in uids.chunks(SIZES_TOGETHER) {
            let mut listed = fetch::list(connection, page).await?;
            let given: HashSet<Uid> = listed.iter().map(|message| message.uid).collect();
            let missing = page.iter().filter(|uid| !given.contains(uid)).copied();
            self.note_withheld(missing);
            listed.retain(|message| {
                let fits = message.size <= self.settings.max_bytes;
                if !fits {
                    self.refuse(message.uid, Refusal::TooLarge { limit: self.settings.max_bytes });
                }
                fits
            });
            let mut rest = listed.as_slice();
            while let Some(first) = rest.first() {
                let count = if self.one_by_one { 1 } else { batch_length(rest) };
                let (batch, after) = rest.split_at(count);
                rest = after;
                let taken = if first.size > PIECE {
                    self.take_large(connection, *first).await
                } else {
                    self.take_batch(connection, batch).await
                };
                let no_room = matches!(&taken, Err(Trouble::Archive(error)) if error.remedy() == Remedy::TryAgain);
                self.one_by_one |= no_room && count > 1;
                taken?;
            }
        }
        self.one_by_one = false;
        Ok(())
    }

    /// Small messages: fetched with one command, stored together, let go with one command.
    async fn take_batch(&mut self, connection: &mut Connection, batch: &[Listed]) -> Result<(), Trouble> {
        let begun = Instant::now();
        let mut bodies = fetch::bodies(connection, batch).await?;
        let missing = batch.iter().map(|message| message.uid).filter(|uid| !bodies.contains_key(uid));
        self.note_withheld(missing);
        fault::at(Step::SourceRead);
        let mut arriving = Vec::new();
        let mut arrivals = Vec::new();
        for message in batch {
            let Some(bytes) = bodies.remove(&message.uid) else { continue };
            if bytes.is_empty() {
                self.refuse(message.uid, Refusal::Empty);
                continue;
            }
            arriving.push((message.uid, bytes.len() as u64, echoes_ours(&bytes)));
            arrivals.push(self.arrival(*message, Content::Bytes(bytes)));
        }
        let archive = self.archive.clone();
        let outcomes = on_blocking_thread(move || archive.accept_all(arrivals)).await;
        let mut stored = Vec::new();
        let mut failed = None;
        for ((uid, size, is_echo), outcome) in arriving.into_iter().zip(outcomes) {
            match outcome {
                Ok(accepted) => stored.push((uid, self.note_stored(uid, size, accepted, is_echo, begun))),
                Err(error) => failed = Some(error),
            }
        }
        if !stored.is_empty() {
            self.release(connection, &stored).await?;
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// A large message: piece by piece from the server into the archive.
    async fn take_large(&mut self, connection: &mut Connection, message: Listed) -> Result<(), Trouble> {
        let begun = Instant::now();
        let (pieces, arriving) = Pieces::expected();
        let arrival = self.arrival(message, Content::Stream(Box::new(arriving)));
        let archive = self.archive.clone();
        let storing = tokio::task::spawn_blocking(move || archive.accept(arrival));
        let fetched = fetch::fetch_pieces(connection, message.uid, self.settings.max_bytes, pieces).await;
        let stored = storing.await.map_err(|_| ArchiveError::Stopped)?;
        match fetched? {
            Fetched::Whole(size) => {
                let document = self.note_stored(message.uid, size, stored?, false, begun);
                self.release(connection, &[(message.uid, document)]).await
            }
            // It was broken off, so nothing was stored.
            Fetched::TooLarge => {
                self.refuse(message.uid, Refusal::TooLarge { limit: self.settings.max_bytes });
                Ok(())
            }
            Fetched::Withheld => {
                self.note_withheld([message.uid]);
                Ok(())
            }
            Fetched::NotTaken => stored.map(drop).map_err(Into::into),
        }
    }

    fn arrival(&self, message: Listed, content: Content) -> Arrival {
        let now = clock::now();
        // The clocks of due times start here: never later than now, whatever a server's clock says.
        let received_at = message.received_at.map_or(now, |received| received.min(now));
        let receipt = Receipt::new(&self.settings.source, self.source_file(message.uid), received_at);
        Arrival { content, receipt, source_key: self.key(message.uid) }
    }

    /// What people call a message: its folder, and its number there under the folder's validity.
    fn source_file(&self, uid: Uid) -> String {
        format!("{}/{}/{uid}", self.settings.folder, self.validity.unwrap_or_default())
    }

    fn key(&self, uid: Uid) -> String {
        format!("{}{uid}", self.keys_begin(self.validity.unwrap_or_default()))
    }

    /// How the keys of the folder's messages begin under a validity.
    fn keys_begin(&self, validity: u32) -> String {
        format!("{}/{validity}/", self.settings.place())
    }

    fn refuse(&mut self, uid: Uid, refusal: Refusal) {
        self.now.refused.insert(self.key(uid), (self.source_file(uid), refusal));
    }

    /// What was not given out twice is for a person to see to.
    fn note_withheld(&mut self, uids: impl IntoIterator<Item = Uid>) {
        for uid in uids {
            self.now.withheld.insert(uid);
            if self.withheld.contains(&uid) {
                self.refuse(uid, Refusal::NotGivenOut);
            }
        }
    }

    fn note_stored(&mut self, uid: Uid, bytes: u64, accepted: Accepted, is_echo: bool, begun: Instant) -> DocumentId {
        let Accepted { document, first, waits } = accepted;
        let (source, ms) = (&self.settings.source, begun.elapsed().as_millis() as u64);
        info!(stage = "intake", %document, %source, bytes, first, ms, "document stored");
        self.statuses.accepted(source, is_echo);
        self.stored.insert(uid, document.clone());
        if waits {
            self.announcing.announce(document.clone());
        }
        document
    }

    /// Lets go of stored messages at the server, and records that. That it refuses is noted, and no error.
    async fn release(&mut self, connection: &mut Connection, messages: &[(Uid, DocumentId)]) -> Result<(), Trouble> {
        if self.now.not_let_go.is_some() {
            // Asked once a look: what it refuses for one it refuses for all.
            return Ok(());
        }
        let uids: BTreeSet<Uid> = messages.iter().map(|(uid, _)| *uid).collect();
        match let_go(connection, &self.settings.after, &set_of(&uids)).await {
            Ok(()) => {}
            // They stay, known to be stored, and the rest is taken meanwhile.
            Err(refused @ Trouble::NotLetGo(_)) => {
                self.now.not_let_go = Some(refused);
                return Ok(());
            }
            Err(trouble) => return Err(trouble),
        }
        fault::at(Step::SourceReleased);
        let released = messages
            .iter()
            .map(|(uid, document)| Event::SourceReleased { document: document.clone(), source_key: self.key(*uid) });
        let (archive, released) = (self.archive.clone(), released.collect());
        if let Err(error) = on_blocking_thread(move || archive.record_all(released)).await {
            // The documents are stored and off the server; only the note of it is missing.
            warn!(source = %self.settings.source, %error, "releases could not be recorded");
        }
        fault::at(Step::ReleaseRecorded);
        for uid in uids {
            self.stored.remove(&uid);
        }
        Ok(())
    }
}

/// How many of the first messages make a batch: at least one.
fn batch_length(listed: &[Listed]) -> usize {
    let mut bytes = 0;
    let fits = listed.iter().take(BATCH_MESSAGES).take_while(|message| {
        bytes += message.size;
        bytes <= BATCH_BYTES && message.size <= PIECE
    });
    fits.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_holds_what_fits_and_a_large_message_is_alone() {
        let listed = |size| Listed { uid: 1, size, received_at: None };
        assert_eq!(batch_length(&[listed(10), listed(20), listed(PIECE + 1), listed(5)]), 2);
        assert_eq!(batch_length(&[listed(PIECE + 1), listed(5)]), 1);
        assert_eq!(batch_length(&vec![listed(1000); 1000]), BATCH_MESSAGES);
        assert_eq!(batch_length(&[listed(PIECE), listed(PIECE), listed(1)]), 2);
    }
}
