//! Small good inputs of every kind that the daemon reads, for a fuzzer to begin with: by target, as `fuzz/targets` has
//! them. A few hundred bytes to some kilobytes each, so that many mutants are tried in a second.

use std::io::{self, Cursor};

use nicufaxd::document::{Bounds, DocumentFormat, DocumentId, Page, PageFlag, PageSource, Word};
use nicufaxd::reader::protocol::{Answer, Refusal, RefusalKind, Request, frame, header};
use serde_json::json;
use tiff::encoder::{Compression, DeflateLevel, TiffEncoder, colortype};

use super::ccitt::{Bitmap, Encoding, FillOrder};
use super::encrypted::encrypted_pdf;
use super::hostile;
use super::mail;
use super::pdf::{PdfFile, deflate, of_pictures, of_text};
use super::picture::{jpeg, png};
use super::registry::{Case, cases, csv};
use super::scan::{Scan, scan};
use super::sheet::{Face, Fonts, Sheet};
use super::tiff::{Storage, TiffPage, write};

/// One input.
pub struct Seed {
    /// The fuzz target that it is for.
    pub target: &'static str,
    pub name: String,
    pub bytes: Vec<u8>,
}

fn seed(target: &'static str, name: &str, bytes: impl Into<Vec<u8>>) -> Seed {
    Seed { target, name: name.to_owned(), bytes: bytes.into() }
}

/// The upper left part of a picture.
pub fn cropped(picture: &Bitmap, width: usize, height: usize) -> Bitmap {
    let rows = picture.rows().take(height).flat_map(|row| row.iter().take(width).copied());
    let pixels = rows.collect::<Vec<u8>>();
    Bitmap { width: width.min(picture.width), height: height.min(picture.height), pixels }
}

/// A strip of paper with a word on it.
fn label(fonts: &Fonts) -> Bitmap {
    let mut sheet = Sheet::new(fonts);
    sheet.text(6.0, 16.0, 11.0, Face::Sans, "Weight 1480 g");
    cropped(&scan(&sheet, &Scan::default()), 240, 64)
}

/// All of them; the same for the same seed.
pub fn seeds(fonts: &Fonts, number: u64) -> io::Result<Vec<Seed>> {
    let label = label(fonts);
    let mut all = tiffs(&label)?;
    all.extend(pdfs(fonts, &label)?);
    all.push(seed("picture", "scan.jpg", jpeg(Some(&label))?));
    all.push(seed("picture", "scan.png", png(Some(&label))?));
    all.push(seed("picture", "alpha.png", image_of(&image::DynamicImage::new_rgba8(9, 7))?));
    all.push(seed("picture", "deep.png", image_of(&image::DynamicImage::new_rgb16(9, 7))?));
    all.extend(facsimiles(&all));
    all.extend(codes()?);
    all.extend(messages(&label)?);
    all.extend(frames()?);
    all.extend(texts(&cases(number)));
    Ok(all)
}

fn image_of(image: &image::DynamicImage) -> io::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).map_err(io::Error::other)?;
    Ok(bytes.into_inner())
}

/// What is to be shown of a document that another target has too: as it is, turned, and a little askew.
fn facsimiles(all: &[Seed]) -> Vec<Seed> {
    let of = |name: &str, how: u8| {
        let document = all.iter().find(|seed| seed.name == name)?;
        Some(seed("facsimile", &format!("{how}-{name}"), [&[how], document.bytes.as_slice()].concat()))
    };
    let documents = ["g3-msb.tif", "g4-lsb.tif", "grey-lzw.tif", "colour-zip.tif", "scan.jpg", "scan.png", "deep.png"];
    documents.iter().flat_map(|name| [of(name, 128), of(name, 131), of(name, 200)]).flatten().collect()
}

