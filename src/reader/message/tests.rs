//! Messages as senders and gateways make them, put together by hand.

#![allow(clippy::format_push_string, reason = "tests may allocate")]

use std::io::{Cursor, Write};

use ::zip::ZipWriter;
use ::zip::write::SimpleFileOptions;
use base64::Engine;
use image::{DynamicImage, ImageFormat};
use proptest::prelude::*;

use super::*;
use crate::document::Automatic;

const HEAD: &str = "From: \"Bridget\" <UR@hospital.example>\r\nTo: um@plan.example\r\nSubject: NICU review\r\n\
                    Date: Sun, 15 Mar 2026 07:08:54 -0400\r\nMIME-Version: 1.0\r\n";

fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    let grey = DynamicImage::new_luma8(width, height);
    let shown = if format == ImageFormat::Gif { grey.into_rgba8().into() } else { grey };
    shown.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

fn sheet() -> Vec<u8> {
    picture(850, 1100, ImageFormat::Png)
}

fn pdf(trailer: &str) -> Vec<u8> {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>",
    ];
    let mut text = "%PDF-1.4\n".to_owned();
    let mut table = String::new();
    for (number, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", text.len()));
        text.push_str(&format!("{} 0 obj\n{object}\nendobj\n", number + 1));
    }
    let start = text.len();
    text.push_str(&format!(
        "xref\n0 5\n0000000000 65535 f \n{table}trailer\n<< /Size 5 /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n"
    ));
    text.into_bytes()
}

fn part(head: &str, bytes: &[u8]) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    let lines: Vec<&str> = encoded.as_bytes().chunks(76).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("{head}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n", lines.join("\r\n"))
}

fn text(body: &str) -> String {
    format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n")
}

fn mixed(parts: &[String]) -> Vec<u8> {
    let parts = parts.join("--=b\r\n");
    format!("{HEAD}Content-Type: multipart/mixed; boundary=\"=b\"\r\n\r\n--=b\r\n{parts}--=b--\r\n").into_bytes()
}

