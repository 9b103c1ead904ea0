//! Emails, good ones and hostile ones, put together by hand as mail programs do, and worse.

use flate2::{Compress, Compression, Crc, FlushCompress};

use super::random::Random;

/// Between the parts of every message made here.
pub const BOUNDARY: &str = "=_b0undary";

const HEAD: &str = "From: \"Utilization Review\" <UR@hospital.example>\r\nTo: um@plan.example\r\n\
                    Date: Mon, 16 Mar 2026 09:12:00 -0400\r\nMessage-ID: <1@hospital.example>\r\nMIME-Version: 1.0\r\n";

/// A part with its head (no line feed at the end), in Base64.
pub fn part(head: &str, bytes: &[u8]) -> String {
    format!("{head}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n", base64(bytes))
}

/// A part of text, in quoted-printable.
pub fn text(kind: &str, text: &str) -> String {
    let mut coded = String::new();
    for line in text.lines() {
        let mut width = 0;
        for byte in line.bytes() {
            if width > 70 {
                coded.push_str("=\r\n");
                width = 0;
            }
            if byte == b'=' || !(b' '..=b'~').contains(&byte) {
                coded.push_str(&format!("={byte:02X}"));
                width += 3;
            } else {
                coded.push(char::from(byte));
                width += 1;
            }
        }
        coded.push_str("\r\n");
    }
    format!(
        "Content-Type: text/{kind}; charset=\"utf-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{coded}\r\n"
    )
}

/// A message of these parts.
pub fn message(subject: &str, kind: &str, parts: &[String]) -> String {
    let open = &*format!("--{BOUNDARY}\r\n");
    let parts = parts.iter().flat_map(|part| [open, part.as_str()]).collect::<String>();
    format!(
        "{HEAD}Subject: {subject}\r\nContent-Type: multipart/{kind}; boundary=\"{BOUNDARY}\"\r\n\r\n\
         This is a message in several parts.\r\n{parts}--{BOUNDARY}--\r\n"
    )
}

/// A message within a message. Its boundary must differ from the outer one.
pub fn forwarded(message: &str) -> String {
    let inner = message.replace(BOUNDARY, "=_inner");
    format!("Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n{inner}\r\n")
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut coded = String::with_capacity(bytes.len() * 3 / 2);
    for line in bytes.chunks(57) {
        for three in line.chunks(3) {
            let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | three.get(at).map_or(0, |byte| u32::from(*byte)));
            for place in 0..4 {
                let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
                coded.push(if place > three.len() { '=' } else { char::from(digit) });
            }
        }
        coded.push_str("\r\n");
    }
    coded
}

/// A file in an archive.
pub struct Packed<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
    /// What is claimed of its size, if that is a lie.
    pub claimed: Option<u32>,
}

