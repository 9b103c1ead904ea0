//! Which papers a careful nurse would link at once, with what is left of them after the line and the whole registry before
//! her. It judges by facts, knows nothing of weights, and shares no code with what it judges.
//!
//! A fact counts when it can be read somewhere on the paper: letter for letter, or but for look-alike characters, a word of
//! five letters and more but for one. What was written down wrongly speaks against a link, as it does for her.

use super::paper::{Facts, Paper, Whose};
use super::population::{Baby, Population};
use nicufaxd::document::Page;

/// Whether the paper carries enough that its one case, and no other, fits.
pub fn is_linkable(paper: &Paper<'_>, read: &[Page], population: &Population) -> bool {
    if matches!(paper.whose, Whose::Stranger | Whose::SiblingOfACase | Whose::Contradictory) {
        return false;
    }
    let (facts, baby) = (&paper.facts, paper.baby);
    let legible = |printed: &str| !printed.is_empty() && read.iter().any(|page| stands(printed, page));
    let number = |printed: &str, registered: &str| (printed == registered && legible(printed), printed != registered);
    let (mrn, other_mrn) = number(&facts.mrn, &baby.mrn);
    let (auth, other_auth) = number(&facts.auth, &baby.auth);
    let (member, _) = number(&facts.member, &baby.member);
    let own = usize::from(mrn) + usize::from(auth);
    let wrong = (other_mrn && !facts.mrn.is_empty()) || (other_auth && !facts.auth.is_empty());
    let surname = legible(&baby.last) || legible(&baby.last.to_uppercase());
    let born = facts.dob_is_right && legible(&facts.dob);
    let mother = !facts.mother.is_empty() && legible(&baby.mother_first);
    let numbers = own + usize::from(member);
    if !facts.dob_is_right && !facts.dob.is_empty() {
        // A birth date that is a day off: only under two numbers, and where it is nobody's of that name.
        let fits_another =
            |other: &Baby| other.case_id.is_some() && other.last == baby.last && other.dob == facts.written_dob;
        return own >= 1 && numbers >= 2 && surname && !wrong && !population.babies.iter().any(fits_another);
    }
    if wrong {
        return own >= 1 && surname && born;
    }
    if own == 0 {
        let told = baby.together == 1 || baby.is_ordered && marked(facts, read);
        return told && surname && born && (member && mother || calls_by_name(paper) && (member || mother));
    }
    let seconds = [born, member, mother, own >= 2].into_iter().filter(|second| *second).count();
    if surname { seconds >= 1 } else { born && numbers >= 2 }
}

/// Whether the number that is the sibling's can be read. Where it cannot, nothing on the paper contradicts the baby's name.
pub fn is_contradiction_legible(paper: &Paper<'_>, read: &[Page]) -> bool {
    read.iter().any(|page| stands(&paper.facts.mrn, page))
}

/// It says the name under which the registry has the baby, and that is one of its own.
fn calls_by_name(paper: &Paper<'_>) -> bool {
    paper.baby.first == paper.baby.legal && paper.facts.name.to_lowercase().contains(&paper.baby.legal.to_lowercase())
}

/// Its letter can be read, in the name or beside the birth order.
fn marked(facts: &Facts, read: &[Page]) -> bool {
    let in_name = facts.name.split([' ', ',']).any(|word| matches!(word, "A" | "B" | "C"));
    let text = if in_name { facts.name.clone() } else { format!("Twin {}", facts.letter) };
    (in_name || !facts.letter.is_empty()) && read.iter().any(|page| stands(&text, page))
}

/// Whether the value stands on the page so that it can be read.
fn stands(value: &str, page: &Page) -> bool {
    let printed: Vec<Vec<char>> = value.split(' ').map(alike).filter(|word| !word.is_empty()).collect();
    let read: Vec<Vec<char>> = page.words.iter().map(|word| alike(&word.text)).collect();
    read.windows(printed.len().max(1)).any(|words| words.iter().zip(&printed).all(|(read, word)| same(read, word)))
}

/// Letters and digits, each for all that look like it.
fn alike(word: &str) -> Vec<char> {
    let capitals = word.chars().filter(char::is_ascii_alphanumeric).map(|sign| sign.to_ascii_uppercase());
    let one = |sign| match sign {
        'O' | 'D' | 'Q' => '0',
        'I' | 'L' => '1',
        'S' => '5',
        'B' => '8',
        'Z' => '2',
        'G' => '6',
        other => other,
    };
    capitals.map(one).collect()
}

fn same(read: &[char], printed: &[char]) -> bool {
    if read == printed {
        return true;
    }
    // The bar of a date is read as I, or lost.
    if printed.iter().all(char::is_ascii_digit) && read.len() == printed.len() + 1 {
        return (0..read.len())
            .any(|at| read.get(at) == Some(&'1') && [&read[..at], &read[at + 1..]].concat() == printed);
    }
    let name = printed.len() >= 5 && !printed.iter().any(|sign| matches!(sign, '3' | '4' | '7' | '9'));
    name && read.len() == printed.len() && read.iter().zip(printed).filter(|(one, other)| one != other).count() <= 1
}
