//! The type rules and open cases in force: loaded, watched, replaced whole, and applied again to what is open.
//!
//! A bad case snapshot or bad rules are refused whole and the last good ones stay in force, across restarts too: the
//! last good snapshot is kept in the archive. When something new comes into force, every open item that no person has
//! acted on is decided again, from the reading that was kept, without recognising a page anew.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

use super::attempt::{decide, forwards, tell_of_rules};
use super::decider::Decider;
use super::sharing::Sharing;
use super::watched_file::{FileState, LOOK, state_of};
use crate::archive::event::Event;
use crate::archive::{Archive, ArchiveError, Remedy, blocking};
use crate::clock;
use crate::config::{Config, load_routing};
use crate::document::DocumentId;
use crate::link::{CaseStatus, LinkPolicy, LinkWeights, Registry, RegistryError, WeightsError};
use crate::log;
use crate::outbox::Planner;
use crate::pipeline::Knowledge;
use crate::queue::ground::Ground;
use crate::queue::item::{ItemState, QueueItem};
use crate::understand::{RulesError, TypeRules};

/// A file that is gone is about to be replaced; when it is still gone after so many looks, it is told of.
const GONE_LOOKS: u32 = 25;

/// Why what deciding goes by could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    #[error("{file}: {error}", file = file.display())]
    Rules { file: PathBuf, error: RulesError },
    #[error("{file}: {error}", file = file.display())]
    Weights { file: PathBuf, error: WeightsError },
    #[error("{file}: cannot be read: {error}; correct the path or its permissions", file = file.display())]
    Unreadable { file: PathBuf, error: std::io::Error },
    #[error("{file}: {error}", file = file.display())]
    Cases { file: PathBuf, error: RegistryError },
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("loading ended unexpectedly; this is a fault in the program")]
    Task,
}

/// The rules that the configuration names, or the built-in ones.
pub fn load_rules(config: &Config) -> Result<TypeRules, KnowledgeError> {
    let Some(file) = &config.document_types else { return Ok(TypeRules::builtin()) };
    let text =
        std::fs::read_to_string(file).map_err(|error| KnowledgeError::Unreadable { file: file.clone(), error })?;
    TypeRules::parse(&text).map_err(|error| KnowledgeError::Rules { file: file.clone(), error })
}

/// How sure a link must be, with the weights that the configuration names, or the built-in ones.
pub fn load_policy(config: &Config) -> Result<LinkPolicy, KnowledgeError> {
    let Some(file) = &config.link_weights else { return Ok(config.link.clone()) };
    let text =
        std::fs::read_to_string(file).map_err(|error| KnowledgeError::Unreadable { file: file.clone(), error })?;
    let weights = LinkWeights::parse(&text).map_err(|error| KnowledgeError::Weights { file: file.clone(), error })?;
    Ok(LinkPolicy { weights, ..config.link.clone() })
}

/// The snapshot that lies at `[cases] path` now, with its bytes.
pub fn load_cases(config: &Config) -> Result<(Registry, Vec<u8>), KnowledgeError> {
    let file = &config.cases;
    let bytes = std::fs::read(file).map_err(|error| KnowledgeError::Unreadable { file: file.clone(), error })?;
    let registry = Registry::parse(&bytes).map_err(|error| KnowledgeError::Cases { file: file.clone(), error })?;
    Ok((registry, bytes))
}

/// The case snapshot in force, for those who ask; it tells nothing of the cases themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CasesInForce {
    /// Cases that are still worked on.
    pub open: usize,
    /// All cases, the closed ones too.
    pub all: usize,
    /// SHA-256 of the snapshot; empty when none has come yet.
    pub digest: String,
    /// When it was taken over; a restart does not change it.
    pub loaded_at: Option<Timestamp>,
    /// That the file at `[cases] path` is another one, and refused.
    pub refused: Option<RefusedSnapshot>,
}

/// A case file that was refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RefusedSnapshot {
    /// Names line and column, never a value.
    pub reason: String,
    pub since: Timestamp,
}

impl CasesInForce {
    fn of(registry: &Registry, loaded_at: Option<Timestamp>) -> Self {
        Self {
            open: registry.cases().iter().filter(|case| case.status == CaseStatus::Open).count(),
            all: registry.cases().len(),
            digest: registry.digest().to_owned(),
            loaded_at,
            refused: None,
        }
    }
}

impl RefusedSnapshot {
    fn now(error: &KnowledgeError) -> Self {
        Self { reason: error.to_string(), since: clock::now() }
    }
}