/// Barcodes as `fuzz/targets/codes.rs` draws them.
fn codes() -> io::Result<Vec<Seed>> {
    use rxing::BarcodeFormat::{CODABAR, CODE_39, CODE_128, DATA_MATRIX, ITF, QR_CODE};
    use rxing::{EncodeHints, MultiFormatWriter, Writer};
    let mut all = Vec::new();
    for (format, module, name) in [
        (CODE_128, 3, "code-128"),
        (CODE_39, 3, "code-39"),
        (CODABAR, 3, "codabar"),
        (ITF, 3, "itf"),
        (QR_CODE, 7, "qr"),
        (DATA_MATRIX, 7, "data-matrix"),
    ] {
        let hints = EncodeHints { Margin: Some("0".to_owned()), ..EncodeHints::default() };
        let code =
            MultiFormatWriter.encode_with_hints("7712004501", &format, 1, 1, &hints).map_err(io::Error::other)?;
        // Bars half an inch high.
        let rows = if module == 3 { 34 } else { code.height() };
        let modules: Vec<bool> = (0..rows)
            .flat_map(|row| (0..code.width()).map(move |column| (column, row)))
            .map(|(column, row)| code.get(column, if module == 3 { 0 } else { row }))
            .collect();
        let packed = modules
            .chunks(8)
            .map(|eight| (0..).zip(eight).fold(0, |byte, (at, &dark)| byte | u8::from(dark) << (7 - at)));
        let head = [module - 1, code.width() as u8];
        all.push(seed("codes", name, head.into_iter().chain(packed).collect::<Vec<u8>>()));
    }
    Ok(all)
}

fn tiffs(label: &Bitmap) -> io::Result<Vec<Seed>> {
    use Encoding::{Group3OneDimensional, Group3TwoDimensional, Group4};
    use FillOrder::{LeastSignificantFirst, MostSignificantFirst};
    let page = |storage, damaged_rows: &[usize]| TiffPage {
        bitmap: label.clone(),
        resolution: (204, 196),
        storage,
        damaged_rows: damaged_rows.to_vec(),
    };
    let mut all = Vec::new();
    for (encoding, name) in [(Group3OneDimensional, "g3"), (Group3TwoDimensional, "g3-2d"), (Group4, "g4")] {
        for (order, mark) in [(MostSignificantFirst, "msb"), (LeastSignificantFirst, "lsb")] {
            let storage = Storage::Fax(encoding, order);
            all.push(seed("tiff", &format!("{name}-{mark}.tif"), write(&[page(storage, &[])])));
        }
        let storage = Storage::Fax(encoding, MostSignificantFirst);
        all.push(seed("tiff", &format!("{name}-damaged.tif"), write(&[page(storage, &[20, 21])])));
        all.push(seed("tiff", &format!("{name}-two.tif"), write(&[page(storage, &[]), page(storage, &[])])));
    }
    all.push(seed("tiff", "plain.tif", write(&[page(Storage::Uncompressed, &[])])));
    all.push(seed("tiff", "deflate.tif", write(&[page(Storage::Deflate, &[])])));
    all.push(seed("tiff", "looping.tif", hostile::tiff_with_looping_directories()));
    let codings =
        [Compression::Uncompressed, Compression::Lzw, Compression::Deflate(DeflateLevel::Fast), Compression::Packbits];
    for (coding, name) in codings.into_iter().zip(["none", "lzw", "zip", "packbits"]) {
        all.push(seed("tiff", &format!("grey-{name}.tif"), coded::<colortype::Gray8>(coding, &[7; 40 * 30])?));
        all.push(seed("tiff", &format!("colour-{name}.tif"), coded::<colortype::RGB8>(coding, &[7; 40 * 30 * 3])?));
        all.push(seed("tiff", &format!("ink-{name}.tif"), coded::<colortype::CMYK8>(coding, &[7; 40 * 30 * 4])?));
        all.push(seed("tiff", &format!("deep-{name}.tif"), coded::<colortype::Gray16>(coding, &[700; 40 * 30])?));
    }
    Ok(all)
}

/// 40 × 30 pixels.
fn coded<C: colortype::ColorType>(coding: Compression, pixels: &[C::Inner]) -> io::Result<Vec<u8>>
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).map_err(io::Error::other)?.with_compression(coding);
    encoder.write_image::<C>(40, 30, pixels).map_err(io::Error::other)?;
    Ok(file.into_inner())
}

/// A letter page made two inches wide, so that drawing it is quick; no offset of the file moves.
fn small(pdf: &[u8]) -> Vec<u8> {
    let mut small = pdf.to_vec();
    for (usual, little) in [(b"[0 0 612 792]", b"[0 0 144 108]"), (b"q 612 0 0 792", b"q 144 0 0 108")] {
        while let Some(at) = small.windows(usual.len()).position(|window| window == usual) {
            small[at..at + usual.len()].copy_from_slice(little);
        }
    }
    small
}

