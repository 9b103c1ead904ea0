//! What a clinic clerk would do with a fax: read it, tell what it is, find the baby's case, put it in the right tray.
//!
//! Reading waits for the worker processes; everything after it is a pure function, [`decide`], which is also what
//! decides again when the cases or the rules change, and what `read --explain` shows.

mod begun;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

pub use self::begun::{Begun, is_still_being_read};
use crate::document::{
    DocumentFormat, DocumentId, DocumentType, Mail, Match, MatchStatus, Page, PageFlag, PageSource, Reading, Receipt,
    Understanding, beginning, confidence,
};
use crate::link::{self, LinkPolicy, Registry};
use crate::queue::ground::Ground;
use crate::queue::item::{ItemId, ItemState, QueueItem};
use crate::reader::message::{page_of_text, pages_of_text};
use crate::reader::pool::{ReadError, ReaderPool};
use crate::route::Routing;
use crate::route::facts::Facts;
use crate::route::rules::RoutingRules;
use crate::understand::{self, Segmentation, Transmission, TypeRules, same_telephone};

/// Confidence in its type, and facts on it, from which a message's text is taken for a paper: "please find the concurrent
/// review attached" is none.
const SURE_OF_WORDS: f32 = 0.8;
const FACTS_OF_A_PAPER: usize = 3;

/// Bytes of the words around a paper that count as evidence for it: what a person writes fits, and what a thread of
/// replies repeats below is about others.
const COVERING_HEARD: usize = 4_000;

/// How flags begin that tell of a paper in a message's own text.
pub const MAIL_TEXT: &str = "mail_text: ";

/// What deciding goes by; replaced as a whole when cases or rules change.
#[derive(Clone)]
pub struct Knowledge {
    pub rules: Arc<TypeRules>,
    pub registry: Arc<Registry>,
    pub policy: LinkPolicy,
    pub zone: TimeZone,
    pub routing: Arc<RoutingRules>,
    /// What routing calls the mailboxes, by the sources' names: their lanes, or themselves.
    pub mailboxes: Arc<BTreeMap<String, String>>,
}

impl Knowledge {
    /// What acts of people are judged by.
    pub fn ground(&self) -> Ground {
        let (routing, registry) = (Arc::clone(&self.routing), Arc::clone(&self.registry));
        Ground { routing, registry, zone: self.zone.clone(), mailboxes: Arc::clone(&self.mailboxes) }
    }

    /// The day of a receipt.
    pub fn day_of(&self, received: Timestamp) -> Date {
        received.to_zoned(self.zone.clone()).date()
    }
}

/// A document's way through the deciding stages, or that of its pages about one baby, with what each took.
#[derive(Clone)]
pub struct Decision {
    /// First and last page, counted from 1.
    pub page_range: [u32; 2],
    /// What the sending machine burned into the paper that these pages are of.
    pub transmission: Transmission,
    pub understanding: Understanding,
    pub linked: Match,
    pub routing: Routing,
    /// What a person should know of the paper, and what routing says of it.
    pub flags: Vec<String>,
    pub understood_in: Duration,
    pub linked_in: Duration,
}

/// Pages that already are an item of the document.
pub struct KnownItem {
    pub id: ItemId,
    pub page_range: [u32; 2],
}

/// Reads every page, in worker processes; pages come back in page order.
pub async fn read(pool: &Arc<ReaderPool>, id: &DocumentId, bytes: Arc<[u8]>) -> Result<Reading, ReadError> {
    let mut begun = Begun::open(pool, id, bytes.clone()).await?;
    begun.read_rest(pool, id, &bytes).await?;
    Ok(begun.into_reading())
}

/// Why a document has not one page that could be read, if so: there is nothing to decide on then, and a person must
/// look at the paper itself. Unless they are pictures in a message whose words are a paper of their own. The text of a
/// message of which nothing else can be read is a paper when it tells facts: "see attached" is none.
pub fn nothing_readable<'r>(reading: &'r Reading, rules: &TypeRules, received: Date) -> Option<&'r str> {
    if let Some(mail) = reading.mail.as_ref().filter(|mail| mail.is_body)
        && let Some(reason) = mail.nothing_else.as_deref()
    {
        let text = understand::understand(reading, rules, received);
        return (text.fields.len() < FACTS_OF_A_PAPER).then_some(reason);
    }
    // Nobody sends blank pages alone: they were fed upside down. Beside a message's words they may be meant.
    let is_blank = |page: &Page| page.source == PageSource::Blank && reading.mail.is_none();
    let first = reading.pages.first().filter(|_| reading.pages.iter().all(|page| is_lost(page) || is_blank(page)))?;
    let only_pictures =
        reading.mail.as_ref().is_some_and(|mail| mail.papers == mail.pictures && mail.covering_is_whole);
    if only_pictures && paper_in_words(reading, rules, received).is_some() {
        return None;
    }
    let blank = "its pages came out blank: look at it by hand, and ask the sender to send it again";
    Some(first.unreadable_because.as_deref().unwrap_or(blank))
}

/// Whether nothing was read on a page that is not blank. One of which rows were damaged, or whose decoder could not tell
/// what it left out, was not read either when it came out blank.
fn is_lost(page: &Page) -> bool {
    let suspect = [PageFlag::Undecodable, PageFlag::DamagedRows, PageFlag::BlankPicture];
    page.source == PageSource::Unreadable
        || page.flags.contains(&PageFlag::BlankPicture)
        || (page.source == PageSource::Blank && suspect.iter().any(|flag| page.flags.contains(flag)))
}

