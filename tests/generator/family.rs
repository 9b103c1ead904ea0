//! The planned documents made: drawn, sent, and each with the truth about it.

use std::io;

use nicufaxd::document::{DocumentType, TransferDirection};
use serde_json::{Value, json};

use super::ccitt::{Bitmap, Encoding, FillOrder};
use super::facts::{Facts, Marks};
use super::headers::{self, Sent};
use super::plans::{Plan, Who, plans, strangers};
use super::random::Random;
use super::registry::{CLOSED, Case, FACILITIES, Facility, TODAY, after, cases};
use super::scan::{Scan, Turn, scan};
use super::sheet::{Fonts, Sheet};
use super::tiff::{Storage, TiffPage};
use super::{pdf, picture, tiff};

/// How a document's pages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Tiff(Storage),
    /// A PDF of Group 4 pictures.
    PdfPictures,
    /// A PDF of real text.
    PdfText,
    Jpeg,
    Png,
}

/// A document made to be read, with the truth about it.
#[derive(Clone, Debug)]
pub struct Sample {
    pub file: String,
    pub bytes: Vec<u8>,
    /// The sending number, digits only.
    pub sender: String,
    pub pages: usize,
    /// The fax server would say that it was received with errors.
    pub received_with_errors: bool,
    /// One line of `truth.jsonl`.
    pub truth: Value,
}

/// Whether the receiving hospital's unit is of a higher, the same or a lower level.
pub fn direction(from: &Facility, to: &Facility) -> TransferDirection {
    let level = |facility: &Facility| match facility.unit {
        "Level IV NICU" => 4,
        "Level III NICU" | "Newborn Intensive Care" => 3,
        _ => 2,
    };
    match level(to).cmp(&level(from)) {
        std::cmp::Ordering::Greater => TransferDirection::Higher,
        std::cmp::Ordering::Equal => TransferDirection::Lateral,
        std::cmp::Ordering::Less => TransferDirection::Lower,
    }
}

/// How many documents the family holds.
pub fn family_size() -> usize {
    plans().len()
}

/// The first `count` documents of the family; asking for more than it holds begins it anew with other values.
pub fn samples(fonts: &Fonts, seed: u64, count: usize) -> io::Result<Vec<Sample>> {
    let cases = cases(seed);
    let strangers = strangers(&cases);
    let plans = plans();
    (0..count).map(|number| sample(fonts, seed, number, &plans[number % plans.len()], &cases, &strangers)).collect()
}

fn sample(
    fonts: &Fonts,
    seed: u64,
    number: usize,
    plan: &Plan,
    cases: &[Case],
    strangers: &[Case],
) -> io::Result<Sample> {
    let document_seed = seed.wrapping_mul(1_000_003).wrapping_add(number as u64);
    let mut sheets = Vec::new();
    let mut segments = Vec::new();
    let mut sender = String::new();
    for who in [Some(plan.who), plan.second].into_iter().flatten() {
        let case = match who {
            Who::Case(place) => &cases[place],
            Who::Stranger(place) => &strangers[place],
            Who::Nobody(_) => &cases[0],
        };
        sender = case.facility.fax.chars().filter(char::is_ascii_digit).collect();
        let mut facts = Facts::new(case, document_seed.wrapping_add(segments.len() as u64));
        facts.marks = plan.marks;
        facts.omitted = plan.omitted.to_vec();
        facts.receiving = (plan.kind == DocumentType::Transfer).then(|| &FACILITIES[plan.receiving]);
        facts.written = after(TODAY, -((number % 3) as i64));
        let drawn = (plan.layout)(fonts, &facts, plan.kind);
        let pages = [sheets.len() + 1, sheets.len() + drawn.len()];
        sheets.extend(drawn);
        segments.push(segment(plan, who, &facts, pages, cases));
    }

    let (delivery, how) = sent(plan, number, document_seed);
    let damaged = if plan.damaged { vec![410, 411, 412, 413, 1250, 1251] } else { Vec::new() };
    let bytes = deliver(&sheets, delivery, &how, &sender, number, &damaged)?;
    let extension = match delivery {
        Delivery::Tiff(_) => "tif",
        Delivery::PdfPictures | Delivery::PdfText => "pdf",
        Delivery::Jpeg => "jpg",
        Delivery::Png => "png",
    };
    let file = format!("{:04}-{}.{extension}", number + 1, plan.family.replace('_', "-"));
    let blank = plan.family == "junk_blank";
    let truth = json!({
        "file": file,
        "source": "fax",
        "mailbox": null,
        "sender_fax": sender,
        "received_at": format!("2026-03-16T{:02}:{:02}:00", (7 + number / 60) % 24, number % 60),
        "format": format_name(delivery),
        "pages": sheets.len(),
        "segments": segments,
        "cover_pages": plan.covers,
        "blank_pages": if blank { vec![1] } else { Vec::new() },
        "special": plan.special,
        "degradation": degradation(delivery, &how, plan.damaged),
        "legible": !blank,
    });
    let pages = sheets.len();
    Ok(Sample { file, bytes, sender, pages, received_with_errors: plan.damaged, truth })
}

