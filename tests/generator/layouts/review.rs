//! Clinical updates: a note printed from a record system, a flowsheet, a criteria sheet, and a cover with a note.

use nicufaxd::document::DocumentType;

use super::super::facts::{DateStyle, Facts, NameStyle, WeightStyle};
use super::super::registry::after;
use super::super::sheet::{Face, Fonts, Sheet};

/// A progress note with a black band that names the patient on each page, and headed sections; two pages.
pub fn progress_note<'f>(fonts: &'f Fonts, facts: &Facts<'_>, _kind: DocumentType) -> Vec<Sheet<'f>> {
    let band = [
        facts.patient(NameStyle::LastFirst),
        format!("MRN {}", facts.mrn()),
        format!("DOB {} ({} days)", facts.dob(DateStyle::Dashes), facts.days_old()),
    ];
    let page = |number: u32| {
        let mut sheet = Sheet::new(fonts);
        sheet.black(30.0, 28.0, 552.0, 40.0);
        sheet.white_text(38.0, 45.0, 12.0, Face::SansBold, &band[0]);
        sheet.white_text(300.0, 45.0, 11.0, Face::SansBold, if facts.mrn().is_empty() { "" } else { &band[1] });
        sheet.white_text(38.0, 61.0, 10.0, Face::Sans, &band[2]);
        sheet.white_text(300.0, 61.0, 10.0, Face::Sans, facts.facility());
        sheet.text(
            30.0,
            770.0,
            8.0,
            Face::Sans,
            &format!("Printed {} by {}", facts.today(DateStyle::Dashes), facts.case.facility.reviewer),
        );
        sheet.right(582.0, 770.0, 8.0, Face::Sans, &format!("Page {number} of 2"));
        sheet
    };
    let mut first = page(1);
    first.text(30.0, 92.0, 14.0, Face::SansBold, &format!("NICU Progress Note - {}", facts.today(DateStyle::Dashes)));
    first.text(
        30.0,
        108.0,
        10.0,
        Face::Sans,
        &format!("Sent for concurrent review of continued stay. Attending: {}", facts.case.facility.neonatologist),
    );
    let mut sections = vec![(
        "INTERVAL HISTORY",
        format!(
            "Born at {} with a birth weight of {}. Admitted {}. No apnea requiring stimulation overnight; one \
             self-resolved bradycardia with feeding. Temperature stable.",
            facts.gestation(),
            facts.birth_weight(WeightStyle::Grams),
            facts.admit_date(DateStyle::Dashes)
        ),
    )];
    let weight = facts.weight(WeightStyle::Grams);
    let bed = facts.bed();
    let objective = [
        (!weight.is_empty())
            .then(|| format!("Current weight {weight} (up {} g).", facts.weight_before(0) - facts.weight_before(1))),
        (!bed.is_empty()).then(|| format!("Bed: {bed}.")),
        Some(
            "Alert, pink and well perfused. Anterior fontanel soft and flat. Soft systolic murmur unchanged."
                .to_owned(),
        ),
    ];
    sections.push(("OBJECTIVE", objective.into_iter().flatten().collect::<Vec<_>>().join(" ")));
    sections.push(("RESPIRATORY", facts.support().to_owned()));
    sections.push(("FEN / GI", facts.feeding()));
    sections.push(("MEDICATIONS", facts.medications().to_owned()));
    let mut y = 134.0;
    for (heading, text) in sections.iter().filter(|(_, text)| !text.is_empty()) {
        first.text(30.0, y, 11.0, Face::SansBold, heading);
        first.rule(30.0, y + 3.0, 552.0);
        y = first.paragraph((40.0, y + 18.0), 530.0, 10.5, Face::Sans, text) + 12.0;
    }
    let mut second = page(2);
    let mut y = 96.0;
    let plan = [
        ("ASSESSMENT AND PLAN", "Continue cardiorespiratory monitoring. Advance feeds by mouth as cues allow. Head ultrasound at term. Weekly growth review.".to_owned()),
        ("SOCIAL / DISCHARGE PLANNING", facts.discharge_needs().to_owned()),
        ("REQUEST", format!("Level {} days requested through {}; next review {}.", facts.level(), DateStyle::Dashes.write(after(facts.written, 3)), facts.next_review(DateStyle::Dashes))),
        ("AUTHORIZATION NO.", facts.auth_number().to_owned()),
    ];
    for (heading, text) in plan.iter().filter(|(_, text)| !text.is_empty()) {
        second.text(30.0, y, 11.0, Face::SansBold, heading);
        second.rule(30.0, y + 3.0, 552.0);
        y = second.paragraph((40.0, y + 18.0), 530.0, 10.5, Face::Sans, text) + 12.0;
    }
    second.text(
        30.0,
        y + 8.0,
        9.5,
        Face::Sans,
        &format!("Electronically signed by {}", facts.case.facility.neonatologist),
    );
    vec![first, second]
}

