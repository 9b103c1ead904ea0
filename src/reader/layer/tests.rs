//! Pages whose text is what the picture shows, and pages whose text lies.

use super::*;
use crate::reader::pdf::tests::{document, stream};
use crate::reader::render::{RenderLimits, RenderedPage, render_page};

const LINES: [&str; 9] = [
    "NICU CONCURRENT REVIEW for the day of 03/14/2026",
    "Patient: Okonkwo, Ada    MRN: 88104477",
    "Date of birth 04/02/2026 and admitted 04/03/2026",
    "Member ID ZQX440912233, authorization 7712004501",
    "Current weight 1985 g, gestational age 31 weeks and 6 days",
    "The infant is in an isolette on room air, with apnea twice in 24 hours",
    "Feeding 38 mL every 3 hours by gavage, fortified to 24 kcal per ounce",
    "Medications: caffeine citrate 10 mg daily, vitamin D 400 units",
    "Discharge needs: car seat test, pulse oximeter, visiting nurse",
];

/// These lines down a page, in this manner (`3 Tr`, `1 g`), from this many points above its bottom.
fn shown(lines: &[&str], manner: &str, top: usize) -> String {
    let show = |(at, line): (usize, &&str)| format!("BT {manner} /F1 11 Tf 72 {} Td ({line}) Tj ET\n", top - 22 * at);
    lines.iter().enumerate().map(show).collect()
}

/// A letter page of this content; `meaning`: what a font says that its characters mean.
fn rendered(content: &str, meaning: Option<&str>) -> RenderedPage {
    let unicode = if meaning.is_some() { "/ToUnicode 5 0 R" } else { "" };
    let font = format!("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding {unicode} >>");
    let sheet = format!(
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 {font} >> >> /Contents 4 0 R >>"
    );
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        sheet.into_bytes(),
        stream("", content.as_bytes()),
    ];
    objects.extend(meaning.map(|meaning| stream("", meaning.as_bytes())));
    render_page(&document(&objects, ""), 1, &RenderLimits::default()).unwrap()
}

fn read(page: &RenderedPage) -> (LayerReading, bool) {
    let layer = page.layer.as_ref().unwrap();
    let mut engine = Engine::start("eng", None).unwrap();
    let reading = layer.read(&page.picture, &mut engine).unwrap().unwrap();
    let agrees = !reading.is_contradicted && layer.agrees(&reading.words);
    (reading, agrees)
}

fn text(reading: &LayerReading) -> Vec<String> {
    let rows = reading.words.last().map_or(0, |word| word.line + 1);
    let row = |line| {
        let words = reading.words.iter().filter(|word| word.line == line);
        words.map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    };
    (0..rows).map(row).collect()
}

fn plain_lines() -> Vec<String> {
    LINES.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn text_that_the_picture_shows_is_taken_as_it_stands() {
    let page = rendered(&shown(&LINES, "0 g", 700), None);
    let (reading, agrees) = read(&page);
    assert!(reading.by_layer && agrees);
    assert_eq!(text(&reading), plain_lines());
    let number = reading.words.iter().find(|word| word.text == "88104477").unwrap();
    let ink = |y: u32| page.picture.row(y).iter().skip(number.bounds.left as usize).take(number.bounds.width as usize);
    assert!((number.bounds.top..number.bounds.bottom()).any(|y| ink(y).any(|&pixel| pixel < 128)));
    assert!(ink(number.bounds.top - 4).chain(ink(number.bounds.bottom() + 3)).all(|&pixel| pixel > 128));
}

#[test]
fn hidden_text_about_another_baby_is_not_read_and_is_told_of() {
    let other = ["Patient: Lindqvist, Otto", "MRN: 55203911", "Member ID HJK771203948"];
    for manner in ["3 Tr", "0 Tr 1 g"] {
        let content = format!("{}{}", shown(&LINES, "0 Tr 0 g", 700), shown(&other, manner, 400));
        let (reading, agrees) = read(&rendered(&content, None));
        assert_eq!(text(&reading), plain_lines(), "{manner}");
        assert!(!agrees, "{manner}");
    }
    // Beyond the paper's edge nobody sees it either.
    let beyond = format!("{}BT /F1 11 Tf 700 400 Td (MRN: 55203911) Tj ET", shown(&LINES, "0 g", 700));
    let (reading, agrees) = read(&rendered(&beyond, None));
    assert_eq!(text(&reading), plain_lines());
    assert!(!agrees);
}

#[test]
fn what_is_pasted_over_text_is_what_is_read() {
    let over = "1 g 72 670 300 20 re f\nBT 0 g /F1 11 Tf 72 678 Td (Patient: Lindqvist, Otto MRN: 55203911) Tj ET\n";
    let (reading, agrees) = read(&rendered(&format!("{}{over}", shown(&LINES, "0 g", 700)), None));
    let text = text(&reading).join("\n");
    assert!(text.contains("55203911") && text.contains("Lindqvist"), "{text}");
    assert!(!text.contains("88104477") && !text.contains("Okonkwo"), "{text}");
    assert!(!agrees);
}

#[test]
fn a_font_that_says_seven_and_shows_one_is_not_believed() {
    let meaning = "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n\
        /CMapName /Lie def /CMapType 2 def 1 begincodespacerange <00> <FF> endcodespacerange\n\
        2 beginbfrange <20> <30> <0020> <32> <7E> <0032> endbfrange\n\
        1 beginbfchar <31> <0037> endbfchar endcmap end end";
    let (reading, agrees) = read(&rendered(&shown(&LINES, "0 g", 700), Some(meaning)));
    let text = text(&reading).join("\n");
    assert!(text.contains("88104477") && !text.contains("88704477"), "{text}");
    assert!(!agrees, "{text}");
}

#[test]
fn a_page_on_its_side_is_left_to_recognition() {
    let turned = "q 0 1 -1 0 612 0 cm\n".to_owned() + &shown(&LINES, "0 g", 500) + "Q";
    let page = rendered(&turned, None);
    let mut engine = Engine::start("eng", None).unwrap();
    assert!(page.layer.as_ref().unwrap().read(&page.picture, &mut engine).unwrap().is_none());
}
