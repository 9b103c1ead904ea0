//! Files that were written into a text with uuencode (POSIX.1-2017): `begin 644 name`, lines of coded bytes, `end`; or
//! `begin-base64 644 name`, lines of base64, `====`.

use super::transfer;

/// Most bytes of one line: its first letter tells how many, 1 to 63.
const LONGEST_LINE: usize = 63;

/// How the first line begins of a file in base64; nobody writes so by chance.
const BASE64: &str = "begin-base64 ";

/// A file that stands in a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub name: String,
    /// `None` when its lines are damaged or its end is missing.
    pub bytes: Option<Vec<u8>>,
}

impl Written {
    fn damaged(name: &str) -> Self {
        Self { name: name.to_owned(), bytes: None }
    }
}

/// The files in a text, in their order, and the text without them. Bounded: no file is larger than its text.
pub(super) fn files(text: &str) -> (String, Vec<Written>) {
    let (mut rest, mut files) = (String::new(), Vec::new());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(name) = name_behind(line, BASE64) {
            let (mut coded, mut ended) = (String::new(), false);
            for line in lines.by_ref() {
                ended = line.trim_end() == "====";
                if ended {
                    break;
                }
                coded.push_str(line);
            }
            let bytes = Some(transfer::base64(coded.as_bytes())).filter(|bytes| ended && !bytes.is_empty());
            files.push(Written { name: name.to_owned(), bytes });
            continue;
        }
        let coded = lines.peek().is_some_and(|next| is_first(next));
        let Some(name) = name_of(line).filter(|_| coded) else {
            // What looks like a file, and is spoiled: its words stay, and it is told.
            files.extend(name_of(line).filter(|name| has_ending(name)).map(Written::damaged));
            rest.push_str(line);
            rest.push('\n');
            continue;
        };
        let mut bytes = Some(Vec::new());
        let mut ended = false;
        for line in lines.by_ref() {
            if line.trim_end() == "end" {
                ended = true;
                break;
            }
            bytes = bytes.and_then(|mut bytes| {
                decode(line, &mut bytes)?;
                Some(bytes)
            });
        }
        files.push(Written { name: name.to_owned(), bytes: bytes.filter(|bytes| ended && !bytes.is_empty()) });
    }
    (rest, files)
}

/// `begin 644 name`: "begin 644 ml of feeds today" is one too, where people write; see [`is_first`].
fn name_of(line: &str) -> Option<&str> {
    name_behind(line, "begin ")
}

fn name_behind<'l>(line: &'l str, mark: &str) -> Option<&'l str> {
    let (mode, name) = line.trim_end().strip_prefix(mark)?.split_once(' ')?;
    let is_mode = matches!(mode.len(), 3 | 4) && mode.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    (is_mode && !name.trim().is_empty()).then(|| name.trim())
}

/// `form.pdf`, and not `ml of feeds.`
fn has_ending(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| {
        (2..=5).contains(&ending.len()) && ending.bytes().all(|sign| sign.is_ascii_alphanumeric())
    })
}

/// Whether a text holds a file: a `begin` line that names one, or has a coded line behind it.
pub(super) fn has_file(text: &str) -> bool {
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let coded = lines.peek().is_some_and(|next| is_first(next));
        if name_of(line).is_some_and(|name| coded || has_ending(name)) || name_behind(line, BASE64).is_some() {
            return true;
        }
    }
    false
}

/// Whether a line may be the first of a file: coded, and as long as it says.
fn is_first(line: &str) -> bool {
    let mut bytes = Vec::new();
    let decoded = decode(line, &mut bytes).is_some() && !bytes.is_empty();
    decoded && line.trim_end_matches('\r').len() + 3 > bytes.len().div_ceil(3) * 4
}

/// The bytes of a coded line; `None` when it is none. Blanks at the end of a line, which mail programs cut off, are zeros.
fn decode(line: &str, bytes: &mut Vec<u8>) -> Option<()> {
    let line = line.trim_end_matches('\r').as_bytes();
    let sextet = |sign: u8| (0x20..=0x60).contains(&sign).then(|| (sign - 0x20) & 0x3f);
    // An empty line was a blank: no bytes.
    let Some((first, coded)) = line.split_first() else { return Some(()) };
    let count = usize::from(sextet(*first)?);
    let groups = count.div_ceil(3);
    // Some programs put a checksum or a filler behind.
    if count > LONGEST_LINE || coded.len() > groups * 4 + 2 {
        return None;
    }
    let start = bytes.len();
    for group in 0..groups {
        let mut bits = 0_u32;
        for at in 0..4 {
            let sign = coded.get(group * 4 + at).copied().unwrap_or(b' ');
            bits = bits << 6 | u32::from(sextet(sign)?);
        }
        bytes.extend_from_slice(bits.to_be_bytes().get(1..)?);
    }
    bytes.truncate(start + count);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_written_into_a_text_are_taken_out_and_the_text_stays() {
        let (rest, files) = files("the form:\r\nbegin 644 a form.txt\r\n#0V%T\r\n`\r\nend\r\nRegards\r\n");
        assert_eq!(rest, "the form:\nRegards\n");
        assert_eq!(files, [Written { name: "a form.txt".to_owned(), bytes: Some(b"Cat".to_vec()) }]);
    }

    #[test]
    fn a_file_written_in_base64_is_taken_out_too() {
        let (rest, told) = files("the form:\nbegin-base64 644 form.pdf\nQ2\nF0\n====\nRegards\n");
        assert_eq!(rest, "the form:\nRegards\n");
        assert_eq!(told, [Written { name: "form.pdf".to_owned(), bytes: Some(b"Cat".to_vec()) }]);
        assert_eq!(files("begin-base64 644 form.pdf\nQ2F0\n").1, [Written::damaged("form.pdf")]);
    }

    #[test]
    fn a_file_that_is_damaged_or_was_cut_off_is_told() {
        for text in ["begin 644 x\n#0V%T\n`\n", "begin 644 x\n#0V%T\n#0V~T\n`\nend\n"] {
            let (_, files) = files(text);
            assert!(matches!(files.as_slice(), [Written { bytes: None, .. }]), "{text}");
        }
    }

    #[test]
    fn what_people_write_is_no_file() {
        assert!(!has_file("Please begin 644 ml of feeds today.\nbegin at 8 o'clock"));
        assert!(!has_file("begin 120 ml of feeds\ntoday, by gavage"));
        assert!(!has_file("begin 120 ml of feeds\nGIVE 40 ML EVERY 3 HOURS"));
        assert!(has_file("x\nbegin 644 form.pdf\n#0V%T\n`\nend"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_whatever_makes_it_panic(text in "(begin 644 x\n)?([ -~]{0,70}\n){0,5}(end)?") {
            let (rest, files) = files(&text);
            proptest::prop_assert!(rest.len() <= text.len() + 1 && files.len() <= 6);
        }
    }
}