/// (label, whether it is on the paper, the value so many days ago)
type FlowsheetRow<'a> = (&'static str, bool, &'a dyn Fn(i64) -> String);

/// A table of days: weight, support and feeds, newest in the last column.
pub fn flowsheet<'f>(fonts: &'f Fonts, facts: &Facts<'_>, kind: DocumentType) -> Vec<Sheet<'f>> {
    const DAYS: i64 = 5;
    let mut sheet = Sheet::new(fonts);
    sheet.text(36.0, 50.0, 13.0, Face::Wide, facts.facility());
    sheet.text(36.0, 68.0, 10.0, Face::Wide, &format!("{}  /  5-day flowsheet", super::title(kind)));
    let size = 9.5;
    let typefaces = (Face::Wide, Face::Wide);
    let end = sheet.pair((36.0, 92.0), size, typefaces, "Pt:", &facts.patient(NameStyle::Capitals));
    let end = sheet.pair((end + 18.0, 92.0), size, typefaces, "DOB:", &facts.dob(DateStyle::Slashes));
    if !facts.mrn().is_empty() {
        sheet.pair((end + 18.0, 92.0), size, typefaces, "Acct/MR#:", facts.mrn());
    }
    let end = sheet.pair((36.0, 108.0), size, typefaces, "Mother:", &facts.mother(NameStyle::Capitals));
    let end = sheet.pair((end + 18.0, 108.0), size, typefaces, "Adm:", &facts.admit_date(DateStyle::Slashes));
    sheet.pair((end + 18.0, 108.0), size, typefaces, "BW:", &facts.birth_weight(WeightStyle::Grams));
    sheet.pair((36.0, 124.0), size, typefaces, "GA at birth:", &facts.gestation());
    let weight = facts.weight(WeightStyle::Grams);
    let support = facts.support().split(',').next().unwrap_or_default();
    let bed = facts.bed();
    let rows: [FlowsheetRow<'_>; 5] = [
        ("Weight (g)", !weight.is_empty(), &|days| facts.weight_before(days).to_string()),
        ("Resp support", !support.is_empty(), &|_| support.to_owned()),
        ("Bed", !bed.is_empty(), &|_| bed.to_owned()),
        ("Void / stool", true, &|days| format!("{} / {}", 7 + days % 2, 3 + days % 3)),
        ("A/B/D events", true, &|days| (days % 2).to_string()),
    ];
    let (left, top, label_width, width, height) = (36.0, 146.0, 90.0, 90.0, 24.0);
    for column in 0..DAYS {
        let x = left + label_width + column as f32 * width;
        sheet.frame(x, top, width, height);
        let day = after(facts.written, column + 1 - DAYS);
        sheet.text(x + 6.0, top + 16.0, 9.0, Face::SansBold, &DateStyle::Slashes.write(day));
    }
    let mut y = top + height;
    for (label, given, value) in rows {
        if !given {
            continue;
        }
        sheet.frame(left, y, label_width, height);
        sheet.text(left + 4.0, y + 16.0, 9.0, Face::SansBold, label);
        for column in 0..DAYS {
            let x = left + label_width + column as f32 * width;
            sheet.frame(x, y, width, height);
            sheet.text(x + 4.0, y + 16.0, 8.5, Face::Wide, &value(DAYS - 1 - column));
        }
        y += height;
    }
    y += 30.0;
    for (label, text) in [
        ("Nutrition:", facts.feeding()),
        ("Meds:", facts.medications().to_owned()),
        ("D/C needs:", facts.discharge_needs().to_owned()),
        ("Next review due:", facts.next_review(DateStyle::Slashes)),
    ] {
        if !text.is_empty() {
            sheet.text(36.0, y, 9.5, Face::SansBold, label);
            y = sheet.paragraph((130.0, y), 440.0, 9.5, Face::Wide, &text) + 6.0;
        }
    }
    vec![sheet]
}