pub struct KnowledgeInForce {
    config: Arc<Config>,
    archive: Archive,
    /// Compiles the rules too, which it is to look with.
    decider: Decider,
    planner: Option<Arc<Planner>>,
    sharing: Sharing,
    current: watch::Sender<Knowledge>,
    cases: watch::Sender<CasesInForce>,
    /// The case file as it was when last read, good or bad.
    seen: FileState,
}

impl KnowledgeInForce {
    /// Loads rules and cases. Bad rules keep the daemon from starting; bad or absent cases don't, because documents can
    /// be stored and read without them: the last good snapshot is used, or none, and all goes to people until one comes.
    pub(super) async fn load(
        config: Arc<Config>,
        archive: Archive,
        decider: Decider,
        planner: Option<Arc<Planner>>,
        sharing: Sharing,
    ) -> Result<Self, KnowledgeError> {
        let seen = state_of(&config.cases);
        let (knowledge, cases, taken) = {
            let (config, archive) = (config.clone(), archive.clone());
            decider.run(move || first_knowledge(&config, &archive)).await.ok_or(KnowledgeError::Task)??
        };
        let (current, cases) = (watch::Sender::new(knowledge), watch::Sender::new(cases));
        let in_force = Self { config, archive, decider, planner, sharing, current, cases, seen };
        if taken {
            in_force.record_cases().await?;
            in_force.decide_again();
        }
        Ok(in_force)
    }

    pub fn subscribe(&self) -> watch::Receiver<Knowledge> {
        self.current.subscribe()
    }

    /// How many cases are in force.
    pub fn cases(&self) -> usize {
        self.cases.borrow().all
    }

    pub fn cases_in_force(&self) -> watch::Receiver<CasesInForce> {
        self.cases.subscribe()
    }

    /// Ends when the case file is another one than that last read and no longer changing, or has gone for good.
    pub async fn cases_changed_on_disk(&self) {
        let mut last = self.seen;
        let mut gone = 0;
        loop {
            tokio::time::sleep(LOOK).await;
            let now = state_of(&self.config.cases);
            gone = if now.is_none() { gone + 1 } else { 0 };
            let settled = now == last && (now.is_some() || gone >= GONE_LOOKS);
            if now != self.seen && settled {
                return;
            }
            last = now;
        }
    }

    /// SIGHUP: rules and cases are read again, whether they look changed or not.
    pub async fn reload(&mut self) -> Result<(), KnowledgeError> {
        let config = self.config.clone();
        let both = move || Ok((load_rules(&config)?, load_policy(&config)?));
        let rules: Result<_, KnowledgeError> = self.decider.run(both).await.ok_or(KnowledgeError::Task)?;
        match rules {
            Ok((rules, policy)) => {
                log::rules_reloaded(rules.count());
                self.current.send_modify(|knowledge| {
                    knowledge.rules = Arc::new(rules);
                    knowledge.policy = policy;
                });
                self.reload_routing();
                self.reload_cases().await?;
                self.decide_again();
                Ok(())
            }
            Err(error) => {
                log::rules_refused(&error.to_string());
                self.reload_cases().await
            }
        }
    }

    /// Takes over the routing rules on disk, if they are good and no lane is gone that the configuration may name.
    fn reload_routing(&self) {
        let before = Arc::clone(&self.current.borrow().routing);
        match load_routing(self.config.routing_file.as_deref()) {
            Ok(rules) => match before.lanes.iter().find(|lane| !rules.has_lane(&lane.name)) {
                None => {
                    log::rules_reloaded(rules.rules.len());
                    self.current.send_modify(|knowledge| knowledge.routing = Arc::new(rules));
                }
                Some(gone) => {
                    log::rules_refused(&format!("the lane {} is gone; run check, then restart the daemon", gone.name));
                }
            },
            Err(error) => log::rules_refused(&error.to_string()),
        }
    }

