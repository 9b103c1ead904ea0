//! Where the next baby's papers begin in one fax.
//!
//! As a clerk parts a stack without separator sheets: a new head of the form, page 1 again, and another baby's name
//! and numbers on it. Pages without a name belong to those before them, a cover sheet to what follows it. Never parts
//! on one fact alone, nor on what recognition or a renaming could explain, nor where a page at the seam can't be
//! read: what is unsure stays one stack, and with it a person's.

use std::collections::BTreeSet;

use jiff::civil::Date;
use regex::{Captures, Regex};

use super::classify::classify;
use super::extract::label_pages;
use super::identity::{Difference, Identity};
use super::labels::Label;
use super::layout::Sheet;
use super::lexicon::fixed;
use super::regions::Labelled;
use super::rules::{Place, TypeRules};
use crate::document::{Page, PageFlag, PageSource, Reading};

/// The head of a page: its upper share, without the sending machine's own line.
const HEAD: std::ops::Range<f32> = 0.04..0.40;
/// Where page numbers stand, as shares of the height.
const TOP_MARGIN: f32 = 0.12;
const BOTTOM_MARGIN: f32 = 0.86;
/// Two heads are of one form when so much of the shorter one's words stand on both.
const SAME_FORM: f32 = 0.5;
/// Fewer words are no head to compare.
const HEAD_WORDS: usize = 6;

/// What the beginning of a paper looks like.
#[derive(Clone, Debug)]
pub(super) struct Starts {
    /// `Twin B`, `Birth order: B`, `Baby A`; the mark in group 1.
    pub birth_order: Regex,
    /// A date of the years 1900 to 1999.
    pub last_century: Regex,
    page_number: Regex,
    bare_number: Regex,
    cover_title: Regex,
    /// `Updates enclosed for 2 patients`; the number in group 1.
    several_patients: Regex,
}

impl Starts {
    pub(super) fn new() -> Self {
        Self {
            birth_order: fixed(
                r"(?i)\b(?:twin|triplet|multiple|birth order|infant|baby(?: (?:boy|girl))?)[ \t:#]{0,3}(?-i:([ABC]))(?:[^\w'’.]|$)",
            ),
            last_century: fixed(r"^\W*\w{1,9}[ ,./\-]{1,2}\w{1,3}[ ,./\-]{1,2}19[0-9]{2}\b"),
            page_number: fixed(r"(?i)\b(?:page|pages|pg|p)[ .:]*0*(\d{1,3})[ ]*(?:of|/)[ ]*0*(\d{1,3})\b"),
            bare_number: fixed(r"(?:^|\s)0*(\d{1,2})[ ]?(?:of|/)[ ]?0*(\d{1,2})[ ]*$"),
            cover_title: fixed(
                r"(?im)^\W*(?:fax|facsimile|telefax)\W*$|\b(?:fax|facsimile)[ ]?(?:cover|transmi\w+|message)|\bcover (?:sheet|page|letter)\b|\bincluding (?:the |this )?cover",
            ),
            several_patients: fixed(
                r"(?i)\b(?:for|on|of|enclosed:?|attached:?|patients:?)[ ]+(?:the )?([2-9]|two|three|four|five|both)[ ]+(?:nicu |different |separate )?(?:patients|babies|infants|newborns|neonates|members|twins|siblings)\b",
            ),
        }
    }
}

/// How the pages of a document are parted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segmentation {
    /// First and last page of each baby's papers, counted from 1, in order, every page in exactly one; a single span
    /// when the document is about one baby, or when more is not sure.
    pub spans: Vec<[u32; 2]>,
    /// The pages alone leave no doubt about any seam. Otherwise it takes a case of its own for each span to confirm them.
    pub certain: bool,
    /// Pages that may be about another baby without showing it: they begin a paper, and nothing on them ties them to the
    /// pages before; or they seem to part the document where it can't be parted.
    pub strange: Vec<u32>,
}

