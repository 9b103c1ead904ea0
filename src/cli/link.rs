//! `link explain` and `train link`: why an item is linked as it is, and weights learnt from one's own papers.
//!
//! Both show or use patient data, and are recorded: an explained item as one that was shown, with the cases beside it.

use std::collections::HashMap;
use std::fmt::Write;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Deserialize;

use super::{EX_CONFIG, EX_DATAERR, EX_TEMPFAIL, EX_USAGE, print_text, say, terminal};
use crate::archive::event::List;
use crate::archive::{Archive, event::Event};
use crate::config::Config;
use crate::control::{self, Failure, Request};
use crate::daemon::knowledge::{KnowledgeError, knowledge, load_policy, load_rules};
use crate::document::{MatchStatus, Reading, Receipt};
use crate::link::{Case, Explanation, Learner, Learnt, Registry, Subject, Weighing, explain};
use crate::pipeline::{self, Knowledge};
use crate::queue::item::QueueItem;

/// Cases that are shown.
const SHOWN: usize = 5;

/// What is needed to weigh an item again.
#[derive(Deserialize)]
struct Asked {
    item: QueueItem,
    reading: Reading,
    receipt: Receipt,
}

fn in_force(config: &Config) -> Result<Knowledge, Failure> {
    let wrong = |error: KnowledgeError| Failure::new(EX_CONFIG, error.to_string());
    let registry = super::cases::in_force(config)?;
    Ok(knowledge(config, load_rules(config).map_err(wrong)?, load_policy(config).map_err(wrong)?, registry))
}

/// Prints what speaks for and against each case that an item may belong to.
pub fn explain_item(config: &Config, id: &str) -> Result<(), Failure> {
    let answer = control::ask(config, &Request::LinkExplain { id: id.to_owned() })?;
    let Asked { item, reading, receipt } = serde_json::from_value(answer).map_err(|error| Failure::software(&error))?;
    let knowledge = in_force(config)?;
    let considered = pipeline::considered(&reading, &receipt, &knowledge, item.page_range);
    let explanation = explain(
        &considered.reading,
        &considered.understanding,
        &knowledge.registry,
        &knowledge.policy,
        &considered.receipt,
    );
    for weighing in explanation.weighings.iter().take(SHOWN) {
        let case = Some(weighing.case_id.clone());
        control::ask(config, &Request::CasesShown { case, entries: 1 })?;
    }
    print_text(&told(&item, &explanation, &knowledge.registry))
}

fn told(item: &QueueItem, explanation: &Explanation, registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a String can't fail.
    let mut line = |line: String| _ = writeln!(text, "{}", terminal::text(&line));
    let [first, last] = item.page_range;
    let became = match (item.link.status, item.link.case_id.as_deref()) {
        (MatchStatus::Matched, Some(case_id)) => format!("linked to {case_id}"),
        (MatchStatus::Matched | MatchStatus::Ambiguous, _) => "left to a person".to_owned(),
        (MatchStatus::Unmatched, _) => "matched with no case".to_owned(),
    };
    line(format!("Item {}, {}, pages {first} to {last}: {became}", item.id, item.source_file));
    if item.link.status != MatchStatus::Matched {
        for reason in &item.link.reasons {
            line(format!("  because: {reason}"));
        }
    }
    if explanation.decided.case_id != item.link.case_id {
        line(
            "Weighed again with the cases in force, and without the mail around it, it comes out otherwise:".to_owned(),
        );
        for reason in &explanation.decided.reasons {
            line(format!("  {reason}"));
        }
    }
    line(format!(
        "A point doubles the odds. A case needs {:.1} points: {:.1} because there are {} cases, the rest to be sure. The next \
         best must be {:.0} behind, and no rule may object.",
        explanation.needed,
        explanation.prior,
        registry.cases().len(),
        explanation.margin
    ));
    for (place, weighing) in explanation.weighings.iter().take(SHOWN).enumerate() {
        line(String::new());
        let case = registry.get(&weighing.case_id);
        line(format!("{}. {}", place + 1, case.map_or_else(|| weighing.case_id.clone(), title)));
        for row in waterfall(weighing, case) {
            line(row);
        }
    }
    if explanation.weighings.is_empty() {
        line("Nothing on these pages stands in the registry.".to_owned());
    } else if explanation.weighings.len() > SHOWN {
        line(format!("\n{} more have less in common with these pages.", explanation.weighings.len() - SHOWN));
    }
    text
}