    /// Takes over the snapshot on disk if it is good and another one than that in force.
    pub async fn reload_cases(&mut self) -> Result<(), KnowledgeError> {
        let start = Instant::now();
        self.seen = state_of(&self.config.cases);
        let config = self.config.clone();
        let loaded =
            tokio::task::spawn_blocking(move || load_cases(&config)).await.map_err(|_| KnowledgeError::Task)?;
        let (registry, bytes) = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                log::cases_refused(&error.to_string(), self.cases());
                self.cases.send_modify(|cases| cases.refused = Some(RefusedSnapshot::now(&error)));
                return Ok(());
            }
        };
        if registry.digest() == self.current.borrow().registry.digest() {
            self.cases.send_modify(|cases| cases.refused = None);
            return Ok(());
        }
        let archive = self.archive.clone();
        let loaded_at = blocking(move || keep(&archive, &bytes)).await?;
        log::cases_loaded(registry.cases().len(), start.elapsed());
        self.cases.send_replace(CasesInForce::of(&registry, loaded_at));
        self.current.send_modify(|knowledge| knowledge.registry = Arc::new(registry));
        self.record_cases().await?;
        self.decide_again();
        Ok(())
    }

    async fn record_cases(&self) -> Result<(), ArchiveError> {
        let event = {
            let knowledge = self.current.borrow();
            Event::CasesLoaded {
                digest: knowledge.registry.digest().to_owned(),
                cases: knowledge.registry.cases().len() as u64,
            }
        };
        let archive = self.archive.clone();
        blocking(move || unless_full(archive.record(event))).await.map(drop)
    }

    /// Decides every open item again in the background.
    fn decide_again(&self) {
        let (archive, decider, planner) = (self.archive.clone(), self.decider.clone(), self.planner.clone());
        let (sharing, knowledge) = (self.sharing.clone(), self.current.borrow().clone());
        tokio::spawn(async move {
            let start = Instant::now();
            // An archive that can't record is noticed by the work loop too, which ends the daemon.
            if let Ok((documents, changed)) =
                decide_open_items_again(&archive, &decider, planner.as_deref(), &sharing, &knowledge).await
                && documents > 0
            {
                log::decided_again(documents, changed, start.elapsed());
            }
        });
    }
}

/// Keeps a snapshot that is taken over; gives since when it is kept.
fn keep(archive: &Archive, snapshot: &[u8]) -> Result<Option<Timestamp>, ArchiveError> {
    Ok(unless_full(archive.put_cases(snapshot))?.unwrap_or_else(|| Some(clock::now())))
}

/// A disk that is full keeps no snapshot from coming into force: it is read again at the next start.
fn unless_full<T>(written: Result<T, ArchiveError>) -> Result<Option<T>, ArchiveError> {
    match written {
        Err(error) if error.remedy() == Remedy::TryAgain => {
            log::cases_not_kept(&error.to_string());
            Ok(None)
        }
        written => written.map(Some),
    }
}

fn first_knowledge(config: &Config, archive: &Archive) -> Result<(Knowledge, CasesInForce, bool), KnowledgeError> {
    let start = Instant::now();
    let (rules, policy) = (load_rules(config)?, load_policy(config)?);
    let kept = archive.cases()?;
    // `taken`: whether this snapshot is another one than that of the last run.
    let (registry, cases, taken) = match load_cases(config) {
        Ok((registry, bytes)) => {
            let unchanged = kept.filter(|kept| kept.bytes == bytes);
            let taken = unchanged.is_none();
            let loaded_at = match unchanged {
                Some(kept) => kept.since,
                None => keep(archive, &bytes)?,
            };
            log::cases_loaded(registry.cases().len(), start.elapsed());
            let cases = CasesInForce::of(&registry, loaded_at);
            (registry, cases, taken)
        }
        Err(error) => {
            let since = kept.as_ref().and_then(|kept| kept.since);
            let kept = kept.and_then(|kept| Registry::parse(&kept.bytes).ok()).unwrap_or_else(Registry::empty);
            log::cases_refused(&error.to_string(), kept.cases().len());
            let refused = Some(RefusedSnapshot::now(&error));
            let cases = CasesInForce { refused, ..CasesInForce::of(&kept, since) };
            (kept, cases, false)
        }
    };
    let knowledge = knowledge(config, rules, policy, registry);
    Ok((knowledge, cases, taken))
}

/// What deciding goes by under this configuration.
pub fn knowledge(config: &Config, rules: TypeRules, policy: LinkPolicy, registry: Registry) -> Knowledge {
    Knowledge {
        rules: Arc::new(rules),
        registry: Arc::new(registry),
        policy,
        zone: config.time_zone.clone(),
        routing: Arc::clone(&config.routing),
        mailboxes: Arc::new(config.lanes.clone()),
    }
}

/// What acts on items are judged by under this configuration, with these cases.
pub fn ground(config: &Config, registry: Registry) -> Ground {
    Ground {
        routing: Arc::clone(&config.routing),
        registry: Arc::new(registry),
        zone: config.time_zone.clone(),
        mailboxes: Arc::new(config.lanes.clone()),
    }
}

