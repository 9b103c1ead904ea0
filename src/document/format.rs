//! What a document's bytes are, told by how they begin. Looks at bytes and parses nothing.

use serde::{Deserialize, Serialize};

/// What the bytes are, told by content and never by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentFormat {
    Tiff,
    Pdf,
    Jpeg,
    Png,
    Gif,
    Bmp,
    /// An email (RFC 5322), with the papers in it.
    Message,
}

impl DocumentFormat {
    /// Tells the format by the first bytes; `None` for anything else.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Self::Tiff),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            // Two letters are no mark: its header's length is one of those that were ever in use.
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, _, _, _, _, 12 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0, ..] => {
                Some(Self::Bmp)
            }
            _ if begins_as_message(bytes) => Some(Self::Message),
            // What is stored in an archive as it is shows its own mark, and is not all that is in there.
            _ if is_archive(bytes) => None,
            // Readers accept the mark anywhere in the first 1,024 bytes (PDF 1.7, Annex H, note 13).
            _ => bytes
                .get(..bytes.len().min(1024))
                .is_some_and(|head| head.windows(5).any(|window| window == b"%PDF-"))
                .then_some(Self::Pdf),
        }
    }

    /// Whether it holds one picture, which is one page.
    pub fn is_picture(self) -> bool {
        match self {
            Self::Jpeg | Self::Png | Self::Gif | Self::Bmp => true,
            Self::Tiff | Self::Pdf | Self::Message => false,
        }
    }
}

/// Whether these bytes begin as a HEIF file with pictures in HEVC does (ISO/IEC 23008-12, 10): what telephones make.
pub fn is_heic(bytes: &[u8]) -> bool {
    const BRANDS: [&[u8]; 8] = [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"];
    bytes.get(4..8) == Some(b"ftyp") && bytes.get(8..12).is_some_and(|brand| BRANDS.contains(&brand))
}

/// Whether these bytes begin as a ZIP, RAR, 7-Zip, gzip or TAR archive.
fn is_archive(bytes: &[u8]) -> bool {
    [b"PK\x03\x04".as_slice(), b"PK\x05\x06", b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b"]
        .iter()
        .any(|mark| bytes.starts_with(mark))
        || bytes.get(257..262) == Some(b"ustar".as_slice())
}

/// Bytes in which a message's head must show itself.
const HEAD: usize = 16 * 1024;

/// Whether these bytes begin as a message does: lines `Name: value`, at least two of them such as messages have.
fn begins_as_message(bytes: &[u8]) -> bool {
    const NAMES: [&str; 11] = [
        "from",
        "to",
        "subject",
        "date",
        "received",
        "message-id",
        "mime-version",
        "return-path",
        "delivered-to",
        "content-type",
        "reply-to",
    ];
    let head = bytes.get(..bytes.len().min(HEAD)).unwrap_or_default();
    let (mut lines, mut known) = (0, 0);
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line.first() {
            None => break,
            Some(b' ' | b'\t') if lines > 0 => continue,
            // The envelope's line, which mailbox files put first.
            Some(_) if lines == 0 && line.starts_with(b"From ") => continue,
            Some(_) => lines += 1,
        }
        let name = line.split(|byte| *byte == b':').next().filter(|name| name.len() < line.len()).unwrap_or_default();
        // The last line may be cut off by the bound.
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            break;
        }
        known += u32::from(NAMES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())));
    }
    known >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_told_by_content() {
        assert_eq!(DocumentFormat::sniff(b"II*\0rest"), Some(DocumentFormat::Tiff));
        assert_eq!(DocumentFormat::sniff(b"\n\n%PDF-1.4"), Some(DocumentFormat::Pdf));
        assert_eq!(DocumentFormat::sniff(b"Dear nurse"), None);
        let message = b"Return-Path: <a@b.example>\r\nReceived: from x\r\n by y\r\nSubject: z\r\n\r\n%PDF-1.4";
        assert_eq!(DocumentFormat::sniff(message), Some(DocumentFormat::Message));
        let with_envelope = b"From a@b Sat Jan 3 01:05:34 2026\nFrom: a@b.example\nTo: c@d.example\n\nhello";
        assert_eq!(DocumentFormat::sniff(with_envelope), Some(DocumentFormat::Message));
        assert_eq!(DocumentFormat::sniff(b"Dear nurse,\nTo: be seen\nFrom: me"), None);
        assert_eq!(DocumentFormat::sniff(b"Patient: Roe, Jan\nDate: 3/4/2026\n"), None);
        assert_eq!(DocumentFormat::sniff(b""), None);
        assert_eq!(DocumentFormat::sniff(b"GIF89a\x10\0"), Some(DocumentFormat::Gif));
        let bitmap = b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0rest";
        assert_eq!(DocumentFormat::sniff(bitmap), Some(DocumentFormat::Bmp));
        assert_eq!(DocumentFormat::sniff(b"BM is how this letter begins, and no more"), None);
        assert!(is_heic(b"\0\0\0\x18ftypheic\0\0\0\0") && !is_heic(b"\0\0\0\x18ftypmp42\0\0\0\0"));
        assert_eq!(DocumentFormat::sniff(b"PK\x03\x04\x0a\0a.pdf%PDF-1.4"), None);
        let mut tar = vec![0; 600];
        tar[..5].copy_from_slice(b"a.pdf");
        tar[257..262].copy_from_slice(b"ustar");
        tar[512..520].copy_from_slice(b"%PDF-1.4");
        assert_eq!(DocumentFormat::sniff(&tar), None);
    }
}
