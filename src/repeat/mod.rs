//! Whether a paper has come before: the same paper faxed again is other bytes and other noise, and still no news.
//!
//! Two steps. [`marks`] names what a document can be found again by: its pages' pictures, the cases that it may belong to,
//! the numbers on it. [`repeats`] then compares two papers page by page, by their words. Pure; nothing is closed because of
//! it: a repeated paper stays in the queue, points to the first one, and tells what is new on it.
//!
//! Two babies' forms from one nursery are more alike than two faxes of one form. So who it is about is compared first: a
//! name or number that differs makes another paper of it, however alike the rest is.

mod page;

use jiff::SignedDuration;

use self::page::Likeness;
use crate::document::{Field, FieldValue, Fields, MatchStatus, Page, PageSource};
use crate::names;
use crate::queue::item::QueueItem;

/// A paper that comes again comes within days; a form that is filled in alike after that is another one.
pub const WITHIN: SignedDuration = SignedDuration::from_hours(45 * 24);

/// Cases that a document is found again by.
const CANDIDATES: usize = 3;

/// Numbers that a document is found again by that tells no baby's: a circular's telephone numbers.
const NUMBERS: usize = 6;

/// Shortest of them: a telephone number without its area code.
const SHORTEST_NUMBER: usize = 7;

/// Share of a paper's characters that must stand on pages that came before. What is new beside it is mostly a cover sheet.
const MOST_OF_IT: f32 = 0.6;

/// Facts from which a paper is another one if so many differ: the next day's review of the same baby.
const ANOTHER_DAY: usize = 3;

/// Fields that tell who a paper is about.
const IDENTITY: [&str; 7] = ["patient_name", "dob", "sex", "mrn", "case_id", "auth_number", "member_id"];

/// How the names of fields begin that the sending machine burned in.
const BURNED_IN: &str = "fax_";

/// Fields that hold names, of which a bad line spoils letters.
const NAMES: [&str; 4] = ["patient_name", "mother_name", "facility", "receiving_facility"];

/// Characters from which a word of a name may be misread.
const LONG_WORD: usize = 5;

/// Confidence from which a field is held against another.
const SURE: f32 = 0.6;

/// A paper: an item of the queue, and its document's pages.
#[derive(Clone, Copy)]
pub struct Paper<'a> {
    pub item: &'a QueueItem,
    pub pages: &'a [Page],
}

impl<'a> Paper<'a> {
    /// The item's own pages.
    fn own(self) -> impl Iterator<Item = &'a Page> {
        let [first, last] = self.item.page_range;
        self.pages.iter().filter(move |page| (first..=last).contains(&page.number))
    }
}

/// What is to be said of a paper that came before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repeat {
    /// Its pages that did not come before, 1-based.
    pub new_pages: Vec<u32>,
    /// Names of the fields whose values differ: misread, or corrected by the hospital.
    pub differs: Vec<String>,
}

/// What a document can be found again by, each once.
pub fn marks(pages: &[Page], items: &[QueueItem]) -> Vec<String> {
    let mut marks: Vec<String> = pages.iter().filter_map(picture_mark).collect();
    marks.extend(items.iter().flat_map(kin_marks));
    if items.iter().all(|item| kin_marks(item).is_empty()) {
        marks.extend(long_numbers(pages));
    }
    marks.sort_unstable();
    marks.dedup();
    marks
}

/// The mark of a page's picture. None of a blank page: all of them are one.
fn picture_mark(page: &Page) -> Option<String> {
    let picture = page.picture.as_deref().filter(|_| page.source == PageSource::Recognised)?;
    Some(mark_of_picture(picture))
}

/// The mark of a picture, by its digest.
pub fn mark_of_picture(digest: &str) -> String {
    format!("picture:{digest}")
}

/// The marks of the baby that an item may be about.
fn kin_marks(item: &QueueItem) -> Vec<String> {
    let cases = item.link.candidates.iter().take(CANDIDATES).map(|candidate| format!("case:{}", candidate.case_id));
    let numbers = ["mrn", "auth_number", "case_id"].iter().filter_map(|name| item.fields.get(*name));
    cases.chain(numbers.map(|field| format!("number:{}", field.value))).collect()
}