/// Gives how many documents were decided again, and how many came out otherwise.
async fn decide_open_items_again(
    archive: &Archive,
    decider: &Decider,
    planner: Option<&Planner>,
    sharing: &Sharing,
    knowledge: &Knowledge,
) -> Result<(usize, usize), ArchiveError> {
    let (mut documents, mut changed) = (0, 0);
    let open = {
        let archive = archive.clone();
        blocking(move || documents_with_open_items(&archive)).await?
    };
    for id in open {
        let reading = {
            let (archive, id) = (archive.clone(), id.clone());
            blocking(move || archive.reading(&id)).await?
        };
        let Some(reading) = reading else { continue };
        let reading = Arc::new(reading);
        let Some(mut items) = decide(archive, decider, &id, &reading, knowledge, false).await? else { continue };
        tell_of_rules(planner, &reading, &mut items);
        let items = sharing.shared_out(archive, items).await?;
        documents += 1;
        if may_replace(&items_of(archive, &id)?, &items) {
            changed += 1;
            let mut events = planner.map_or_else(Vec::new, |planner| forwards(planner, &id, &reading, &items));
            events.insert(0, Event::Queued { document: id, items });
            let archive = archive.clone();
            blocking(move || archive.record_all(events)).await?;
        }
    }
    Ok((documents, changed))
}

/// Whether a document's items came out otherwise, and no person stands in the way.
///
/// What a person has resolved keeps its pages: once that has begun, the document is not parted anew, lest pages that
/// were seen to come back, or those still waiting vanish into what is done.
fn may_replace(before: &[QueueItem], now: &[QueueItem]) -> bool {
    let same_pages = |one: &QueueItem, other: &QueueItem| one.id == other.id && one.page_range == other.page_range;
    let parted_alike =
        before.len() == now.len() && before.iter().all(|one| now.iter().any(|other| same_pages(one, other)));
    let open = |item: &QueueItem| item.state == ItemState::Open && item.amended_by.is_none();
    if !parted_alike {
        return before.iter().all(|item| open(item) && item.claimed.is_none() && item.asked.is_none());
    }
    before.iter().filter(|item| open(item)).any(|item| !now.contains(&item.as_decided()))
}

fn items_of(archive: &Archive, document: &DocumentId) -> Result<Vec<QueueItem>, ArchiveError> {
    let mut items = Vec::new();
    for id in archive.document(document)?.map(|state| state.items).unwrap_or_default() {
        items.extend(archive.item(&id)?);
    }
    Ok(items)
}

/// Documents of which an item waits for a nurse, that the machine may still change; each once, in order of arrival.
fn documents_with_open_items(archive: &Archive) -> Result<Vec<DocumentId>, ArchiveError> {
    let mut short: Vec<String> = Vec::new();
    for item in archive.items() {
        let item = item?;
        // The items of a document come one after the other.
        if item.state == ItemState::Open && short.last().is_none_or(|last| last != item.id.document()) {
            short.push(item.id.document().to_owned());
        }
    }
    let mut open = Vec::with_capacity(short.len());
    for beginning in short {
        open.extend(archive.find_document(&beginning)?);
    }
    Ok(open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Receipt;
    use crate::queue::item::ItemId;

    fn item(segment: u32, page_range: [u32; 2], state: ItemState) -> QueueItem {
        let received_at = "2027-05-14T09:12:00-04:00".parse().unwrap();
        let receipt = Receipt::new("secure-fax", "0042.tif", received_at);
        let document = DocumentId::of(b"fax");
        let item = QueueItem::held(&document, &receipt, "");
        QueueItem { id: ItemId::new(&document, segment), page_range, state, ..item }
    }

    #[test]
    fn items_that_came_out_the_same_are_left_alone_and_others_replaced() {
        let before = [item(1, [1, 2], ItemState::Open), item(2, [3, 3], ItemState::Open)];
        assert!(!may_replace(&before, &before));
        let mut now = before.clone();
        now[1].lane = "cm".to_owned();
        assert!(may_replace(&before, &now));
        assert!(may_replace(&before, &[item(3, [1, 3], ItemState::Open)]));
    }

    #[test]
    fn a_document_on_which_a_person_has_begun_is_not_parted_anew() {
        let before = [item(1, [1, 2], ItemState::Resolved), item(2, [3, 3], ItemState::Open)];
        assert!(!may_replace(&before, &[item(3, [1, 3], ItemState::Open)]));
        let mut now = [item(1, [1, 2], ItemState::Open), item(2, [3, 3], ItemState::Open)];
        assert!(!may_replace(&before, &now), "only the resolved one differs");
        now[1].lane = "cm".to_owned();
        assert!(may_replace(&before, &now));
    }
}
