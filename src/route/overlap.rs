//! What is wrong with a table as a whole: rules that never apply, rules that take the same documents and do otherwise, and
//! types that no rule takes. Pure; no document is needed for it.
//!
//! A rule takes a box: for each trait a set of values. Of each trait those values count that some rule names, one that
//! none names, and "none" where there can be none. Boxes are cut out of one another; what is left of a rule when all before
//! it are cut out is what it takes. Two rules that would take the same are told of, where neither takes only what the
//! other one takes too (the particular before the general is how such tables are written), and the first does not say
//! that it `overrides`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::rules::{RoutingRules, Rule};
use super::when::{NO, NONE, Trait, YES};
use crate::document::{DocumentType, MatchStatus};
use crate::link::CaseStatus;

/// Stands for every value that no rule names.
const ANOTHER: &str = "another";

/// Boxes are cut no further from here on: a table of hundreds of rules on many traits must not hold `check` up.
const MOST_BOXES: usize = 20_000;

/// Values of each trait that is not free.
type Box = BTreeMap<Trait, BTreeSet<String>>;

/// Something that an operator should know of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Everything that the rule takes is taken before.
    Unreachable { rule: String, taken_by: Vec<String> },
    /// Both would take such documents; the first one does.
    Overlapping { first: String, second: String, example: String },
    /// Such documents of this type are taken by no rule.
    Untaken { document_type: DocumentType, example: String },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { rule, taken_by } => {
                let before: Vec<String> = taken_by.iter().map(|name| format!("\"{name}\"")).collect();
                write!(
                    f,
                    "rule \"{rule}\" never applies: {} before it take all of it; move it up, or take it out",
                    before.join(", ")
                )
            }
            Self::Overlapping { first, second, example } => write!(
                f,
                "rules \"{first}\" and \"{second}\" both take documents with {example}, and the first one gets them; \
                 set overrides = true in \"{first}\" if that is meant"
            ),
            Self::Untaken { document_type, example } => write!(
                f,
                "no rule takes {} with {example}; it would go to the lane \"{}\"; add a rule for it at the end",
                document_type.name(),
                super::ATTENTION
            ),
        }
    }
}

/// Everything that is wrong with a table as a whole.
pub fn findings(table: &RoutingRules) -> Vec<Finding> {
    let boxes: Vec<Box> = table.rules.iter().map(box_of).collect();
    let values = Values::of(&boxes);
    let mut found = Vec::new();
    for (place, (rule, own)) in table.rules.iter().zip(&boxes).enumerate() {
        let before = boxes.get(..place).unwrap_or_default();
        let left = values.cut(vec![own.clone()], before);
        if left.is_empty() {
            let takes_some = table.rules.iter().zip(before).filter(|(_, other)| intersection(own, other).is_some());
            let taken_by = takes_some.map(|(other, _)| other.name.clone()).collect();
            found.push(Finding::Unreachable { rule: rule.name.clone(), taken_by });
            continue;
        }
        for (other_place, (other, others)) in table.rules.iter().zip(before).enumerate() {
            if other.overrides || same_outcome(rule, other) || is_within(own, others) || is_within(others, own) {
                continue;
            }
            let Some(both) = intersection(own, others) else { continue };
            // What neither of them gets is no matter between them.
            let theirs = values.cut(vec![both], boxes.get(..other_place).unwrap_or_default());
            if let Some(example) = theirs.first() {
                let (first, second) = (other.name.clone(), rule.name.clone());
                found.push(Finding::Overlapping { first, second, example: words(example) });
            }
        }
    }
    for document_type in DocumentType::ALL {
        let all = Box::from([(Trait::Type, BTreeSet::from([document_type.name().to_owned()]))]);
        if let Some(left) = values.cut(vec![all], &boxes).first() {
            let mut others = left.clone();
            others.remove(&Trait::Type);
            let example = if others.is_empty() { "whatever facts".to_owned() } else { words(&others) };
            found.push(Finding::Untaken { document_type, example });
        }
    }
    found
}

fn box_of(rule: &Rule) -> Box {
    let mut all = Box::new();
    for (on, values) in rule.when.conditions() {
        match all.get_mut(&on) {
            Some(known) => known.retain(|value| values.contains(value)),
            None => {
                all.insert(on, values);
            }
        }
    }
    all
}

fn same_outcome(one: &Rule, other: &Rule) -> bool {
    let bare = |rule: &Rule| Rule {
        name: String::new(),
        when: super::when::When::default(),
        overrides: false,
        ..rule.clone()
    };
    bare(one) == bare(other)
}

fn intersection(one: &Box, other: &Box) -> Option<Box> {
    let mut both = one.clone();
    for (on, values) in other {
        let common: BTreeSet<String> = match both.get(on) {
            Some(known) => known.intersection(values).cloned().collect(),
            None => values.clone(),
        };
        if common.is_empty() {
            return None;
        }
        both.insert(on.clone(), common);
    }
    Some(both)
}

fn is_within(inner: &Box, outer: &Box) -> bool {
    outer.iter().all(|(on, values)| inner.get(on).is_some_and(|own| own.is_subset(values)))
}

/// A box in words, by one value of each trait.
fn words(example: &Box) -> String {
    let each = example.iter().filter_map(|(on, values)| Some(format!("{on} {}", values.first()?)));
    each.collect::<Vec<_>>().join(", ")
}

/// All values of each trait.
struct Values(BTreeMap<Trait, BTreeSet<String>>);

