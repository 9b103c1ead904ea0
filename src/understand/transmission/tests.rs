//! Header lines of many makers, well read and badly, and what follows from them.

use jiff::civil::date;

use super::*;
use crate::testing::reading_of;

const BODY: &str = "\n\nLakeview Hospital\nNICU WEEKLY CLINICAL REVIEW\nBaby's name: Okonkwo, Ada   Birth date: 4/2/2027\nMRN: 88104477";

fn of(heads: &[&str]) -> Transmission {
    let pages: Vec<String> = heads.iter().map(|head| format!("{head}{BODY}")).collect();
    Transmission::of(&reading_of(&pages), &Lexicon::new())
}

/// Pages 1 to `last` of `of`, by a style in which {n} and {m} stand for them.
fn numbered(style: &str, pages: &[u32], total: u32) -> Transmission {
    let heads: Vec<String> =
        pages.iter().map(|page| style.replace("{n}", &page.to_string()).replace("{m}", &total.to_string())).collect();
    of(&heads.iter().map(String::as_str).collect::<Vec<_>>())
}

fn text(transmission: &Transmission, name: &str) -> Option<String> {
    transmission.fields().get(name).map(|field| field.value.to_string())
}

const PLAIN: &str = "04/14/2027 10:48 FROM: LAKEVIEW 6175550134 TO: 18663035749 P.00{n}/00{m}";

#[test]
fn each_makers_line_tells_sender_station_time_and_pages() {
    // Style, sender, station.
    let styles = [
        (
            "04/14/2027 15:04 FROM: LAKEVIEW 6175550134 TO: 18663035749 P.00{n}/00{m}",
            Some("6175550134"),
            Some("LAKEVIEW"),
        ),
        (
            "APR-14-2027 15:04 From:LAKEVIEW 6175550134 To:18663035749 Page:{n}/{m}",
            Some("6175550134"),
            Some("LAKEVIEW"),
        ),
        (
            "From:Lakeview Medical Center To: 18663035749 04/14/27 03:04 PM Page: {n}/{m}",
            None,
            Some("Lakeview Medical Center"),
        ),
        (
            "2027-04-14 15:04 FAX 617-555-0134 LVMC NICU UR 866 303 5749 000{n}/000{m}",
            Some("6175550134"),
            Some("LVMC NICU UR"),
        ),
        ("APR 14, 2027 03:04PM 617-555-0134 -> 18663035749 pg {n} of {m}", Some("6175550134"), None),
        (
            "Apr 14 2027 3:04PM LAKEVIEW HOSPITAL 617-555-0134 page {n} of {m}",
            Some("6175550134"),
            Some("LAKEVIEW HOSPITAL"),
        ),
        ("4/14/2027 3:04:33 PM LAKEVIEW NICU PAGE {n}/00{m} Fax Server", None, Some("LAKEVIEW NICU")),
        ("From: (617) 555-0134 Page: {n}/{m} Date: 4/14/2027 3:04:33 PM", Some("6175550134"), None),
        ("04/14/2027 15:04 FAX +1 617 555 0134 LAKEVIEW @00{n}/00{m}", Some("6175550134"), Some("LAKEVIEW")),
        ("APR.14.2027 15:04 6175550134 LAKEVIEW #1234 P.00{n}/00{m}", Some("6175550134"), Some("LAKEVIEW")),
        ("14 Apr 2027 15:04 LAKEVIEW No.1234 6175550134 P. {n}/{m}", Some("6175550134"), Some("LAKEVIEW")),
    ];
    for (style, sender, station) in styles {
        let told = numbered(style, &[1, 2, 3], 3);
        assert_eq!(told.sender(), sender, "{style}");
        assert_eq!(text(&told, "fax_station").as_deref(), station, "{style}");
        assert_eq!(text(&told, "fax_sent_date").as_deref(), Some("2027-04-14"), "{style}");
        assert_eq!(text(&told, "fax_sent_time").as_deref(), Some("15:04"), "{style}");
        assert_eq!(told.pages(), Some(3), "{style}");
        assert!(told.flags().is_empty(), "{style}: {:?}", told.flags());
    }
}

