//! What the words beside a value say it is.
//!
//! A label stands left of its value on the line, left of it in a column of its own, or right above it. The words are
//! those of the trade, not of any one form; a label that recognition spoiled says nothing, and is not replaced by the
//! next one further off.

use super::printed::Token;

/// What the words beside a value say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    None,
    CaseId,
    Auth,
    Mrn,
    Member,
    /// Telephone, fax, account, provider or billing numbers: never a baby's.
    OtherNumber,
    BirthDate,
    /// The mother's or the subscriber's.
    ParentsBirthDate,
    AdmitDate,
    OtherDate,
    Sex,
    Parent,
    Patient,
    /// Attending, reviewer, contact, …: a person who is no patient.
    Staff,
}

/// The meaning of one label word; `Some(Label::None)` for words that carry none (`No`, `#`, `date of`).
pub(super) type Vocabulary = fn(&str) -> Option<Label>;

pub(super) fn number_word(word: &str) -> Option<Label> {
    Some(match word {
        "MRN" | "MR" | "MRNO" | "MEDREC" | "RECORD" | "REC" | "UNIT" | "CHART" | "HRN" | "PATIENTID" | "EMPI" => {
            Label::Mrn
        }
        "AUTH" | "AUTHORIZATION" | "AUTHCERT" | "AUTHREF" | "AUTHNO" | "CERT" | "CERTIFICATION" | "PRECERT"
        | "REFERENCE" | "TRACKING" => Label::Auth,
        "MEMBER" | "MBR" | "SUBSCRIBER" | "POLICY" | "INSURANCE" | "INS" | "INSURED" | "ENROLLEE" | "BENEFICIARY"
        | "MEDICAID" | "MEMBERID" | "PLANID" | "CERTIFICATE" => Label::Member,
        "CASE" | "CASEID" | "CASENO" => Label::CaseId,
        "TEL" | "TELEPHONE" | "PHONE" | "PH" | "FAX" | "EXT" | "PAGER" | "CELL" | "CALL" | "NPI" | "TIN" | "TAX"
        | "CPT" | "HCPCS" | "ICD" | "GROUP" | "GRP" | "ACCT" | "ACCOUNT" | "VISIT" | "CSN" | "HAR" | "ENCOUNTER"
        | "ZIP" | "LICENSE" | "DEA" | "ROOM" | "BED" | "PAGE" | "PAGES" | "PG" => Label::OtherNumber,
        "NO" | "NUM" | "NUMBER" | "ID" | "IS" | "MEDICAL" | "MED" | "HOSPITAL" | "HOSP" | "NBR" => Label::None,
        _ => return None,
    })
}

pub(super) fn date_word(word: &str) -> Option<Label> {
    Some(match word {
        "DOB" | "BIRTH" | "BORN" | "BIRTHDATE" | "BIRTHDAY" | "BDATE" | "DOBIRTH" => Label::BirthDate,
        "ADM" | "ADMIT" | "ADMITTED" | "ADMISSION" => Label::AdmitDate,
        "REVIEW" | "SERVICE" | "DISCHARGE" | "DISCHARGED" | "DC" | "SIGNED" | "PRINTED" | "RUN" | "START" | "END"
        | "TRANSFER" | "THROUGH" | "THRU" | "FROM" | "TO" | "DUE" | "NOTE" | "FAX" | "ENCOUNTER" | "REQUEST"
        | "LMP" | "EDD" | "EDC" | "VISIT" | "ON" => Label::OtherDate,
        "DATE" | "OF" | "AND" | "TIME" | "THE" => Label::None,
        _ if is_misread_dob(word) => Label::BirthDate,
        _ => return None,
    })
}

/// `DOB` as poor faxes make it: `pos`, `poe`, `00B`. Not `DOS`, which is a date of service.
fn is_misread_dob(word: &str) -> bool {
    match word.as_bytes() {
        [first, b'O' | b'0', last] => b"DP0OB".contains(first) && b"BSEP8".contains(last) && word != "DOS",
        _ => false,
    }
}

pub(super) fn person_word(word: &str) -> Option<Label> {
    Some(match word {
        "MOTHER" | "MOTHERS" | "MOM" | "MOMS" | "MOB" | "MATERNAL" | "PARENT" | "PARENTS" | "SUBSCRIBER"
        | "INSURED" | "GUARDIAN" | "FATHER" | "FOB" => Label::Parent,
        "PATIENT" | "PATIENTS" | "PT" | "PTJ" | "INFANT" | "INFANTS" | "NEWBORN" | "BABY" | "BABYS" | "MEMBER"
        | "RE" | "CHILD" | "NEONATE" => Label::Patient,
        "ATTENDING" | "ATTEND" | "DR" | "MD" | "RN" | "PROVIDER" | "PHYSICIAN" | "REVIEWER" | "CONTACT" | "BY"
        | "NURSE" | "FROM" | "ATTN" | "ORDERING" | "NEONATOLOGIST" | "SIGNATURE" | "MANAGER" | "COORDINATOR" => {
            Label::Staff
        }
        "NAME" | "LAST" | "FIRST" | "FULL" | "THE" => Label::None,
        _ => return None,
    })
}

