//! Determinations: which days of a stay were approved or denied, at which level of care, by whom and by what. Pure.
//!
//! Days are counted with both ends: from the 3rd to the 5th are three. A determination that cannot be true is refused: days
//! that do not add up, days before the admission or after the discharge, approved days that were approved already. One that
//! was wrong stays recorded; another one replaces it.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::link::Case;

/// Levels of care that an authorization names: well newborn to NICU Level 4 (UB-04 revenue codes 171 to 174).
const LEVELS: std::ops::RangeInclusive<u8> = 1..=4;

/// What was decided, in the words of the daily log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    ApprovePerCriteria,
    ApprovePerPhysicianReviewer,
    Deny,
}

/// One run of days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Determination {
    pub from: Date,
    pub to: Date,
    /// As the reviewer counts them; they must add up.
    pub days: u32,
    pub level_requested: u8,
    /// Of approved days.
    #[serde(default)]
    pub level_approved: Option<u8>,
    pub decision: Decision,
    /// Which one was met, or was not.
    #[serde(default)]
    pub criterion: Option<String>,
    #[serde(default)]
    pub next_review_date: Option<Date>,
    /// What the next review must hold.
    #[serde(default)]
    pub next_review_notes: Option<String>,
    #[serde(default)]
    pub auth_number: Option<String>,
    /// The number of the determination that was wrong.
    #[serde(default)]
    pub replaces: Option<u64>,
}

/// A determination of a case as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Of the journal's record.
    pub number: u64,
    pub case_id: String,
    pub by: String,
    pub at: Timestamp,
    #[serde(flatten)]
    pub determination: Determination,
}

/// Why a determination is not recorded.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeterminationRefused {
    #[error("ends on {to}, before it begins on {from}")]
    Backwards { from: Date, to: Date },
    #[error("{from} to {to} are {counted} days, not {days}; correct the days or the dates")]
    DoesNotAddUp { from: Date, to: Date, counted: i64, days: u32 },
    #[error("level {0} is none of 1 to 4")]
    NoLevel(u8),
    #[error("approves days without a level; give the level that is approved")]
    NoLevelApproved,
    #[error("denies days and names an approved level; take one of them out")]
    LevelOfDenial,
    #[error("begins on {from}, before the admission on {admitted}")]
    BeforeAdmission { from: Date, admitted: Date },
    #[error("ends on {to}, after the discharge on {discharged}")]
    AfterDischarge { to: Date, discharged: Date },
    #[error("the next review on {next} is before the days that it reviews, from {from}")]
    NextReviewBefore { next: Date, from: Date },
    #[error(
        "approves days that number {number} approves already, {from} to {to}; say that it replaces {number}, or correct the dates"
    )]
    Overlaps { number: u64, from: Date, to: Date },
    #[error("replaces number {0}, which is no determination of this case in force")]
    ReplacesNothing(u64),
}

impl Determination {
    fn approves(&self) -> bool {
        self.decision != Decision::Deny
    }

    /// Whether it can be true, beside the earlier ones of the same case.
    pub fn check(&self, case: &Case, earlier: &[Recorded]) -> Result<(), DeterminationRefused> {
        let (from, to) = (self.from, self.to);
        let counted = i64::from(to.since(from).map_or(0, |span| span.get_days())) + 1;
        if to < from {
            return Err(DeterminationRefused::Backwards { from, to });
        }
        if counted != i64::from(self.days) {
            return Err(DeterminationRefused::DoesNotAddUp { from, to, counted, days: self.days });
        }
        let levels = [Some(self.level_requested), self.level_approved];
        if let Some(level) = levels.into_iter().flatten().find(|level| !LEVELS.contains(level)) {
            return Err(DeterminationRefused::NoLevel(level));
        }
        match (self.approves(), self.level_approved) {
            (true, None) => return Err(DeterminationRefused::NoLevelApproved),
            (false, Some(_)) => return Err(DeterminationRefused::LevelOfDenial),
            (true, Some(_)) | (false, None) => {}
        }
        if let Some(admitted) = case.admit_date.or(case.dob).filter(|admitted| from < *admitted) {
            return Err(DeterminationRefused::BeforeAdmission { from, admitted });
        }
        if let Some(discharged) = case.discharge_date.filter(|discharged| to > *discharged) {
            return Err(DeterminationRefused::AfterDischarge { to, discharged });
        }
        if let Some(next) = self.next_review_date.filter(|next| *next < from) {
            return Err(DeterminationRefused::NextReviewBefore { next, from });
        }
        let in_force: Vec<&Recorded> = in_force(earlier).collect();
        if let Some(number) = self.replaces
            && in_force.iter().all(|other| other.number != number)
        {
            return Err(DeterminationRefused::ReplacesNothing(number));
        }
        let others = in_force.into_iter().filter(|other| Some(other.number) != self.replaces);
        let mut overlapping = others.filter(|other| {
            let other = &other.determination;
            self.approves() && other.approves() && from <= other.to && other.from <= to
        });
        match overlapping.next() {
            Some(Recorded { number, determination: Self { from, to, .. }, .. }) => {
                Err(DeterminationRefused::Overlaps { number: *number, from: *from, to: *to })
            }
            None => Ok(()),
        }
    }
}