fn long_numbers(pages: &[Page]) -> Vec<String> {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let words = pages.iter().flat_map(|page| &page.words).filter(|word| word.confidence >= SURE);
    let mut numbers: Vec<String> = words.map(|word| digits(&word.text)).collect();
    numbers.retain(|number| number.len() >= SHORTEST_NUMBER);
    numbers.sort_by_key(|number| std::cmp::Reverse(number.len()));
    numbers.dedup();
    numbers.truncate(NUMBERS);
    numbers.into_iter().map(|number| format!("number:{number}")).collect()
}

/// Whether `later` says what `earlier` said, and what is new on it.
pub fn repeats(later: Paper<'_>, earlier: Paper<'_>) -> Option<Repeat> {
    if is_about_another(later.item, earlier.item) {
        return None;
    }
    let differs = differing(&later.item.fields, &earlier.item.fields);
    if differs.len() >= ANOTHER_DAY {
        return None;
    }
    let before: Vec<Likeness> = earlier.own().map(Likeness::of).collect();
    let (mut known, mut all) = (0, 0);
    let mut new_pages = Vec::new();
    for page in later.own() {
        let likeness = Likeness::of(page);
        if likeness.says_little() {
            continue;
        }
        all += likeness.characters();
        if before.iter().any(|one| likeness.is_of_the_same_paper(one)) {
            known += likeness.characters();
        } else {
            new_pages.push(page.number);
        }
    }
    (known > 0 && known as f32 >= MOST_OF_IT * all as f32).then_some(Repeat { new_pages, differs })
}

fn is_about_another(one: &QueueItem, other: &QueueItem) -> bool {
    let linked = |item: &QueueItem| item.link.case_id.clone().filter(|_| item.link.status == MatchStatus::Matched);
    if let (Some(one), Some(other)) = (linked(one), linked(other)) {
        return one != other;
    }
    let fields = differing(&one.fields, &other.fields);
    fields.iter().any(|name| IDENTITY.contains(&name.as_str()))
}

/// Names of the fields that both have, surely, with different values.
fn differing(one: &Fields, other: &Fields) -> Vec<String> {
    // What a machine burned in at the edge is another thing each time.
    let own = one.iter().filter(|(name, _)| !name.starts_with(BURNED_IN));
    let both = own.filter_map(|(name, field)| Some((name, field, other.get(name)?)));
    let sure = both.filter(|(_, field, other)| field.confidence >= SURE && other.confidence >= SURE);
    sure.filter(|(name, field, other)| !is_same(name, field, other)).map(|(name, ..)| name.clone()).collect()
}

/// Letters and digits are folded as a bad line confuses them.
fn is_same(name: &str, one: &Field, other: &Field) -> bool {
    match (&one.value, &other.value) {
        (FieldValue::Text(one), FieldValue::Text(other)) if NAMES.contains(&name) => is_same_name(one, other),
        (FieldValue::Text(one), FieldValue::Text(other)) => page::folded(one) == page::folded(other),
        (one, other) => one == other,
    }
}