#[test]
fn what_recognition_makes_of_a_digit_is_forgiven() {
    let lines = ["P.OO1/0O3", "pP.0O2/003", "P,003/003"].map(|page| PLAIN.replace("P.00{n}/00{m}", page));
    let told = of(&lines.each_ref().map(String::as_str));
    assert_eq!((told.pages(), told.flags()), (Some(3), Vec::new()));
    let words = ["pg i of 3", "pg 2 0f 3", "pg 3 of 3"].map(|page| PLAIN.replace("P.00{n}/00{m}", page));
    let told = of(&words.each_ref().map(String::as_str));
    assert_eq!((told.pages(), told.flags()), (Some(3), Vec::new()));
}

#[test]
fn pages_that_did_not_arrive_are_named() {
    assert_eq!(numbered(PLAIN, &[1, 2, 3, 4, 5], 7).flags(), ["missing_pages: 6-7 of 7"]);
    assert_eq!(numbered(PLAIN, &[1, 2, 4, 5], 5).flags(), ["missing_pages: 3 of 5"]);
    assert_eq!(numbered(PLAIN, &[2, 3], 3).flags(), ["missing_pages: 1 of 3"]);
    assert_eq!(numbered(PLAIN, &[1], 4).flags(), ["missing_pages: 2-4 of 4"]);
}

#[test]
fn a_page_whose_line_was_not_read_may_be_any() {
    let line = |page: u32, total: u32| PLAIN.replace("{n}", &page.to_string()).replace("{m}", &total.to_string());
    let lines = |pages: &[Option<u32>], total: u32| {
        let heads: Vec<String> =
            pages.iter().map(|page| page.map_or(String::new(), |page| line(page, total))).collect();
        of(&heads.iter().map(String::as_str).collect::<Vec<_>>()).flags()
    };
    assert!(lines(&[Some(1), None, Some(3)], 3).is_empty());
    assert!(lines(&[None, Some(2), Some(3)], 3).is_empty());
    assert!(lines(&[Some(1), Some(2), None], 3).is_empty());
    assert_eq!(lines(&[Some(1), Some(2), None], 5), ["missing_pages: 2 of 5, which is not told"]);
}

#[test]
fn doubled_pages_and_pages_out_of_order_are_named() {
    assert_eq!(numbered(PLAIN, &[1, 2, 2, 3], 3).flags(), ["doubled_pages: 2 (p2,3)"]);
    assert_eq!(numbered(PLAIN, &[3, 2, 1], 3).flags(), ["pages_out_of_order: 3,2,1"]);
}

#[test]
fn a_line_that_no_other_page_confirms_is_not_believed() {
    let told = of(&["", &PLAIN.replace("{n}", "3").replace("{m}", "9"), ""]);
    assert_eq!((told.sender(), told.pages(), told.flags()), (None, None, Vec::new()));
    let torn = of(&[
        &PLAIN.replace("{n}", "1").replace("{m}", "3"),
        &PLAIN.replace("{n}", "2").replace("{m}", "8"),
        &PLAIN.replace("{n}", "3").replace("{m}", "3"),
    ]);
    assert_eq!((torn.pages(), torn.flags()), (Some(3), Vec::new()));
}

#[test]
fn what_was_hardly_read_counts_for_nothing() {
    let mut reading = reading_of(&[format!("{}{BODY}", PLAIN.replace("{n}", "1").replace("{m}", "4"))]);
    let mark = reading.pages[0].words.iter_mut().find(|word| word.text.starts_with("P.")).unwrap();
    mark.confidence = 0.5;
    let told = Transmission::of(&reading, &Lexicon::new());
    assert_eq!((told.pages(), told.flags()), (None, Vec::new()));
    // The sender was not read, the number that was dialled was.
    let dialled = "2027-04-14 15:04 FAX SOL-999-O1A0 LVMC 866 303 5749 000{n}/000{m}";
    assert_eq!(numbered(dialled, &[1, 2], 2).sender(), None);
}

