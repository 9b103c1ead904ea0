//! What a clinic clerk would do with a fax: read it, tell what it is, find the baby's case, put it in the right tray.
//!
//! Reading waits for the worker processes; everything after it is a pure function, [`decide`], which is also what
//! decides again when the cases or the rules change, and what `read --explain` shows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use crate::document::{DocumentId, Match, PageFlag, PageSource, Reading, Receipt, Understanding};
use crate::link::{self, LinkPolicy, Registry};
use crate::queue::item::{ItemId, ItemState, QueueItem};
use crate::reader::pool::{ReadError, ReaderPool, Urgency};
use crate::route::{self, Routing};
use crate::understand::{self, TypeRules};

/// What deciding goes by; replaced as a whole when cases or rules change.
#[derive(Clone)]
pub struct Knowledge {
    pub rules: Arc<TypeRules>,
    pub registry: Arc<Registry>,
    pub policy: LinkPolicy,
    pub zone: TimeZone,
}

/// A document's way through the deciding stages, with what each took.
pub struct Decision {
    pub understanding: Understanding,
    pub linked: Match,
    pub routing: Routing,
    pub understood_in: Duration,
    pub linked_in: Duration,
}

/// Reads every page, in worker processes; pages come back in page order.
pub async fn read(pool: &Arc<ReaderPool>, id: &DocumentId, bytes: Arc<[u8]>) -> Result<Reading, ReadError> {
    let inspection = pool.inspect(id, bytes.clone()).await?;
    // All pages are asked for at once: the pool decides which worker reads which page when.
    let pending: Vec<_> = (1..=inspection.pages)
        .map(|number| {
            let (pool, id, bytes) = (pool.clone(), id.clone(), bytes.clone());
            tokio::spawn(async move { pool.read_page(&id, bytes, number, Urgency::Rest).await })
        })
        .collect();
    let mut abandon = AbortOnDrop(pending);
    let mut pages = Vec::with_capacity(abandon.0.len());
    for task in &mut abandon.0 {
        pages.push(task.await.map_err(|_| ReadError::Stopping)??);
    }
    Ok(Reading { format: inspection.format, pages })
}

/// Pages of a document that is given up are not read to the end.
struct AbortOnDrop<T>(Vec<tokio::task::JoinHandle<T>>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// Why a document has not one page that could be read, if so: there is nothing to decide on then, and a person must
/// look at the paper itself.
pub fn nothing_readable(reading: &Reading) -> Option<&str> {
    let unreadable = reading.pages.iter().all(|page| page.source == PageSource::Unreadable);
    let first = reading.pages.first().filter(|_| unreadable)?;
    Some(first.unreadable_because.as_deref().unwrap_or("no page could be read: look at it by hand"))
}

/// Understand → link → route. Pure: the same arguments give the same decision.
pub fn decide(reading: &Reading, receipt: &Receipt, knowledge: &Knowledge) -> Decision {
    let received = receipt.received_at.to_zoned(knowledge.zone.clone()).date();
    let start = Instant::now();
    let understanding = understand::understand(reading, &knowledge.rules, received);
    let understood_in = start.elapsed();
    let start = Instant::now();
    let linked = link::link(reading, &understanding, &knowledge.registry, &knowledge.policy, receipt);
    let linked_in = start.elapsed();
    let case = linked.case_id.as_deref().and_then(|case_id| knowledge.registry.get(case_id));
    let routing = route::route(&understanding, &linked, case, receipt, &knowledge.zone);
    Decision { understanding, linked, routing, understood_in, linked_in }
}

/// The queue item that shows this decision to a nurse.
pub fn item(id: &DocumentId, reading: &Reading, receipt: &Receipt, decision: Decision, arrivals: u32) -> QueueItem {
    let Decision { understanding, linked, routing, .. } = decision;
    let pages = reading.pages.len() as u32;
    let mut flags = routing.flags;
    flags.extend(reading_flags(reading, receipt));
    QueueItem {
        id: ItemId::new(id, 1),
        source: receipt.source.clone(),
        source_file: receipt.source_file.clone(),
        sender: receipt.sender.clone(),
        received_at: receipt.received_at,
        pages,
        page_range: [1, pages],
        document_type: understanding.document_type,
        type_confidence: understanding.type_confidence,
        transfer_direction: understanding.transfer_direction,
        link: linked,
        fields: understanding.fields,
        missing: understanding.missing,
        duplicate_of: None,
        flags,
        lane: routing.lane.name().to_owned(),
        priority: routing.priority.name().to_owned(),
        due_at: Some(routing.due_at),
        due_rule: Some(routing.due_rule.to_owned()),
        assigned_to: routing.assigned_to,
        state: ItemState::Open,
        type_reasons: understanding
            .fired_rules
            .iter()
            .map(|fired| format!("{} {:+.1} p{}", fired.rule, fired.points, fired.page))
            .collect(),
        arrivals,
    }
}

/// What a person should know of the paper before trusting what was read on it.
fn reading_flags(reading: &Reading, receipt: &Receipt) -> Vec<String> {
    let mut flags = Vec::new();
    if receipt.received_with_errors {
        flags.push("received_with_errors".to_owned());
    }
    if receipt.reported_pages.is_some_and(|reported| reported as usize != reading.pages.len()) {
        flags.push("page_count_differs".to_owned());
    }
    let mut on_pages = |name: &str, on: &dyn Fn(&crate::document::Page) -> bool| {
        let pages: Vec<String> =
            reading.pages.iter().filter(|page| on(page)).map(|page| page.number.to_string()).collect();
        if !pages.is_empty() {
            flags.push(format!("{name}: p{}", pages.join(",")));
        }
    };
    on_pages("damaged_rows", &|page| page.flags.contains(&PageFlag::DamagedRows));
    on_pages("blank", &|page| page.source == PageSource::Blank);
    on_pages("blank_picture", &|page| page.flags.contains(&PageFlag::BlankPicture));
    on_pages("unreadable", &|page| page.source == PageSource::Unreadable);
    on_pages("illegible", &|page| page.flags.contains(&PageFlag::Illegible));
    flags
}
