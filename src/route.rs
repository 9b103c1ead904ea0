//! Which lane, how urgent, due when, whose: the plan's rules as a pure function of what is known.
//!
//! The facts and their sources stand in the README ("Who gets what"): due times run from receipt by the fax server, never from
//! when the reading was done. No clock is asked here.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::document::{DocumentType, Match, MatchStatus, Receipt, Understanding};
use crate::link::Case;

/// Births before this day are not in the program (the plan's start with the vendor).
const PROGRAM_START: Date = date(2023, 11, 1);

/// Hours for an urgent concurrent review of a commercial member (NCQA UM 5; ERISA when asked for 24 h or more before
/// the authorization ends), and where the plan is not known: the shorter time is the safe one.
const URGENT_COMMERCIAL_HOURS: i64 = 24;
/// Hours for an urgent concurrent review of a Medicaid or Medicare member.
const URGENT_GOVERNMENT_HOURS: i64 = 72;
/// Hours for an urgent preservice request (CMS-0057-F, NCQA 2026).
const PRESERVICE_URGENT_HOURS: i64 = 72;
/// Calendar days for a standard preservice request (CMS-0057-F, NCQA 2026).
const PRESERVICE_STANDARD_DAYS: i64 = 7;

/// Whose work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Utilization management nurses.
    Um,
    /// Case management nurses.
    Cm,
    /// Scheduling of peer-to-peer talks with a Medical Director.
    MedicalDirector,
    /// Back or on to the health plan: readmissions, appeals, prior authorizations, out of the program.
    Plan,
    /// Co-review of out-of-network exceptions.
    CoReview,
    /// A person must look first: not told, not read, not one of ours.
    Attention,
}

impl Lane {
    pub const ALL: [Self; 6] = [Self::Um, Self::Cm, Self::MedicalDirector, Self::Plan, Self::CoReview, Self::Attention];

    pub fn name(self) -> &'static str {
        match self {
            Self::Um => "um",
            Self::Cm => "cm",
            Self::MedicalDirector => "medical_director",
            Self::Plan => "plan",
            Self::CoReview => "co_review",
            Self::Attention => "attention",
        }
    }
}

/// What sorts first within a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    Urgent,
    Standard,
}

impl Priority {
    pub fn name(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Standard => "standard",
        }
    }
}

/// Where an item goes and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routing {
    pub lane: Lane,
    pub priority: Priority,
    pub due_at: Timestamp,
    /// The due rule's name, shown beside the due time.
    pub due_rule: &'static str,
    /// The case's nurse, when the case is beyond doubt.
    pub assigned_to: Option<String>,
    /// `copy_to_cm`, `out_of_program: …`, `past_first_birthday`, …
    pub flags: Vec<String>,
}

/// Routes one document. `case` is the case it was linked to, if it was; `mailbox` the lane of the mailbox that it came
/// to, if it came to one: case management's mail stays theirs but for what supports days of care.
pub fn route(
    understanding: &Understanding,
    linked: &Match,
    case: Option<&Case>,
    receipt: &Receipt,
    mailbox: Option<Lane>,
    zone: &TimeZone,
) -> Routing {
    let case = case.filter(|_| linked.status == MatchStatus::Matched);
    let mut flags = Vec::new();
    let (mut lane, priority) = match understanding.document_type {
        DocumentType::AdmissionNotification | DocumentType::ConcurrentReview | DocumentType::Transfer => {
            (Lane::Um, Priority::Urgent)
        }
        DocumentType::Discharge => {
            flags.push("copy_to_cm".to_owned());
            (Lane::Um, Priority::Standard)
        }
        DocumentType::Readmission => {
            flags.push("copy_to_cm".to_owned());
            (Lane::Plan, Priority::Urgent)
        }
        DocumentType::P2pRequest => (Lane::MedicalDirector, Priority::Urgent),
        DocumentType::Appeal => (Lane::Plan, Priority::Standard),
        DocumentType::PriorAuthorization => {
            flags.push("copy_to_cm".to_owned());
            (Lane::Plan, Priority::Standard)
        }
        DocumentType::OutOfNetworkException => (Lane::CoReview, Priority::Urgent),
        DocumentType::Other => (Lane::Attention, Priority::Standard),
    };
    if mailbox == Some(Lane::Cm) {
        match understanding.document_type {
            DocumentType::AdmissionNotification | DocumentType::ConcurrentReview | DocumentType::Transfer => {
                flags.push("came_to_cm_mailbox: put into the UM lane, because days of care hang on it".to_owned());
            }
            // Plans for going home, and whatever families and social workers write.
            DocumentType::Discharge => {
                lane = Lane::Cm;
                flags = vec!["copy_to_um".to_owned()];
            }
            DocumentType::Other => lane = Lane::Cm,
            // Others' work, whoever it was sent to.
            DocumentType::Readmission
            | DocumentType::P2pRequest
            | DocumentType::Appeal
            | DocumentType::PriorAuthorization
            | DocumentType::OutOfNetworkException => {}
        }
    }
    if let Some(case) = case
        && let Some(reason) = out_of_program(case, receipt, zone)
    {
        lane = Lane::Plan;
        flags.push(reason.to_owned());
    }
    let (due_rule, due_at) =
        due(understanding.document_type, case.map(|case| case.plan.as_str()), receipt.received_at, zone);
    let assigned_to = case.map(|case| case.assigned_nurse.clone()).filter(|nurse| !nurse.is_empty());
    Routing { lane, priority, due_at, due_rule, assigned_to, flags }
}