/// Tells where the next baby's papers begin.
pub(super) fn segment(reading: &Reading, rules: &TypeRules, received: Date) -> Segmentation {
    let total = reading.pages.len();
    let sheets: Vec<Sheet> = reading.pages.iter().map(Sheet::new).collect();
    let pages = label_pages(&sheets, &rules.lexicon, received);
    let leaves: Vec<Leaf> = reading
        .pages
        .iter()
        .zip(&pages)
        .enumerate()
        .map(|(index, (page, labelled))| Leaf::new(page, labelled, rules, received, (index, total)))
        .collect();
    let (starts, certain, strange) = starts(&leaves);
    let ends = starts.iter().skip(1).copied().chain([total]);
    // Some pages of a document keep their numbers.
    let before = reading.pages.first().map_or(0, |page| page.number - 1);
    let numbered = |start: usize, end: usize| [before + start as u32 + 1, before + end as u32];
    Segmentation {
        spans: starts.iter().zip(ends).map(|(start, end)| numbered(*start, end)).collect(),
        certain,
        strange: strange.into_iter().map(|page| before + page).collect(),
    }
}

/// A page as far as it tells where papers begin.
struct Leaf {
    identity: Identity,
    /// Words of its head.
    head: BTreeSet<String>,
    /// Bears the title of a type of paper over a patient's data.
    titled: bool,
    cover: bool,
    /// How many patients the cover sheet says are enclosed.
    announced: Option<usize>,
    /// The numbers that the paper itself gives its page; the sending machine's are left out.
    numbered: Vec<usize>,
    legible: bool,
}

impl Leaf {
    /// `position`: index of the page and number of pages.
    fn new(page: &Page, labelled: &Labelled<'_>, rules: &TypeRules, received: Date, position: (usize, usize)) -> Self {
        let sheet = labelled.sheet;
        let starts = &rules.lexicon.starts;
        let identity = Identity::of(labelled, &rules.lexicon, received);
        let cover = is_cover(labelled, starts);
        let titled = classify(std::slice::from_ref(sheet), rules)
            .fired
            .iter()
            .any(|fired| rules.rules.iter().any(|rule| rule.name == fired.rule && rule.place == Place::Title));
        Self {
            titled: titled && identity.heads_a_paper(),
            identity,
            head: head(sheet),
            cover,
            announced: starts.several_patients.captures(&sheet.text).filter(|_| cover).and_then(|said| count(&said)),
            numbered: own_numbers(sheet, starts, position),
            legible: page.source != PageSource::Unreadable && !page.flags.contains(&PageFlag::Illegible),
        }
    }
}

/// A sheet that only says who sends what to whom.
fn is_cover(page: &Labelled<'_>, starts: &Starts) -> bool {
    let clinical = [
        Label::Weight,
        Label::BirthWeight,
        Label::BedType,
        Label::RespiratorySupport,
        Label::RespiratorySystem,
        Label::Nutrition,
        Label::Medications,
    ];
    starts.cover_title.is_match(&page.sheet.text) && !page.hits.iter().any(|hit| clinical.contains(&hit.label))
}

/// Words of three letters and more at the head of a page.
fn head(sheet: &Sheet) -> BTreeSet<String> {
    let share = |row: &super::layout::Row| row.bounds.top as f32 / sheet.height.max(1) as f32;
    let rows = sheet.rows.iter().enumerate().filter(|(_, row)| HEAD.contains(&share(row)));
    rows.flat_map(|(row, _)| sheet.row_pieces(row))
        .filter(|piece| piece.fold.chars().count() >= 3 && piece.fold.chars().all(char::is_alphabetic))
        .map(|piece| piece.fold.clone())
        .collect()
}

/// Numbers that the paper gives this page, other than its number in the transmission.
fn own_numbers(sheet: &Sheet, starts: &Starts, (index, total): (usize, usize)) -> Vec<usize> {
    let mut numbers = Vec::new();
    for (row, bounds) in sheet.rows.iter().map(|row| row.bounds).enumerate() {
        let text = sheet.row_text(row);
        let height = sheet.height as f32;
        let at_foot = bounds.bottom() as f32 > BOTTOM_MARGIN * height;
        if !at_foot && bounds.top as f32 > TOP_MARGIN * height {
            continue;
        }
        let bare = at_foot.then(|| starts.bare_number.captures(text)).flatten();
        let written = starts.page_number.captures(text);
        for (captures, most) in [(written, 99), (bare, total)] {
            let number = |group| captures.as_ref()?.get(group)?.as_str().parse::<usize>().ok();
            if let Some((number, of)) = number(1).zip(number(2))
                && (1..=of).contains(&number)
                && of <= most
                && number != index + 1
            {
                numbers.push(number);
            }
        }
    }
    numbers
}

/// The number of patients in words or figures.
fn count(said: &Captures) -> Option<usize> {
    let word = said.get(1)?.as_str().to_lowercase();
    match word.as_str() {
        "two" | "both" => Some(2),
        "three" => Some(3),
        "four" => Some(4),
        "five" => Some(5),
        figure => figure.parse().ok(),
    }
}

