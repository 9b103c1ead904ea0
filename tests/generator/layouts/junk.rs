//! What arrives on a fax line and is no NICU document.

use nicufaxd::document::DocumentType;

use super::super::facts::Facts;
use super::super::sheet::{Face, Fonts, Sheet};

pub fn marketing<'f>(fonts: &'f Fonts, _facts: &Facts<'_>, _kind: DocumentType) -> Vec<Sheet<'f>> {
    let mut sheet = Sheet::new(fonts);
    sheet.black(40.0, 60.0, 532.0, 60.0);
    sheet.white_text(70.0, 100.0, 30.0, Face::SansBold, "COPIER TONER  -  50% OFF!");
    let text = "Office managers: order two cartridges this week and the third is free. All makes and models, delivery \
                tomorrow. Ask about our lease on multi-function copiers with no payment until summer.";
    sheet.paragraph((60.0, 170.0), 490.0, 17.0, Face::Sans, text);
    sheet.centre(380.0, 30.0, Face::SansBold, "CALL 1-800-555-0199 TODAY");
    sheet.centre(740.0, 8.0, Face::Sans, "To be removed from our list call 1-800-555-0198 and give your fax number.");
    vec![sheet]
}

/// Somebody else's patient, sent to the wrong number.
pub fn adult_record<'f>(fonts: &'f Fonts, _facts: &Facts<'_>, _kind: DocumentType) -> Vec<Sheet<'f>> {
    let mut sheet = Sheet::new(fonts);
    sheet.text(50.0, 60.0, 15.0, Face::SansBold, "Brightsedge Cardiology Associates");
    sheet.text(50.0, 78.0, 10.0, Face::Sans, "Consultation report");
    let text = "Patient: Rutherford Blakeney    DOB: 08/14/1951    Chart: 55-1093\n\
                Reason: exertional chest pressure in a 74-year-old retired machinist.\n\
                History: hypertension, type 2 diabetes, former smoker, knee replacement in 2019.\n\
                Medications: metoprolol 50 mg twice daily, atorvastatin 40 mg, metformin 1,000 mg.\n\
                Stress echocardiogram showed inferior wall hypokinesis. Plan: cardiac catheterization next week; \
                continue aspirin. Discussed risks with the patient and his wife.";
    sheet.paragraph((50.0, 116.0), 510.0, 11.5, Face::Sans, text);
    vec![sheet]
}

pub fn blank<'f>(fonts: &'f Fonts, _facts: &Facts<'_>, _kind: DocumentType) -> Vec<Sheet<'f>> {
    vec![Sheet::new(fonts)]
}
