//! What one document says of one baby. Asking for a fact in order to print it also writes it into the truth, so
//! that the truth holds exactly what stands on the paper.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use nicufaxd::document::ReviewElement;
use serde_json::Value;

use super::random::Random;
use super::registry::{Case, Facility, TODAY, after};

/// How a hospital writes dates.
#[derive(Clone, Copy, Debug)]
pub enum DateStyle {
    /// 03/09/2026
    Slashes,
    /// 3/9/26
    Short,
    /// 09-Mar-2026
    Dashes,
    /// March 9, 2026
    Long,
}

impl DateStyle {
    pub fn write(self, date: Date) -> String {
        let pattern = match self {
            Self::Slashes => "%m/%d/%Y",
            Self::Short => "%-m/%-d/%y",
            Self::Dashes => "%d-%b-%Y",
            Self::Long => "%B %-d, %Y",
        };
        date.strftime(pattern).to_string()
    }
}

/// How a hospital writes names.
#[derive(Clone, Copy, Debug)]
pub enum NameStyle {
    /// Nettleton, Baby Boy A
    LastFirst,
    /// NETTLETON,BABYBOY A
    Capitals,
    /// Baby Boy A Nettleton
    FirstLast,
}

/// How a hospital writes weights.
#[derive(Clone, Copy, Debug)]
pub enum WeightStyle {
    Grams,
    Kilograms,
    Pounds,
}

impl WeightStyle {
    fn write(self, grams: i64) -> String {
        match self {
            Self::Grams => format!("{grams} g"),
            Self::Kilograms => format!("{:.3} kg", grams as f64 / 1000.0),
            Self::Pounds => {
                let ounces = grams as f64 / 28.3495;
                let pounds = (ounces / 16.0).floor();
                format!("{pounds:.0} lb {:.1} oz", (ounces - pounds * 16.0).min(15.9))
            }
        }
    }
}

/// Facts that may be kept off the paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Marks {
    /// All that the case has.
    #[default]
    All,
    /// No authorization, member or case number, as most faxes.
    RecordNumberOnly,
    /// Nothing that tells a twin from the other: no numbers, no letter, no own name.
    None,
}

/// Breathing support, as (normal form, as printed).
const SUPPORT: [(&str, &str); 6] = [
    ("room_air", "room air, sats 97-100%"),
    ("nc", "nasal cannula 0.25 L/min, FiO2 0.21"),
    ("hfnc", "HFNC 3 L/min, FiO2 0.24"),
    ("cpap", "bubble CPAP +5, FiO2 0.23"),
    ("nippv", "NIPPV rate 30, 18/6, FiO2 0.30"),
    ("vent", "conventional ventilator SIMV, rate 35, FiO2 0.38"),
];

/// What the document knows of the baby on the day it was written.
pub struct Facts<'a> {
    pub case: &'a Case,
    pub marks: Marks,
    pub omitted: Vec<ReviewElement>,
    /// The day the document was written.
    pub written: Date,
    pub receiving: Option<&'static Facility>,
    /// Steadiness of the invented values.
    pub random: RefCell<Random>,
    printed: RefCell<BTreeMap<&'static str, Value>>,
    elements: RefCell<BTreeSet<ReviewElement>>,
}

impl<'a> Facts<'a> {
    pub fn new(case: &'a Case, seed: u64) -> Self {
        Self {
            case,
            marks: Marks::All,
            omitted: Vec::new(),
            written: TODAY,
            receiving: None,
            random: RefCell::new(Random::new(seed)),
            printed: RefCell::default(),
            elements: RefCell::default(),
        }
    }