/// Part → understand → link → route: a decision for each baby's pages, in page order, at least one. Pure: the same
/// arguments give the same decisions.
///
/// What may be about several babies, and is not surely parted, stays one item and is linked to no case.
/// Each paper of an email is decided on by itself. So is a text beside its attachments that reads like a paper of its
/// own: its pages follow the last of them.
pub fn decide(reading: &Reading, receipt: &Receipt, knowledge: &Knowledge) -> Vec<Decision> {
    let receipt = &as_told(receipt, reading.mail.as_ref());
    let deciding = Deciding { receipt, knowledge };
    let in_words = paper_in_words(reading, &knowledge.rules, deciding.received());
    // Of a text that was cut off, nobody knows what the rest says.
    let is_whole = reading.mail.as_ref().is_some_and(|mail| mail.covering_is_whole);
    let empty = empty_pictures(reading, in_words.is_some() && is_whole);
    let legible = without(reading, &empty);
    let mut told: Vec<Told> = match several_papers(legible.mail.as_ref()) {
        Some(papers) => papers.iter().flat_map(|paper| deciding.paper(&pages_of(&legible, *paper))).collect(),
        None if legible.pages.is_empty() && !empty.is_empty() => Vec::new(),
        None => deciding.paper(&legible),
    };
    for paper in &mut told {
        paper.flags.extend(empty.iter().copied().map(empty_picture));
    }
    if let Some((text, document_type)) = in_words {
        told = deciding.with_words(told, &text, document_type, is_whole, &empty);
    }
    told.into_iter().map(|told| deciding.routed(told, reading)).collect()
}

/// What linking goes by for some pages of a document.
pub struct Considered {
    pub reading: Reading,
    pub understanding: Understanding,
    pub receipt: Receipt,
}

/// Pages of a document as linking sees them; a mail's own text counts where its pages follow those of the attachments.
pub fn considered(reading: &Reading, receipt: &Receipt, knowledge: &Knowledge, page_range: [u32; 2]) -> Considered {
    let receipt = &as_told(receipt, reading.mail.as_ref());
    let mut all = reading.clone();
    all.pages.extend(covering_pages(reading));
    let bare = Deciding { receipt, knowledge }.without_header(&pages_of(&all, page_range));
    let understanding = understand::understand(&bare.reading, &knowledge.rules, bare.received);
    Considered { reading: bare.reading, understanding, receipt: bare.receipt }
}

/// The receipt with what the email itself tells of the papers in it, where the source tells nothing.
fn as_told(receipt: &Receipt, mail: Option<&Mail>) -> Receipt {
    let mut receipt = receipt.clone();
    if let Some(mail) = mail {
        receipt.sender = receipt.sender.or_else(|| mail.sender().map(str::to_owned));
        receipt.reported_pages = receipt.reported_pages.or(mail.reported_pages);
    }
    receipt
}

struct Deciding<'a> {
    receipt: &'a Receipt,
    knowledge: &'a Knowledge,
}

/// A paper, or pages of it, without the sending machine's header line, and what that tells.
struct Bare {
    reading: Reading,
    receipt: Receipt,
    received: Date,
    transmission: Transmission,
}

impl Bare {
    /// Some of its pages, with their numbers kept.
    fn pages(&self, range: [u32; 2]) -> Self {
        Self {
            reading: pages_of(&self.reading, range),
            receipt: self.receipt.clone(),
            received: self.received,
            transmission: Transmission::default(),
        }
    }
}

/// A paper, or pages of it, that is all told but for where it goes.
struct Told {
    judgement: Judgement,
    transmission: Transmission,
    flags: Vec<String>,
}

/// What understanding and linking make of some pages.
struct Judgement {
    page_range: [u32; 2],
    understanding: Understanding,
    linked: Match,
    topics: BTreeSet<String>,
    understood_in: Duration,
    linked_in: Duration,
}