/// A sheet of numbered criteria, each met or not, in typewriter letters.
pub fn criteria_sheet<'f>(fonts: &'f Fonts, facts: &Facts<'_>, kind: DocumentType) -> Vec<Sheet<'f>> {
    let mut sheet = Sheet::new(fonts);
    let (plain, bold) = (Face::Mono, Face::MonoBold);
    sheet.text(36.0, 50.0, 11.0, bold, "NEWBORN CRITERIA WORKSHEET            ** REVIEW SUMMARY **");
    sheet.text(36.0, 66.0, 9.5, plain, &"=".repeat(94));
    let lines = [
        format!("Review type ...... {}", super::title(kind)),
        format!("Patient .......... {}", facts.patient(NameStyle::Capitals)),
        format!("DOB .............. {}     Sex {}", facts.dob(DateStyle::Slashes), facts.sex()),
        format!("Facility ......... {}", facts.facility()),
        format!("Record no. ....... {}", facts.mrn()),
        format!("Member no. ....... {}", facts.member_id()),
        format!("Case no. ......... {}", facts.case_id()),
        format!("Admit ............ {}", facts.admit_date(DateStyle::Slashes)),
        format!("Review date ...... {}", facts.today(DateStyle::Slashes)),
        format!("Level requested .. {}", facts.level()),
    ];
    let mut y = 86.0;
    for line in lines.iter().filter(|line| !line.trim_end().ends_with("..")) {
        sheet.text(36.0, y, 10.0, plain, line);
        y += 15.0;
    }
    y += 8.0;
    let weight = facts.weight(WeightStyle::Kilograms);
    let criteria = [
        ("N-110", "Weight and growth", if weight.is_empty() { String::new() } else { format!("current wt {weight}") }),
        ("N-120", "Thermal support", facts.bed().to_owned()),
        ("N-210", "Respiratory", facts.support().to_owned()),
        ("N-310", "Nutrition", facts.feeding()),
        ("N-410", "Medications", facts.medications().to_owned()),
        ("N-510", "Discharge screens", facts.discharge_needs().to_owned()),
    ];
    for (code, name, finding) in criteria {
        if finding.is_empty() {
            continue;
        }
        sheet.text(36.0, y, 10.0, bold, &format!("{code}  {name:<22} [X] MET  [ ] NOT MET"));
        y = sheet.paragraph((92.0, y + 14.0), 480.0, 9.5, plain, &finding) + 6.0;
    }
    sheet.text(
        36.0,
        y + 10.0,
        9.5,
        plain,
        &format!("Gestation {}   Birth wt {}", facts.gestation(), facts.birth_weight(WeightStyle::Kilograms)),
    );
    sheet.text(36.0, y + 26.0, 9.5, plain, &format!("Reviewer {}", facts.case.facility.reviewer));
    sheet.text(
        36.0,
        y + 42.0,
        9.5,
        plain,
        "End of worksheet. Criteria support, and do not replace, clinical judgment.",
    );
    vec![sheet]
}

/// A cover sheet that names nobody, then a nurse's running note; two pages.
pub fn cover_and_note<'f>(fonts: &'f Fonts, facts: &Facts<'_>, _kind: DocumentType) -> Vec<Sheet<'f>> {
    let mut cover = Sheet::new(fonts);
    cover.text(60.0, 130.0, 44.0, Face::SerifBold, "FAX");
    cover.rule(60.0, 146.0, 490.0);
    for (place, (label, value)) in [
        ("To:", "NICU care management"),
        ("Fax:", "1-866-555-0149"),
        ("From:", facts.case.facility.reviewer),
        ("Phone:", facts.case.facility.phone),
        ("Pages:", "2 including this cover"),
        ("Re:", "clinical update attached"),
    ]
    .into_iter()
    .enumerate()
    {
        let y = 190.0 + 28.0 * place as f32;
        cover.text(60.0, y, 13.0, Face::SerifBold, label);
        cover.text(140.0, y, 13.0, Face::Serif, value);
    }
    let notice = "CONFIDENTIAL: this transmission is meant only for the addressee named above and may hold health \
                  information protected by law. If you received it in error, call the sender at once and destroy it.";
    cover.paragraph((60.0, 640.0), 490.0, 10.0, Face::Serif, notice);

    let mut note = Sheet::new(fonts);
    note.text(60.0, 70.0, 13.0, Face::SerifBold, &format!("{} - clinical update", facts.facility()));
    let mut identity = format!("{}, DOB {}", facts.patient(NameStyle::LastFirst), facts.dob(DateStyle::Slashes));
    if !facts.mrn().is_empty() {
        identity.push_str(&format!(", MR {}", facts.mrn()));
    }
    if !facts.auth_number().is_empty() {
        identity.push_str(&format!(", auth # {}", facts.auth_number()));
    }
    note.text(60.0, 92.0, 11.5, Face::Serif, &identity);
    let mut text = format!(
        "{}. Mother is {}. Born at {}, birth weight {}, in our unit since {}.\n",
        facts.today(DateStyle::Long),
        facts.mother(NameStyle::FirstLast),
        facts.gestation(),
        facts.birth_weight(WeightStyle::Pounds),
        facts.admit_date(DateStyle::Slashes)
    );
    let weight = facts.weight(WeightStyle::Pounds);
    for (opening, value) in [
        ("Today's weight", weight),
        ("Baby is in:", facts.bed().to_owned()),
        ("Resp:", facts.support().to_owned()),
        ("Feeding:", facts.feeding()),
        ("Meds:", facts.medications().to_owned()),
        ("Social and discharge:", facts.discharge_needs().to_owned()),
    ] {
        if !value.is_empty() {
            text.push_str(&format!("{opening} {value}.\n"));
        }
    }
    text.push_str(&format!(
        "Requesting further days; will send the next review on {}.",
        facts.next_review(DateStyle::Slashes)
    ));
    let end = note.paragraph((60.0, 124.0), 490.0, 11.5, Face::Serif, &text);
    note.text(60.0, end + 20.0, 11.5, Face::Serif, facts.case.facility.reviewer);
    vec![cover, note]
}
