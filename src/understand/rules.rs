//! The rules of `config/document-types.toml`: read, checked, compiled.
//!
//! A wrong file is refused whole, with the rule and the key that are wrong; unknown keys are wrong.

use regex::Regex;
use serde::Deserialize;

use super::layout::fold;
use super::lexicon::{Lexicon, compiled};
use crate::document::{DocumentType, TransferDirection};

/// The rules as delivered with the program.
const BUILTIN: &str = include_str!("../../config/document-types.toml");

/// Why a rules file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// Not TOML, an unknown or missing key, or a value of the wrong kind; the message names line and key.
    #[error("document type rules: {0}")]
    Format(#[from] toml::de::Error),
    #[error("document type rules: rule \"{rule}\", key \"{key}\": not a regular expression, correct it: {reason}")]
    Pattern { rule: String, key: &'static str, reason: String },
    #[error("document type rules: rule \"{rule}\", key \"{key}\": {problem}")]
    Value { rule: String, key: &'static str, problem: &'static str },
    #[error("document type rules: two rules are named \"{rule}\"; give each its own name")]
    Twice { rule: String },
    #[error("document type rules: no [[rule]] in the file; a file without rules would call every document \"other\"")]
    Empty,
}

/// Where a rule looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// Short lines in the upper part of a page, and what follows `RE:` or `Subject:`.
    Title,
    /// The running text of the first three pages.
    Lead,
    /// The running text of all pages.
    Body,
    /// What follows a crossed check box; patterns are held to its beginning.
    Checked,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    settings: SettingsEntry,
    #[serde(default)]
    rule: Vec<RuleEntry>,
    #[serde(default)]
    direction: Vec<DirectionEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsEntry {
    floor: f32,
    softness: f32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    name: String,
    #[serde(rename = "type")]
    document_type: DocumentType,
    #[serde(rename = "where")]
    place: Place,
    points: f32,
    #[serde(default)]
    patterns: Vec<String>,
    #[serde(default)]
    phrases: Vec<String>,
    #[serde(default)]
    unless: Vec<String>,
    #[serde(default = "once")]
    times: u32,
    #[serde(default)]
    absent: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectionEntry {
    name: String,
    direction: TransferDirection,
    points: f32,
    patterns: Vec<String>,
}

fn once() -> u32 {
    1
}

/// A rule that gives points to a document type.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub name: String,
    pub document_type: DocumentType,
    pub place: Place,
    pub points: f32,
    pub patterns: Vec<Regex>,
    /// Folded words of phrases that are compared with tolerance for misread letters.
    pub phrases: Vec<Vec<String>>,
    pub unless: Vec<Regex>,
    pub times: u32,
    /// Fires when nothing of it is found.
    pub absent: bool,
}

/// A rule that tells whether a transfer goes up, down or sideways.
#[derive(Clone, Debug)]
pub(super) struct DirectionRule {
    pub direction: TransferDirection,
    pub points: f32,
    pub patterns: Vec<Regex>,
}

/// The rules by which documents are told apart, and everything else compiled that understanding looks with.
#[derive(Clone, Debug)]
pub struct TypeRules {
    /// Points below which a document is `other`.
    pub(super) floor: f32,
    /// How many points make one type e times as likely as another.
    pub(super) softness: f32,
    pub(super) rules: Vec<Rule>,
    pub(super) directions: Vec<DirectionRule>,
    pub(super) lexicon: Lexicon,
}

impl TypeRules {
    /// Reads rules as an operator may have edited them.
    pub fn parse(toml: &str) -> Result<Self, RulesError> {
        let file: RulesFile = toml::from_str(toml)?;
        if file.rule.is_empty() {
            return Err(RulesError::Empty);
        }
        let settings = |key, problem| RulesError::Value { rule: "settings".to_owned(), key, problem };
        if !(0.0..=100.0).contains(&file.settings.floor) {
            return Err(settings("floor", "must be from 0 to 100 points"));
        }
        if !(0.1..=100.0).contains(&file.settings.softness) {
            return Err(settings("softness", "must be from 0.1 to 100 points"));
        }
        let mut rules: Vec<Rule> = Vec::with_capacity(file.rule.len());
        for entry in file.rule {
            if rules.iter().any(|rule| rule.name == entry.name) {
                return Err(RulesError::Twice { rule: entry.name });
            }
            rules.push(rule(entry)?);
        }
        let directions = file.direction.into_iter().map(direction).collect::<Result<_, _>>()?;
        Ok(Self {
            floor: file.settings.floor,
            softness: file.settings.softness,
            rules,
            directions,
            lexicon: Lexicon::new(),
        })
    }

    /// How many rules there are.
    pub fn count(&self) -> usize {
        self.rules.len()
    }

    /// The rules delivered with the program.
    #[expect(clippy::expect_used, reason = "the file is part of the program; a test parses it")]
    pub fn builtin() -> Self {
        Self::parse(BUILTIN).expect("the rules delivered with the program are well-formed")
    }
}

fn rule(entry: RuleEntry) -> Result<Rule, RulesError> {
    let wrong = |key, problem| Err(RulesError::Value { rule: entry.name.clone(), key, problem });
    if entry.name.trim().is_empty() {
        return wrong("name", "must not be empty: it is what a nurse is shown as the reason");
    }
    if !(entry.points > 0.0 && entry.points <= 100.0) {
        return wrong("points", "must be above 0 and at most 100");
    }
    if !(1..=20).contains(&entry.times) {
        return wrong("times", "must be from 1 to 20");
    }
    if entry.patterns.is_empty() && entry.phrases.is_empty() {
        return wrong("patterns", "a rule needs at least one pattern or phrase");
    }
    let phrases: Vec<Vec<String>> = entry
        .phrases
        .iter()
        .map(|phrase| phrase.split(' ').map(fold).filter(|word| !word.is_empty()).collect())
        .collect();
    if phrases.iter().any(Vec::is_empty) {
        return wrong("phrases", "a phrase needs at least one word");
    }
    let start = if entry.place == Place::Checked { "^[^a-z0-9]*" } else { "" };
    Ok(Rule {
        patterns: compile_all(&entry.name, "patterns", &entry.patterns, start)?,
        unless: compile_all(&entry.name, "unless", &entry.unless, "")?,
        phrases,
        document_type: entry.document_type,
        place: entry.place,
        points: entry.points,
        times: entry.times,
        absent: entry.absent,
        name: entry.name,
    })
}

fn direction(entry: DirectionEntry) -> Result<DirectionRule, RulesError> {
    if !(entry.points > 0.0 && entry.points <= 100.0) {
        return Err(RulesError::Value { rule: entry.name, key: "points", problem: "must be above 0 and at most 100" });
    }
    Ok(DirectionRule {
        patterns: compile_all(&entry.name, "patterns", &entry.patterns, "")?,
        direction: entry.direction,
        points: entry.points,
    })
}

fn compile_all(rule: &str, key: &'static str, patterns: &[String], start: &str) -> Result<Vec<Regex>, RulesError> {
    patterns
        .iter()
        .map(|pattern| {
            // A blank stands for whatever recognition or typography puts between two words, or nothing.
            let spaced = pattern.replace(' ', "[^a-z0-9]*");
            let wrong = |problem| RulesError::Value { rule: rule.to_owned(), key, problem };
            let compiled = compiled(&format!("{start}(?:{spaced})")).map_err(|error| RulesError::Pattern {
                rule: rule.to_owned(),
                key,
                reason: error.to_string().lines().last().unwrap_or("unknown").to_owned(),
            })?;
            if compiled.is_match("") {
                return Err(wrong(
                    "a pattern that matches no text at all matches every document; say what it must hold",
                ));
            }
            if has_capital(pattern) {
                return Err(wrong(
                    "a capital letter never matches, as the text is looked at in lower case; write it small",
                ));
            }
            Ok(compiled)
        })
        .collect()
}

/// Whether a pattern wants a capital letter; classes such as `\B` and flags are none.
fn has_capital(pattern: &str) -> bool {
    if pattern.contains("(?i") {
        return false;
    }
    let mut before = [' ', ' '];
    pattern.chars().any(|letter| {
        let is_escaped = before[1] == '\\' && before[0] != '\\';
        let is_of_group = before == ['(', '?'];
        before = [before[1], letter];
        letter.is_uppercase() && !is_escaped && !is_of_group
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "[settings]\nfloor = 3\nsoftness = 1.5\n";

    fn refusal(rules: &str) -> String {
        TypeRules::parse(&format!("{HEAD}{rules}")).unwrap_err().to_string()
    }

    #[test]
    fn the_rules_delivered_with_the_program_cover_every_type() {
        let rules = TypeRules::builtin();
        for document_type in DocumentType::ALL {
            assert!(rules.rules.iter().any(|rule| rule.document_type == document_type), "{document_type}");
        }
    }

    #[test]
    fn a_wrong_rule_is_refused_by_its_name_and_key() {
        let one = "[[rule]]\nname = \"a\"\ntype = \"appeal\"\nwhere = \"title\"\npoints = 3\n";
        let bad = refusal(&format!("{one}patterns = ['(appeal']"));
        assert!(bad.contains("\"a\"") && bad.contains("patterns"), "{bad}");
        let unknown = refusal(&format!("{one}patterns = ['appeal']\ncolour = 'red'"));
        assert!(unknown.contains("colour"), "{unknown}");
        assert!(refusal(one).contains("at least one pattern"));
        for (pattern, word) in [
            ("Appeal", "lower case"),
            (r"appeal \\Appeal", "lower case"),
            ("", "every document"),
            ("(?:appeal)?", "every document"),
        ] {
            let told = refusal(&format!("{one}patterns = ['{pattern}']"));
            assert!(told.contains("\"a\"") && told.contains(word), "{pattern}: {told}");
        }
        assert!(TypeRules::parse(&format!("{HEAD}{one}patterns = ['\\Bappeal\\S', '(?i)Appeal']")).is_ok());
        assert!(refusal("").contains("no [[rule]]"));
        let twice = format!("{one}patterns = ['appeal']\n");
        assert!(refusal(&format!("{twice}{twice}")).contains("two rules"));
        let points = one.replace("points = 3", "points = -3");
        assert!(refusal(&format!("{points}patterns = ['appeal']")).contains("points"));
        let kind = one.replace("appeal", "apeal");
        assert!(refusal(&format!("{kind}patterns = ['appeal']")).contains("apeal"));
    }
}