/// The truth about one baby's pages (first and last, 1-based), after they were drawn.
fn segment(plan: &Plan, who: Who, facts: &Facts<'_>, pages: [usize; 2], cases: &[Case]) -> Value {
    let mut segment = json!({
        "pages": pages,
        "document_type": plan.kind.name(),
        "family": plan.family,
        "match": matched(who, plan.marks, facts.case, cases),
        "fields": facts.printed(),
        "missing": if plan.kind == DocumentType::ConcurrentReview { facts.missing() } else { Vec::new() },
    });
    if let Some(receiving) = facts.receiving {
        segment["transfer_direction"] = json!(direction(facts.case.facility, receiving));
    }
    if matches!(who, Who::Case(CLOSED)) {
        segment["case_status"] = json!("closed");
    }
    if let Who::Nobody(kind) = who {
        segment["other_kind"] = json!(kind);
    }
    segment
}

/// The truth's match: by the marks that the paper carries, one case, several or none.
fn matched(who: Who, marks: Marks, case: &Case, cases: &[Case]) -> Value {
    let ids: Vec<&str> = match (who, marks) {
        (Who::Nobody(_) | Who::Stranger(_), _) => Vec::new(),
        (Who::Case(_), Marks::All | Marks::RecordNumberOnly) => vec![&case.case_id],
        // Nothing printed but the sex tells brothers and sisters apart.
        (Who::Case(_), Marks::None) => cases
            .iter()
            .filter(|other| other.last_name == case.last_name && other.dob == case.dob && other.sex == case.sex)
            .map(|other| other.case_id.as_str())
            .collect(),
    };
    let status = match ids.len() {
        0 => "unmatched",
        1 => "matched",
        _ => "ambiguous",
    };
    json!({"status": status, "case_ids": ids})
}

/// Delivery and scan, as planned or going round by number so that every coding and resolution occurs.
fn sent(plan: &Plan, number: usize, seed: u64) -> (Delivery, Scan) {
    use Encoding::{Group3OneDimensional as One, Group3TwoDimensional as Two, Group4 as Four};
    use FillOrder::{LeastSignificantFirst as Lsb, MostSignificantFirst as Msb};
    let fax = |encoding, order| Delivery::Tiff(Storage::Fax(encoding, order));
    let round = [
        (fax(Four, Msb), (204, 196)),
        (fax(One, Lsb), (204, 196)),
        (fax(Two, Lsb), (204, 196)),
        (Delivery::PdfPictures, (204, 196)),
        (fax(Four, Lsb), (204, 98)),
        (fax(One, Msb), (204, 391)),
        (Delivery::PdfText, (204, 196)),
        (fax(Two, Msb), (204, 98)),
        (Delivery::Tiff(Storage::Deflate), (200, 200)),
        (fax(One, Lsb), (204, 98)),
        (Delivery::Tiff(Storage::Uncompressed), (300, 300)),
    ];
    let (mut delivery, mut resolution) = round[number % round.len()];
    let mut random = Random::new(seed);
    if let Some(planned) = plan.delivery {
        (delivery, resolution) = (planned, if matches!(planned, Delivery::Jpeg) { (150, 150) } else { (204, 196) });
    }
    // Handwriting squeezed to 98 lines an inch is legible to nobody, and a PDF of text can't be fed upside down.
    if plan.scan.is_some() || (plan.family == "handwritten_form" && resolution.1 == 98) {
        (delivery, resolution) = (fax(Two, Lsb), (204, 196));
    }
    let drawn = Scan {
        resolution,
        skew: if number % 3 == 1 { (random.fraction() - 0.5) * 4.0 } else { 0.0 },
        turn: Turn::Upright,
        specks: if number % 4 == 2 { 0.0006 } else { 0.0 },
        header: None,
        seed,
    };
    (delivery, plan.scan.clone().map_or(drawn, |planned| Scan { resolution, seed, ..planned }))
}