fn parent_word(word: &str) -> bool {
    person_word(word) == Some(Label::Parent)
}

pub(super) fn date_label(tokens: &[Token], at: usize) -> Label {
    let label = label_of(tokens, at, date_word, Between::Nothing);
    let of_parent = label == Label::BirthDate
        && label_of(tokens, at, |word| parent_word(word).then_some(Label::Parent), Between::Words) == Label::Parent;
    if of_parent { Label::ParentsBirthDate } else { label }
}

/// How far apart, in reading order, the words of one ruled line may come; bounds the work on a crowded page.
const COLUMN_WORDS: usize = 200;

/// How many words a label may take.
const LABEL_WORDS: usize = 5;

/// What may stand between a label and its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    /// Words that carry no meaning only: "Case Management 401-555-0100" is no case id.
    Nothing,
    /// Any words, such as the rest of a name.
    Words,
}

pub(super) fn label_of(tokens: &[Token], at: usize, meaning: Vocabulary, between: Between) -> Label {
    let Some(value) = tokens.get(at) else { return Label::None };
    let mut labelled = false;
    for before in tokens.iter().take(at).rev().take(LABEL_WORDS) {
        // Another value ends the label's reach: its own label says nothing of this one.
        if before.line != value.line || (before.has_digit() && before.folded.len() > 1) {
            break;
        }
        match meaning(&before.folded) {
            Some(Label::None) => labelled |= before.colon && before.folded == "DATE",
            Some(label) => return label,
            // A label that says nothing here, or that recognition spoiled, is still this value's label.
            None if between == Between::Nothing && before.colon => return Label::None,
            None if between == Between::Nothing && before.folded.len() > 2 => break,
            None => {}
        }
    }
    // "Date: 12/10/2025" has a label of its own, of which the rest was lost.
    if labelled {
        return Label::None;
    }
    let label = label_beside(tokens, at, meaning);
    if label == Label::None { label_above(tokens, at, meaning) } else { label }
}

/// The label left of the value when recognition made a line of its own of it, as with columns set far apart.
fn label_beside(tokens: &[Token], at: usize, meaning: Vocabulary) -> Label {
    let Some(value) = tokens.get(at) else { return Label::None };
    let middle = value.bounds.top.saturating_add(value.bounds.height / 2);
    let from = at.saturating_sub(COLUMN_WORDS);
    let beside = tokens.iter().skip(from).take(2 * COLUMN_WORDS).filter(|token| {
        token.line != value.line
            && token.bounds.right() <= value.bounds.left
            && token.bounds.top < middle
            && token.bounds.bottom() > middle
    });
    let mut beside: Vec<&Token> = beside.collect();
    beside.sort_unstable_by_key(|token| std::cmp::Reverse(token.bounds.right()));
    for token in beside.into_iter().take(LABEL_WORDS) {
        match meaning(&token.folded) {
            Some(Label::None) => {}
            Some(label) => return label,
            None => break,
        }
    }
    Label::None
}

/// The label in the nearest line above that reaches over the value, as in forms with ruled boxes.
fn label_above(tokens: &[Token], at: usize, meaning: Vocabulary) -> Label {
    let Some(value) = tokens.get(at) else { return Label::None };
    let (left, right) = (value.bounds.left, value.bounds.right());
    let reach = value.bounds.height.max(12).saturating_mul(3);
    let mut nearest: Option<(u32, Label)> = None;
    for above in tokens.iter().take(at).rev().take(60) {
        let distance = value.bounds.top.saturating_sub(above.bounds.bottom());
        if above.line == value.line || above.bounds.bottom() > value.bounds.top.saturating_add(value.bounds.height / 3)
        {
            continue;
        }
        // The label may start a little left of the value, and be shorter or longer than it.
        let over = above.bounds.left < right
            && above.bounds.right().saturating_add(value.bounds.height.saturating_mul(2)) > left;
        if distance > reach || !over {
            continue;
        }
        if let Some(label) = meaning(&above.folded).filter(|&label| label != Label::None)
            && nearest.is_none_or(|(other, _)| distance < other)
        {
            nearest = Some((distance, label));
        }
    }
    nearest.map_or(Label::None, |(_, label)| label)
}