fn pdfs(fonts: &Fonts, label: &Bitmap) -> io::Result<Vec<Seed>> {
    let mut sheet = Sheet::new(fonts);
    sheet.text(10.0, 730.0, 12.0, Face::Serif, "Weight 1480 g");
    sheet.shade(10.0, 750.0, 60.0, 10.0);
    let picture = |entries: &str, data: &[u8]| {
        let mut file = PdfFile::default();
        let entries = format!("/Type /XObject /Subtype /Image /BitsPerComponent 8 {entries}");
        let image = file.add_stream(&entries, data);
        let content = file.add_stream("", b"q 144 0 0 108 0 0 cm /Im0 Do Q");
        let root = file.tree(&[(format!("/XObject << /Im0 {image} 0 R >>"), content)]);
        small(&file.finish(root, ""))
    };
    let drawing = |content: &[u8]| {
        let mut file = PdfFile::default();
        let form = file.add_stream("/Type /XObject /Subtype /Form /BBox [0 0 50 50]", b"1 0 0 rg 5 5 40 40 re f");
        let function = file.add("<< /FunctionType 2 /Domain [0 1] /C0 [1 0 0] /C1 [0 0 1] /N 1 >>");
        let shading = file.add(format!(
            "<< /ShadingType 2 /ColorSpace /DeviceRGB /Coords [0 0 99 99] /Function {function} 0 R /Extend [true true] >>"
        ));
        let content = file.add_stream("", content);
        let root = file.tree(&[(
            format!(
                "/XObject << /Fm0 {form} 0 R >> /Shading << /Sh0 {shading} 0 R >> /ExtGState << /G0 << /ca .5 >> >>"
            ),
            content,
        )]);
        small(&file.finish(root, ""))
    };
    let photograph = jpeg(Some(label))?;
    Ok(vec![
        seed("pdf", "fax.pdf", small(&of_pictures(std::slice::from_ref(label)))),
        seed("pdf", "two.pdf", small(&of_pictures(&[label.clone(), label.clone()]))),
        seed("pdf", "text.pdf", small(&of_text(&[sheet]))),
        seed("pdf", "encrypted.pdf", small(&encrypted_pdf("Weight"))),
        seed("pdf", "tree.pdf", hostile::pdf_page_tree_bomb()),
        seed(
            "pdf",
            "photograph.pdf",
            picture("/Width 240 /Height 64 /ColorSpace /DeviceGray /Filter /DCTDecode", &photograph),
        ),
        seed(
            "pdf",
            "predicted.pdf",
            picture(
                "/Width 6 /Height 4 /ColorSpace /DeviceRGB /Filter /FlateDecode \
                 /DecodeParms << /Predictor 15 /Colors 3 /Columns 6 >>",
                &deflate(&[1; 19 * 4]),
            ),
        ),
        seed(
            "pdf",
            "palette.pdf",
            picture(
                "/Width 6 /Height 4 /ColorSpace [/Indexed /DeviceRGB 1 <000000ffffff>] /Filter /ASCIIHexDecode",
                b"000100010001010101010101000000000000010001000100>",
            ),
        ),
        seed(
            "pdf",
            "runs.pdf",
            picture("/Width 8 /Height 8 /ColorSpace /DeviceGray /Filter /RunLengthDecode", &[193, 99, 128]),
        ),
        seed(
            "pdf",
            "drawing.pdf",
            drawing(
                b"q /G0 gs 10 10 m 50 60 90 20 70 70 c S Q /Sh0 sh q 2 0 0 2 9 9 cm /Fm0 Do Q \
                  BI /W 4 /H 4 /BPC 8 /CS /G ID 0123456789abcdef EI",
            ),
        ),
    ])
}

