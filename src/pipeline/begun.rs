//! Triage: the pages that tell what a document is are read before anybody's other pages, and what they tell is shown at
//! once.
//!
//! In a burst the last document's type and lane are known when a third of the pages are read. What is shown so early is
//! marked (`still_reading`), names candidates and no case, and claims nothing to be missing: the pages that nobody has
//! read may be about another baby. It is replaced, in place, when the document is read to its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Deciding, Decision, Knowledge, KnownItem, Told, as_told, items, pages_of, several_papers};
use crate::document::{DocumentFormat, DocumentId, DocumentType, Mail, Page, Reading, Receipt};
use crate::queue::item::QueueItem;
use crate::reader::pool::{ReadError, ReaderPool, Urgency};
use crate::reader::render::Inspection;
use crate::understand::Transmission;

/// Confidence in the type from which the next page is not needed to tell it; that of a cover sheet is far below.
const SURE: f32 = 0.8;

/// Pages of a paper that are read to tell its type: a cover sheet, perhaps a second one, and the paper's first page.
const MOST_TELLING: u32 = 3;

/// A baby that moves, goes home or comes back, and a window that closes.
const URGENT: [DocumentType; 4] =
    [DocumentType::Transfer, DocumentType::Discharge, DocumentType::Readmission, DocumentType::P2pRequest];

/// How the flag begins of what is shown before it was read to its end.
const STILL_READING: &str = "still_reading: ";

/// Whether an item is shown while its document is still being read.
pub fn is_still_being_read(item: &QueueItem) -> bool {
    item.flags.iter().any(|flag| flag.starts_with(STILL_READING))
}

/// A document of which some pages were read, or none yet.
#[derive(Clone)]
pub struct Begun {
    format: DocumentFormat,
    mail: Option<Mail>,
    count: u32,
    read: BTreeMap<u32, Page>,
    /// How soon its other pages are wanted.
    urgency: Urgency,
}

impl Begun {
    pub async fn open(pool: &ReaderPool, id: &DocumentId, bytes: Arc<[u8]>) -> Result<Self, ReadError> {
        let Inspection { format, pages: count, mail } = pool.inspect(id, bytes).await?;
        Ok(Self { mail, ..Self::of(format, count, Urgency::Rest) })
    }

    /// A document of so many pages, none of which is read.
    pub(crate) fn of(format: DocumentFormat, count: u32, urgency: Urgency) -> Self {
        Self { format, mail: None, count, read: BTreeMap::new(), urgency }
    }

    /// First and last page of each of its papers.
    fn papers(&self) -> Vec<[u32; 2]> {
        several_papers(self.mail.as_ref()).map_or_else(|| vec![[1, self.count]], <[_]>::to_vec)
    }

    pub fn is_whole(&self) -> bool {
        self.read.len() as u64 == u64::from(self.count)
    }

    /// Pages read, and pages of the document.
    pub fn progress(&self) -> (usize, u32) {
        (self.read.len(), self.count)
    }

    /// How soon the rest is wanted.
    pub fn urgency(&self) -> Urgency {
        self.urgency
    }

    /// The pages to be read next to tell what its papers are: the first of each, then those behind what tells nothing.
    fn telling(&self, decided: &[Decision]) -> Vec<u32> {
        let next = |[first, last]: [u32; 2]| (first..=last).find(|page| !self.read.contains_key(page));
        let still_needed = |paper: &[u32; 2]| {
            let [first, last] = *paper;
            let read = (first..=last).filter(|page| self.read.contains_key(page)).count() as u32;
            let told = decided.iter().filter(|decision| decision.page_range == *paper).any(|decision| {
                let understanding = &decision.understanding;
                understanding.document_type != DocumentType::Other && understanding.type_confidence >= SURE
            });
            read == 0 || (!told && read < MOST_TELLING)
        };
        self.papers().into_iter().filter(still_needed).filter_map(next).collect()
    }