fn deliver(
    sheets: &[Sheet<'_>],
    delivery: Delivery,
    how: &Scan,
    sender: &str,
    number: usize,
    damaged: &[usize],
) -> io::Result<Vec<u8>> {
    // Every fifth machine is set up without a header line.
    let header = |page: usize| {
        let at = (7 + number / 60 % 16, number % 60);
        let sent = Sent { sender, station: "NEWBORN UR", at, page, pages: sheets.len() };
        (number % 5 != 4).then(|| headers::line(number, sent))
    };
    let pictures: Vec<Bitmap> = sheets
        .iter()
        .enumerate()
        .map(|(page, sheet)| {
            scan(sheet, &Scan { header: header(page + 1), seed: how.seed.wrapping_add(page as u64), ..how.clone() })
        })
        .collect();
    Ok(match delivery {
        Delivery::Tiff(storage) => tiff::write(
            &pictures
                .into_iter()
                .map(|bitmap| TiffPage { bitmap, resolution: how.resolution, storage, damaged_rows: damaged.to_vec() })
                .collect::<Vec<_>>(),
        ),
        Delivery::PdfPictures => pdf::of_pictures(&pictures),
        Delivery::PdfText => pdf::of_text(sheets),
        Delivery::Jpeg => picture::jpeg(pictures.first())?,
        Delivery::Png => picture::png(pictures.first())?,
    })
}

fn format_name(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Tiff(_) => "tiff",
        Delivery::PdfPictures => "pdf_img",
        Delivery::PdfText => "pdf_text",
        Delivery::Jpeg => "jpeg",
        Delivery::Png => "png",
    }
}

fn degradation(delivery: Delivery, how: &Scan, damaged: bool) -> Value {
    let (encoding, fill_order) = match delivery {
        Delivery::Tiff(Storage::Fax(encoding, order)) => (
            match encoding {
                Encoding::Group3OneDimensional => "g3_1d",
                Encoding::Group3TwoDimensional => "g3_2d",
                Encoding::Group4 => "g4",
            },
            Some(if order == FillOrder::LeastSignificantFirst { "lsb2msb" } else { "msb2lsb" }),
        ),
        Delivery::Tiff(Storage::Uncompressed) => ("none", None),
        Delivery::Tiff(Storage::Deflate) => ("deflate", None),
        Delivery::PdfPictures => ("pdf_g4", None),
        Delivery::PdfText => ("pdf_text", None),
        Delivery::Jpeg => ("jpeg", None),
        Delivery::Png => ("png", None),
    };
    let on_paper = delivery != Delivery::PdfText;
    let kinds: Vec<&str> = [
        (!on_paper, "born_digital"),
        (on_paper && how.resolution.1 == 98, "standard_res"),
        (on_paper && how.skew != 0.0, "skew"),
        (on_paper && how.specks > 0.0, "sp"),
        (how.turn == Turn::UpsideDown, "rot180"),
        (how.turn == Turn::Quarter, "rot90"),
        (damaged, "damaged_rows"),
    ]
    .into_iter()
    .filter_map(|(holds, kind)| holds.then_some(kind))
    .collect();
    let resolution = format!("{}x{}", how.resolution.0, how.resolution.1);
    json!({
        "encoding": encoding,
        "fill_order": fill_order,
        "resolution": resolution,
        "kinds": if kinds.is_empty() { vec!["clean"] } else { kinds },
    })
}