    /// The fields printed so far, by their export name.
    pub fn printed(&self) -> BTreeMap<&'static str, Value> {
        self.printed.borrow().clone()
    }

    /// The review elements that were not printed, in the contract's order.
    pub fn missing(&self) -> Vec<ReviewElement> {
        use ReviewElement::{BedType, DischargeNeeds, Fen, Meds, Resp, Weight};
        let given = self.elements.borrow();
        [Weight, BedType, Resp, Fen, Meds, DischargeNeeds]
            .into_iter()
            .filter(|element| !given.contains(element))
            .collect()
    }

    fn print(&self, field: &'static str, value: impl Into<Value>) {
        self.printed.borrow_mut().insert(field, value.into());
    }

    fn print_date(&self, field: &'static str, date: Date, style: DateStyle) -> String {
        self.print(field, date.to_string());
        style.write(date)
    }

    /// Whether this element is on the paper; notes it if so.
    fn gives(&self, element: ReviewElement) -> bool {
        let given = !self.omitted.contains(&element);
        if given {
            self.elements.borrow_mut().insert(element);
        }
        given
    }

    pub fn patient(&self, style: NameStyle) -> String {
        let case = self.case;
        let generic =
            case.first_name.starts_with("Baby") || case.first_name == "Girl" || case.first_name.starts_with("Bebe");
        let first = match self.marks {
            Marks::None => if case.sex == "M" { "Baby Boy" } else { "Baby Girl" }.to_owned(),
            // A twin with a name of its own is told by the name.
            Marks::All | Marks::RecordNumberOnly => case.first_name.to_owned(),
        };
        let name = match style {
            NameStyle::LastFirst => format!("{}, {first}", case.last_name),
            NameStyle::FirstLast => format!("{first} {}", case.last_name),
            NameStyle::Capitals => {
                let first = if generic { first.replacen("Baby ", "Baby", 1) } else { first };
                format!("{},{first}", case.last_name).to_uppercase()
            }
        };
        self.print("patient_name", name.clone());
        name
    }

    pub fn dob(&self, style: DateStyle) -> String {
        self.print_date("dob", self.case.dob, style)
    }

    pub fn sex(&self) -> &'static str {
        self.print("sex", self.case.sex);
        self.case.sex
    }

    pub fn sex_word(&self) -> &'static str {
        self.print("sex", self.case.sex);
        if self.case.sex == "M" { "Male" } else { "Female" }
    }

    /// Empty when kept off the paper; so the three below.
    pub fn mrn(&self) -> &str {
        self.number("mrn", &self.case.mrn, self.marks != Marks::None)
    }

    pub fn member_id(&self) -> &str {
        self.number("member_id", &self.case.member_id, self.marks == Marks::All)
    }

    pub fn auth_number(&self) -> &str {
        self.number("auth_number", &self.case.auth_number, self.marks == Marks::All)
    }

    pub fn case_id(&self) -> &str {
        self.number("case_id", &self.case.case_id, self.marks == Marks::All)
    }

    fn number<'b>(&self, field: &'static str, value: &'b str, shown: bool) -> &'b str {
        if shown && !value.is_empty() {
            self.print(field, value);
            value
        } else {
            ""
        }
    }

    pub fn facility(&self) -> &'static str {
        self.print("facility", self.case.facility.name);
        self.case.facility.name
    }

    pub fn mother(&self, style: NameStyle) -> String {
        let (first, last) = (self.case.mother_first, self.case.mother_last);
        let name = match style {
            NameStyle::LastFirst => format!("{last}, {first}"),
            NameStyle::FirstLast => format!("{first} {last}"),
            NameStyle::Capitals => format!("{last},{first}").to_uppercase(),
        };
        self.print("mother_name", name.clone());
        name
    }

    pub fn admit_date(&self, style: DateStyle) -> String {
        self.print_date("admit_date", self.case.admit_date, style)
    }

    pub fn discharge_date(&self, style: DateStyle) -> String {
        self.print_date("discharge_date", self.written, style)
    }

    pub fn transfer_date(&self, style: DateStyle) -> String {
        self.print_date("transfer_date", self.written, style)
    }

    pub fn readmit_date(&self, style: DateStyle) -> String {
        self.print_date("readmit_date", self.written, style)
    }

    pub fn next_review(&self, style: DateStyle) -> String {
        self.print_date("next_review_date", after(self.written, 4), style)
    }

    /// The day the document was written; not a field.
    pub fn today(&self, style: DateStyle) -> String {
        style.write(self.written)
    }

    pub fn receiving(&self) -> &'static Facility {
        let facility = self.receiving.unwrap_or(self.case.facility);
        self.print("receiving_facility", facility.name);
        facility
    }

    pub fn birth_weight(&self, style: WeightStyle) -> String {
        self.print("birth_weight_g", self.case.birth_weight_g);
        style.write(self.case.birth_weight_g)
    }

    /// `30w6d` in the truth, `30 6/7 weeks` on paper.
    pub fn gestation(&self) -> String {
        let (weeks, days) = (self.case.gestation_days / 7, self.case.gestation_days % 7);
        self.print("gestational_age", format!("{weeks}w{days}d"));
        format!("{weeks} {days}/7 weeks")
    }

    pub fn days_old(&self) -> i64 {
        self.case.dob.until(self.written).map_or(0, |span| i64::from(span.get_days()))
    }

    /// Weight some days before the document was written; not the current one, so not a field.
    pub fn weight_before(&self, days: i64) -> i64 {
        let age = (self.days_old() - days).max(0);
        // A loss of some percent in the first days, then 21 g a day.
        let loss = self.case.birth_weight_g * age.min(3) / 50;
        self.case.birth_weight_g - loss + 21 * (age - 3).max(0)
    }

    /// Empty when kept off the paper; so the ones below.
    pub fn weight(&self, style: WeightStyle) -> String {
        if !self.gives(ReviewElement::Weight) {
            return String::new();
        }
        self.print("weight_g", self.weight_before(0));
        style.write(self.weight_before(0))
    }

    pub fn bed(&self) -> &'static str {
        if !self.gives(ReviewElement::BedType) {
            return "";
        }
        let (kind, words) = match (self.weight_before(0), self.days_old(), self.support_step()) {
            (_, 0..=1, _) => ("radiant_warmer", "radiant warmer"),
            (1800.., _, 0..=2) => ("open_crib", "open crib"),
            _ => ("isolette", "isolette"),
        };
        self.print("bed_type", kind);
        words
    }

    /// The older, counted from conception, the less support.
    fn support_step(&self) -> usize {
        let maturity = self.case.gestation_days + self.days_old();
        ((252 - maturity).max(0) / 6).min(5) as usize
    }

    pub fn support(&self) -> &'static str {
        if !self.gives(ReviewElement::Resp) {
            return "";
        }
        let (kind, words) = SUPPORT[self.support_step()];
        self.print("resp_support", kind);
        words
    }

    pub fn feeding(&self) -> String {
        if !self.gives(ReviewElement::Fen) {
            return String::new();
        }
        let maturity = self.case.gestation_days + self.days_old();
        let percent = ((maturity - 232) * 3).clamp(0, 100);
        self.print("po_percent", percent);
        let volume = self.weight_before(0) * 150 / 8 / 1000;
        match percent {
            0 => format!("NG feeds {volume} mL q3h fortified breast milk 24 kcal/oz over 45 min; PO 0%"),
            100 => "ad lib PO feeds, 100% PO in the past 24 h, breast milk 22 kcal/oz".to_owned(),
            _ => {
                format!("PO/NG feeds {volume} mL q3h fortified breast milk 24 kcal/oz; PO {percent}% of volume in 24 h")
            }
        }
    }

    pub fn medications(&self) -> &'static str {
        const CHOICES: [&str; 4] = [
            "caffeine citrate 10 mg/kg daily; vitamin D 400 IU daily; ferrous sulfate 2 mg/kg",
            "poly-vi-sol with iron 0.5 mL daily; last caffeine dose 6 days ago",
            "ampicillin and gentamicin day 2 of rule-out sepsis; caffeine load given",
            "vitamin D 400 IU daily, chlorothiazide 20 mg/kg twice daily",
        ];
        if !self.gives(ReviewElement::Meds) {
            return "";
        }
        CHOICES[self.random.borrow_mut().below(CHOICES.len())]
    }

    pub fn discharge_needs(&self) -> &'static str {
        const CHOICES: [&str; 4] = [
            "car seat test and CPR class before home; parents visiting daily; social work following",
            "anticipate home in 2-3 weeks; needs hearing screen, pediatrician appointment, WIC referral",
            "mother rooming in on weekend; VNA referral placed; early intervention paperwork given",
            "home oxygen teaching to begin when closer to term; lives with both parents and grandmother",
        ];
        if !self.gives(ReviewElement::DischargeNeeds) {
            return "";
        }
        CHOICES[self.random.borrow_mut().below(CHOICES.len())]
    }

    pub fn level(&self) -> String {
        let level = self.case.level_of_care.to_string();
        self.print("level_of_care", level.clone());
        level
    }
}