/// The figures of one case, each with the sum so far.
fn waterfall(weighing: &Weighing, case: Option<&Case>) -> Vec<String> {
    let mut sum = 0.0;
    let mut rows: Vec<String> = Vec::with_capacity(weighing.findings.len() + 1);
    for finding in &weighing.findings {
        sum += finding.bits;
        let value = case.map(|case| registered(case, finding.subject)).unwrap_or_default();
        let value = if value.is_empty() { value } else { format!("   the case has: {value}") };
        rows.push(format!("   {:>+6.1} {:>7.1}   {:<36}{value}", finding.bits, sum, finding.words));
    }
    rows.push(format!("   {:>14.1}   together", weighing.bits));
    rows
}

fn title(case: &Case) -> String {
    let born = case.dob.map(|dob| format!(", born {dob}")).unwrap_or_default();
    let order = if case.birth_order.is_empty() { String::new() } else { format!(" ({})", case.birth_order) };
    format!(
        "{}   {}, {}{order}{born}, {}, {}",
        case.case_id,
        case.last_name,
        case.first_name,
        case.facility,
        case.status.name()
    )
}

/// What the case has of a subject.
fn registered(case: &Case, subject: Subject) -> String {
    let date = |date: Option<jiff::civil::Date>| date.map(|date| date.to_string()).unwrap_or_default();
    match subject {
        Subject::CaseId => case.case_id.clone(),
        Subject::AuthNumber => case.auth_number.clone(),
        Subject::Mrn | Subject::AnotherRecord => case.mrn.clone(),
        Subject::MemberId => case.member_id.clone(),
        Subject::BirthDate => date(case.dob),
        Subject::MothersBirthDate => date(case.mother_dob),
        Subject::AdmissionDate => date(case.admit_date),
        Subject::Surname => case.last_name.clone(),
        Subject::FirstName | Subject::MotherInName => case.first_name.clone(),
        Subject::MothersName => format!("{}, {}", case.mother_last, case.mother_first),
        Subject::Sex => match case.sex {
            Some(crate::names::Sex::Female) => "F".to_owned(),
            Some(crate::names::Sex::Male) => "M".to_owned(),
            None => String::new(),
        },
        Subject::BirthOrder => case.birth_order.clone(),
        Subject::Facility => case.facility.clone(),
    }
}

/// A line of `--labels`: the case of a document, or of some of its pages, as a person has told it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    /// As it arrived.
    source_file: String,
    /// The item's first page, where the document has several items.
    first_page: Option<u32>,
    case_id: String,
}

