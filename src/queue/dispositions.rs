//! The dispositions file: what people did elsewhere, a row each, as CSV with a heading or as JSON Lines. Pure but for the
//! reading of text.
//!
//! A row is known by its `id`, or by all that it says: rows that were taken before are passed over, so the file may grow, be
//! written anew, or be read again. A row that cannot be taken is told of by its number and the reason, beside the file, and
//! keeps none of the others back.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::acts::Disposition;

/// What a row holds besides the disposition.
#[derive(Deserialize)]
struct Row {
    #[serde(flatten)]
    disposition: Map<String, Value>,
}

/// A row of the file.
#[derive(Debug, PartialEq)]
pub struct Given {
    /// Counted from 1, without the heading.
    pub row: usize,
    /// Names what the row says, so that it is taken once.
    pub key: String,
    pub disposition: Result<Disposition, String>,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Csv,
    JsonLines,
}

impl Shape {
    /// By the end of the file's name; CSV unless it ends in `.jsonl`.
    pub fn of(path: &std::path::Path) -> Self {
        let is_lines = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("jsonl"));
        if is_lines { Self::JsonLines } else { Self::Csv }
    }
}

/// The rows of a file. `Err`: it cannot be taken for such a file at all.
pub fn rows(text: &str, shape: Shape) -> Result<Vec<Given>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match shape {
        Shape::JsonLines => {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            Ok((1..)
                .zip(lines)
                .map(|(row, line)| given(row, serde_json::from_str(line).map_err(|_| NO_OBJECT)))
                .collect())
        }
        Shape::Csv => {
            let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
            let head =
                reader.headers().map_err(|_| "line 1 is no heading of CSV; write the columns' names there")?.clone();
            if head.iter().all(|column| column != "item") {
                return Err("line 1: the column `item` is missing; write the columns' names there".to_owned());
            }
            let records = reader.records().map(|record| {
                let record = record.map_err(|_| "is no row of CSV; mend its quotes")?;
                if record.len() != head.len() {
                    return Err("has another number of cells than the heading");
                }
                let filled = head.iter().zip(&record).filter(|(_, cell)| !cell.is_empty());
                let cells = filled.map(|(column, cell)| (column.to_owned(), Value::String(cell.to_owned())));
                Ok(Row { disposition: cells.collect() })
            });
            Ok((1..).zip(records).map(|(row, record)| given(row, record)).collect())
        }
    }
}

const NO_OBJECT: &str = "is no JSON object";

fn given(row: usize, read: Result<Row, &str>) -> Given {
    let mut cells = match read {
        Ok(row) => row.disposition,
        Err(reason) => return Given { row, key: String::new(), disposition: Err(reason.to_owned()) },
    };
    gather(&mut cells);
    let key = match cells.remove("id") {
        Some(Value::String(id)) if !id.is_empty() => format!("id {id}"),
        Some(id) if !id.is_null() => format!("id {id}"),
        // A map's keys are sorted: the same cells in another order are the same row.
        Some(_) | None => Value::Object(cells.clone()).to_string(),
    };
    // The message of serde names columns and the words expected, and repeats a word of the row where it is none of these.
    let disposition = serde_json::from_value(Value::Object(cells)).map_err(|error| error.to_string());
    Given { row, key, disposition }
}

/// Columns of a determination: a row holds them beside the others.
const TEXTS: [&str; 8] =
    ["from", "to", "decision", "criterion", "next_review_date", "next_review_notes", "auth_number", "replaces"];
const NUMBERS: [&str; 3] = ["days", "level_requested", "level_approved"];

/// Puts the cells of a determination together; numbers are texts in CSV.
fn gather(cells: &mut Map<String, Value>) {
    let mut determination = Map::new();
    for name in TEXTS.into_iter().chain(NUMBERS) {
        let Some(cell) = cells.remove(name) else { continue };
        let is_number = name == "replaces" || NUMBERS.contains(&name);
        let number = cell.as_str().filter(|_| is_number).and_then(|text| text.parse::<u64>().ok()).map(Value::from);
        determination.insert(name.to_owned(), number.unwrap_or(cell));
    }
    if !determination.is_empty() {
        cells.insert("determination".to_owned(), Value::Object(determination));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::acts::Action;

    const ITEM: &str = "ba7816bf8f01cfea-1";

    #[test]
    fn rows_of_both_shapes_mean_the_same() {
        let csv =
            format!("item,action,by,note,case_id\n{ITEM},take,R. Bellamy,,\n{ITEM},done,R. Bellamy,\"a, b\",C-1\n");
        let lines = format!(
            "{{\"action\":\"take\",\"item\":\"{ITEM}\",\"by\":\"R. Bellamy\"}}\n\n{{\"item\":\"{ITEM}\",\"action\":\"done\",\"by\":\"R. Bellamy\",\"note\":\"a, b\",\"case_id\":\"C-1\"}}\n"
        );
        let (csv, lines) = (rows(&csv, Shape::Csv).unwrap(), rows(&lines, Shape::JsonLines).unwrap());
        assert_eq!(csv, lines);
        assert_eq!(csv[0].disposition.as_ref().unwrap().action, Action::Take);
        assert_ne!(csv[0].key, csv[1].key);
    }

    #[test]
    fn a_determination_stands_in_the_row() {
        let csv = format!(
            "item,action,by,from,to,days,level_requested,level_approved,decision\n\
             {ITEM},determine,A,2026-03-03,2026-03-05,3,3,2,approve_per_criteria\n{ITEM},take,A,,,,,,\n"
        );
        let rows = rows(&csv, Shape::Csv).unwrap();
        let determined = rows[0].disposition.as_ref().unwrap().determination.as_ref().unwrap();
        assert_eq!((determined.days, determined.level_approved), (3, Some(2)));
        assert!(rows[1].disposition.as_ref().unwrap().determination.is_none());
    }

    #[test]
    fn a_row_is_known_by_its_id_or_by_all_that_it_says() {
        let csv = format!("id,item,action,by\n7,{ITEM},take,A\n7,{ITEM},take,B\n,{ITEM},take,A\n");
        let keys: Vec<String> = rows(&csv, Shape::Csv).unwrap().into_iter().map(|given| given.key).collect();
        assert!(keys[0] == keys[1] && keys[0] != keys[2], "{keys:?}");
    }

    #[test]
    fn a_bad_row_keeps_none_of_the_others_back_and_says_what_is_wrong() {
        let csv = format!("item,action,by\n{ITEM},fly,A\nnonsense,take,A\n{ITEM},take\n{ITEM},take,A\n");
        let rows = rows(&csv, Shape::Csv).unwrap();
        let wrong: Vec<String> = rows.iter().filter_map(|given| given.disposition.clone().err()).collect();
        assert!(wrong[0].contains("unknown variant"), "{wrong:?}");
        assert!(wrong[1].contains("not an item id"), "{wrong:?}");
        assert!(wrong[2].contains("number of cells"), "{wrong:?}");
        assert!(rows[3].disposition.is_ok());
        assert!(super::rows("what,ever\n", Shape::Csv).is_err());
    }
}