    /// Has the pages read that tell what its papers are, judged by `decided`; false when there is none left of them.
    pub async fn read_telling(
        &mut self,
        pool: &Arc<ReaderPool>,
        id: &DocumentId,
        bytes: &Arc<[u8]>,
        decided: &[Decision],
    ) -> Result<bool, ReadError> {
        let pages = self.telling(decided);
        self.read(pool, id, bytes, &pages, Urgency::Triage).await?;
        Ok(!pages.is_empty())
    }

    /// Has the rest of its pages read.
    pub async fn read_rest(
        &mut self,
        pool: &Arc<ReaderPool>,
        id: &DocumentId,
        bytes: &Arc<[u8]>,
    ) -> Result<(), ReadError> {
        let rest: Vec<u32> = (1..=self.count).filter(|page| !self.read.contains_key(page)).collect();
        self.read(pool, id, bytes, &rest, self.urgency).await
    }

    /// Has these pages read, all asked for at once: the pool decides which worker reads which page when.
    async fn read(
        &mut self,
        pool: &Arc<ReaderPool>,
        id: &DocumentId,
        bytes: &Arc<[u8]>,
        pages: &[u32],
        urgency: Urgency,
    ) -> Result<(), ReadError> {
        let pending = pages.iter().map(|&number| {
            let (pool, id, bytes) = (pool.clone(), id.clone(), bytes.clone());
            tokio::spawn(async move { pool.read_page(&id, bytes, number, urgency).await })
        });
        let mut pending = AbortOnDrop(pending.collect());
        for task in &mut pending.0 {
            let page = task.await.map_err(|_| ReadError::Stopping)??;
            self.read.insert(page.number, page);
        }
        Ok(())
    }

    /// What was read so far, in page order.
    fn reading(&self) -> Reading {
        Reading { format: self.format, pages: self.read.values().cloned().collect(), mail: self.mail.clone() }
    }

    /// See [`Self::reading`].
    pub fn into_reading(self) -> Reading {
        Reading { format: self.format, pages: self.read.into_values().collect(), mail: self.mail }
    }

    /// What the pages read so far tell of each paper, and the items that show it until the document is read to its end.
    /// Pure, as deciding is.
    pub fn decide(
        &mut self,
        id: &DocumentId,
        receipt: &Receipt,
        arrivals: u32,
        known: &[KnownItem],
        knowledge: &Knowledge,
    ) -> (Vec<Decision>, Vec<QueueItem>) {
        let reading = self.reading();
        // How many pages there are is known when all were read.
        let receipt = Receipt { reported_pages: Some(reading.pages.len() as u32), ..receipt.clone() };
        let decided = self.decisions(&reading, &receipt, knowledge);
        let urgent = |decision: &Decision| URGENT.contains(&decision.understanding.document_type);
        self.urgency = if decided.iter().any(urgent) { Urgency::Urgent } else { Urgency::Rest };
        let mut shown = items(id, &reading, &receipt, decided.clone(), arrivals, known);
        for item in &mut shown {
            item.pages = self.count;
            item.flags.push(format!("{STILL_READING}{} of {} pages are read", self.read.len(), self.count));
        }
        (decided, shown)
    }

    fn decisions(&self, reading: &Reading, receipt: &Receipt, knowledge: &Knowledge) -> Vec<Decision> {
        let receipt = &as_told(receipt, self.mail.as_ref());
        let deciding = Deciding { receipt, knowledge };
        let paper = |page_range| {
            let judgement = deciding.one(&deciding.without_header(&pages_of(reading, page_range)), &[]);
            let told = Told { judgement, transmission: Transmission::default(), flags: Vec::new() };
            // Lane and time go by what is known so far.
            let mut decision = Decision { page_range, ..deciding.routed(told, reading) };
            decision.linked.leave_to_a_person(format!("{} of {} pages are read", self.read.len(), self.count));
            decision.understanding.missing.clear();
            decision.routing.routed.ask_for.clear();
            decision
        };
        self.papers().into_iter().map(paper).collect()
    }
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