/// Messages, and archives without the message around them.
fn messages(label: &Bitmap) -> io::Result<Vec<Seed>> {
    let page =
        TiffPage { bitmap: label.clone(), resolution: (204, 196), storage: Storage::Deflate, damaged_rows: Vec::new() };
    let (fax, drawn) = (write(&[page.clone(), page]), small(&of_pictures(std::slice::from_ref(label))));
    let body = mail::text("plain", "Patient: Okonkwo, Baby Girl A\nDOB: 4/2/2027 \u{2013} weight\t1480 g");
    let table = "<html><style>p{}</style><p>NICU review</p><table><tr><td>Weight</td><td>1480&nbsp;g</td></tr></table>";
    let tiff = mail::part("Content-Type: image/tiff; name=\"=?utf-8?Q?fax=2Etif?=\"", &fax);
    let pdf = mail::part("Content-Disposition: attachment; filename*=UTF-8''n%C3%A9.pdf", &drawn);
    let with_paper = mail::message("Fax from 617-555-0134, 2 pages", "mixed", &[body.clone(), tiff, pdf.clone()]);
    let both = mail::message("NICU", "alternative", &[body.clone(), mail::text("html", table)]);
    let packed = |name, bytes| mail::Packed { name, bytes, claimed: None };
    let several = mail::zip(&[packed("a.pdf", &drawn), packed("b/c.tif", &fax), packed("read.txt", b"Weight")], 1);
    let letter = mail::zip_of("[Content_Types].xml", b"<Types/>");
    let in_archive = mail::part("Content-Type: application/zip; name=a.zip", &several);
    let odd = mail::part("Content-Type: application/ms-tnef; name=winmail.dat", b"\x78\x9f\x3e\x22rest");
    let report = mail::message("Undeliverable", "report; report-type=delivery-status", std::slice::from_ref(&body));
    Ok(vec![
        seed("message", "papers.eml", with_paper.clone()),
        seed("message", "forwarded.eml", mail::message("Fwd: NICU", "mixed", &[mail::forwarded(&with_paper), pdf])),
        seed("message", "html.eml", both.clone()),
        seed("message", "forwarded-html.eml", mail::message("Fwd", "digest", &[mail::forwarded(&both)])),
        seed("message", "archive.eml", mail::message("zip", "mixed", &[in_archive, odd])),
        seed("message", "report.eml", report),
        seed(
            "message",
            "photograph.eml",
            mail::message("", "related", &[mail::part("Content-ID: <a>", &png(Some(label))?)]),
        ),
        seed("message", "plain.eml", "From a@b\nSubject: =?iso-8859-1?B?TklDVQ==?=\nTo: x\n\nWeight 1480 g\n"),
        seed("archive", "several.zip", several.clone()),
        seed("archive", "nested.zip", mail::zip_of("a.zip", &several)),
        seed("archive", "message.zip", mail::zip_of("a.eml", both.as_bytes())),
        seed("archive", "letter.docx", letter),
        seed("archive", "lying.zip", mail::zip(&[mail::Packed { name: "a.pdf", bytes: &drawn, claimed: Some(1) }], 3)),
    ])
}

fn page(number: u32) -> Page {
    let word = |text: &str, left, line| Word {
        text: text.to_owned(),
        bounds: Bounds { left, top: 40 + line * 40, width: 90, height: 20 },
        confidence: 0.9,
        line,
    };
    Page {
        number,
        width: 400,
        height: 300,
        resolution: 200,
        source: PageSource::Recognised,
        turned: 180,
        straightened: 0.0,
        unread: Vec::new(),
        flags: vec![PageFlag::DamagedRows],
        unreadable_because: None,
        picture: None,
        words: vec![word("DOB:", 10, 0), word("4/2/2027", 110, 0), word("MRN", 10, 1), word("88104477", 110, 1)],
        codes: Vec::new(),
    }
}

fn frames() -> io::Result<Vec<Seed>> {
    let document = DocumentId::of(b"fax");
    let refusal = Refusal { kind: RefusalKind::Damaged, message: "cut off".to_owned(), mail: None };
    let hold = [frame(&Request::Hold { document: document.clone() })?, header(3)?.to_vec(), b"fax".to_vec()].concat();
    let read = frame(&Request::ReadPage { document: document.clone(), page: 1 })?;
    Ok(vec![
        seed("frames", "requests", [hold, frame(&Request::Inspect { document: document.clone() })?, read].concat()),
        seed("frames", "ready", frame(&Answer::Ready { lacking: Vec::new() })?),
        seed(
            "frames",
            "inspected",
            frame(&Answer::Inspected {
                document: document.clone(),
                format: DocumentFormat::Tiff,
                pages: 3,
                mail: None,
            })?,
        ),
        seed("frames", "page", frame(&Answer::PageRead { document: document.clone(), page: page(1) })?),
        seed("frames", "refused", frame(&Answer::Refused { document, refusal })?),
    ])
}

