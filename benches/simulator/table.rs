//! The papers and cases as tables, a fact a column, for linkers that cannot read pages: see `against_splink.py`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::channel::{self, Noise};
use super::paper::{Paper, Whose};
use super::population::{Population, facility};
use super::random::Random;

const COLUMNS: &str = "mrn,auth,member,dob,last,first,letter,sex,mother_first,mother_last,facility";

/// A paper's facts, each as the line garbles it, with the truth and what was decided on it. `truth` is empty where the paper
/// is to be linked to no case.
pub fn paper(paper: &Paper<'_>, number: u64, noise: Noise, told: [Option<&str>; 2], linkable: bool) -> String {
    let mut random = Random::new(number ^ 0x7ab1e);
    let mut read = |text: &str| channel::value(text, noise, &mut random).replace([',', '"'], " ");
    let (facts, baby) = (&paper.facts, paper.baby);
    let told_as = |fact: &str, value: &str| if fact.is_empty() { String::new() } else { value.to_owned() };
    let is_legal = facts.name.to_lowercase().contains(&baby.legal.to_lowercase());
    let letters = ["A", "B", "C"].into_iter().find(|letter| facts.name.split([' ', ',']).any(|word| word == *letter));
    let letter = letters.unwrap_or(&facts.letter);
    let columns = [
        read(&facts.mrn),
        read(&facts.auth),
        read(&facts.member),
        // As a date is understood, whatever its form; a lost one is none.
        if facts.dob.is_empty() { String::new() } else { read(&facts.written_dob.to_string()) },
        read(&baby.last).to_uppercase(),
        if is_legal { read(&baby.legal).to_uppercase() } else { String::new() },
        letter.to_owned(),
        facts.sex.chars().next().map(String::from).unwrap_or_default(),
        read(&told_as(&facts.mother, &baby.mother_first)).to_uppercase(),
        read(&told_as(&facts.mother, &baby.mother_last)).to_uppercase(),
        read(&facts.facility),
    ];
    let [truth, ours] = told.map(Option::unwrap_or_default);
    format!("{number},{truth},{ours},{},{}\n", u8::from(linkable), columns.join(","))
}

/// Writes both tables.
#[allow(clippy::disallowed_methods, reason = "what is invented may be lost")]
pub fn write(folder: &Path, papers: &[String], population: &Population) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut cases = format!("unique_id,{COLUMNS}\n");
    for baby in &population.babies {
        let Some(case_id) = &baby.case_id else { continue };
        let first = if baby.first == baby.legal { baby.legal.to_uppercase() } else { String::new() };
        let letter = baby.letter.filter(|_| baby.is_ordered).map(String::from).unwrap_or_default();
        // Writing to a String can't fail.
        _ = writeln!(
            cases,
            "{case_id},{},{},{},{},{},{first},{letter},{},{},{},{}",
            baby.mrn,
            baby.auth,
            baby.member,
            baby.dob,
            baby.last.to_uppercase(),
            if baby.is_girl { "F" } else { "M" },
            baby.mother_first.to_uppercase(),
            baby.mother_last.to_uppercase(),
            facility(baby.facility)
        );
    }
    fs::write(folder.join("cases.csv"), cases)?;
    fs::write(folder.join("papers.csv"), format!("unique_id,truth,ours,linkable,{COLUMNS}\n{}", papers.concat()))
}

/// The case to which a paper is to be linked.
pub fn truth<'a>(paper: &'a Paper<'_>, may_be_linked: bool) -> Option<&'a str> {
    let of_a_case = !matches!(paper.whose, Whose::Stranger | Whose::SiblingOfACase);
    paper.baby.case_id.as_deref().filter(|_| may_be_linked && of_a_case)
}