/// FEP and Medicare members, births before the program's start and children past their first birthday are others' work.
fn out_of_program(case: &Case, receipt: &Receipt, zone: &TimeZone) -> Option<&'static str> {
    match case.plan.to_ascii_lowercase().as_str() {
        "fep" => return Some("out_of_program: FEP"),
        "medicare" => return Some("out_of_program: Medicare"),
        _ => {}
    }
    let born = case.dob?;
    if born < PROGRAM_START {
        return Some("out_of_program: born before the program's start");
    }
    let received = receipt.received_at.to_zoned(zone.clone()).date();
    let first_birthday = born.checked_add(1.year()).ok()?;
    (received > first_birthday).then_some("past_first_birthday")
}

/// The rule's name and the time until which it must be done.
fn due(
    document_type: DocumentType,
    plan: Option<&str>,
    received: Timestamp,
    zone: &TimeZone,
) -> (&'static str, Timestamp) {
    let hours = |count: i64| received.checked_add(SignedDuration::from_hours(count)).unwrap_or(Timestamp::MAX);
    // Calendar days are counted on the wall clock: seven days over a change to summer time are not 168 hours.
    let days = |count: i64| {
        received.to_zoned(zone.clone()).checked_add(count.days()).map_or(Timestamp::MAX, |due| due.timestamp())
    };
    match document_type {
        DocumentType::PriorAuthorization => ("preservice-standard", days(PRESERVICE_STANDARD_DAYS)),
        DocumentType::OutOfNetworkException => ("preservice-urgent", hours(PRESERVICE_URGENT_HOURS)),
        // The window runs from the adverse determination, which is not known here: the shortest time keeps it open.
        DocumentType::P2pRequest => ("peer-to-peer-determination-date-unknown", hours(URGENT_COMMERCIAL_HOURS)),
        DocumentType::AdmissionNotification
        | DocumentType::ConcurrentReview
        | DocumentType::Transfer
        | DocumentType::Discharge
        | DocumentType::Readmission
        | DocumentType::Appeal
        | DocumentType::Other => match plan.map(str::to_ascii_lowercase).as_deref() {
            Some("commercial") => ("urgent-concurrent-commercial", hours(URGENT_COMMERCIAL_HOURS)),
            Some("medicaid" | "medicare") => ("urgent-concurrent-government", hours(URGENT_GOVERNMENT_HOURS)),
            Some(_) | None => ("unknown-plan", hours(URGENT_COMMERCIAL_HOURS)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Fields;

    fn understood(document_type: DocumentType) -> Understanding {
        Understanding {
            document_type,
            type_confidence: 0.9,
            transfer_direction: None,
            fired_rules: Vec::new(),
            fields: Fields::new(),
            missing: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    fn linked(status: MatchStatus) -> Match {
        Match { status, case_id: Some("C1".to_owned()), score: 30.0, reasons: Vec::new(), candidates: Vec::new() }
    }

    fn receipt(received_at: &str) -> Receipt {
        Receipt::new("secure-fax", "1.tif", received_at.parse().unwrap())
    }

    fn case(plan: &str, dob: Date) -> Case {
        let csv = format!(
            "{}\nC1,open,,,,,,,Moss,Ida,,F,{dob},,,,,,{plan},3,R. Nurse,,,\n",
            "case_id,status,member_id,auth_number,mrn,facility,facility_fax,facility_npi,last_name,first_name,birth_order,\
             sex,dob,mother_first,mother_last,mother_dob,admit_date,discharge_date,plan,level_of_care,assigned_nurse,\
             next_review_date,race_ethnicity,preferred_language"
        );
        crate::link::Registry::parse(csv.as_bytes()).unwrap().get("C1").unwrap().clone()
    }

    fn routed(document_type: DocumentType, status: MatchStatus, plan: &str, dob: Date) -> Routing {
        route(
            &understood(document_type),
            &linked(status),
            Some(&case(plan, dob)),
            &receipt("2026-03-02T14:00:00Z"),
            None,
            &TimeZone::get("America/New_York").unwrap(),
        )
    }

    #[test]
    fn a_commercial_review_is_due_24_hours_after_receipt_and_goes_to_the_cases_nurse() {
        let routing = routed(DocumentType::ConcurrentReview, MatchStatus::Matched, "commercial", date(2026, 2, 1));
        assert_eq!((routing.lane, routing.due_rule), (Lane::Um, "urgent-concurrent-commercial"));
        assert_eq!(routing.due_at, "2026-03-03T14:00:00Z".parse().unwrap());
        assert_eq!(routing.assigned_to.as_deref(), Some("R. Nurse"));
    }

    #[test]
    fn an_unsure_link_lends_neither_plan_nor_nurse() {
        let routing = routed(DocumentType::ConcurrentReview, MatchStatus::Ambiguous, "medicaid", date(2026, 2, 1));
        assert_eq!((routing.due_rule, routing.assigned_to), ("unknown-plan", None));
    }

    #[test]
    fn a_medicaid_review_is_due_in_72_hours() {
        let routing = routed(DocumentType::ConcurrentReview, MatchStatus::Matched, "medicaid", date(2026, 2, 1));
        assert_eq!(routing.due_at, "2026-03-05T14:00:00Z".parse().unwrap());
    }

    #[test]
    fn seven_calendar_days_over_the_change_to_summer_time_end_at_the_same_hour_of_the_wall_clock() {
        let routing = routed(DocumentType::PriorAuthorization, MatchStatus::Matched, "commercial", date(2026, 2, 1));
        // 09:00 in New York is 14:00 UTC before 8 March 2026 and 13:00 UTC after it.
        assert_eq!(routing.due_at, "2026-03-09T13:00:00Z".parse().unwrap());
    }

    #[test]
    fn what_is_out_of_the_program_goes_to_the_plan_with_the_reason() {
        for (plan, dob, flag) in [
            ("fep", date(2026, 2, 1), "out_of_program: FEP"),
            ("medicare", date(2026, 2, 1), "out_of_program: Medicare"),
            ("commercial", date(2023, 10, 31), "out_of_program: born before the program's start"),
            ("commercial", date(2025, 3, 1), "past_first_birthday"),
        ] {
            let routing = routed(DocumentType::ConcurrentReview, MatchStatus::Matched, plan, dob);
            assert_eq!((routing.lane, routing.flags), (Lane::Plan, vec![flag.to_owned()]));
        }
    }

    #[test]
    fn case_managements_mail_stays_theirs_but_for_what_supports_days_of_care() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let receipt = receipt("2026-03-02T14:00:00Z");
        let routed = |document_type| {
            let linked = linked(MatchStatus::Unmatched);
            route(&understood(document_type), &linked, None, &receipt, Some(Lane::Cm), &zone)
        };
        let review = routed(DocumentType::ConcurrentReview);
        assert_eq!(review.lane, Lane::Um);
        assert!(review.flags[0].starts_with("came_to_cm_mailbox"), "{:?}", review.flags);
        let discharge = routed(DocumentType::Discharge);
        assert_eq!((discharge.lane, discharge.flags), (Lane::Cm, vec!["copy_to_um".to_owned()]));
        assert_eq!(routed(DocumentType::Other).lane, Lane::Cm);
        assert_eq!(routed(DocumentType::Readmission).lane, Lane::Plan);
    }

    #[test]
    fn a_discharge_is_copied_to_case_management() {
        let routing = routed(DocumentType::Discharge, MatchStatus::Matched, "commercial", date(2026, 2, 1));
        assert_eq!(routing.flags, ["copy_to_cm"]);
    }
}
