//! The open-case registry: one snapshot of `cases.csv`, checked whole and made searchable.
//!
//! A snapshot is taken whole or refused whole; a refusal names the line and the column and says what to do, and
//! never repeats a cell. Closed cases are kept, for documents of babies who went home still arrive.

use std::collections::HashMap;
use std::fmt::Write;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::index::{Index, Rivalry};
use crate::names::Sex;

/// Whether the case is still worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseStatus {
    Open,
    Closed,
}

impl CaseStatus {
    /// As in `cases.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// One row of `cases.csv`. Empty cells are empty strings, or `None` where the column has a type.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Case {
    pub case_id: String,
    pub status: CaseStatus,
    pub member_id: String,
    pub auth_number: String,
    /// The hospital's record number.
    pub mrn: String,
    pub facility: String,
    pub facility_fax: String,
    pub facility_npi: String,
    pub last_name: String,
    pub first_name: String,
    /// `A`, `B`, … or `1`, `2`, …; empty for a singleton.
    pub birth_order: String,
    pub sex: Option<Sex>,
    pub dob: Option<Date>,
    pub mother_first: String,
    pub mother_last: String,
    pub mother_dob: Option<Date>,
    pub admit_date: Option<Date>,
    pub discharge_date: Option<Date>,
    pub plan: String,
    pub level_of_care: String,
    pub assigned_nurse: String,
    pub next_review_date: Option<Date>,
    pub race_ethnicity: String,
    pub preferred_language: String,
    /// The cells of columns that the contract does not know, in the order of [`Registry::unknown_columns`].
    pub unknown: Vec<String>,
}