/// The lines of a text that are wanted, by their number and content.
fn lines(text: &str, wanted: impl Fn(usize, &str) -> bool) -> String {
    let mut some = String::new();
    for (_, line) in text.lines().enumerate().filter(|(number, line)| wanted(*number, line)) {
        some.push_str(line);
        some.push('\n');
    }
    some
}

/// What is text: sidecars, cases, configurations, requests, and the words of pages.
fn texts(cases: &[Case]) -> Vec<Seed> {
    let some = lines(&csv(cases), |number, _| (1..4).contains(&number));
    let shown = include_str!("../../config/nicufaxd.toml").replace("# ", "");
    let every_key = lines(&shown, |_, line| line.contains(" = \"") || line.starts_with('['));
    let sidecar = json!({
        "sender": "6175550134", "received_at": "2026-03-16T09:12:00-04:00", "receiver": 18_665_550_149_u64,
        "pages": 3, "errors": ["page 2"], "csid": null
    });
    let id = format!("{}-1", "0123456789abcdef");
    let requests = [
        json!({"request": "status"}),
        json!({"request": "queue_list", "lane": "um"}),
        json!({"request": "queue_show", "id": id}),
        json!({"request": "act", "item": id, "action": "done", "by": "N. Bellamy", "case_id": "UM41200", "note": null}),
        json!({"request": "held_retry", "id": "0123456789abcdef"}),
        json!({"request": "submit_refused", "source_file": "a.tif", "reason": "empty", "key": "k"}),
        json!({"request": "submit", "receipt": {"source": "submit", "source_file": "a.tif",
               "received_at": "2026-03-16T13:12:00Z"}, "source_key": "k", "refusals": "r", "bytes": 3}),
    ];
    let review = "Lakeview Hospital\tUtilization Management\nNICU WEEKLY CLINICAL REVIEW\n\
                  Patient name: Okonkwo, Baby Girl A\tBirth date: 4/2/2027\nMRN: 88104477\tAuth #: 7712004501\n\
                  Member ID: ZQX440912233\tMother's name: Okonkwo, Ngozi\nGA 31 2/7 wks  Wt today: 1.98 kg\n\
                  Bed: open crib\tResp: HFNC 3 L/min, FiO2 0.24\nFeeds: EBM 24 cal 32 mL q3h\tMeds: caffeine";
    let transfer = "TRANSFER REQUEST\nFrom: Lakeview Hospital, Level II\tTo: University Hospital, Level IV NICU\n\
                    Infant: BG Okonkwo\tDOB: 02-Apr-2027\tSex: F\nReason: PDA ligation\u{c}Page 2\nBirth weight 2 lb 3 oz";
    let mut all: Vec<Seed> = (1..)
        .zip(requests)
        .map(|(number, request)| seed("control", &format!("request-{number}"), request.to_string()))
        .collect();
    all.extend([
        seed("sidecar", "full.json", sidecar.to_string()),
        seed("sidecar", "odd.json", "\u{feff}{\"sender\": 617, \"pages\": \" 3 \", \"errors\": \"none\", \"received_at\": 1}"),
        seed("cases", "rows.csv", some.clone()),
        seed("cases", "whole.csv", format!("{},bed\n{}", super::registry::COLUMNS, some.replace('\n', ",7\n"))),
        seed("cases", "quoted.csv", "\"C,1\",\"open\",,,,\"Saint \"\"O\"\"\",,,,,,,2026-01-02,,,,,,,,,,,\r\n"),
        seed("config", "whole.toml", every_key),
        seed(
            "config",
            "least.toml",
            "state_dir = \"s\"\n[[intake.folder]]\nname = \"fax\"\npath = \"in\"\nsettle = \"5s\"\nmax_bytes = \"1MB\"\n\
             [cases]\npath = \"c.csv\"\n[export]\ndir = \"w\"\n[reader]\nworkers = 2\npage_timeout = \"20s\"\n",
        ),
        seed("words", "review.txt", review),
        seed("words", "transfer.txt", transfer),
    ]);
    all
}