impl Deciding<'_> {
    /// The day of receipt.
    fn received(&self) -> Date {
        self.knowledge.day_of(self.receipt.received_at)
    }

    /// A paper as one decision, or several.
    fn paper(&self, reading: &Reading) -> Vec<Told> {
        let start = Instant::now();
        let sheet = self.without_header(reading);
        let segmentation = understand::segment(&sheet.reading, &self.knowledge.rules, sheet.received);
        let parted_in = start.elapsed();
        let mut judgements = self.parted(&sheet, &segmentation);
        if let Some(first) = judgements.first_mut() {
            first.understood_in += parted_in;
        }
        let told = |judgement| Told { judgement, transmission: sheet.transmission.clone(), flags: Vec::new() };
        judgements.into_iter().map(told).collect()
    }

    /// An email's papers, and what its words make that read like a paper of this type too.
    fn with_words(
        &self,
        mut told: Vec<Told>,
        text: &Reading,
        document_type: DocumentType,
        is_whole: bool,
        empty: &[[u32; 2]],
    ) -> Vec<Told> {
        let name = document_type.name();
        let flag = match (text.pages.first(), text.pages.last()) {
            (Some(first), Some(last)) if is_whole => {
                format!(
                    "{MAIL_TEXT}the message's text is a paper of its own ({name}): pages {} to {}",
                    first.number, last.number
                )
            }
            _ => format!("{MAIL_TEXT}reads like a paper of its own ({name}); read it too"),
        };
        for paper in &mut told {
            paper.flags.push(flag.clone());
        }
        if is_whole {
            told.extend(self.paper(text).into_iter().map(|mut paper| {
                paper.flags.push(format!("{MAIL_TEXT}stands in the message itself, not in an attachment"));
                paper.flags.extend(empty.iter().copied().map(empty_picture));
                paper
            }));
        }
        told
    }

    /// Takes off what the sending machine burned in: its date and numbers are none of the paper's.
    fn without_header(&self, reading: &Reading) -> Bare {
        let transmission = understand::transmission(reading, &self.knowledge.rules);
        let mut receipt = self.receipt.clone();
        receipt.sender = receipt.sender.or_else(|| sender_of(&transmission, self.receipt));
        let received = transmission.received(self.received());
        Bare { reading: transmission.taken_off(reading), receipt, received, transmission }
    }

    /// The document as one, or in its parts where that is sure.
    fn parted(&self, bare: &Bare, segmentation: &Segmentation) -> Vec<Judgement> {
        let Segmentation { spans, certain, strange } = segmentation;
        if spans.len() < 2 {
            return vec![self.one(bare, strange)];
        }
        let parts: Vec<Judgement> = spans.iter().map(|span| self.one(&bare.pages(*span), strange)).collect();
        let mut cases: Vec<&str> = parts.iter().filter_map(|part| part.linked.case_id.as_deref()).collect();
        let linked = cases.len();
        cases.sort_unstable();
        cases.dedup();
        // Two parts of one case are one baby's, or one of them is linked wrongly.
        let apart = cases.len() == linked;
        if apart && (*certain || linked == parts.len()) {
            return parts;
        }
        let mut whole = self.one(bare, strange);
        // One part found its case by itself, which the whole did not.
        if apart && linked > 0 && whole.linked.status != MatchStatus::Matched {
            return parts;
        }
        whole.linked.leave_to_a_person(several_babies(spans));
        vec![whole]
    }

    /// Understands and links these pages as one baby's. `strange`: pages that may be about another.
    fn one(&self, bare: &Bare, strange: &[u32]) -> Judgement {
        let Knowledge { rules, registry, policy, routing, .. } = self.knowledge;
        let Bare { reading, receipt, received, .. } = bare;
        let start = Instant::now();
        let understanding = understand::understand(reading, rules, *received);
        let understood_in = start.elapsed();
        let start = Instant::now();
        let mut linked = match covering(reading) {
            Some(text) => link::link_covered(reading, &text, &understanding, registry, policy, receipt),
            None => link::link(reading, &understanding, registry, policy, receipt),
        };
        let linked_in = start.elapsed();
        for page in strange.iter().filter(|page| reading.pages.iter().any(|here| here.number == **page)) {
            linked.leave_to_a_person(format!("page {page} {MAY_BE_ABOUT} another baby"));
        }
        // What stood on it may have been about the other twin.
        let lost = reading.pages.iter().find(|page| is_lost(page));
        if let Some((page, case_id)) = lost.zip(linked.case_id.as_deref())
            && registry.has_sibling(case_id)
        {
            let reason = format!("page {} could not be read, and {case_id} has a sibling", page.number);
            linked.leave_to_a_person(reason);
        }
        let number = |page: Option<&Page>, none| page.map_or(none, |page| page.number);
        let page_range = [number(reading.pages.first(), 1), number(reading.pages.last(), 0)];
        let topics = routing.topics(&reading.pages);
        Judgement { page_range, understanding, linked, topics, understood_in, linked_in }
    }

    /// `reading`: the whole document's.
    fn routed(&self, told: Told, reading: &Reading) -> Decision {
        let Knowledge { registry, routing, mailboxes, zone, .. } = self.knowledge;
        let Told { judgement, transmission, flags: mut known } = told;
        let Judgement { page_range, understanding, linked, topics, understood_in, linked_in } = judgement;
        known.extend(reading_flags(reading, page_range, self.receipt, &transmission));
        if !understanding.unreadable.is_empty() {
            let names: Vec<&str> = understanding.unreadable.iter().map(|element| element.name()).collect();
            known.push(format!("unreadable: {}", names.join(", ")));
        }
        let case = linked.case_id.as_deref().and_then(|case_id| registry.get(case_id));
        let mailbox = mailboxes.get(&self.receipt.source).map(String::as_str);
        let mut facts = Facts::new(understanding.document_type, self.receipt.received_at)
            .received(self.receipt, mailbox)
            .linked(&linked, case, &understanding.fields, &understanding.missing);
        facts.sender = facts.sender.or_else(|| sender_of(&transmission, self.receipt));
        facts.transfer_direction = understanding.transfer_direction;
        (facts.flags, facts.topics) = (known, topics);
        let routing = routing.route(&facts, zone);
        let flags = routing.flags.iter().cloned().chain(facts.flags).collect();
        Decision { page_range, transmission, understanding, linked, routing, flags, understood_in, linked_in }
    }
}

/// The sending number by the header line; the number that was dialled stands in it too.
fn sender_of(transmission: &Transmission, receipt: &Receipt) -> Option<String> {
    let dialled = receipt.receiver.as_deref();
    let is_dialled = |sender: &str| dialled.is_some_and(|dialled| same_telephone(sender, dialled));
    transmission.sender().filter(|sender| !is_dialled(sender)).map(str::to_owned)
}

/// The words around a message's one paper; of several papers nobody knows which they are about.
fn covering(reading: &Reading) -> Option<Page> {
    let mail = reading.mail.as_ref().filter(|mail| mail.papers.len() == 1)?;
    let whole = mail.papers.first().is_some_and(|[first, last]| {
        let numbers = reading.pages.iter().map(|page| page.number);
        numbers.eq(*first..=*last)
    });
    let text = mail.covering.as_deref().filter(|_| whole)?;
    Some(page_of_text(beginning(text, COVERING_HEARD), 1, link::COVERING_PAGE))
}

/// Papers of an email that are pictures on which nothing was read, a pale logo or a photograph of nothing, where something
/// else in it is a paper: they are flags of that, and hold up and cloud nothing. `has_words`: the message's words are one.
fn empty_pictures(reading: &Reading, has_words: bool) -> Vec<[u32; 2]> {
    let Some(mail) = &reading.mail else { return Vec::new() };
    let is_empty =
        |page: &Page| is_lost(page) || page.source == PageSource::Blank || page.flags.contains(&PageFlag::Illegible);
    let is_empty_paper = |[first, last]: [u32; 2]| {
        let pages = reading.pages.iter().filter(|page| (first..=last).contains(&page.number) && is_empty(page));
        pages.count() as u32 == last + 1 - first
    };
    let empty: Vec<[u32; 2]> = mail.pictures.iter().copied().filter(|picture| is_empty_paper(*picture)).collect();
    if has_words || empty.len() < mail.papers.len() { empty } else { Vec::new() }
}

/// As it stands in an item's flag.
fn empty_picture([first, last]: [u32; 2]) -> String {
    let pages = if first == last { format!("p{first}") } else { format!("p{first} to p{last}") };
    format!("unread_attachment: picture: {pages}")
}