/// A ZIP archive of these files, each listed this many times.
pub fn zip(files: &[Packed<'_>], times: usize) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for file in files {
        let mut packed = Vec::with_capacity(file.bytes.len() + file.bytes.len() / 100 + 64);
        let done =
            Compress::new(Compression::best(), false).compress_vec(file.bytes, &mut packed, FlushCompress::Finish);
        assert!(done.is_ok(), "bytes can be deflated");
        let mut sum = Crc::new();
        sum.update(file.bytes);
        let size = file.claimed.unwrap_or(file.bytes.len() as u32);
        let mut common = Vec::new();
        for number in [20_u16, 0, 8, 0, 0x5c70] {
            common.extend(number.to_le_bytes());
        }
        for number in [sum.sum(), packed.len() as u32, size] {
            common.extend(number.to_le_bytes());
        }
        common.extend((file.name.len() as u16).to_le_bytes());
        common.extend([0; 2]);
        let at = archive.len() as u32;
        archive.extend(b"PK\x03\x04");
        archive.extend(&common);
        archive.extend(file.name.as_bytes());
        archive.extend(packed);
        for _ in 0..times {
            directory.extend(b"PK\x01\x02\x14\x00");
            directory.extend(&common);
            directory.extend([0; 10]);
            directory.extend(at.to_le_bytes());
            directory.extend(file.name.as_bytes());
        }
    }
    let at = archive.len() as u32;
    let count = ((files.len() * times) as u16).to_le_bytes();
    archive.extend(&directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([count, count].concat());
    archive.extend((directory.len() as u32).to_le_bytes());
    archive.extend(at.to_le_bytes());
    archive.extend([0; 2]);
    archive
}

/// An archive of this file alone.
pub fn zip_of(name: &str, bytes: &[u8]) -> Vec<u8> {
    zip(&[Packed { name, bytes, claimed: None }], 1)
}

/// A message that holds this archive.
fn with_archive(archive: &[u8]) -> String {
    message("clinicals", "mixed", &[part("Content-Type: application/zip; name=\"a.zip\"", archive)])
}

/// Levels of nesting: some are read, some are too many, and some are more than any stack holds.
fn levels(random: &mut Random) -> usize {
    [3, 7, 9, 60, 1_000, 10_000, 100_000][random.below(7)] + random.below(3)
}

/// Forwarded so often, all of it in Base64: the parser takes this many steps into itself and has no room for them.
pub fn forwarded_in_base64(deep: usize) -> Vec<u8> {
    let inner = format!("{HEAD}{}", "Content-Type: message/rfc822\r\n\r\n".repeat(deep));
    message("NICU", "mixed", &[part("Content-Type: message/rfc822", inner.as_bytes())]).into_bytes()
}

/// Nested in itself, over and over; `kind` is one of [`NESTS`].
pub fn nested(random: &mut Random, good: &[u8], kind: usize) -> Vec<u8> {
    let deep = levels(random);
    let text = match kind {
        0 => {
            let mut opened = String::new();
            for level in 0..deep {
                opened.push_str(&format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"));
            }
            format!("{HEAD}Subject: NICU\r\n{opened}Content-Type: text/plain\r\n\r\nPatient: nobody\r\n")
        }
        1 => format!("{HEAD}{}", "Content-Type: message/rfc822\r\n\r\n".repeat(deep)),
        // The same boundary everywhere.
        2 => format!("{HEAD}{}", "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n".repeat(deep)),
        // Packed in Base64, where a parser can't look ahead.
        3 => return forwarded_in_base64(deep),
        4 => {
            let mut inner = good.to_vec();
            for _ in 0..deep.min(12) {
                inner =
                    message("NICU", "mixed", &[part("Content-Type: application/octet-stream", &inner)]).into_bytes();
            }
            return inner;
        }
        5 => {
            let mut inner = zip_of("message.eml", good);
            (0..deep.min(40)).for_each(|_| inner = zip_of("a.zip", &inner));
            with_archive(&inner)
        }
        6 => {
            let html =
                format!("{}Weight 1480 g", ["<div>", "<table><tr><td>", "<b>", "<ul><li>"][deep % 4].repeat(deep));
            format!("{HEAD}Subject: NICU\r\nContent-Type: text/html\r\n\r\n{html}\r\n")
        }
        _ => {
            let comment = format!("{}{}", "(".repeat(deep), ")".repeat(deep));
            format!(
                "{HEAD}Subject: NICU\r\nReceived: {comment}\r\nCc: {comment} <a@b.example>\r\n\r\nPatient: nobody\r\n"
            )
        }
    };
    text.into_bytes()
}

pub const NESTS: usize = 8;

/// More of something than anybody writes; `kind` is one of [`COUNTS`].
pub fn countless(random: &mut Random, good: &[u8], kind: usize) -> Vec<u8> {
    let many = [1_000, 10_000, 100_000][random.below(3)] + random.below(9);
    let with = |head: &str| [head.as_bytes(), good].concat();
    match kind {
        0 => {
            let parts = vec!["Content-Type: text/plain\r\n\r\nx\r\n".to_owned(); many];
            message("NICU", "mixed", &parts).into_bytes()
        }
        1 => {
            let parts = vec![part("Content-Type: application/pdf; name=a.pdf", b"%PDF-1.4 none"); many.min(10_000)];
            message("NICU", "mixed", &parts).into_bytes()
        }
        2 => with(&"X-Header: value\r\n".repeat(many)),
        3 => with(&format!("Subject: {}\r\n", "fax from 617 ".repeat(100 * many.min(8_000)))),
        4 => with(&format!("X-Long: {}\r\n", "=?utf-8?B?".repeat(10 * many))),
        5 => with(&format!("To: {}\r\n", "\"A\" <a@b.example>,\r\n ".repeat(many))),
        6 => with(&"Received: from a by b; Mon, 16 Mar 2026 09:12:00 -0400\r\n".repeat(many)),
        7 => with(&format!("Content-Type: text/plain{}\r\n", ";\r\n name*0*=utf-8''%25s%25n".repeat(many))),
        8 => {
            message("NICU", "alternative", &vec![text("html", "<table><tr><td>x</td></tr></table>"); many]).into_bytes()
        }
        9 => {
            let html = match many % 3 {
                0 => format!("<table><tr>{}</tr></table>", "<td>x</td>".repeat(many)),
                1 => "<table><tr><td colspan=4294967295 rowspan=4294967295>x</td><td>y</td></tr></table>".to_owned(),
                _ => format!("<table>{}</table>", "<tr><td>x</td><td colspan=1000>y</td></tr>".repeat(many)),
            };
            format!("{HEAD}Subject: NICU\r\nContent-Type: text/html\r\n\r\n{html}\r\n").into_bytes()
        }
        // One line, and one page after the other.
        10 => format!("{HEAD}Subject: NICU\r\n\r\n{}x\r\n", "\t".repeat(300 * many)).into_bytes(),
        11 => format!("{HEAD}Subject: NICU\r\n\r\n{}x\r\n", "word ".repeat(20 * many)).into_bytes(),
        12 => format!("{HEAD}Subject: NICU\r\n\r\n{}", "Weight\r\n".repeat(many)).into_bytes(),
        13 => {
            let mut endless = message("NICU", "mixed", &[part("Content-Type: image/tiff", good)]);
            endless.truncate(endless.len() - BOUNDARY.len() - 6);
            (endless + &"QUJD".repeat(20 * many)).into_bytes()
        }
        _ => {
            let open = format!("--{BOUNDARY}\r\n").repeat(many);
            message("NICU", "mixed", &[open]).into_bytes()
        }
    }
}

pub const COUNTS: usize = 15;

/// Small, and large when it is unpacked; `kind` is one of [`BOMBS`].
pub fn bomb(random: &mut Random, good: &[u8], kind: usize) -> Vec<u8> {
    let size = (1 + random.below(120)) << 20;
    let archive = match kind {
        0 => zip_of("a.tif", &vec![b'I'; size]),
        // Every entry is the same bytes.
        1 => zip(&[Packed { name: "a.txt", bytes: &vec![b' '; size / 16], claimed: None }], 2 + random.below(300)),
        2 => zip(&[Packed { name: "a.pdf", bytes: good, claimed: Some([0, 1, u32::MAX][random.below(3)]) }], 1),
        // Each level lists the one below it many times.
        3 => {
            let mut inner = zip_of("a.txt", b"Weight 1480 g");
            for _ in 0..2 + random.below(9) {
                inner = zip(&[Packed { name: "a.zip", bytes: &inner, claimed: None }], 2 + random.below(198));
            }
            inner
        }
        4 => zip(&[Packed { name: "a.tif", bytes: b"II*\0", claimed: None }], [201, 20_000, 65_535][random.below(3)]),
        5 => zip_of("message.eml", &countless(random, good, 2)),
        _ => zip_of(NAMES[random.below(NAMES.len())], good),
    };
    with_archive(&archive).into_bytes()
}

pub const BOMBS: usize = 7;

/// Names that are no names.
const NAMES: [&str; 7] = [
    "../../../../etc/passwd",
    "/dev/stdin",
    "%s%n%x{}{0:?}",
    "a\u{0}b\u{7}\u{1b}[2J\r\nX-Injected: yes",
    "\u{202e}fdp.exe",
    "CON.pdf",
    "",
];

const CHARSETS: [&str; 9] =
    ["utf-7", "utf-16", "utf-32le", "iso-2022-jp", "gb18030", "shift_jis", "x-user-defined", "\u{0}", "=?=?=?"];

/// Its lines and boundaries in disorder.
pub fn disordered(random: &mut Random, good: &[u8], other: &[u8]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = good.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let theirs: Vec<&[u8]> = other.split_inclusive(|byte| *byte == b'\n').collect();
    let is_marked = |line: &[u8]| line.starts_with(b"--") || line.contains(&b':') || line.starts_with(b"\r");
    for _ in 0..=random.below(4) {
        let marked: Vec<usize> = (0..lines.len()).filter(|at| is_marked(&lines[*at])).collect();
        let Some(&at) = marked.get(random.below(marked.len())) else { break };
        let name = NAMES[random.below(NAMES.len())];
        match random.below(10) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => lines.insert(at, theirs.get(random.below(theirs.len().min(40))).unwrap_or(&&b"\r\n"[..]).to_vec()),
            3 => lines.insert(at, format!("--{BOUNDARY}{}\r\n", ["", "--", " ", "x"][random.below(4)]).into_bytes()),
            4 => lines.insert(at, b"\r\n".to_vec()),
            5 => {
                let charset = CHARSETS[random.below(CHARSETS.len())];
                lines.insert(at, format!("Content-Type: text/plain; charset=\"{charset}\"\r\n").into_bytes());
            }
            6 => {
                let line = format!("Content-Disposition: attachment; filename=\"{name}\"\r\n");
                lines.insert(at, line.into_bytes());
            }
            7 => {
                let coding = ["base64", "quoted-printable", "x-uuencode", "8bit"][random.below(4)];
                lines.insert(at, format!("Content-Transfer-Encoding: {coding}\r\n").into_bytes());
            }
            8 => lines.insert(at, part("Content-Type: application/ms-tnef", b"\x78\x9f\x3e\x22rest").into_bytes()),
            _ => lines.iter_mut().skip(at).take(1 + random.below(30)).for_each(|line| {
                line.retain(|byte| *byte != b'\r');
            }),
        }
    }
    lines.concat()
}
