//! The exported files as nurses and other programs find them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::*;
use crate::archive::event::Event;
use crate::archive::{Arrival, Content, OpenOptions};
use crate::document::{
    Bounds, Candidate, DocumentId, DocumentType, Field, FieldValue, Match, MatchStatus, Receipt, ReviewElement,
};
use crate::queue::item::ItemState;

fn item(bytes: &[u8], due_at: Option<&str>) -> QueueItem {
    let field = |value| Field {
        value,
        confidence: 0.97,
        page: 1,
        bounds: Bounds { left: 210, top: 388, width: 190, height: 31 },
    };
    let candidate = Candidate { case_id: "UM0123".into(), score: 21.4, reasons: vec!["mrn exact p1".into()] };
    QueueItem {
        routing: None,
        clock: None,
        claimed: None,
        asked: None,
        amended_by: None,
        id: ItemId::new(&DocumentId::of(bytes), 1),
        source: "secure-fax".into(),
        source_file: "0042.tif".into(),
        sender: Some("6175550134".into()),
        received_at: "2026-03-16T13:12:00Z".parse().unwrap(),
        pages: 3,
        page_range: [1, 3],
        document_type: DocumentType::ConcurrentReview,
        type_confidence: 0.98,
        transfer_direction: None,
        link: Match {
            status: MatchStatus::Matched,
            case_id: Some("UM0123".into()),
            score: 21.4,
            reasons: vec!["mrn exact p1".into(), "dob exact p1".into()],
            candidates: vec![candidate],
        },
        fields: BTreeMap::from([
            ("patient_name".into(), field(FieldValue::Text("Smith, Baby Girl A".into()))),
            ("dob".into(), field(FieldValue::Date(jiff::civil::date(2026, 2, 7)))),
            ("weight_g".into(), field(FieldValue::Number(1840))),
            ("apgar".into(), field(FieldValue::Text("8/9".into()))),
        ]),
        missing: vec![ReviewElement::BedType, ReviewElement::DischargeNeeds],
        duplicate_of: None,
        flags: vec!["received_with_errors".into()],
        lane: "um".into(),
        priority: "urgent".into(),
        due_at: due_at.map(|due| due.parse().unwrap()),
        due_rule: Some("urgent-concurrent-commercial".into()),
        assigned_to: Some("R. Nurse".into()),
        state: ItemState::Open,
        type_reasons: vec![],
        arrivals: 1,
    }
}

fn written(items: Vec<QueueItem>) -> (tempfile::TempDir, [String; 3]) {
    let folder = tempfile::tempdir().unwrap();
    write(&worklist(folder.path()), items.into_iter()).unwrap();
    let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
    let files = [read("queue.jsonl"), read("queue.csv"), read("index.html")];
    (folder, files)
}

fn cells(csv: &str) -> Vec<BTreeMap<String, String>> {
    ::csv::Reader::from_reader(csv.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap()
}

fn worklist(folder: &Path) -> Worklist {
    Worklist { folder: folder.to_owned(), zone: TimeZone::fixed(jiff::tz::offset(-4)), group: None, items: true }
}

/// Writes the three files, of these items.
fn write(worklist: &Worklist, items: impl Iterator<Item = QueueItem>) -> Result<(), ExportError> {
    let mut sheets = Sheets::new(worklist)?;
    for item in items {
        sheets.add(&item)?;
    }
    sheets.write(clock::now()).map(|_items| ())
}

#[test]
fn the_items_stand_in_all_three_files_in_the_order_in_which_they_fall_due() {
    let (none, late, soon) =
        (item(b"1", None), item(b"2", Some("2026-03-18T13:12:00Z")), item(b"3", Some("2026-03-17T13:12:00Z")));
    let [json, csv, html] = written(vec![none.clone(), late.clone(), soon.clone()]).1;
    let lines: Vec<QueueItem> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, [soon.clone(), late.clone(), none.clone()]);
    let ids: Vec<String> = cells(&csv).into_iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids, [soon.id.to_string(), late.id.to_string(), none.id.to_string()]);
    let places: Vec<usize> = ids.iter().map(|id| html.find(id.as_str()).unwrap()).collect();
    assert!(places.is_sorted());
}

#[test]
fn a_row_holds_the_whole_item_flattened() {
    let csv = written(vec![item(b"1", Some("2026-03-17T13:12:00Z"))]).1[1].clone();
    let row = cells(&csv).remove(0);
    for (column, cell) in [
        ("document_type", "concurrent_review"),
        ("type_confidence", "0.98"),
        ("transfer_direction", ""),
        ("match_status", "matched"),
        ("case_id", "UM0123"),
        ("printed_case_id", ""),
        ("score", "21.4"),
        ("reasons", "mrn exact p1; dob exact p1"),
        ("candidates", "UM0123"),
        ("patient_name", "Smith, Baby Girl A"),
        ("dob", "2026-02-07"),
        ("weight_g", "1840"),
        ("other_fields", "apgar=8/9"),
        ("missing", "bed_type; discharge_needs"),
        ("flags", "received_with_errors"),
        ("due_at", "2026-03-17T09:12:00-04:00"),
        ("state", "open"),
        ("page_first", "1"),
        ("page_last", "3"),
        ("duplicate_of", ""),
    ] {
        assert_eq!(row[column], cell, "{column}");
    }
}