/// A reading without some of its email's papers.
fn without<'r>(reading: &'r Reading, papers: &[[u32; 2]]) -> Cow<'r, Reading> {
    if papers.is_empty() {
        return Cow::Borrowed(reading);
    }
    let mut rest = reading.clone();
    let is_of = |number: u32| papers.iter().any(|[first, last]| (*first..=*last).contains(&number));
    rest.pages.retain(|page| !is_of(page.number));
    if let Some(mail) = &mut rest.mail {
        mail.papers.retain(|paper| !papers.contains(paper));
        mail.pictures.retain(|paper| !papers.contains(paper));
    }
    Cow::Owned(rest)
}

/// First and last page of each paper of an email that holds several.
fn several_papers(mail: Option<&Mail>) -> Option<&[[u32; 2]]> {
    mail.map(|mail| mail.papers.as_slice()).filter(|papers| papers.len() > 1)
}

/// The reading of some pages, with their numbers kept.
fn pages_of(reading: &Reading, [first, last]: [u32; 2]) -> Reading {
    let within = reading.pages.iter().filter(|page| (first..=last).contains(&page.number));
    Reading { format: reading.format, pages: within.cloned().collect(), mail: reading.mail.clone() }
}

/// What stands in a link's reasons wherever pages may be about another baby than the rest.
const MAY_BE_ABOUT: &str = "may be about";

/// Whether pages of this item may be about another baby than the rest of them.
pub fn may_be_about_another(item: &QueueItem) -> bool {
    item.link.reasons.iter().any(|reason| reason.contains(MAY_BE_ABOUT))
}

/// Which pages seem to be about which of several babies, in words.
fn several_babies(spans: &[[u32; 2]]) -> String {
    let pages: Vec<String> = spans
        .iter()
        .map(|[first, last]| if first == last { first.to_string() } else { format!("{first} to {last}") })
        .collect();
    format!("{MAY_BE_ABOUT} {} babies: pages {}", spans.len(), pages.join(", "))
}

/// The words around a message's papers, as pages that follow theirs; none where there are no words.
pub fn covering_pages(reading: &Reading) -> Vec<Page> {
    let Some(text) = reading.mail.as_ref().and_then(|mail| mail.covering.as_deref()) else { return Vec::new() };
    let before = reading.pages.last().map_or(0, |page| page.number);
    (1..=pages_of_text(text)).map(|page| page_of_text(text, page, before + page)).collect()
}

/// The words around a message's papers, and what they are by themselves, when they seem to be
/// a paper too: a review that was written into the mail beside an attachment.
fn paper_in_words(reading: &Reading, rules: &TypeRules, received: Date) -> Option<(Reading, DocumentType)> {
    let words = Reading::new(DocumentFormat::Message, covering_pages(reading));
    words.pages.first()?;
    let understood = understand::understand(&words, rules, received);
    let told = understood.document_type != DocumentType::Other && understood.type_confidence >= SURE_OF_WORDS;
    (told && understood.fields.len() >= FACTS_OF_A_PAPER).then_some((words, understood.document_type))
}

/// The queue items that show these decisions to a nurse. The items of one document name each other.
///
/// `known`: the items that the document has already. The same pages keep their id, and no other pages get it.
pub fn items(
    id: &DocumentId,
    reading: &Reading,
    receipt: &Receipt,
    decisions: Vec<Decision>,
    arrivals: u32,
    known: &[KnownItem],
) -> Vec<QueueItem> {
    let receipt = &as_told(receipt, reading.mail.as_ref());
    let same_pages = |decision: &Decision| known.iter().find(|item| item.page_range == decision.page_range);
    let mut free = (1..).map(|number| ItemId::new(id, number)).filter(|id| known.iter().all(|item| item.id != *id));
    let ids: Vec<ItemId> = decisions
        .iter()
        .filter_map(|decision| same_pages(decision).map(|item| item.id.clone()).or_else(|| free.next()))
        .collect();
    // Those of a text beside the attachments are none of the reading's.
    let last = decisions.iter().map(|decision| decision.page_range[1]).max().unwrap_or_default();
    let pages = last.max(reading.pages.len() as u32);
    let decided = decisions.into_iter().zip(&ids);
    decided.map(|(decision, item)| queue_item(item, &ids, receipt, decision, [pages, arrivals])).collect()
}

fn queue_item(
    id: &ItemId,
    of_document: &[ItemId],
    receipt: &Receipt,
    decision: Decision,
    [pages, arrivals]: [u32; 2],
) -> QueueItem {
    let Decision { page_range, transmission, mut understanding, linked, routing, mut flags, .. } = decision;
    for field in understanding.fields.values_mut() {
        field.confidence = confidence::of_field(field.confidence);
    }
    let sender = sender_of(&transmission, receipt);
    let others: Vec<String> = of_document.iter().filter(|other| *other != id).map(ToString::to_string).collect();
    if !others.is_empty() {
        flags.push(format!("other_segments: {}", others.join(", ")));
    }
    QueueItem {
        id: id.clone(),
        source: receipt.source.clone(),
        source_file: receipt.source_file.clone(),
        sender: receipt.sender.clone().or(sender),
        received_at: receipt.received_at,
        pages,
        page_range,
        document_type: understanding.document_type,
        type_confidence: understanding.type_confidence,
        transfer_direction: understanding.transfer_direction,
        link: linked,
        fields: understanding.fields.into_iter().chain(transmission.fields()).collect(),
        missing: understanding.missing,
        duplicate_of: None,
        flags,
        lane: routing.lane,
        priority: routing.priority.name().to_owned(),
        due_at: Some(routing.due_at),
        due_rule: Some(routing.due_rule),
        assigned_to: routing.assigned_to,
        state: ItemState::Open,
        type_reasons: understanding
            .fired_rules
            .iter()
            .map(|fired| format!("{} {:+.1} p{}", fired.rule, fired.points, fired.page))
            .collect(),
        arrivals,
        routing: Some(routing.routed),
        clock: Some(routing.clock),
        claimed: None,
        asked: None,
        amended_by: None,
    }
}