/// Those that no later one replaces.
pub fn in_force(recorded: &[Recorded]) -> impl Iterator<Item = &Recorded> {
    let is_replaced = |number| recorded.iter().any(|other| other.determination.replaces == Some(number));
    recorded.iter().filter(move |one| !is_replaced(one.number))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::link::Registry;

    fn case() -> Case {
        let csv = "case_id,status,member_id,auth_number,mrn,facility,facility_fax,facility_npi,last_name,first_name,birth_order,\
            sex,dob,mother_first,mother_last,mother_dob,admit_date,discharge_date,plan,level_of_care,assigned_nurse,\
            next_review_date,race_ethnicity,preferred_language\n\
            C1,open,,,,,,,Moss,Ida,,F,2026-02-01,,,,2026-02-02,2026-04-01,commercial,3,R. Nurse,,,\n";
        Registry::parse(csv.as_bytes()).unwrap().get("C1").unwrap().clone()
    }

    fn approved(from: Date, to: Date, days: u32) -> Determination {
        Determination {
            from,
            to,
            days,
            level_requested: 3,
            level_approved: Some(2),
            decision: Decision::ApprovePerCriteria,
            criterion: None,
            next_review_date: None,
            next_review_notes: None,
            auth_number: None,
            replaces: None,
        }
    }

    fn march(from: i8, to: i8) -> Determination {
        approved(date(2026, 3, from), date(2026, 3, to), (to - from + 1) as u32)
    }

    fn recorded(number: u64, determination: Determination) -> Recorded {
        Recorded { number, case_id: "C1".to_owned(), by: "R".to_owned(), at: Timestamp::UNIX_EPOCH, determination }
    }

    #[test]
    fn days_that_do_not_add_up_or_cannot_be_are_refused() {
        let refused = |one: Determination| one.check(&case(), &[]).unwrap_err().to_string();
        assert_eq!(march(3, 5).check(&case(), &[]), Ok(()));
        assert!(refused(Determination { days: 2, ..march(3, 5) }).contains("are 3 days, not 2"));
        assert!(refused(approved(date(2026, 3, 5), date(2026, 3, 3), 3)).contains("before it begins"));
        assert!(refused(approved(date(2026, 2, 1), date(2026, 2, 1), 1)).contains("before the admission"));
        assert!(refused(approved(date(2026, 4, 1), date(2026, 4, 2), 2)).contains("after the discharge"));
        assert!(refused(Determination { level_approved: None, ..march(3, 5) }).contains("without a level"));
        assert!(refused(Determination { decision: Decision::Deny, ..march(3, 5) }).contains("denies"));
        assert!(refused(Determination { level_requested: 7, ..march(3, 5) }).contains("level 7"));
        assert!(
            refused(Determination { next_review_date: Some(date(2026, 3, 1)), ..march(3, 5) }).contains("next review")
        );
    }

    #[test]
    fn days_are_approved_once_and_a_correction_says_what_it_replaces() {
        let earlier = [recorded(7, march(3, 5)), recorded(9, march(6, 8))];
        let refused = |one: &Determination| one.check(&case(), &earlier).unwrap_err();
        assert!(matches!(refused(&march(5, 6)), DeterminationRefused::Overlaps { number: 7, .. }));
        assert_eq!(march(9, 12).check(&case(), &earlier), Ok(()));
        let denied = Determination { decision: Decision::Deny, level_approved: None, ..march(5, 6) };
        assert_eq!(denied.check(&case(), &earlier), Ok(()), "a part that was asked for and not given");
        let correction = Determination { replaces: Some(7), ..march(2, 5) };
        assert_eq!(correction.check(&case(), &earlier), Ok(()));
        assert!(matches!(
            refused(&Determination { replaces: Some(7), ..march(2, 6) }),
            DeterminationRefused::Overlaps { number: 9, .. }
        ));
        assert!(matches!(
            refused(&Determination { replaces: Some(8), ..march(9, 9) }),
            DeterminationRefused::ReplacesNothing(8)
        ));
        let corrected = [earlier[0].clone(), recorded(11, correction)];
        assert_eq!(in_force(&corrected).map(|one| one.number).collect::<Vec<_>>(), [11]);
    }

    proptest! {
        #[test]
        fn no_day_is_ever_approved_twice(runs in proptest::collection::vec((0_i64..50, 1_i64..10), 1..20)) {
            let mut taken: Vec<Recorded> = Vec::new();
            for (number, (start, days)) in (1..).zip(runs) {
                let from = date(2026, 2, 2) + jiff::Span::new().days(start);
                let one = approved(from, from + jiff::Span::new().days(days - 1), days as u32);
                if one.check(&case(), &taken).is_ok() {
                    taken.push(recorded(number, one));
                }
            }
            for (place, one) in taken.iter().enumerate() {
                for other in &taken[..place] {
                    let (one, other) = (&one.determination, &other.determination);
                    prop_assert!(one.to < other.from || other.to < one.from);
                }
            }
        }
    }
}