#[test]
fn a_document_cannot_put_a_formula_into_a_spreadsheet() {
    for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"] {
        let mut bad = item(b"1", None);
        bad.sender = Some(formula.into());
        bad.source_file = formula.into();
        bad.flags = vec![formula.into()];
        bad.link.case_id = Some(formula.into());
        if let Some(field) = bad.fields.get_mut("patient_name") {
            field.value = FieldValue::Text(formula.into());
        }
        bad.link.score = -3.5;
        let row = cells(&written(vec![bad]).1[1]).remove(0);
        for column in ["sender", "source_file", "flags", "case_id", "patient_name"] {
            assert_eq!(row[column], format!("'{formula}"), "{column}");
        }
        assert_eq!(row["score"], "-3.5");
    }
}

#[test]
fn a_document_cannot_break_out_of_a_line_a_row_or_the_page() {
    let hostile = "\"><script>alert(1)</script>\n{\"id\": 1},x;'&";
    let mut bad = item(b"1", None);
    bad.source_file = hostile.into();
    bad.flags = vec![hostile.into()];
    bad.link.reasons = vec![hostile.into()];
    bad.assigned_to = Some(hostile.into());
    bad.priority = hostile.into();
    if let Some(field) = bad.fields.get_mut("patient_name") {
        field.value = FieldValue::Text(hostile.into());
    }
    let [json, csv, html] = written(vec![bad.clone()]).1;
    assert_eq!(json.lines().count(), 1);
    assert_eq!(serde_json::from_str::<QueueItem>(&json).unwrap(), bad);
    assert_eq!(cells(&csv).len(), 1);
    assert_eq!(cells(&csv)[0]["patient_name"], hostile);
    assert!(!html.contains("<script"));
    assert!(html.contains("&lt;script&gt;"));
}

#[test]
fn an_export_that_fails_leaves_the_last_one() {
    let (folder, before) = written(vec![item(b"1", None)]);
    // Another's folder stands where the last of the three would be written.
    fs::create_dir(folder.path().join(".index.html.new")).unwrap();
    let error = write(&worklist(folder.path()), std::iter::empty()).unwrap_err();
    assert!(matches!(&error, ExportError::File { file, .. } if file == "index.html"), "{error}");
    let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!([read("queue.jsonl"), read("queue.csv"), read("index.html")], before);
}

#[test]
fn an_empty_queue_is_an_empty_list_with_its_heads() {
    let [json, csv, html] = written(vec![]).1;
    assert_eq!(json, "");
    assert_eq!(csv.lines().count(), 1);
    assert!(html.contains("0 items wait") && html.ends_with("</html>\n"));
}

#[tokio::test]
async fn what_changed_before_the_stop_is_exported_still() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(&root.path().join("state"), &OpenOptions::plain()).unwrap();
    let (stop, stopped) = watch::channel(false);
    let folder = root.path().join("worklist");
    let exporter = tokio::spawn(run_exporter(worklist(&folder), archive.clone(), archive.watch_items(), stopped));

    let item = item(b"II*\0", None);
    let receipt = Receipt::new(item.source.clone(), item.source_file.clone(), item.received_at);
    let arrival = Arrival { content: Content::Bytes(b"II*\0".to_vec()), receipt, source_key: "key".into() };
    let document = archive.accept(arrival).unwrap().document;
    archive.record(Event::Queued { document, items: vec![item.clone()] }).unwrap();
    stop.send(true).unwrap();
    exporter.await.unwrap();
    let json = fs::read_to_string(folder.join("queue.jsonl")).unwrap();
    assert_eq!(serde_json::from_str::<QueueItem>(&json).unwrap().id, item.id);
}

#[tokio::test]
async fn the_exporter_brings_the_files_up_to_date_when_it_starts_without_any_change() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(&root.path().join("state"), &OpenOptions::plain()).unwrap();
    let (_stop, stopped) = watch::channel(true);
    let folder = root.path().join("worklist");
    run_exporter(worklist(&folder), archive.clone(), archive.watch_items(), stopped).await;
    assert_eq!(fs::read_to_string(folder.join("queue.jsonl")).unwrap(), "");
}

#[test]
fn a_folder_that_cannot_be_removed_is_told_of_as_that_and_one_that_is_gone_is_none() {
    let root = tempfile::tempdir().unwrap();
    items::remove_folder(root.path().join("gone")).unwrap();
    // Somebody's file where an item's folder was a moment ago.
    let folder = root.path().join("0123456789abcdef-1");
    File::create(&folder).unwrap();
    let error = items::remove_folder(folder.clone()).unwrap_err().to_string();
    assert!(error.contains("cannot be removed") && error.contains(folder.to_str().unwrap()), "{error}");
    assert!(!error.contains("cannot be made"), "{error}");
}