/// Share of the shorter head's words that stand on both.
fn heads_shared(one: &BTreeSet<String>, other: &BTreeSet<String>) -> f32 {
    let fewer = one.len().min(other.len());
    if fewer < HEAD_WORDS { 0.0 } else { one.intersection(other).count() as f32 / fewer as f32 }
}

/// How sure it is that another baby's papers begin on a page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seam {
    None,
    Likely,
    Certain,
}

/// What the rest of the fax says of a page.
#[derive(Clone, Copy)]
struct Fax {
    /// A cover sheet says that several patients are enclosed.
    announced: bool,
    /// As many as there are first pages.
    counted: bool,
    /// A cover sheet lies right before the page.
    behind_cover: bool,
}

/// The pages in hand, about one baby as far as is known; cover sheets left out.
#[derive(Default)]
struct Stack<'a> {
    identity: Identity,
    leaves: Vec<&'a Leaf>,
}

/// Indexes of the pages with which a baby's papers begin, whether all of them are certain, and the numbers of strange
/// pages (see [`Segmentation`]).
fn starts(leaves: &[Leaf]) -> (Vec<usize>, bool, Vec<u32>) {
    let announced = leaves.iter().find_map(|leaf| leaf.announced);
    let counted = announced.is_some_and(|announced| announced == heads_of_one_form(leaves));
    let (mut starts, mut certain, mut strange) = (vec![0], true, Vec::new());
    let mut done: Vec<Identity> = Vec::new();
    let mut stack = Stack::default();
    for (index, leaf) in leaves.iter().enumerate().filter(|(_, leaf)| !leaf.cover) {
        let earlier = leaves.get(..index).unwrap_or_default();
        let covers = earlier.iter().rev().take_while(|leaf| leaf.cover).count();
        let seam = stack.seam(leaf, Fax { announced: announced.is_some(), counted, behind_cover: covers > 0 });
        if seam != Seam::None {
            let last = earlier.iter().rev().nth(covers);
            // Whose page it is that can't be read, and whether papers end and begin on it, nobody knows; and what comes
            // back to a baby after another was put together wrongly.
            let unsure = last.is_none_or(|last| !last.legible)
                || done.iter().any(|earlier| leaf.identity.difference(earlier).same);
            if unsure {
                strange.push(index as u32 + 1);
                return (vec![0], true, strange);
            }
            starts.push(index - covers);
            certain &= seam == Seam::Certain;
            done.push(std::mem::take(&mut stack).identity);
        } else if leaf.titled && stack.identity.heads_a_paper() && !leaf.identity.tied_to(&stack.identity) {
            strange.push(index as u32 + 1);
        }
        stack.identity.absorb(&leaf.identity);
        stack.leaves.push(leaf);
    }
    (starts, certain, strange)
}

/// How many pages bear the titled head of the first one.
fn heads_of_one_form(leaves: &[Leaf]) -> usize {
    let mut heads = leaves.iter().filter(|leaf| !leaf.cover);
    let Some(first) = heads.next().filter(|first| first.titled) else { return 0 };
    1 + heads.filter(|leaf| leaf.titled && heads_shared(&first.head, &leaf.head) >= SAME_FORM).count()
}

