//! Messages that lack closing boundaries: cut off on their way, or never closed by the program that wrote them.
//!
//! mail-parser takes what lacks its boundary for a text, coded as it is and with all that follows it. So what is open is
//! closed before it parses: where the boundary of what is around it stands, or at the end of the message.

use std::borrow::Cow;

use mail_parser::{MessageParser, MimeHeaders};

/// Parts within parts that are closed; deeper ones are somebody's joke.
const MOST_OPEN: usize = 64;

/// A message in which every part is closed.
pub(super) struct Closed<'a> {
    pub bytes: Cow<'a, [u8]>,
    /// Where parts end that had no boundary behind them: offsets in `bytes`.
    pub cuts: Vec<u32>,
}

/// What stands in a part, by its head.
enum Holds {
    /// Parts, between lines that begin so.
    Parts(Vec<u8>),
    Message,
    Anything,
}

/// What is to be put into a message: where, and what.
type Missing = (usize, Vec<u8>);

/// Closes what is open in a message.
pub(super) fn closed(bytes: &[u8]) -> Closed<'_> {
    let (end, missing) = missing(bytes);
    if missing.is_empty() {
        return Closed { bytes: Cow::Borrowed(bytes), cuts: Vec::new() };
    }
    let (mut whole, mut cuts, mut from) = (Vec::with_capacity(bytes.len() + 1_000), Vec::new(), 0);
    for (at, closing) in missing {
        whole.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        let content = whole.strip_suffix(b"\n").map_or(&*whole, |rest| rest.strip_suffix(b"\r").unwrap_or(rest));
        cuts.push(content.len() as u32);
        whole.extend_from_slice(&closing);
        from = at;
    }
    whole.extend_from_slice(bytes.get(from..end).unwrap_or_default());
    Closed { bytes: Cow::Owned(whole), cuts }
}

/// Where the message ends, without a boundary that was cut off itself, and the boundaries that are missing in it.
fn missing(bytes: &[u8]) -> (usize, Vec<Missing>) {
    let mut missing = Vec::new();
    // How the lines begin that part or close what is open, the innermost last.
    let mut open: Vec<Vec<u8>> = Vec::new();
    // Where the head begins that is being read.
    let mut head = Some(0);
    let (mut at, mut last) = (0, 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        (last, at) = (at, at + line.len());
        if let Some((depth, closes)) = boundary(&open, line.trim_ascii_end()) {
            if open.len() > depth + 1 {
                missing.push((last, closing(open.drain(depth + 1..))));
            }
            head = (!closes).then_some(at);
            if closes {
                open.truncate(depth);
            }
        } else if let Some(begin) = head
            && matches!(line, b"\n" | b"\r\n")
        {
            head = None;
            match holds(bytes.get(begin..at).unwrap_or_default()) {
                Holds::Parts(boundary) if open.len() < MOST_OPEN => open.push(boundary),
                Holds::Message => head = Some(at),
                Holds::Parts(_) | Holds::Anything => {}
            }
        }
        if open.is_empty() && head.is_none() {
            return (bytes.len(), missing);
        }
    }
    if open.is_empty() {
        return (bytes.len(), missing);
    }
    let tail = bytes.get(last..).unwrap_or_default();
    let is_begun = |line: &Vec<u8>| [line, b"--".as_slice()].concat().starts_with(tail);
    let end = if !tail.ends_with(b"\n") && open.iter().any(is_begun) { last } else { bytes.len() };
    let is_line_open = !bytes.get(..end).is_some_and(|text| text.ends_with(b"\n"));
    let behind: &[u8] = match head {
        // A head that was cut off has to end first.
        Some(head) if head < end => b"\r\n\r\n",
        Some(_) | None if is_line_open => b"\r\n",
        Some(_) | None => b"",
    };
    missing.push((end, [behind, &closing(open.drain(..))].concat()));
    (end, missing)
}

/// Which of those open this line parts or closes, and whether it closes.
fn boundary(open: &[Vec<u8>], line: &[u8]) -> Option<(usize, bool)> {
    if !line.starts_with(b"--") {
        return None;
    }
    open.iter().enumerate().rev().find_map(|(depth, boundary)| match line.strip_prefix(boundary.as_slice())? {
        b"" => Some((depth, false)),
        b"--" => Some((depth, true)),
        _ => None,
    })
}

/// The lines that close these, the innermost of which is last.
fn closing(open: impl DoubleEndedIterator<Item = Vec<u8>>) -> Vec<u8> {
    open.rev().flat_map(|boundary| [boundary, b"--\r\n".to_vec()].concat()).collect()
}

fn holds(head: &[u8]) -> Holds {
    let Some(message) = MessageParser::default().parse_headers(head) else { return Holds::Anything };
    let Some(part) = message.parts.first() else { return Holds::Anything };
    let Some(kind) = part.content_type() else { return Holds::Anything };
    let boundary = kind.attribute("boundary").map(str::trim_end).filter(|boundary| !boundary.is_empty());
    let coded = part.content_transfer_encoding().unwrap_or_default().trim().to_ascii_lowercase();
    match (kind.ctype().to_ascii_lowercase().as_str(), boundary) {
        ("multipart", Some(boundary)) => Holds::Parts([b"--", boundary.as_bytes()].concat()),
        ("message", _) if !["base64", "quoted-printable"].contains(&coded.as_str()) => {
            let is_message = ["rfc822", "global"].iter().any(|name| part.is_content_type("message", name));
            if is_message { Holds::Message } else { Holds::Anything }
        }
        _ => Holds::Anything,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Subject: x\r\nContent-Type: multipart/mixed; boundary=\"=b\"\r\n\r\n";
    const PART: &str = "--=b\r\nContent-Type: text/plain\r\n\r\nhello\r\n";

    fn told(message: &str) -> (String, Vec<u32>) {
        let Closed { bytes, cuts } = closed(message.as_bytes());
        (String::from_utf8(bytes.into_owned()).unwrap(), cuts)
    }

    #[test]
    fn a_message_that_is_closed_stays_as_it_is() {
        for whole in
            [format!("{HEAD}{PART}--=b--\r\n"), format!("{HEAD}{PART}--=b--"), "Subject: x\r\n\r\n--".to_owned()]
        {
            assert_eq!(told(&whole), (whole.clone(), Vec::new()));
        }
    }

    #[test]
    fn a_message_that_was_cut_off_is_closed_wherever_it_was_cut() {
        let content = format!("{HEAD}{PART}");
        let cut = content.len() as u32 - 2;
        for end in ["", "--", "--=", "--=b", "--=b-"] {
            assert_eq!(told(&format!("{content}{end}")), (format!("{content}--=b--\r\n"), vec![cut]), "{end}");
        }
        let within = content.trim_end();
        assert_eq!(told(within), (format!("{within}\r\n--=b--\r\n"), vec![cut]));
    }

    #[test]
    fn what_is_open_within_another_part_is_closed_before_the_next_one() {
        let inner = format!("--=out\r\nContent-Type: message/rfc822\r\n\r\n{HEAD}{PART}");
        let outer = "Subject: y\r\nContent-Type: multipart/mixed; boundary=\"=out\"\r\n\r\n";
        let behind = "--=out\r\n\r\nmore\r\n--=out--\r\n";
        let (whole, cuts) = told(&format!("{outer}{inner}{behind}"));
        assert_eq!(whole, format!("{outer}{inner}--=b--\r\n{behind}"));
        assert_eq!(cuts, [(outer.len() + inner.len()) as u32 - 2]);
    }
}