fn archive(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn opened(bytes: &[u8]) -> Opened {
    open(bytes, &RenderLimits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(bytes: &[u8]) -> RenderError {
    open(bytes, &RenderLimits::default()).map(|opened| opened.mail).unwrap_err()
}

#[test]
fn attachments_are_told_by_content_whatever_they_are_called() {
    let message = mixed(&[
        text("Clinicals attached."),
        part("Content-Type: application/octet-stream; name=\"scan\"", &pdf("")),
        part("Content-Type: text/html\r\nContent-Disposition: attachment; filename*=UTF-8''n%C3%A9.doc", &sheet()),
        part("Content-Disposition: inline", &pdf("")),
    ]);
    let Opened { papers, mail } = opened(&message);
    assert_eq!(papers.len(), 3);
    assert_eq!(mail.papers, [[1, 2], [3, 3], [4, 5]]);
    assert_eq!(
        (mail.from.as_deref(), mail.is_body, mail.unread.as_slice()),
        (Some("ur@hospital.example"), false, &[][..])
    );
}

#[test]
fn pictures_one_after_the_other_are_the_sheets_of_one_paper() {
    let photo = |name: &str| part(&format!("Content-Type: image/png; name={name}"), &sheet());
    let opened = opened(&mixed(&[photo("1"), photo("2"), part("Content-Type: application/pdf", &pdf("")), photo("3")]));
    assert_eq!(opened.mail.papers, [[1, 2], [3, 4], [5, 5]]);
    assert!(matches!(opened.paper_of(4), Some((Paper::File(_), 2))));
    assert!(matches!(opened.paper_of(5), Some((Paper::File(_), 1))));
    assert!(opened.paper_of(0).is_none() && opened.paper_of(6).is_none());
}

#[test]
fn logos_and_signatures_are_no_papers_and_a_photographed_form_is() {
    let logo = part(
        "Content-Type: image/png; name=image001.png\r\nContent-ID: <logo@sig>",
        &picture(260, 60, ImageFormat::Png),
    );
    let inline = part(
        "Content-Type: image/jpeg\r\nContent-ID: <form>\r\nContent-Disposition: inline",
        &picture(1200, 1600, ImageFormat::Jpeg),
    );
    let both = opened(&mixed(&[text("See below."), logo.clone(), inline]));
    assert_eq!((both.papers.len(), both.mail.papers.as_slice()), (1, &[[1, 1]][..]));
    let body = opened(&mixed(&[text("NICU concurrent review\r\nPatient: Roe, Jan"), logo]));
    assert!(body.mail.is_body);
}

#[test]
fn the_text_of_a_message_without_papers_is_the_document() {
    let Opened { papers, mail } = opened(&mixed(&[text("Patient: Roe, Jan      MRN: 4711\r\nWeight:    1450 g")]));
    assert!(mail.is_body && mail.papers == [[1, 1]]);
    let [(_, Paper::Text(told))] = papers.as_slice() else { panic!("no text") };
    let page = page_of_text(told, 1, 1);
    let words: Vec<&str> = page.words.iter().map(|word| word.text.as_str()).collect();
    assert_eq!(words, ["NICU", "review", "Patient:", "Roe,", "Jan", "MRN:", "4711", "Weight:", "1450", "g"]);
    let [jan, mrn] = ["Jan", "MRN:"].map(|text| page.words.iter().find(|word| word.text == text).unwrap().bounds);
    assert!(mrn.left - jan.right() > 2 * jan.height, "they stand in columns");
    assert_eq!(jan.top, mrn.top);
}

#[test]
fn a_message_in_html_is_read_with_its_tables() {
    let html = "<html><style>p{}</style><p>Concurrent review</p><table><tr><td>Weight</td><td>1450 g</td></tr>\
                <tr><td>Bed</td><td>Isolette &amp; warm</td></tr></table><script>x()</script></html>";
    let message = format!("{HEAD}Content-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n");
    let Opened { papers, .. } = opened(message.as_bytes());
    let [(_, Paper::Text(told))] = papers.as_slice() else { panic!("no text") };
    let row = told.lines().find(|line| line.contains("1450 g")).unwrap();
    assert!(row.contains("Weight") && told.contains("Isolette & warm") && !told.contains("x()"), "{told}");
}

#[test]
fn papers_in_forwarded_messages_and_archives_are_found() {
    let inner = String::from_utf8(mixed(&[text("Fwd"), part("Content-Type: application/pdf", &pdf(""))])).unwrap();
    let forwarded = format!("Content-Type: message/rfc822\r\n\r\n{inner}\r\n");
    assert_eq!(opened(&mixed(&[text("See below"), forwarded])).mail.papers, [[1, 2]]);
    let zipped = archive(&[("a.pdf", pdf("")), ("b.png", sheet()), ("readme.txt", b"Patient: Roe".to_vec())]);
    let opened = opened(&mixed(&[part("Content-Type: application/zip", &zipped)]));
    assert_eq!(opened.mail.papers, [[1, 2], [3, 3], [4, 4]]);
    let letter = archive(&[("[Content_Types].xml", Vec::new()), ("word/document.xml", b"<w/>".to_vec())]);
    let told = refused(&mixed(&[text("Letter attached"), part("Content-Type: application/msword", &letter)]));
    assert_eq!(told, RenderError::NothingReadable { part: UnreadPart::Unsupported });
    let bomb = archive(&[("a.tif", vec![0; 300 << 20])]);
    let told = refused(&mixed(&[text("x"), part("Content-Type: application/zip", &bomb)]));
    assert_eq!(told, RenderError::NothingReadable { part: UnreadPart::TooLarge });
    let mut nested = zipped;
    for _ in 0..10 {
        nested = archive(&[("a.zip", nested)]);
    }
    let told = refused(&mixed(&[text("x"), part("Content-Type: application/zip", &nested)]));
    assert_eq!(told, RenderError::NothingReadable { part: UnreadPart::TooDeep });
}

#[test]
fn what_cannot_be_read_is_named_or_refused_with_its_reason() {
    let encrypted = "/Encrypt << /Filter /Nonsense >>";
    for (head, bytes, expected) in [
        (
            "Content-Type: application/ms-tnef; name=winmail.dat",
            b"\x78\x9f\x3e\x22rest".to_vec(),
            UnreadPart::WinmailDat,
        ),
        (
            "Content-Type: application/pkcs7-mime; name=smime.p7m; smime-type=enveloped-data",
            vec![0x30, 0x80],
            UnreadPart::Encrypted,
        ),
        ("Content-Type: application/pgp-encrypted", b"Version: 1".to_vec(), UnreadPart::Encrypted),
        ("Content-Type: audio/wav", b"RIFF....WAVE".to_vec(), UnreadPart::Unsupported),
        ("Content-Type: application/pdf", Vec::new(), UnreadPart::Damaged),
    ] {
        let unreadable = part(head, &bytes);
        let told = refused(&mixed(&[text("See attached."), unreadable.clone()]));
        assert_eq!(told, RenderError::NothingReadable { part: expected }, "{head}");
        let beside = opened(&mixed(&[unreadable, part("Content-Type: image/png", &sheet())]));
        assert_eq!(
            (beside.mail.unread.as_slice(), beside.mail.papers.as_slice()),
            (&[expected][..], &[[1, 1]][..]),
            "{head}"
        );
    }
    let locked = part("Content-Type: application/pdf", &pdf(encrypted));
    assert_eq!(refused(&mixed(&[text("See attached."), locked.clone()])), RenderError::Encrypted);
    let beside = opened(&mixed(&[locked, part("Content-Type: image/png", &sheet())]));
    assert_eq!(beside.mail.unread, [UnreadPart::Password]);
    assert_eq!(refused(format!("{HEAD}\r\n\r\n").as_bytes()), RenderError::EmptyMessage);
}

#[test]
fn what_machines_send_of_other_messages_is_known_as_such_unless_it_brings_papers() {
    let report = |kind: &str| {
        format!(
            "{HEAD}Content-Type: multipart/report; report-type={kind}; boundary=\"=b\"\r\n\r\n--=b\r\n{}--=b\r\n\
             Content-Type: message/delivery-status\r\n\r\nAction: failed\r\n--=b--\r\n",
            text("It could not be delivered.")
        )
    };
    let automatic = |message: String| opened(message.as_bytes()).mail.automatic;
    assert_eq!(automatic(report("delivery-status")), Some(Automatic::DeliveryReport));
    assert_eq!(automatic(report("disposition-notification")), Some(Automatic::ReadReceipt));
    let away = format!("{HEAD}Auto-Submitted: auto-replied\r\n{}", text("I am away."));
    assert_eq!(automatic(away), Some(Automatic::Reply));
    let titled = format!("{}{}", HEAD.replace("NICU review", "Automatic reply: NICU review"), text("I am away."));
    assert_eq!(automatic(titled), Some(Automatic::Reply));
    let round =
        format!("{}{HEAD}{}", "Received: from a by b; Sun, 15 Mar 2026 07:08:54 -0400\r\n".repeat(60), text("x"));
    assert_eq!(automatic(round), Some(Automatic::Loop));
    assert_eq!(automatic(format!("{HEAD}{}", text("Patient: Roe"))), None);
    let paper = mixed(&[text("I am away."), part("Content-Type: application/pdf", &pdf(""))]);
    let paper = [b"Auto-Submitted: auto-replied\r\n", &paper[..]].concat();
    assert_eq!(opened(&paper).mail.automatic, None);
}

/// Dropping the parsed message would go as deep as it, and end the worker.
#[test]
fn a_message_forwarded_a_hundred_thousand_times_is_told_and_not_the_end_of_the_worker() {
    let deep = format!("{HEAD}{}", "Content-Type: message/rfc822\r\n\r\n".repeat(100_000));
    assert_eq!(refused(deep.as_bytes()), RenderError::NothingReadable { part: UnreadPart::TooDeep });
    let mut parts = String::new();
    for at in 0..100_000 {
        parts.push_str(&format!("Content-Type: multipart/mixed; boundary={at}\r\n\r\n--{at}\r\n"));
    }
    let told = opened(format!("{HEAD}{parts}Content-Type: text/plain\r\n\r\nWeight 1450 g\r\n").as_bytes());
    assert_eq!((told.papers.len(), told.mail.papers.as_slice()), (1, &[[1, 1]][..]));
}

/// What sets HTML as text calls itself for each level.
#[test]
fn html_as_deep_as_no_stack_gives_its_words() {
    for tag in ["<div>", "<table><tr><td>", "<b>", "<ul><li>"] {
        let html = format!("{}Weight 1450&nbsp;g", tag.repeat(3_000));
        let told = opened(format!("{HEAD}Content-Type: text/html\r\n\r\n{html}\r\n").as_bytes());
        let [(_, Paper::Text(text))] = told.papers.as_slice() else { panic!("no text") };
        assert!(text.contains("Weight 1450"), "{tag}");
    }
}

/// 200 archives in each of 200 archives, and so on: a few kilobytes, and more files than there are atoms.
#[test]
fn archives_of_archives_are_opened_so_many_times_and_no_more() {
    let mut nested = archive(&[("a.txt", b"Weight 1450 g".to_vec())]);
    for _ in 0..6 {
        let names: Vec<String> = (0..200).map(|number| number.to_string()).collect();
        let files: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (name.as_str(), nested.clone())).collect();
        nested = archive(&files);
        if nested.len() > 1 << 20 {
            break;
        }
    }
    let told = opened(&mixed(&[text("x"), part("Content-Type: application/zip", &nested)]));
    assert_eq!((told.papers.len(), told.mail.unread.as_slice()), (MOST_PAPERS, &[UnreadPart::TooLarge][..]));
}

/// The places of words are of 32 bits: forty million tabulators would be more than fit.
#[test]
fn a_line_without_end_stays_on_the_page() {
    let page = page_of_text(&format!("{}Weight 1450 g", "\t".repeat(40_000_000)), 1, 1);
    assert_eq!(page.words.len(), 3);
    assert!(page.words.iter().all(|word| word.bounds.right() <= page.width && page.width < 1 << 20));
}

#[test]
fn a_text_longer_than_a_document_may_be_is_read_as_far_as_it_may_and_the_rest_is_named() {
    let limits = RenderLimits { max_pages: 2, ..RenderLimits::default() };
    let message = format!("{HEAD}\r\n{}", "Weight 1450 g\r\n".repeat(1_000));
    let told = open(message.as_bytes(), &limits).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        (told.mail.papers.as_slice(), told.mail.unread.as_slice()),
        (&[[1, 2]][..], &[UnreadPart::TooLarge][..])
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_whatever_make_opening_a_message_panic(
        flips in proptest::collection::vec((0_usize..4000, any::<u8>()), 0..30), cut in 0_usize..4000
    ) {
        let mut bytes = mixed(&[text("Patient: Roe"), part("Content-Type: application/pdf", &pdf("")), text("more")]);
        for (at, byte) in flips {
            if let Some(here) = bytes.get_mut(at) {
                *here = byte;
            }
        }
        bytes.truncate(cut);
        let limits = RenderLimits::default();
        if let Ok(opened) = open(&bytes, &limits) {
            prop_assert!(opened.pages() >= 1);
            prop_assert!(opened.paper_of(opened.pages()).is_some());
        }
    }
}

#[test]
fn papers_stored_in_an_archive_as_they_are_are_all_found() {
    let stored = |names: &[(&str, Vec<u8>)]| {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(::zip::CompressionMethod::Stored);
        for (name, bytes) in names {
            writer.start_file(*name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    };
    let zipped = stored(&[("a.pdf", pdf("")), ("b.png", sheet()), ("c.pdf", pdf("/A 1"))]);
    let found = opened(&mixed(&[text("x"), part("Content-Type: application/zip", &zipped)]));
    assert_eq!(found.mail.papers, [[1, 2], [3, 3], [4, 5]]);
}

#[test]
fn what_may_be_a_paper_and_is_not_read_is_named() {
    let unread = |parts: &[String]| opened(&mixed(parts)).mail.unread;
    let form = picture(480, 640, ImageFormat::Jpeg);
    let gif = |side: u32| picture(side, side, ImageFormat::Gif);
    let see = || text("see attached");
    assert_eq!(unread(&[see(), part("Content-Type: image/jpeg", &form)]), [UnreadPart::SmallPicture]);
    let logo = picture(600, 180, ImageFormat::Png);
    assert_eq!(unread(&[see(), part("Content-Type: image/png\r\nContent-ID: <logo>", &logo)]), []);
    let inline = "Content-Type: image/gif\r\nContent-ID: <page>";
    let unsupported = RenderError::NothingReadable { part: UnreadPart::Unsupported };
    assert_eq!(opened(&mixed(&[see(), part(inline, &gif(1000))])).mail.papers, [[1, 1]]);
    let logo = opened(&mixed(&[see(), part(inline, &gif(60))])).mail;
    assert!(logo.is_body && logo.unread.is_empty());
    let photograph = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
    let told = refused(&mixed(&[see(), part("Content-Type: image/heic; name=IMG_1.HEIC", photograph)]));
    assert_eq!(told, RenderError::NothingReadable { part: UnreadPart::Heic });
    assert!(told.to_string().contains("ask the sender for a JPEG"), "{told}");
    let written_in = text("the form:\r\nbegin 644 form.pdf\r\nM)5!$1BTQ+C0*\r\n`\r\nend");
    assert_eq!(refused(&mixed(&[written_in])), RenderError::NothingReadable { part: UnreadPart::Damaged });
    let letter = part("Content-Type: application/octet-stream; name=a.doc", b"letter");
    assert_eq!(refused(&mixed(&[see(), letter])), unsupported);
    assert_eq!(unread(&[text("Please begin 644 ml of feeds today.\r\nbegin at 8 o'clock")]), []);
}

#[test]
fn a_report_that_a_person_forwards_is_opened() {
    let report = format!(
        "From: mailer-daemon@hospital.example\r\nTo: ur@hospital.example\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n--r\r\n{}--r\r\n\
         Content-Type: message/rfc822\r\n\r\n{}\r\n--r--\r\n",
        text("could not be delivered"),
        String::from_utf8(mixed(&[text("x"), part("Content-Type: application/pdf", &pdf(""))])).unwrap()
    );
    let forwarded = mixed(&[text("did you get this?"), format!("Content-Type: message/rfc822\r\n\r\n{report}\r\n")]);
    assert_eq!(opened(&forwarded).mail.papers, [[1, 2]]);
}

#[test]
fn a_bitmap_is_a_paper_and_a_gif_that_moves_is_named() {
    let bitmap = part("Content-Type: image/bmp", &picture(850, 1100, ImageFormat::Bmp));
    assert_eq!(opened(&mixed(&[text("see attached"), bitmap.clone()])).mail.papers, [[1, 1]]);
    let mut moving = Vec::new();
    let frame = DynamicImage::new_rgba8(600, 800).into_rgba8();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut moving);
    encoder.encode_frames([frame.clone(), frame].map(image::Frame::new)).unwrap();
    drop(encoder);
    let both = opened(&mixed(&[bitmap, part("Content-Type: image/gif", &moving)]));
    assert_eq!(
        (both.mail.papers.as_slice(), both.mail.unread.as_slice()),
        (&[[1, 1]][..], &[UnreadPart::Unsupported][..])
    );
}

#[test]
fn a_message_with_words_in_its_subject_alone_is_read_and_one_with_hardly_any_is_empty() {
    let with = |subject: &str| HEAD.replace("NICU review", subject) + "\r\n\r\n";
    let told = opened(with("Baby Roe was transferred today").as_bytes());
    let [(1, Paper::Text(words))] = told.papers.as_slice() else { panic!("no text") };
    assert!(told.mail.is_body && words.starts_with("Baby Roe was transferred today"), "{words}");
    assert_eq!(refused(with("NICU review").as_bytes()), RenderError::EmptyMessage);
    assert_eq!(head(with("NICU review").as_bytes()).unwrap().subject.as_deref(), Some("NICU review"));
}

#[test]
fn a_gateways_text_beside_a_fax_tells_of_it_where_the_subject_does_not() {
    let fax = || part("Content-Type: application/pdf", &pdf(""));
    let told = |words: &str| opened(&mixed(&[text(words), fax()])).mail;
    let mail = told("You have received a 4 page fax.\r\nCaller-ID: 617-555-0134\r\n");
    assert_eq!((mail.fax_sender.as_deref(), mail.reported_pages), (Some("6175550134"), Some(4)));
    let mail = told("R. Nurse, Lakeview NICU, fax number: 617-555-0199");
    assert_eq!((mail.fax_sender, mail.reported_pages), (None, None));
}

#[test]
fn a_mail_of_ours_that_comes_back_tells_what_it_encloses_and_needs_nobody_without_a_paper() {
    let marked = |message: &[u8]| [b"Message-ID: <nicufaxd.0a1b@clinic.example>\r\n", message].concat();
    let notice = opened(&marked(format!("{HEAD}{}", text("Item 12 waits.")).as_bytes())).mail;
    assert_eq!(notice.automatic, Some(Automatic::Own));
    let paper = pdf("");
    let forward =
        opened(&marked(&mixed(&[text("forwarded to you"), part("Content-Type: application/pdf", &paper)]))).mail;
    let own = forward.own.unwrap();
    assert_eq!(own.enclosed.as_deref(), Some(DocumentId::of(&paper).as_str()));
    assert_eq!((own.id.as_deref(), forward.automatic), (Some("0a1b"), None), "papers are for whoever can compare them");
}

#[test]
fn what_a_person_attached_by_name_is_a_paper_whatever_its_shape_and_an_icon_is_none() {
    let attached = "Content-Type: image/jpeg; name=IMG_2041.jpg\r\n\
                    Content-Disposition: attachment; filename=IMG_2041.jpg";
    let photo = |width, height| part(attached, &picture(width, height, ImageFormat::Jpeg));
    let told = opened(&mixed(&[text("see attached"), photo(1180, 495)])).mail;
    assert_eq!((told.papers, told.pictures, told.is_body), (vec![[1, 1]], vec![[1, 1]], false));
    assert_eq!(opened(&mixed(&[text("see attached"), photo(1180, 120)])).mail.unread, [UnreadPart::SmallPicture]);
    assert_eq!(opened(&mixed(&[text("see attached"), photo(48, 48)])).mail.unread, []);
}

#[test]
fn what_a_text_shows_small_or_as_a_banner_is_no_paper_and_a_photographed_form_in_it_is() {
    let with = |tag: &str, width: u32, height: u32| {
        let html = format!(
            "Content-Type: text/html; charset=utf-8\r\n\r\n<p>NICU concurrent review</p><p>Patient: Roe, Jan</p>{tag}\r\n"
        );
        let head = "Content-Type: image/png; name=image001.png\r\nContent-ID: <image001.png@01D9>\r\n\
                    Content-Disposition: inline; filename=image001.png";
        opened(&mixed(&[html, part(head, &picture(width, height, ImageFormat::Png))])).mail
    };
    let logo = with("<img width=64 src=\"cid:image001.png@01D9\">", 512, 512);
    assert!(logo.is_body && logo.unread.is_empty(), "{logo:?}");
    let banner = with("<img src=\"cid:image001.png@01D9\">", 1600, 520);
    assert_eq!((banner.is_body, banner.unread.as_slice()), (true, &[UnreadPart::SmallPicture][..]));
    let reduced = with("<img width=100 src=\"cid:image001.png@01D9\">", 1200, 1600);
    assert_eq!((reduced.is_body, reduced.unread.as_slice()), (true, &[UnreadPart::SmallPicture][..]));
    for tag in
        ["<img src=\"cid:image001.png@01D9\" alt=\"image0.jpeg\">", "<img width=600 src='cid:image001.png@01D9'>"]
    {
        assert_eq!(with(tag, 3024, 4032).pictures, [[1, 1]], "{tag}");
    }
}

#[test]
fn what_office_and_its_post_encrypt_is_named_as_such() {
    let message = part("Content-Type: application/x-microsoft-rpmsg-message; name=message.rpmsg", b"\x76\xe8\x04\x60");
    let encrypted = RenderError::NothingReadable { part: UnreadPart::Encrypted };
    assert_eq!(refused(&mixed(&[text("a protected message"), message])), encrypted);
    let mut office = COMPOUND_FILE.to_vec();
    office.resize(600, 0);
    office.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
    let letter = part("Content-Type: application/octet-stream; name=review.docx", &office);
    let locked = RenderError::NothingReadable { part: UnreadPart::Password };
    assert_eq!(refused(&mixed(&[text("see attached"), letter])), locked);
}

fn uuencoded(bytes: &[u8]) -> String {
    let sign = |sextet: u8| char::from(if sextet == 0 { b'`' } else { sextet + 0x20 });
    let mut text = "begin 644 form.bin\r\n".to_owned();
    for line in bytes.chunks(45) {
        text.push(sign(line.len() as u8));
        for group in line.chunks(3) {
            let [a, b, c] = [0, 1, 2].map(|at| group.get(at).copied().unwrap_or(0));
            text.extend([a >> 2, (a & 3) << 4 | b >> 4, (b & 15) << 2 | c >> 6, c & 63].map(sign));
        }
        text.push_str("\r\n");
    }
    text + "`\r\nend\r\n"
}

#[test]
fn a_file_coded_by_uuencode_is_a_paper_in_a_text_and_as_a_part() {
    let within = opened(&mixed(&[text(&format!("the form:\r\n{}Regards", uuencoded(&pdf(""))))])).mail;
    assert_eq!(within.papers, [[1, 2]]);
    let covering = within.covering.unwrap_or_default();
    assert!(
        covering.contains("the form:") && covering.contains("Regards") && !covering.contains("begin"),
        "{covering}"
    );
    for kind in ["application/pdf", "text/plain"] {
        let coded = format!(
            "Content-Type: {kind}; name=form.pdf\r\nContent-Disposition: attachment; filename=form.pdf\r\n\
             Content-Transfer-Encoding: x-uuencode\r\n\r\n{}",
            uuencoded(&pdf(""))
        );
        assert_eq!(opened(&mixed(&[text("see attached"), coded])).mail.papers, [[1, 2]], "{kind}");
    }
    let cut = text("the form:\r\nbegin 644 form.pdf\r\n#0V%T\r\n");
    assert_eq!(refused(&mixed(&[cut])), RenderError::NothingReadable { part: UnreadPart::Damaged });
}

#[test]
fn a_picture_sent_quoted_printable_as_a_text_is_read_as_what_it_is() {
    let coded: String = sheet().chunks(20).fold(String::new(), |mut text, line| {
        for byte in line {
            text.push_str(&format!("={byte:02X}"));
        }
        text + "=\r\n"
    });
    let part = format!(
        "Content-Type: text/plain; name=x.tif\r\nContent-Disposition: attachment; filename=x.tif\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n{coded}\r\n"
    );
    let told = opened(&mixed(&[text("see attached"), part]));
    assert!(matches!(told.papers.as_slice(), [(1, Paper::File(bytes))] if bytes.starts_with(&sheet()[..600])));
}

#[test]
fn a_paper_in_a_message_that_comes_back_is_looked_at_and_what_we_sent_is_compared_with_it() {
    let report = |returned: &[u8]| {
        let returned = String::from_utf8(returned.to_vec()).unwrap();
        let message = format!(
            "{HEAD}Content-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n--r\r\n{}--r\r\n\
             Content-Type: message/delivery-status\r\n\r\nAction: failed\r\n--r\r\n\
             Content-Type: message/rfc822\r\n\r\n{returned}\r\n--r--\r\n",
            text("could not be delivered")
        );
        opened(message.as_bytes()).mail
    };
    let paper = mixed(&[text("clinicals"), part("Content-Type: application/pdf", &pdf(""))]);
    let theirs = report(&paper);
    assert_eq!((theirs.papers.as_slice(), theirs.automatic, theirs.own), (&[[1, 2]][..], None, None));
    let ours = report(&[b"Message-ID: <nicufaxd.0a1b@clinic.example>\r\n", &paper[..]].concat());
    let own = ours.own.unwrap();
    assert_eq!((own.id.as_deref(), own.enclosed.as_deref()), (Some("0a1b"), Some(DocumentId::of(&pdf("")).as_str())));
    let words = report(&mixed(&[text("Are you there?")]));
    assert_eq!((words.is_body, words.automatic), (true, Some(Automatic::DeliveryReport)));
}

#[test]
fn the_head_of_a_gateways_message_tells_the_fax_number_and_the_pages() {
    let told = head(HEAD.replace("NICU review", "Fax from 617-555-0134, 4 pages").as_bytes()).unwrap();
    assert_eq!((told.sender(), told.reported_pages), (Some("6175550134"), Some(4)));
}

/// A message without the line that closes it.
fn unclosed(parts: &[String]) -> Vec<u8> {
    let whole = mixed(parts);
    whole.strip_suffix(b"--=b--\r\n").unwrap().to_vec()
}

#[test]
fn a_message_that_was_never_closed_is_read_to_its_last_paper() {
    let paper = |bytes: &[u8]| part("Content-Type: application/pdf; name=a.pdf", bytes);
    let told = opened(&unclosed(&[text("see attached"), paper(&pdf("")), paper(&pdf("/A 1"))]));
    assert_eq!((told.mail.papers.as_slice(), told.mail.unread.as_slice()), (&[[1, 2], [3, 4]][..], &[][..]));
    assert!(matches!(told.papers.last(), Some((_, Paper::File(bytes))) if *bytes == pdf("/A 1")));
    let forwarded = unclosed(&[text("clinicals"), paper(&pdf(""))]);
    let forwarded = format!("Content-Type: message/rfc822\r\n\r\n{}", String::from_utf8(forwarded).unwrap());
    let told = opened(&mixed(&[text("fwd"), forwarded, paper(&pdf("/A 1"))]));
    assert_eq!((told.mail.papers.as_slice(), told.mail.unread.as_slice()), (&[[1, 2], [3, 4]][..], &[][..]));
}

#[test]
fn a_paper_that_was_cut_off_is_named_and_never_read_as_words() {
    let parts = [text("see attached"), part("Content-Type: image/png; name=a.png", &sheet())];
    let whole = unclosed(&parts);
    for cut in [2, 3, 90, 401, 402, 403] {
        match open(&whole[..whole.len() - cut], &RenderLimits::default()) {
            Ok(told) => {
                assert!(!told.mail.is_body && matches!(told.papers.as_slice(), [(_, Paper::File(_))]), "{cut}");
                assert_eq!(told.mail.unread.is_empty(), cut < 4, "{cut}");
            }
            Err(error) => panic!("{cut}: {error}"),
        }
    }
    let review = "Patient: Roe, Jan\r\nDOB: 2/7/2026\r\nWeight: 1450 g";
    let told = opened(&unclosed(&[text(review)]));
    assert_eq!((told.mail.is_body, told.mail.unread.as_slice()), (true, &[UnreadPart::Damaged][..]));
}

#[test]
fn a_part_whose_coded_lines_are_damaged_is_read_as_far_as_it_goes() {
    let footed = format!("{}\r\n_____\r\nUR list\r\n", part("Content-Type: application/pdf", &pdf("")).trim_end());
    let told = opened(&mixed(&[text("see attached"), footed, text("more")]));
    assert_eq!((told.mail.papers.as_slice(), told.mail.unread.as_slice()), (&[[1, 2]][..], &[UnreadPart::Damaged][..]));
    let body = part("Content-Type: text/plain", b"Weight today 1450 g").replace("V2VpZ2h0", "V2V?pZ2h0");
    let told = opened(&mixed(&[body]));
    assert!(matches!(told.papers.as_slice(), [(1, Paper::Text(words))] if words.contains("Weight today 1450 g")));
}

#[test]
fn a_text_that_is_a_block_of_base64_is_taken_for_the_file_that_it_is() {
    let lines = |bytes: &[u8]| part("", bytes).split_once("\r\n\r\n").map(|(_, lines)| lines.to_owned()).unwrap();
    let told = opened(&mixed(&[text(&format!("Content-Type: application/pdf\r\n\r\n{}", lines(&pdf(""))))]));
    assert_eq!((told.mail.papers.as_slice(), told.mail.is_body), (&[[1, 2]][..], false));
    let rest = lines(&sheet().repeat(20)[600..]);
    assert_eq!(refused(&mixed(&[text(&rest)])), RenderError::NothingReadable { part: UnreadPart::Damaged });
    let written = format!("begin-base64 644 form.pdf\r\n{}====\r\n", lines(&pdf("")));
    assert_eq!(opened(&mixed(&[text(&written)])).mail.papers, [[1, 2]]);
}

#[test]
fn a_long_text_beside_what_cannot_be_read_may_be_the_document_and_a_short_one_is_none() {
    let beside = |words: &str| mixed(&[text(words), part("Content-Type: application/ms-tnef; name=winmail.dat", b"x")]);
    let review = "Patient: Roe, Jan\r\nDOB: 2/7/2026\r\nWeight: 1450 g\r\nBed type: Isolette\r\n".repeat(4);
    let mail = opened(&beside(&review)).mail;
    assert_eq!((mail.is_body, mail.unread.as_slice()), (true, &[UnreadPart::WinmailDat][..]));
    assert!(mail.nothing_else.unwrap().contains("winmail.dat"));
    let short = refused(&beside("See attached.\r\nB. Nurse, RN"));
    assert_eq!(short, RenderError::NothingReadable { part: UnreadPart::WinmailDat });
}

#[test]
fn messages_that_are_to_be_read_elsewhere_are_encrypted_ones() {
    let encrypted = RenderError::NothingReadable { part: UnreadPart::Encrypted };
    let note = text("Ana Berg (ana@suh.example) has sent you a protected message.\r\nRead the message");
    assert_eq!(refused(&mixed(&[note])), encrypted);
    let page = "Content-Type: text/html\r\nContent-Disposition: attachment; filename=securedoc_20260316.html\r\n\r\n\
                <form action=x><input name=y></form>\r\n";
    assert_eq!(refused(&mixed(&[text("see attached"), page.to_owned()])), encrypted);
}

#[test]
fn what_is_signed_and_wrapped_is_read() {
    let inner = mixed(&[text("x"), part("Content-Type: application/pdf", &pdf(""))]);
    let element = |tag: u8, within: &[u8]| [&[tag, 0x84], &(within.len() as u32).to_be_bytes()[..], within].concat();
    let named = |last: u8, within: &[u8]| {
        let identifier = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, last];
        element(0x30, &[&identifier[..], &element(0xa0, within)].concat())
    };
    let parts = [&[0x02, 1, 1, 0x31, 0][..], &named(1, &element(0x04, &inner)), &[0x31, 0]].concat();
    let signed = named(2, &element(0x30, &parts));
    let wrapped = |bytes: &[u8]| {
        let kind = "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m";
        format!("{HEAD}{}", part(kind, bytes)).into_bytes()
    };
    assert_eq!(opened(&wrapped(&signed)).mail.papers, [[1, 2]]);
    assert_eq!(refused(&wrapped(&signed[..90])), RenderError::NothingReadable { part: UnreadPart::Damaged });
}

#[test]
fn a_subject_that_says_somebody_is_away_counts_where_nothing_is_attached() {
    let with = |parts: &[String]| {
        let message = String::from_utf8(mixed(parts)).unwrap().replace("NICU review", "Automatische Antwort: NICU");
        opened(message.as_bytes()).mail
    };
    let away = with(&[text("Ich bin nicht da.")]);
    assert_eq!((away.automatic, away.answerable), (Some(Automatic::Reply), false));
    assert_eq!(with(&[text("see attached"), part("Content-Type: application/pdf", &pdf(""))]).automatic, None);
}