/// Why a snapshot was refused. The old one stays in use. No message repeats a cell of the file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RegistryError {
    #[error("cases.csv, line {line}, column `{column}`: not UTF-8; export the file again as UTF-8")]
    NotUtf8 { line: u64, column: &'static str },
    #[error("cases.csv is empty; export it again with its heading line")]
    Empty,
    #[error("cases.csv, line 1: the column `{column}` is missing; add it to the export (its cells may be empty)")]
    MissingColumn { column: &'static str },
    #[error("cases.csv, line 1: the column `{column}` stands there twice; leave one")]
    DuplicateColumn { column: &'static str },
    #[error("cases.csv, line {line}: {found} cells where the heading has {expected}; mend the quotes or commas there")]
    UnequalRow { line: u64, expected: u64, found: u64 },
    #[error("cases.csv, line {line}: not readable as CSV; mend the quotes there or export the file again")]
    Malformed { line: u64 },
    #[error("cases.csv, line {line}, column `case_id`: empty; every case needs an id")]
    EmptyCaseId { line: u64 },
    #[error("cases.csv, line {line}, column `case_id`: the id already stands on line {first}; ids must be unique")]
    DuplicateCaseId { line: u64, first: u64 },
    #[error("cases.csv, line {line}, column `{column}`: not a date; write YYYY-MM-DD or leave the cell empty")]
    BadDate { line: u64, column: &'static str },
    #[error("cases.csv, line {line}, column `status`: neither `open` nor `closed`; write one of them")]
    BadStatus { line: u64 },
}

/// The columns of the contract, in its order.
const COLUMNS: [&str; 24] = [
    "case_id",
    "status",
    "member_id",
    "auth_number",
    "mrn",
    "facility",
    "facility_fax",
    "facility_npi",
    "last_name",
    "first_name",
    "birth_order",
    "sex",
    "dob",
    "mother_first",
    "mother_last",
    "mother_dob",
    "admit_date",
    "discharge_date",
    "plan",
    "level_of_care",
    "assigned_nurse",
    "next_review_date",
    "race_ethnicity",
    "preferred_language",
];

/// A loaded snapshot with its indexes; never changed, only replaced.
#[derive(Debug)]
pub struct Registry {
    cases: Vec<Case>,
    by_id: HashMap<String, u32>,
    unknown_columns: Vec<String>,
    digest: String,
    doubtful: Vec<DoubtfulRow>,
    pub(super) index: Index,
}

/// A row that cannot be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoubtfulRow {
    pub line: u64,
    /// Never a value of the row.
    pub why: &'static str,
}

impl Registry {
    /// Reads a snapshot: UTF-8 CSV (a byte-order mark is allowed) with a heading line that holds every column of
    /// the contract, in any order.
    pub fn parse(csv: &[u8]) -> Result<Self, RegistryError> {
        let text = std::str::from_utf8(csv).map_err(|error| not_utf8(csv, error.valid_up_to()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return Err(RegistryError::Empty);
        }
        let digest = digest_of(csv);
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let heading = Heading::read(reader.headers().map_err(|error| malformed(text, &error))?)?;

        let mut cases = Vec::new();
        let mut by_id = HashMap::new();
        let mut offsets = Vec::new();
        for row in reader.records() {
            let row = row.map_err(|error| malformed(text, &error))?;
            let offset = row.position().map_or(0, csv::Position::byte);
            let case = heading.case(&row, || line_of(text, offset))?;
            if let Some(first) = by_id.insert(case.case_id.clone(), cases.len() as u32) {
                let first = offsets.get(first as usize).copied().unwrap_or_default();
                return Err(RegistryError::DuplicateCaseId {
                    line: line_of(text, offset),
                    first: line_of(text, first),
                });
            }
            cases.push(case);
            offsets.push(offset);
        }
        let index = Index::build(&cases);
        let mut doubtful = Vec::new();
        // Both go through the file in order, and each line is counted once.
        let (mut counted, mut line) = (0, 1);
        for (traits, offset) in index.traits.iter().zip(&offsets) {
            let Some(why) = traits.doubt else { continue };
            let between = text.get(counted as usize..*offset as usize).unwrap_or_default();
            line += between.matches('\n').count() as u64;
            counted = *offset;
            let behind = text.get(counted as usize..).unwrap_or_default();
            let ends = behind.len() - behind.trim_start_matches(['\r', '\n']).len();
            let breaks = behind.get(..ends).unwrap_or_default().matches('\n').count() as u64;
            doubtful.push(DoubtfulRow { line: line + breaks, why });
        }
        Ok(Self { cases, by_id, unknown_columns: heading.unknown_names, digest, doubtful, index })
    }

    /// No case at all, for as long as no good snapshot has come: every document goes to a person.
    pub fn empty() -> Self {
        Self {
            cases: Vec::new(),
            by_id: HashMap::new(),
            unknown_columns: Vec::new(),
            digest: String::new(),
            doubtful: Vec::new(),
            index: Index::build(&[]),
        }
    }

    /// Every case, in the order of the file.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Whether another case could be a sibling of this one.
    pub fn has_sibling(&self, case_id: &str) -> bool {
        let rivals = self.by_id.get(case_id).map(|&at| self.index.rivals(at)).unwrap_or_default();
        rivals.iter().any(|(_, rivalry)| *rivalry == Rivalry::Sibling)
    }

    /// The case's place in [`Registry::cases`].
    pub(super) fn place(&self, case_id: &str) -> Option<u32> {
        self.by_id.get(case_id).copied()
    }

    pub fn get(&self, case_id: &str) -> Option<&Case> {
        self.by_id.get(case_id).and_then(|&at| self.cases.get(at as usize))
    }

    /// SHA-256 of the snapshot's bytes, 64 hexadecimal digits: says which snapshot a link was decided on.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Rows that are well formed and yet cannot be right, by their lines in the file: nothing is linked to them by itself.
    pub fn doubtful(&self) -> &[DoubtfulRow] {
        &self.doubtful
    }

    /// Names of the columns that the contract does not know; their cells are in [`Case::unknown`].
    pub fn unknown_columns(&self) -> &[String] {
        &self.unknown_columns
    }
}

/// SHA-256 as 64 hexadecimal digits.
fn digest_of(csv: &[u8]) -> String {
    let mut digest = String::with_capacity(64);
    for byte in Sha256::digest(csv) {
        // Writing to a String can't fail.
        _ = write!(digest, "{byte:02x}");
    }
    digest
}

/// Says where the bytes at `offset` stand, which are no UTF-8 and so keep the file from being read as CSV.
fn not_utf8(csv: &[u8], offset: usize) -> RegistryError {
    let before = csv.get(..offset).unwrap_or_default();
    let row = before.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut quoted = false;
    let mut place = 0;
    for byte in row {
        quoted ^= *byte == b'"';
        place += usize::from(*byte == b',' && !quoted);
    }
    let heading = csv.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let name = heading.split(|&byte| byte == b',').nth(place).map(|name| String::from_utf8_lossy(name));
    let name = name.unwrap_or_default();
    let name = name.trim_start_matches('\u{feff}').trim().trim_matches('"');
    let column = COLUMNS.into_iter().find(|column| *column == name).unwrap_or("(unknown)");
    RegistryError::NotUtf8 { line: before.split(|&byte| byte == b'\n').count() as u64, column }
}

/// Where each column stands.
struct Heading {
    at: [usize; COLUMNS.len()],
    unknown: Vec<usize>,
    unknown_names: Vec<String>,
}

impl Heading {
    fn read(names: &csv::StringRecord) -> Result<Self, RegistryError> {
        let mut at = [0; COLUMNS.len()];
        for (place, column) in at.iter_mut().zip(COLUMNS) {
            let mut found = names.iter().enumerate().filter(|(_, name)| *name == column).map(|(place, _)| place);
            *place = found.next().ok_or(RegistryError::MissingColumn { column })?;
            if found.next().is_some() {
                return Err(RegistryError::DuplicateColumn { column });
            }
        }
        let unknown: Vec<usize> = (0..names.len()).filter(|place| !at.contains(place)).collect();
        let unknown_names = unknown.iter().filter_map(|&place| names.get(place)).map(str::to_owned).collect();
        Ok(Self { at, unknown, unknown_names })
    }

    fn case(&self, row: &csv::StringRecord, line: impl Fn() -> u64) -> Result<Case, RegistryError> {
        let date = |column, cell: &str| match cell {
            "" => Ok(None),
            // Strictly, since jiff alone would also take a time with it.
            cell if cell.len() == 10 => {
                cell.parse::<Date>().map(Some).map_err(|_| RegistryError::BadDate { line: line(), column })
            }
            _ => Err(RegistryError::BadDate { line: line(), column }),
        };
        // In the order of `COLUMNS`.
        let [
            case_id,
            status,
            member_id,
            auth_number,
            mrn,
            facility,
            facility_fax,
            facility_npi,
            last_name,
            first_name,
            birth_order,
            sex,
            dob,
            mother_first,
            mother_last,
            mother_dob,
            admit_date,
            discharge_date,
            plan,
            level_of_care,
            assigned_nurse,
            next_review_date,
            race_ethnicity,
            preferred_language,
        ] = self.at.map(|place| row.get(place).unwrap_or_default());
        if case_id.is_empty() {
            return Err(RegistryError::EmptyCaseId { line: line() });
        }
        let status = match status {
            open if open.eq_ignore_ascii_case("open") => CaseStatus::Open,
            closed if closed.eq_ignore_ascii_case("closed") => CaseStatus::Closed,
            _ => return Err(RegistryError::BadStatus { line: line() }),
        };
        Ok(Case {
            case_id: case_id.to_owned(),
            status,
            member_id: member_id.to_owned(),
            auth_number: auth_number.to_owned(),
            mrn: mrn.to_owned(),
            facility: facility.to_owned(),
            facility_fax: facility_fax.to_owned(),
            facility_npi: facility_npi.to_owned(),
            last_name: last_name.to_owned(),
            first_name: first_name.to_owned(),
            birth_order: birth_order.to_owned(),
            sex: Sex::read(sex),
            dob: date("dob", dob)?,
            mother_first: mother_first.to_owned(),
            mother_last: mother_last.to_owned(),
            mother_dob: date("mother_dob", mother_dob)?,
            admit_date: date("admit_date", admit_date)?,
            discharge_date: date("discharge_date", discharge_date)?,
            plan: plan.to_owned(),
            level_of_care: level_of_care.to_owned(),
            assigned_nurse: assigned_nurse.to_owned(),
            next_review_date: date("next_review_date", next_review_date)?,
            race_ethnicity: race_ethnicity.to_owned(),
            preferred_language: preferred_language.to_owned(),
            unknown: self.unknown.iter().map(|&place| row.get(place).unwrap_or_default().to_owned()).collect(),
        })
    }
}

/// The line on which the row at this byte begins. The library's own count lags behind where lines end with CR LF: it
/// takes the LF for the beginning of the next row.
fn line_of(text: &str, offset: u64) -> u64 {
    let offset = offset as usize;
    let rest = text.get(offset..).unwrap_or_default();
    let begins = offset + (rest.len() - rest.trim_start_matches(['\r', '\n']).len());
    1 + text.get(..begins).unwrap_or(text).matches('\n').count() as u64
}

fn malformed(text: &str, error: &csv::Error) -> RegistryError {
    let line = error.position().map_or(1, |position| line_of(text, position.byte()));
    if let csv::ErrorKind::UnequalLengths { expected_len, len, .. } = error.kind() {
        return RegistryError::UnequalRow { line, expected: *expected_len, found: *len };
    }
    RegistryError::Malformed { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading() -> String {
        COLUMNS.join(",")
    }

    fn row(case_id: &str, status: &str, dob: &str) -> String {
        let mut cells = vec![""; COLUMNS.len()];
        (cells[0], cells[1], cells[12]) = (case_id, status, dob);
        cells.join(",")
    }

    fn with(rows: &[String]) -> String {
        format!("{}\n{}\n", heading(), rows.join("\n"))
    }

    fn refusal(csv: &[u8]) -> RegistryError {
        Registry::parse(csv).expect_err("refused")
    }

    #[test]
    fn empty_cells_unknown_columns_and_a_byte_order_mark_are_taken() {
        let csv = format!("\u{feff}{},bed\n{},7\n", heading(), row("C1", "open", ""));
        let registry = Registry::parse(csv.as_bytes()).unwrap();
        assert_eq!(registry.cases().len(), 1);
        assert_eq!(registry.unknown_columns(), ["bed"]);
        assert_eq!(registry.get("C1").unwrap().unknown, ["7"]);
        assert_eq!(registry.get("C1").unwrap().dob, None);
        assert!(registry.get("C2").is_none());
        assert_eq!(registry.digest().len(), 64);
    }

    #[test]
    fn a_heading_alone_is_an_empty_registry() {
        assert!(Registry::parse(heading().as_bytes()).unwrap().cases().is_empty());
        assert_eq!(refusal(b""), RegistryError::Empty);
    }

    #[test]
    fn a_missing_or_doubled_column_is_named() {
        let csv = heading().replace("mother_dob,", "");
        assert_eq!(refusal(csv.as_bytes()), RegistryError::MissingColumn { column: "mother_dob" });
        assert_eq!(refusal((heading() + ",mrn").as_bytes()), RegistryError::DuplicateColumn { column: "mrn" });
    }

    #[test]
    fn lines_are_counted_alike_however_they_end() {
        let lines = with(&[row("C1", "open", ""), row("C2", "open", ""), row("C1", "open", "")]);
        for text in [lines.clone(), lines.replace('\n', "\r\n")] {
            assert_eq!(refusal(text.as_bytes()), RegistryError::DuplicateCaseId { line: 4, first: 2 });
        }
        let lines = with(&[row("C1", "open", ""), row("C2", "pending", "")]);
        for text in [lines.clone(), lines.replace('\n', "\r\n")] {
            assert_eq!(refusal(text.as_bytes()), RegistryError::BadStatus { line: 3 });
        }
    }

    #[test]
    fn a_bad_cell_is_told_by_line_and_column_and_never_by_value() {
        let good = row("C1", "open", "2026-01-02");
        let bad_date = refusal(with(&[good.clone(), row("C2", "open", "01/02/2026")]).as_bytes());
        assert_eq!(bad_date, RegistryError::BadDate { line: 3, column: "dob" });
        assert!(!bad_date.to_string().contains("2026"));
        let twice = refusal(with(&[good.clone(), good.clone()]).as_bytes());
        assert_eq!(twice, RegistryError::DuplicateCaseId { line: 3, first: 2 });
        assert_eq!(refusal(with(&[row("C1", "pending", "")]).as_bytes()), RegistryError::BadStatus { line: 2 });
        assert_eq!(refusal(with(&[row("", "open", "")]).as_bytes()), RegistryError::EmptyCaseId { line: 2 });
        assert_eq!(
            refusal(with(&[good, "C2,open".to_owned()]).as_bytes()),
            RegistryError::UnequalRow { line: 3, expected: 24, found: 2 }
        );
    }

    #[test]
    fn a_row_that_cannot_be_right_is_told_by_its_line_and_never_by_value() {
        let at = |column: &str| COLUMNS.iter().position(|name| *name == column).unwrap();
        let changed = |id: &str, cells: &[(&str, &str)]| {
            let mut row: Vec<String> = row(id, "open", "2026-01-02").split(',').map(str::to_owned).collect();
            for (column, cell) in cells {
                row[at(column)] = (*cell).to_owned();
            }
            row.join(",")
        };
        let rows = [
            changed("C1", &[("mother_dob", "1990-01-01"), ("admit_date", "2026-01-02"), ("mrn", "A12")]),
            changed("C2", &[("admit_date", "2026-01-01")]),
            changed("C3", &[("admit_date", "2026-01-03"), ("discharge_date", "2026-01-02")]),
            changed("C4", &[("mother_dob", "2026-01-02")]),
            changed("C5", &[("last_name", "440101"), ("mrn", "Tolvik")]),
            changed("C6", &[("first_name", "Baby Girl A"), ("birth_order", "B")]),
        ];
        for text in [with(&rows), with(&rows).replace('\n', "\r\n")] {
            let registry = Registry::parse(text.as_bytes()).unwrap();
            let lines: Vec<u64> = registry.doubtful().iter().map(|row| row.line).collect();
            assert_eq!(lines, [3, 4, 5, 6, 7], "{:?}", registry.doubtful());
        }
    }

    #[test]
    fn another_encoding_is_refused_with_its_line_and_column() {
        let mut csv = format!("{}\n{}\n", heading(), row("C1", "open", "")).into_bytes();
        csv.extend(b"C2,open,\"1,2\",Gon\xe7alves");
        assert_eq!(refusal(&csv), RegistryError::NotUtf8 { line: 3, column: "auth_number" });
        assert_eq!(refusal(b"case_id,na\xefve"), RegistryError::NotUtf8 { line: 1, column: "(unknown)" });
    }
}