/// What a person should know of the paper before trusting what was read on these of its pages.
fn reading_flags(
    reading: &Reading,
    [first, last]: [u32; 2],
    receipt: &Receipt,
    transmission: &Transmission,
) -> Vec<String> {
    let mut flags = Vec::new();
    flags.extend(receipt.note.iter().map(|note| format!("note: {note}")));
    if receipt.received_with_errors {
        flags.push("received_with_errors".to_owned());
    }
    let differs = |reported| {
        reported as usize != reading.pages.len() || transmission.pages().is_some_and(|sent| sent != reported)
    };
    if receipt.reported_pages.is_some_and(differs) {
        flags.push("page_count_differs".to_owned());
    }
    flags.extend(transmission.flags());
    let told = receipt.sender.as_deref().zip(sender_of(transmission, receipt));
    // A mail's sender is an address.
    let is_telephone = |told: &str| told.chars().filter(char::is_ascii_digit).count() >= 10 && !told.contains('@');
    if told.is_some_and(|(told, printed)| is_telephone(told) && !same_telephone(told, &printed)) {
        flags.push("sender_differs: the pages name another number".to_owned());
    }
    let unread = reading.mail.iter().flat_map(|mail| &mail.unread);
    flags.extend(unread.map(|part| format!("unread_attachment: {}", part.name())));
    let mut on_pages = |name: &str, on: &dyn Fn(&Page) -> bool| {
        let within = reading.pages.iter().filter(|page| (first..=last).contains(&page.number));
        let pages: Vec<String> = within.filter(|page| on(page)).map(|page| page.number.to_string()).collect();
        if !pages.is_empty() {
            flags.push(format!("{name}: p{}", pages.join(",")));
        }
    };
    on_pages("damaged_rows", &|page| page.flags.contains(&PageFlag::DamagedRows));
    on_pages("blank", &|page| page.source == PageSource::Blank);
    on_pages("blank_picture", &|page| page.flags.contains(&PageFlag::BlankPicture));
    on_pages("damaged_picture", &|page| {
        page.source != PageSource::Unreadable && page.flags.contains(&PageFlag::Undecodable)
    });
    on_pages("unreadable", &|page| page.source == PageSource::Unreadable);
    on_pages("handwriting", &|page| page.flags.contains(&PageFlag::Handwriting));
    on_pages("text_layer_disagrees", &|page| page.flags.contains(&PageFlag::TextLayerDisagrees));
    on_pages("illegible", &|page| page.flags.contains(&PageFlag::Illegible));
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::FieldValue;
    use crate::testing::reading_of;

    const HEADING: &str = "case_id,status,member_id,auth_number,mrn,facility,facility_fax,facility_npi,last_name,\
        first_name,birth_order,sex,dob,mother_first,mother_last,mother_dob,admit_date,discharge_date,plan,\
        level_of_care,assigned_nurse,next_review_date,race_ethnicity,preferred_language";
    const GIRL: &str = "C-1,open,ZQX440912233,7712004501,88104477,Lakeview Hospital,,,Okonkwo,Baby Girl A,A,F,2027-04-02,\
        Ngozi,Okonkwo,,2027-04-02,,commercial,3,,,,";
    const BOY: &str = "C-2,open,ZQX440912233,7712004502,88104478,Lakeview Hospital,,,Okonkwo,Baby Boy B,B,M,2027-04-02,\
        Ngozi,Okonkwo,,2027-04-02,,commercial,3,,,,";
    const FURTHER: &str = "Laboratory values\nNa 141   K 4.9   Hct 38\nPlan: wean the incubator, teach the parents";

    fn knowledge(cases: &[&str]) -> Knowledge {
        let csv = format!("{HEADING}\n{}\n", cases.join("\n"));
        Knowledge {
            rules: Arc::new(TypeRules::builtin()),
            registry: Arc::new(Registry::parse(csv.as_bytes()).unwrap()),
            policy: LinkPolicy::default(),
            zone: TimeZone::UTC,
            routing: Arc::new(RoutingRules::builtin()),
            mailboxes: Arc::default(),
        }
    }

    fn review(name: &str, record: &str, auth: &str) -> String {
        format!(
            "Lakeview Hospital\nUtilization Management\nNICU WEEKLY CLINICAL REVIEW\n\
             Patient name: {name}      Birth date: 4/2/2027\nMRN: {record}      Auth #: {auth}\n\
             Member ID: ZQX440912233      Mother's name: Okonkwo, Ngozi\nStatus today\nWt today: 1.98 kg"
        )
    }

    fn girl() -> String {
        review("Okonkwo, Baby Girl A", "88104477", "7712004501")
    }

    fn boy() -> String {
        review("Okonkwo, Baby Boy B", "88104478", "7712004502")
    }

    fn receipt() -> Receipt {
        Receipt::new("secure-fax", "0042.tif", "2027-05-14T09:12:00-04:00".parse().unwrap())
    }

    fn today() -> Date {
        knowledge(&[]).day_of(receipt().received_at)
    }

    fn links(reading: &Reading, cases: &[&str]) -> Vec<([u32; 2], Option<String>)> {
        let decisions = decide(reading, &receipt(), &knowledge(cases));
        decisions.into_iter().map(|decision| (decision.page_range, decision.linked.case_id)).collect()
    }

    #[test]
    fn twins_on_one_fax_become_two_items_that_name_each_other() {
        let mut reading = reading_of(&[&girl(), FURTHER, &boy()]);
        reading.pages[1].flags.push(PageFlag::DamagedRows);
        let document = DocumentId::of(b"fax");
        let decisions = decide(&reading, &receipt(), &knowledge(&[GIRL, BOY]));
        let items = items(&document, &reading, &receipt(), decisions, 1, &[]);
        let [first, second] = items.as_slice() else { panic!("{} items", items.len()) };
        assert_eq!((first.page_range, first.link.case_id.as_deref()), ([1, 2], Some("C-1")));
        assert_eq!((second.page_range, second.link.case_id.as_deref()), ([3, 3], Some("C-2")));
        assert_eq!((first.pages, second.pages), (3, 3));
        assert!(first.flags.contains(&format!("other_segments: {}", second.id)), "{:?}", first.flags);
        assert!(second.flags.contains(&format!("other_segments: {}", first.id)), "{:?}", second.flags);
        assert!(first.flags.contains(&"damaged_rows: p2".to_owned()));
        assert!(!second.flags.iter().any(|flag| flag.starts_with("damaged_rows")));
    }

    /// Pages of a fax of the girl's review, each under a header line with this number of `total`.
    fn burned_in(numbers: &[u32], total: u32) -> Reading {
        let page = |number: &u32| {
            let head = format!("05/14/2027 08:58 FROM: LAKEVIEW 6175550134 TO: 18663035749 P.00{number}/00{total}");
            format!("{head}\n\n\n{}", if *number == 1 { girl() } else { FURTHER.to_owned() })
        };
        reading_of(&numbers.iter().map(page).collect::<Vec<_>>())
    }

    fn shown(reading: &Reading, receipt: &Receipt) -> QueueItem {
        let decisions = decide(reading, receipt, &knowledge(&[GIRL, BOY]));
        let mut items = items(&DocumentId::of(b"fax"), reading, receipt, decisions, 1, &[]);
        assert_eq!(items.len(), 1);
        items.remove(0)
    }

    #[test]
    fn a_fax_with_pages_missing_says_which_and_who_sent_it() {
        let item = shown(&burned_in(&[1, 2, 3, 4, 5], 7), &receipt());
        assert_eq!(item.sender.as_deref(), Some("6175550134"));
        assert!(item.flags.contains(&"missing_pages: 6-7 of 7".to_owned()), "{:?}", item.flags);
        assert_eq!(item.fields["fax_pages"].value, FieldValue::Number(7));
        assert_eq!(item.fields["fax_sent_time"].value, FieldValue::Text("08:58".to_owned()));
        assert_eq!(item.link.case_id.as_deref(), Some("C-1"));
        let whole = shown(&burned_in(&[1, 2], 2), &receipt());
        assert!(whole.flags.is_empty(), "{:?}", whole.flags);
    }

    #[test]
    fn what_the_fax_server_tells_stands_and_a_header_line_that_differs_is_flagged() {
        let told =
            |sender: &str, pages| Receipt { sender: Some(sender.to_owned()), reported_pages: Some(pages), ..receipt() };
        let item = shown(&burned_in(&[1, 2], 2), &told("+1 617 555 0134", 2));
        assert_eq!((item.sender.as_deref(), item.flags.len()), (Some("+1 617 555 0134"), 0), "{:?}", item.flags);
        let item = shown(&burned_in(&[1, 2], 3), &told("2035550194", 2));
        assert_eq!(item.sender.as_deref(), Some("2035550194"));
        let flags: Vec<&str> = item.flags.iter().filter_map(|flag| flag.split(':').next()).collect();
        assert_eq!(flags, ["page_count_differs", "missing_pages", "sender_differs"]);
        // The machine printed the number that it dialled alone.
        let dialled = Receipt { receiver: Some("6175550134".to_owned()), ..receipt() };
        assert_eq!(shown(&burned_in(&[1, 2], 2), &dialled).sender, None);
    }

    #[test]
    fn the_header_lines_date_is_no_fact_of_the_paper() {
        let born = |text: String| text.replace("Birth date: 4/2/2027", "").replace("4/2/2027", "");
        let mut reading = burned_in(&[1, 2], 2);
        let of_that_day = GIRL.replace("2027-04-02", "2027-05-14");
        let page = |page: &Page| born(page.text());
        assert!(page(&reading.pages[0]).contains("05/14/2027"));
        let bare = Deciding { receipt: &receipt(), knowledge: &knowledge(&[&of_that_day]) }.without_header(&reading);
        assert!(!bare.reading.pages.iter().any(|page| page.text().contains("05/14/2027")));
        reading.pages.truncate(1);
        let decisions = decide(&reading, &receipt(), &knowledge(&[&of_that_day]));
        assert!(decisions[0].understanding.fields.values().all(|field| field.value.to_string() != "2027-05-14"));
    }

    #[test]
    fn a_twin_without_a_case_is_never_linked_to_the_other() {
        let reading = reading_of(&[&girl(), FURTHER, &boy()]);
        for (case, own_pages) in [(GIRL, [1, 2]), (BOY, [3, 3])] {
            for (pages, linked) in links(&reading, &[case]) {
                assert!(linked.is_none() || pages == own_pages, "{pages:?} linked to {linked:?}");
            }
        }
        assert!(links(&reading, &[]).iter().all(|(_, linked)| linked.is_none()));
    }

    #[test]
    fn a_twins_fax_with_a_page_that_cannot_be_read_goes_to_a_person() {
        let mut reading = reading_of(&[&girl(), FURTHER]);
        assert_eq!(links(&reading, &[GIRL, BOY]), [([1, 2], Some("C-1".to_owned()))]);
        reading.pages[1].source = PageSource::Unreadable;
        assert_eq!(links(&reading, &[GIRL, BOY]), [([1, 2], None)]);
        // Nobody else's could it be.
        assert_eq!(links(&reading, &[GIRL]), [([1, 2], Some("C-1".to_owned()))]);
    }

    /// A mail with one paper, and these words around it.
    fn mailed(paper: &str, words: &str) -> Reading {
        let mail =
            Mail { papers: vec![[1, 1]], covering: Some(words.to_owned()), covering_is_whole: true, ..Mail::default() };
        Reading { mail: Some(mail), ..reading_of(&[paper]) }
    }

    #[test]
    fn a_messages_words_help_a_paper_that_speaks_for_the_same_case_and_never_link_one_by_themselves() {
        let only = GIRL.replace("Baby Girl A,A", "Ada,");
        let scrawl = "NICU WEEKLY CLINICAL REVIEW\nPatient: Okonkwo      Birth date: 4/2/2027\nWt today: 1.98 kg";
        let words = "Please find the review attached.\nAda Okonkwo, MRN 88104477, DOB 4/2/2027";
        let reading = mailed(scrawl, words);
        assert_eq!(links(&reading_of(&[scrawl]), &[&only]), [([1, 1], None)]);
        let decisions = decide(&reading, &receipt(), &knowledge(&[&only]));
        assert_eq!(decisions[0].linked.case_id.as_deref(), Some("C-1"), "{:?}", decisions[0].linked);
        assert!(decisions[0].linked.reasons.iter().any(|reason| reason.contains("mail")), "{:?}", decisions[0].linked);
        // With a sibling about, words from outside the paper tell nothing apart.
        assert_eq!(links(&mailed(scrawl, words), &[GIRL, BOY]), [([1, 1], None)]);
        assert_eq!(links(&mailed("NICU WEEKLY CLINICAL REVIEW\nWt today: 1.98 kg", words), &[&only]), [([1, 1], None)]);
    }

    #[test]
    fn a_review_that_is_written_into_the_mail_beside_an_attachment_is_an_item_of_its_own_and_pointed_to() {
        let decided = |reading: &Reading| {
            let decisions = decide(reading, &receipt(), &knowledge(&[GIRL, BOY]));
            items(&DocumentId::of(b"mail"), reading, &receipt(), decisions, 1, &[])
        };
        let both = decided(&mailed("Hospital notice of privacy", &girl()));
        let [attached, written] = both.as_slice() else { panic!("{} items", both.len()) };
        assert_eq!((attached.page_range, attached.link.case_id.as_deref(), attached.pages), ([1, 1], None, 2));
        assert_eq!((written.page_range, written.link.case_id.as_deref(), written.pages), ([2, 2], Some("C-1"), 2));
        assert_eq!(written.document_type, DocumentType::ConcurrentReview);
        assert!(written.fields.values().all(|field| field.page == 2), "{:?}", written.fields);
        for (item, other, says) in [(attached, written, "pages 2 to 2"), (written, attached, "in the message itself")] {
            assert!(item.flags.contains(&format!("other_segments: {}", other.id)), "{:?}", item.flags);
            assert!(
                item.flags.iter().any(|flag| flag.starts_with(MAIL_TEXT) && flag.contains(says)),
                "{:?}",
                item.flags
            );
            assert!(!item.flags.contains(&"page_count_differs".to_owned()), "{:?}", item.flags);
        }
        // The gateway counted the attachment's pages.
        let mut counted = mailed("Hospital notice of privacy", &girl());
        counted.mail.as_mut().unwrap().reported_pages = Some(1);
        assert!(decided(&counted).iter().all(|item| !item.flags.contains(&"page_count_differs".to_owned())));
        assert_eq!(decided(&mailed(&girl(), "Please find the concurrent review attached.")).len(), 1);
    }

    #[test]
    fn a_picture_on_which_nothing_was_read_holds_and_clouds_no_mail_that_is_a_paper_besides() {
        let blank = |number: usize, mut reading: Reading| {
            reading.pages[number].source = PageSource::Blank;
            reading.pages[number].flags = vec![PageFlag::BlankPicture];
            reading
        };
        let twins = knowledge(&[GIRL, BOY]);
        let has_flag =
            |decision: &Decision, page: u32| decision.flags.contains(&format!("unread_attachment: picture: p{page}"));
        let mut logo = blank(0, mailed("", &girl()));
        logo.mail.as_mut().unwrap().pictures = vec![[1, 1]];
        assert_eq!(nothing_readable(&logo, &twins.rules, today()), None);
        let decisions = decide(&logo, &receipt(), &twins);
        let [only] = decisions.as_slice() else { panic!("{} decisions", decisions.len()) };
        assert_eq!((only.page_range, only.linked.case_id.as_deref()), ([2, 2], Some("C-1")));
        assert!(has_flag(only, 1), "{:?}", only.flags);
        // Without a paper in its words, a person looks at it.
        logo.mail.as_mut().unwrap().covering = Some("Please see attached.".to_owned());
        assert!(nothing_readable(&logo, &twins.rules, today()).is_some());
        let mail = Mail { papers: vec![[1, 1], [2, 2]], pictures: vec![[2, 2]], ..Mail::default() };
        let beside = blank(1, Reading { mail: Some(mail), ..reading_of(&[&girl(), ""]) });
        let decisions = decide(&beside, &receipt(), &twins);
        let [only] = decisions.as_slice() else { panic!("{} decisions", decisions.len()) };
        assert_eq!((only.page_range, only.linked.case_id.as_deref()), ([1, 1], Some("C-1")));
        assert!(has_flag(only, 2), "{:?}", only.flags);
    }

    #[test]
    fn a_messages_own_text_beside_what_cannot_be_read_is_a_paper_when_it_tells_facts() {
        let rules = TypeRules::builtin();
        let with = |text: &str| {
            let reason = Some("the email holds only a winmail.dat".to_owned());
            let mail = Mail { is_body: true, papers: vec![[1, 1]], nothing_else: reason, ..Mail::default() };
            Reading { mail: Some(mail), ..reading_of(&[text]) }
        };
        assert_eq!(nothing_readable(&with(&girl()), &rules, today()), None);
        let short =
            with("Please see the attached review.\nThank you\nB. Nurse, RN\nUtilization Management\n508-555-0183");
        assert_eq!(nothing_readable(&short, &rules, today()), Some("the email holds only a winmail.dat"));
    }

    #[test]
    fn a_senders_name_in_a_messages_words_contradicts_no_paper_with_the_babys_own_identifiers() {
        let other = "C-9,closed,MTN914013950-03,2634124195,0690472,Merrow Hospital,,,Halvorsen,Nils,,M,2026-12-07,\
                     Ingrid,Halvorsen,,2026-12-07,,commercial,2,,,,";
        let signed = "See attached.\n\nIngrid Halvorsen\nUtilization Review\n508-555-0183";
        assert_eq!(links(&mailed(&girl(), signed), &[GIRL, BOY, other]), [([1, 1], Some("C-1".to_owned()))]);
        let about = "See attached.\n\nHalvorsen, Nils, DOB 12/7/2026";
        assert_eq!(links(&mailed(&girl(), about), &[GIRL, BOY, other]), [([1, 1], None)]);
    }

    #[test]
    fn a_review_in_a_text_that_was_cut_off_is_pointed_out_and_no_item() {
        let mut reading = mailed("Hospital notice of privacy", &girl());
        reading.mail.as_mut().unwrap().covering_is_whole = false;
        let decisions = decide(&reading, &receipt(), &knowledge(&[GIRL]));
        let [only] = decisions.as_slice() else { panic!("{} decisions", decisions.len()) };
        assert!(only.flags.iter().any(|flag| flag.contains("read it too")), "{:?}", only.flags);
    }

    #[test]
    fn a_paper_whose_message_speaks_of_another_baby_goes_to_a_person() {
        let about_the_boy = "Attached: Okonkwo, Baby Boy B, MRN 88104478, auth 7712004502";
        assert_eq!(links(&mailed(&girl(), "Please see attached."), &[GIRL, BOY]), [([1, 1], Some("C-1".to_owned()))]);
        assert_eq!(links(&mailed(&girl(), about_the_boy), &[GIRL, BOY]), [([1, 1], None)]);
        assert_eq!(
            links(&mailed(&girl(), "Okonkwo, Baby Girl A, MRN 88104477"), &[GIRL, BOY]),
            [([1, 1], Some("C-1".to_owned()))]
        );
    }

    #[test]
    fn one_babys_pages_are_one_item() {
        assert_eq!(links(&reading_of(&[&girl(), FURTHER, &girl()]), &[GIRL, BOY]), [([1, 3], Some("C-1".to_owned()))]);
    }

    #[test]
    fn what_may_be_about_two_babies_is_linked_to_neither_and_says_why() {
        // The second paper is nobody's in particular.
        let scrawl = "DISCHARGE SUMMARY\nPatient name: ~|\nMRN: |_l   Admit date: ,/\nDischarged home with family";
        let decisions = decide(&reading_of(&[&girl(), FURTHER, scrawl]), &receipt(), &knowledge(&[GIRL, BOY]));
        let [only] = decisions.as_slice() else { panic!("{} decisions", decisions.len()) };
        assert_eq!((only.linked.status, &only.linked.case_id), (MatchStatus::Ambiguous, &None));
        assert_eq!(only.linked.reasons, ["page 3 may be about another baby"]);
        assert_eq!(only.linked.candidates.first().map(|first| first.case_id.as_str()), Some("C-1"));
    }

    #[test]
    fn the_same_pages_keep_their_id_and_no_other_pages_get_it() {
        let parted = reading_of(&[&girl(), FURTHER, &boy()]);
        let document = DocumentId::of(b"fax");
        let ids = |cases: &[&str], known: &[QueueItem]| {
            let known: Vec<KnownItem> =
                known.iter().map(|item| KnownItem { id: item.id.clone(), page_range: item.page_range }).collect();
            items(&document, &parted, &receipt(), decide(&parted, &receipt(), &knowledge(cases)), 1, &known)
        };
        let numbers = |items: &[QueueItem]| items.iter().map(|item| item.id.segment()).collect::<Vec<_>>();
        // Without their cases the twins are a letter and a digit apart, which is not enough.
        let whole = ids(&[], &[]);
        assert_eq!(numbers(&whole), [1]);
        let both = ids(&[GIRL, BOY], &whole);
        assert_eq!(numbers(&both), [2, 3]);
        assert_eq!(numbers(&ids(&[GIRL, BOY], &both)), [2, 3]);
        assert_eq!(numbers(&ids(&[], &both)), [1]);
    }

    #[test]
    fn a_picture_that_could_not_be_decoded_is_told_beside_what_could_be_read() {
        let mut reading = reading_of(&[&girl()]);
        reading.pages[0].flags = vec![PageFlag::Undecodable];
        assert_eq!(nothing_readable(&reading, &TypeRules::builtin(), today()), None);
        let flags = reading_flags(&reading, [1, 1], &receipt(), &Transmission::default());
        assert!(flags.contains(&"damaged_picture: p1".to_owned()), "{flags:?}");
        reading.pages[0].source = PageSource::Unreadable;
        let flags = reading_flags(&reading, [1, 1], &receipt(), &Transmission::default());
        assert!(!flags.contains(&"damaged_picture: p1".to_owned()), "{flags:?}");
    }

    #[test]
    fn a_blank_page_among_others_is_no_lost_one_but_one_that_may_have_held_something_is() {
        let mut reading = reading_of(&[&girl(), ""]);
        reading.pages[1].source = PageSource::Blank;
        assert_eq!(nothing_readable(&reading, &TypeRules::builtin(), today()), None);
        // A separator leaves a twin's fax linked; what may not have been decoded does not.
        assert_eq!(links(&reading, &[GIRL, BOY]), [([1, 2], Some("C-1".to_owned()))]);
        for flag in [PageFlag::Undecodable, PageFlag::DamagedRows, PageFlag::BlankPicture] {
            reading.pages[1].flags = vec![flag];
            assert_eq!(links(&reading, &[GIRL, BOY]), [([1, 2], None)], "{flag:?}");
        }
    }

    #[test]
    fn a_document_of_blank_pages_is_held() {
        let mut reading = reading_of(&["", ""]);
        for page in &mut reading.pages {
            page.source = PageSource::Blank;
        }
        assert!(nothing_readable(&reading, &TypeRules::builtin(), today()).is_some());
        reading.mail = Some(Mail::default());
        assert_eq!(nothing_readable(&reading, &TypeRules::builtin(), today()), None);
    }
}