impl Values {
    fn of(boxes: &[Box]) -> Self {
        let mut all: BTreeMap<Trait, BTreeSet<String>> = BTreeMap::new();
        for (on, named) in boxes.iter().flatten() {
            let values = all.entry(on.clone()).or_insert_with(|| always(on));
            values.extend(named.iter().cloned());
        }
        Self(all)
    }

    /// What is left of these boxes without those.
    fn cut(&self, mut left: Vec<Box>, cut: &[Box]) -> Vec<Box> {
        for other in cut {
            left = left.into_iter().flat_map(|own| self.without(&own, other)).collect();
            if left.is_empty() || left.len() > MOST_BOXES {
                break;
            }
        }
        left
    }

    /// A box without another one: in pieces that have nothing in common.
    fn without(&self, own: &Box, other: &Box) -> Vec<Box> {
        if intersection(own, other).is_none() {
            return vec![own.clone()];
        }
        let mut pieces = Vec::new();
        let mut rest = own.clone();
        for (on, taken) in other {
            let Some(mine) = rest.get(on).or_else(|| self.0.get(on)).cloned() else { continue };
            let (inside, outside): (BTreeSet<String>, BTreeSet<String>) =
                mine.into_iter().partition(|value| taken.contains(value));
            if !outside.is_empty() {
                let mut piece = rest.clone();
                piece.insert(on.clone(), outside);
                pieces.push(piece);
            }
            rest.insert(on.clone(), inside);
        }
        pieces
    }
}

/// The values that a trait can have whatever the rules name.
fn always(on: &Trait) -> BTreeSet<String> {
    let open = || vec![NONE.to_owned(), ANOTHER.to_owned()];
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let values = match on {
        Trait::Type => DocumentType::ALL.map(|kind| kind.name().to_owned()).to_vec(),
        Trait::Direction => of(&["higher", "lateral", "lower", NONE]),
        Trait::Level => of(&["1", "2", "3", "4", NONE]),
        Trait::Plan | Trait::Mailbox | Trait::Sender | Trait::Facility => open(),
        Trait::Case => of(&[CaseStatus::Open.name(), CaseStatus::Closed.name(), NONE]),
        Trait::Match => {
            of(&[MatchStatus::Matched.name(), MatchStatus::Ambiguous.name(), MatchStatus::Unmatched.name()])
        }
        Trait::PastBirthday(_) | Trait::BornBefore(_) | Trait::Flag(_) | Trait::Topic(_) => of(&[YES, NO]),
    };
    values.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rules: &[&str]) -> Vec<String> {
        let mut toml = "lane = [{ name = \"attention\", title = \"\" }, { name = \"um\", title = \"\" }]\n\
            due = [{ name = \"all\", within = \"24 h\" }]\n"
            .to_owned();
        for (number, rule) in rules.iter().enumerate() {
            toml = format!("{toml}[[rule]]\nname = \"{}\"\npriority = \"urgent\"\n{rule}\n", number + 1);
        }
        findings(&RoutingRules::parse(&toml).unwrap()).iter().map(ToString::to_string).collect()
    }

    const REST: &str = "lane = \"attention\"";

    #[test]
    fn the_delivered_table_and_the_examples_have_nothing_wrong() {
        assert_eq!(findings(&RoutingRules::builtin()), []);
        let example = include_str!("../../config/examples/continuity-of-care.toml");
        assert_eq!(findings(&RoutingRules::parse(example).unwrap()), []);
    }

    #[test]
    fn a_rule_below_one_that_takes_all_of_it_never_applies() {
        let two = found(&[
            "lane = \"um\"\nwhen = { plan = [\"a\", \"b\"] }",
            "lane = \"attention\"\nwhen = { plan = [\"B\"], level = [3] }",
            REST,
        ]);
        assert_eq!(two.len(), 1);
        assert!(two[0].starts_with("rule \"2\" never applies: \"1\" before it take all of it"), "{two:?}");
    }

    #[test]
    fn a_rule_never_applies_either_when_several_take_all_of_it_together() {
        let when = |status: &str| format!("lane = \"um\"\nwhen = {{ match = [{status}] }}");
        let table = [&when("\"matched\"") as &str, &when("\"ambiguous\", \"unmatched\""), REST];
        let found = found(&table);
        assert!(found.iter().any(|line| line.starts_with("rule \"3\" never applies: \"1\", \"2\"")), "{found:?}");
    }

    #[test]
    fn rules_of_which_each_takes_some_of_the_others_are_told_of_unless_that_is_meant() {
        let by_plan = "lane = \"um\"\nwhen = { plan = [\"a\"] }";
        let by_level = "lane = \"attention\"\nwhen = { level = [3] }";
        let told = found(&[by_plan, by_level, REST]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("\"1\" and \"2\" both take documents with plan a, level 3"), "{told:?}");
        assert_eq!(found(&[&format!("{by_plan}\noverrides = true"), by_level, REST]), Vec::<String>::new());
        // The same is done either way.
        assert_eq!(found(&[by_plan, &by_level.replace("attention", "um"), REST]), Vec::<String>::new());
    }

    #[test]
    fn a_type_that_no_rule_takes_is_told_of_with_an_example() {
        let told = found(&[
            "lane = \"um\"\nwhen = { type = [\"appeal\"], level = [2, 3] }",
            "lane = \"um\"\nwhen = { type = [\"other\"] }",
        ]);
        assert!(told.iter().any(|line| line.contains("no rule takes appeal with level 1")), "{told:?}");
        assert!(told.iter().any(|line| line.contains("no rule takes discharge with whatever facts")), "{told:?}");
        assert!(!told.iter().any(|line| line.contains("takes other")), "{told:?}");
    }
}