impl Stack<'_> {
    /// Whether this page begins another baby's papers.
    fn seam(&self, leaf: &Leaf, fax: Fax) -> Seam {
        let Some(first) = self.leaves.first() else { return Seam::None };
        let difference = leaf.identity.difference(&self.identity);
        let restarts = leaf.numbered.contains(&1) || fax.behind_cover;
        // Behind a cover sheet, which is page 1, the first page is page 2.
        let goes_on = !leaf.numbered.is_empty() && !restarts;
        if leaf.identity.adult || difference.same || goes_on {
            return Seam::None;
        }
        let alike = heads_shared(&first.head, &leaf.head);
        let same_form = leaf.identity.heads_a_paper()
            && alike >= SAME_FORM
            && self.leaves.iter().skip(1).all(|between| heads_shared(&first.head, &between.head) < alike);
        let begins = u32::from(restarts) + u32::from(same_form) + u32::from(leaf.titled);
        // The cover sheet names as many patients as there are first pages, and this is one of them.
        if fax.counted && leaf.titled && same_form {
            return Seam::Certain;
        }
        if !difference.person {
            return Seam::None;
        }
        let structure = begins + u32::from(fax.announced);
        match difference {
            // Two facts that leave no doubt, such as name and record number; or one, and much else.
            Difference { clearly: 2.., .. } => Seam::Certain,
            Difference { clearly: 1, .. } if difference.points + structure >= 5 => Seam::Certain,
            Difference { clearly: 1, .. } if begins >= 1 || difference.facts >= 3 => Seam::Likely,
            // Twins: a digit and a letter. The form must begin anew too.
            Difference { facts: 2.., .. } if structure >= 2 && begins >= 1 => Seam::Likely,
            Difference { facts: 1, .. } if structure >= 3 => Seam::Likely,
            Difference { .. } => Seam::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::document::DocumentFormat;
    use crate::testing::page_of;

    fn reading(pages: &[&str]) -> Reading {
        let pages = pages.iter().zip(1..).map(|(text, number)| page_of(number, text)).collect();
        Reading::new(DocumentFormat::Tiff, pages)
    }

    fn parted(pages: &[&str]) -> Segmentation {
        segment(&reading(pages), &TypeRules::builtin(), date(2027, 5, 14))
    }

    fn spans(pages: &[&str]) -> Vec<[u32; 2]> {
        parted(pages).spans
    }

    fn review(name: &str, birth: &str, record: &str) -> String {
        format!(
            "Lakeview Children's Hospital
Utilization Management
NICU WEEKLY CLINICAL REVIEW
Baby's name: {name}          Birth date: {birth}
MR No. {record}          Gest age: 31 2/7 weeks
Mother's name: Okonkwo, Ngozi
Status today
Wt today: 1.98 kg
Nutrition: MBM 24 cal/oz, takes 45% PO"
        )
    }

    const FURTHER: &str =
        "Laboratory values\nNa 141   K 4.9   Hct 38\nPlan: wean the incubator, parents learning to feed";
    const COVER: &str = "FACSIMILE\nTo: NICU care management\nFrom: Lakeview Children's Hospital\nPages: 4";

    #[test]
    fn two_babies_are_parted_with_the_pages_that_follow_each() {
        let (ada, nils) =
            (review("Okonkwo, Ada", "4/2/2027", "88104477"), review("Larsen, Nils", "3/19/2027", "71930052"));
        let parted = parted(&[&ada, FURTHER, &nils, FURTHER, FURTHER]);
        assert_eq!(parted.spans, [[1, 2], [3, 5]]);
        assert!(parted.certain && parted.strange.is_empty());
    }

    #[test]
    fn one_babys_papers_stay_together_under_the_same_head() {
        let ada = review("Okonkwo, Ada", "4/2/2027", "88104477");
        let newborn = review("Okonkwo, Baby Girl", "4/2/2027", "88104477");
        let whole = Segmentation { spans: vec![[1, 3]], certain: true, strange: Vec::new() };
        assert_eq!(parted(&[&ada, &ada, FURTHER]), whole);
        assert_eq!(parted(&[&newborn, FURTHER, &ada]), whole);
    }

    #[test]
    fn a_misread_name_and_digit_part_nothing() {
        let ada = review("Okonkwo, Adaeze", "4/2/2027", "88104477");
        let misread = review("Ckonkwo, Adacze", "4/2/2027", "88104471");
        assert_eq!(spans(&[&ada, FURTHER, &misread]), [[1, 3]]);
    }

    #[test]
    fn twins_are_parted_by_letter_digit_and_the_form_beginning_anew() {
        let (first, second) =
            (review("Okonkwo, Girl A", "4/2/2027", "88104477"), review("Okonkwo, Boy B", "4/2/2027", "88104478"));
        let parted = parted(&[&first, FURTHER, &second, FURTHER]);
        assert_eq!(parted.spans, [[1, 2], [3, 4]]);
        assert!(!parted.certain, "a letter and a digit want cases that confirm them");
    }

    #[test]
    fn a_twins_letter_alone_parts_nothing() {
        let review = review("Okonkwo, Girl A", "4/2/2027", "88104477");
        assert_eq!(spans(&[&review, "Nursing note\nTwin B is in the next bed and doing well"]), [[1, 2]]);
    }

    #[test]
    fn a_cover_sheet_belongs_to_what_follows() {
        let (ada, nils) =
            (review("Okonkwo, Ada", "4/2/2027", "88104477"), review("Larsen, Nils", "3/19/2027", "71930052"));
        assert_eq!(spans(&[COVER, &ada, FURTHER, COVER, &nils]), [[1, 3], [4, 5]]);
        let other = format!("{COVER}\nRe: Larsen, Nils   DOB: 3/19/2027   MRN: 71930052");
        assert_eq!(spans(&[&other, &ada]), [[1, 2]]);
    }

    #[test]
    fn as_many_patients_as_the_cover_sheet_names_are_parted_though_their_names_are_illegible() {
        let scrawl = |name: &str| review(name, "", "").replace("Okonkwo, Ngozi", "").replace("31 2/7 weeks", "");
        let cover = format!("{COVER}\nUpdates enclosed for 2 patients.");
        let (first, second) = (scrawl("~|l"), scrawl("_ ||"));
        let parted = parted(&[&cover, &first, FURTHER, &second]);
        assert_eq!(parted.spans, [[1, 3], [4, 4]]);
        let three = cover.replace('2', "3");
        assert_eq!(spans(&[&three, &first, FURTHER, &second]), [[1, 4]]);
    }

    #[test]
    fn a_page_that_says_it_is_the_second_begins_nothing() {
        let ada = review("Okonkwo, Ada", "4/2/2027", "88104477");
        let nils = format!("Page 2 of 2\n{}", review("Larsen, Nils", "3/19/2027", "71930052"));
        assert_eq!(spans(&[&ada, FURTHER, &nils]), [[1, 3]]);
    }

    #[test]
    fn the_mothers_own_page_is_no_other_baby() {
        let ada = review("Okonkwo, Ada", "4/2/2027", "88104477");
        let mother =
            "MATERNAL DISCHARGE SUMMARY\nPatient name: Okonkwo, Ngozi   Date of birth: 6/6/1996\nMRN: 55120099";
        assert_eq!(spans(&[&ada, FURTHER, mother]), [[1, 3]]);
    }

    #[test]
    fn beside_a_page_that_cannot_be_read_nothing_is_parted_and_a_person_is_told() {
        let (ada, nils) =
            (review("Okonkwo, Ada", "4/2/2027", "88104477"), review("Larsen, Nils", "3/19/2027", "71930052"));
        let mut reading = reading(&[&ada, "", &nils]);
        reading.pages[1].source = PageSource::Unreadable;
        let parted = segment(&reading, &TypeRules::builtin(), date(2027, 5, 14));
        assert_eq!((parted.spans, parted.strange), (vec![[1, 3]], vec![3]));
    }

    #[test]
    fn pages_of_one_baby_around_anothers_are_left_together_and_a_person_is_told() {
        let (ada, nils) =
            (review("Okonkwo, Ada", "4/2/2027", "88104477"), review("Larsen, Nils", "3/19/2027", "71930052"));
        let parted = parted(&[&ada, &nils, &ada]);
        assert_eq!((parted.spans, parted.strange), (vec![[1, 3]], vec![3]));
    }

    #[test]
    fn a_paper_that_does_not_tell_whose_it_is_is_strange() {
        let ada = review("Okonkwo, Ada", "4/2/2027", "88104477");
        let scrawl = "DISCHARGE SUMMARY\nPatient name: ~|\nMRN: |_l   Admit date: ,/\nDischarged home with family";
        assert_eq!(parted(&[&ada, FURTHER, scrawl]).strange, [3]);
        assert_eq!(parted(&[&ada, scrawl, FURTHER]).spans, [[1, 3]]);
    }

    #[test]
    fn a_separator_belongs_to_the_papers_before_it_and_hides_no_seam() {
        let (ada, nils) =
            (review("Okonkwo, Ada", "4/2/2027", "88104477"), review("Larsen, Nils", "3/19/2027", "71930052"));
        let intentionally = "This page intentionally left blank";
        assert_eq!(spans(&[&ada, intentionally, &nils, intentionally]), [[1, 2], [3, 4]]);
        let mut reading = reading(&[&ada, "", &nils]);
        reading.pages[1].source = PageSource::Blank;
        let parted = segment(&reading, &TypeRules::builtin(), date(2027, 5, 14));
        assert_eq!((parted.spans, parted.strange), (vec![[1, 2], [3, 3]], Vec::new()));
    }

    #[test]
    fn a_document_without_pages_or_words_is_one() {
        assert_eq!(spans(&[]), [[1, 0]]);
        assert_eq!(spans(&["", ""]), [[1, 2]]);
    }
}