/// Learns weights from the papers of the archive, and writes them; nothing that is in force changes by it.
pub fn train(config: &Config, output: &Path, labels: Option<&Path>) -> Result<(), Failure> {
    if output.exists() {
        let message = format!("{}: exists already; name a new file, or remove it", output.display());
        return Err(Failure::new(EX_USAGE, message));
    }
    let mut told = labels.map_or_else(|| Ok(HashMap::new()), read_labels)?;
    let knowledge = in_force(config)?;
    let archive = Archive::open(&config.state_dir, &config.archive_options())?;
    let mut learner = Learner::new(&knowledge.registry, &knowledge.policy);
    // Of a paper whose case is known: whether the present weights link it there.
    let (mut right, mut wrong, mut unread) = (0_usize, 0_usize, 0_usize);
    let mut labelled_papers: Vec<(pipeline::Considered, String)> = Vec::new();
    for item in archive.all_items() {
        let item = item?;
        let Some(document) = archive.find_document(item.id.document())? else { continue };
        let reading = archive.reading(&document)?;
        let receipt = archive.document(&document)?.and_then(|state| state.receipts.into_iter().next());
        let Some((reading, receipt)) = reading.zip(receipt) else {
            unread += 1;
            continue;
        };
        let of_nurse = archive.resolution(&item.id)?.and_then(|resolution| resolution.case_id);
        let case_id = of_nurse
            .or_else(|| told.remove(&(item.source_file.clone(), Some(item.page_range[0]))))
            .or_else(|| told.remove(&(item.source_file.clone(), None)));
        let considered = pipeline::considered(&reading, &receipt, &knowledge, item.page_range);
        let linked =
            learner.see(&considered.reading, &considered.understanding, &considered.receipt, case_id.as_deref());
        if let Some(case_id) = case_id {
            right += usize::from(linked.as_deref() == Some(case_id.as_str()));
            wrong += usize::from(linked.is_some_and(|linked| linked != case_id));
            labelled_papers.push((considered, case_id));
        }
    }
    archive.record(Event::Listed {
        by: control::this_user(),
        entries: labelled_papers.len() as u64,
        list: Some(List::Other),
    })?;
    let learnt = learner.fit();
    let policy = crate::link::LinkPolicy { weights: learnt.weights.clone(), ..knowledge.policy.clone() };
    let (mut right_after, mut wrong_after) = (0_usize, 0_usize);
    for (considered, case_id) in &labelled_papers {
        let pipeline::Considered { reading, understanding, receipt } = considered;
        let linked = crate::link::link(reading, understanding, &knowledge.registry, &policy, receipt).case_id;
        right_after += usize::from(linked.as_ref() == Some(case_id));
        wrong_after += usize::from(linked.is_some_and(|linked| linked != *case_id));
    }
    print_text(&summary(&learnt))?;
    for (count, what) in [
        (unread, "items without a reading were left out"),
        (learnt.refused, "labels name a case that is not in the registry in force, and were left out"),
        (told.len(), "labels name no item of the archive, and were left out"),
    ] {
        if count > 0 {
            say(format_args!("nicufaxd: {count} {what}"));
        }
    }
    print_text(&format!(
        "papers whose case is known: {}; linked to it before {right}, after {right_after}; to another before {wrong}, \
         after {wrong_after}\n",
        labelled_papers.len()
    ))?;
    if wrong_after > wrong {
        let message = "the learnt weights link more of these papers to another case than before: nothing was written; \
                       look at the labels, and at what `link explain` says of those papers";
        return Err(Failure::new(EX_DATAERR, message));
    }
    write(output, &learnt.weights.to_toml(&head(&learnt))).map_err(|error| {
        Failure::new(EX_TEMPFAIL, format!("{}: cannot be written: {error}; check the folder", output.display()))
    })?;
    print_text(&format!("{}: written; `[link] weights` puts it in force\n", output.display()))
}

fn read_labels(file: &Path) -> Result<HashMap<(String, Option<u32>), String>, Failure> {
    let refused = |what: String| Failure::new(EX_DATAERR, format!("{}: {what}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| refused(format!("cannot be read: {error}")))?;
    let mut labels = HashMap::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let label: Label = serde_json::from_str(line).map_err(|error| {
            refused(format!("line {number}: {error}; write {{\"source_file\": …, \"first_page\": …, \"case_id\": …}}"))
        })?;
        labels.insert((label.source_file, label.first_page), label.case_id);
    }
    Ok(labels)
}

fn head(learnt: &Learnt) -> String {
    format!(
        "Learnt by `nicufaxd train link` from {} papers, of which a person has told the case of {}.\n\
         m: of a baby's own papers that tell of the fact, the share on which it stands so; u: of other babies'.\n\
         The weight is log2(m/u) bits. What each level is stands in config/link-weights.toml.",
        learnt.papers, learnt.labelled
    )
}

/// What changed, a level a line.
fn summary(learnt: &Learnt) -> String {
    let rows: Vec<Vec<String>> = learnt
        .changes
        .iter()
        .map(|change| {
            let bits = |weight: crate::link::Weight| format!("{:+.1}", weight.bits(None));
            let share = |weight: crate::link::Weight| format!("{:.3}", weight.m);
            let note = match (change.learnt, change.before == change.after) {
                (false, _) => "m kept: seen too seldom, or not learnt",
                (true, true) => "the same",
                (true, false) => "",
            };
            vec![
                format!("{}.{}", change.subject.name(), change.level.name()),
                format!("{:.0}", change.seen),
                share(change.before),
                share(change.after),
                bits(change.before),
                bits(change.after),
                note.to_owned(),
            ]
        })
        .collect();
    let table = super::table(&["level", "seen", "m before", "m after", "bits before", "bits after", ""], &rows);
    format!("{table}{} papers, {} with a known case; {} rounds\n", learnt.papers, learnt.labelled, learnt.rounds)
}

fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o640).open(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