#[test]
fn a_line_down_the_side_of_a_turned_page_takes_nothing_off_the_paper() {
    let mut reading = reading_of(&[format!(
        "{}{BODY}\n\n\nWeight today 1264 g 3/9/2027",
        PLAIN.replace("{n}", "1").replace("{m}", "1")
    )]);
    for word in reading.pages[0].words.iter_mut().filter(|word| word.line == 0) {
        let along = word.bounds.left;
        word.bounds = crate::document::Bounds { left: 8, top: 2_000 - along, width: 19, height: word.bounds.width };
    }
    let told = Transmission::of(&reading, &Lexicon::new());
    assert!(told.taken_off(&reading).pages[0].text().ends_with("Weight today 1264 g 3/9/2027"));
}

#[test]
fn the_forms_own_page_numbers_are_not_the_transmissions() {
    // Five pages arrived of a form of two and one of three.
    let footed = |page: u32, own: &str| {
        format!("{}{BODY}\n{}Page {own}", PLAIN.replace("{n}", &page.to_string()).replace("{m}", "5"), "\n".repeat(44))
    };
    let pages =
        [footed(1, "1 of 2"), footed(2, "2 of 2"), footed(3, "1 of 3"), footed(4, "2 of 3"), footed(5, "3 of 3")];
    let told = Transmission::of(&reading_of(&pages), &Lexicon::new());
    assert_eq!((told.pages(), told.flags()), (Some(5), Vec::new()));
    let epic = "Okonkwo, Ada (MRN: 88104477) DOB: 4/2/2027 Printed 4/14/2027 10:32 AM Page {n} of {m}";
    assert_eq!(numbered(epic, &[1, 2], 7), Transmission { arrived: 2, ..Transmission::default() });
}

#[test]
fn numbers_that_begin_anew_are_another_transmission() {
    let line = |page: u32, total: u32, time: &str| {
        PLAIN.replace("{n}", &page.to_string()).replace("{m}", &total.to_string()).replace("10:48", time)
    };
    let lines =
        [line(1, 2, "10:48"), line(2, 2, "10:48"), line(1, 3, "11:02"), line(2, 3, "11:02"), line(3, 3, "11:02")];
    let told = of(&lines.each_ref().map(String::as_str));
    assert_eq!((told.restarts(), told.flags()), ([3].as_slice(), vec!["page_numbers_restart: p3".to_owned()]));
}

#[test]
fn what_the_machine_burned_in_is_taken_off_and_the_rest_stays() {
    let reading = reading_of(&[format!("{}{BODY}", PLAIN.replace("{n}", "1").replace("{m}", "1"))]);
    let told = Transmission::of(&reading, &Lexicon::new());
    let page = &told.taken_off(&reading).pages[0];
    let rest = page.text();
    assert!(rest.starts_with("LAKEVIEW\nLakeview Hospital\nNICU WEEKLY"), "{rest}");
    assert!(rest.ends_with("MRN: 88104477"), "{rest}");
    assert_eq!((told.sent_on(), told.sender()), (Some(date(2027, 4, 14)), Some("6175550134")));
    assert_eq!(told.received(date(2027, 4, 20)), date(2027, 4, 20));
    assert_eq!(told.received(date(2027, 9, 20)), date(2027, 4, 14));
}

#[test]
fn a_paper_without_a_header_line_keeps_all_its_words() {
    let reading = reading_of(&["NICU review 4/14/2027 10:15\nTel 617-555-0134\nBaby Okonkwo", "Page 2 of 2"]);
    let told = Transmission::of(&reading, &Lexicon::new());
    assert_eq!(told.taken_off(&reading), reading);
    assert!(told.flags().is_empty() && told.fields().is_empty());
}

#[test]
fn a_telephone_is_the_same_however_it_is_written() {
    assert!(same_telephone("6175550134", "+1 (617) 555-0134"));
    assert!(!same_telephone("6175550134", "6175550135"));
}