/// A long word of a name may be misread in a letter or two. A short one may be all that tells a twin from the other.
fn is_same_name(one: &str, other: &str) -> bool {
    let words = |name: &str| {
        let words = name.split(|character: char| !character.is_alphanumeric()).map(page::folded);
        let mut words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
        words.sort_unstable();
        words.into_iter().partition::<Vec<String>, _>(|word| word.chars().count() < LONG_WORD)
    };
    let ((short, long), (other_short, other_long)) = (words(one), words(other));
    let found_in = |these: &[String], those: &[String]| {
        these.iter().all(|word| those.iter().any(|there| names::alike(word, there)))
    };
    // A bad line joins words too.
    page::folded(one) == page::folded(other)
        || short == other_short && found_in(&long, &other_long) && found_in(&other_long, &long)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Bounds, DocumentId, Receipt};
    use crate::testing::page_of;

    const REVIEW: &str = "Lakeview Hospital NICU weekly clinical review\n\
        Patient name: Okonkwo, Baby Girl A      Birth date: 4/2/2027\n\
        MRN: 88104477      Auth: 7712004501      Weight: 1480 g\n\
        Respiratory support: nasal cannula 2 L, saturation 95 percent\n\
        Feeds: 32 ml every 3 hours, 150 ml/kg/day, caffeine 12 mg daily\n\
        Plan: wean the incubator and teach the parents, next review 5/21/2027";

    fn item(fields: &[(&str, &str)]) -> QueueItem {
        let receipt = Receipt::new("secure-fax", "0042.tif", "2027-05-14T09:12:00-04:00".parse().unwrap());
        let mut item = QueueItem::held(&DocumentId::of(b"fax"), &receipt, "");
        item.page_range = [1, 9];
        for (name, value) in fields {
            let bounds = Bounds { left: 0, top: 0, width: 1, height: 1 };
            let value = FieldValue::Text((*value).to_owned());
            item.fields.insert((*name).to_owned(), Field { value, confidence: 0.9, page: 1, bounds });
        }
        item
    }

    fn compared(one: (&QueueItem, &[Page]), other: (&QueueItem, &[Page])) -> Option<Repeat> {
        repeats(Paper { item: one.0, pages: one.1 }, Paper { item: other.0, pages: other.1 })
    }

    #[test]
    fn the_same_paper_with_other_noise_came_before() {
        let noisy = REVIEW.replace("Lakeview", "Lakevlew").replace("caffeine", "caffoine").replace("150", "I50");
        let (one, other) = ([page_of(1, &noisy)], [page_of(1, REVIEW)]);
        let item = item(&[("mrn", "88104477")]);
        assert_eq!(compared((&item, &one), (&item, &other)), Some(Repeat::default()));
    }

    #[test]
    fn the_next_review_of_the_same_baby_is_another_paper() {
        let next = REVIEW
            .replace("1480", "1615")
            .replace("nasal cannula 2 L, saturation 95", "room air since 5/19, saturation 98")
            .replace("32 ml every 3 hours, 150 ml", "41 ml every 4 hours, 162 ml")
            .replace("12 mg", "14 mg")
            .replace("5/21", "5/28");
        let item = item(&[("mrn", "88104477")]);
        assert_eq!(compared((&item, &[page_of(1, &next)]), (&item, &[page_of(1, REVIEW)])), None);
    }

    #[test]
    fn a_twins_paper_is_never_the_others_again() {
        let twin = REVIEW.replace("Girl A", "Girl B").replace("88104477", "88104478").replace("4501", "4502");
        let one = item(&[("patient_name", "Okonkwo, Baby Girl A")]);
        let other = item(&[("patient_name", "Okonkwo, Baby Girl B")]);
        assert_eq!(compared((&other, &[page_of(1, &twin)]), (&one, &[page_of(1, REVIEW)])), None);
        let misread = item(&[("patient_name", "OKONKVO, BABY Girl A")]);
        assert!(compared((&misread, &[page_of(1, REVIEW)]), (&one, &[page_of(1, REVIEW)])).is_some());
        let (one, other) = (item(&[("mrn", "88104477")]), item(&[("mrn", "88104478")]));
        assert_eq!(compared((&other, &[page_of(1, &twin)]), (&one, &[page_of(1, REVIEW)])), None);
    }

    #[test]
    fn what_is_new_on_a_repeated_paper_is_told() {
        let further = "Laboratory values of the morning\nSodium 141   Potassium 4.9   Haematocrit 38\nBilirubin 9.2";
        let (before, again) = ([page_of(1, REVIEW)], [page_of(1, REVIEW), page_of(2, further)]);
        let (first, mut second) = (item(&[("weight_g", "1480")]), item(&[("weight_g", "1460")]));
        let repeat = compared((&second, &again), (&first, &before)).unwrap();
        assert_eq!(
            (repeat.new_pages.as_slice(), repeat.differs.as_slice()),
            ([2].as_slice(), ["weight_g".to_owned()].as_slice())
        );
        // A part of it that comes again has nothing new.
        second.fields.clear();
        assert_eq!(compared((&second, &before), (&first, &again)), Some(Repeat::default()));
    }

    #[test]
    fn blank_pages_repeat_nothing() {
        let blank = [page_of(1, "")];
        let item = item(&[]);
        assert_eq!(compared((&item, &blank), (&item, &blank)), None);
    }

    #[test]
    fn a_document_is_found_again_by_its_pictures_and_whom_it_is_about_and_else_by_its_numbers() {
        let mut page = page_of(1, "Call 1-800-555-0123 today for toner");
        page.picture = Some("ab".repeat(32));
        let picture = format!("picture:{}", "ab".repeat(32));
        let of_nobody = marks(&[page.clone()], &[item(&[])]);
        assert_eq!(of_nobody, ["number:18005550123".to_owned(), picture.clone()]);
        assert_eq!(marks(&[page], &[item(&[("mrn", "88104477")])]), ["number:88104477".to_owned(), picture]);
    }
}
