//! Files that stand in a text as blocks of base64: what is left where a program lost the head of a part, or its boundary.

use super::transfer;

/// Letters of a line of a block: 60 (uuencode), 64 (PEM), 72 or 76 (MIME). A file that was set in one line has more.
const LINE: usize = 60;

/// Letters of a block; less is a key or a checksum.
const BLOCK: usize = 240;

/// A text without its blocks.
pub(super) struct Taken {
    pub rest: String,
    /// What they hold, in their order.
    pub blocks: Vec<Vec<u8>>,
    /// Whether they are more than all that stands around them.
    pub is_most: bool,
}

/// Takes the blocks out of a text; `None` where there are none.
pub(super) fn taken(text: &str) -> Option<Taken> {
    let (mut rest, mut blocks, mut coded) = (String::new(), Vec::new(), 0);
    let mut block = Vec::new();
    let mut end = |block: &mut Vec<&str>, rest: &mut String| {
        let letters: usize = block.iter().map(|line| line.trim().len()).sum();
        if letters >= BLOCK && is_mixed(block) {
            coded += letters;
            blocks.push(transfer::base64(block.concat().as_bytes()));
        } else {
            rest.extend(block.iter().copied());
        }
        block.clear();
    };
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        let full = block.first().map(|first: &&str| first.trim().len());
        let follows = full.is_none_or(|full| bare.len() == full);
        if is_coded(bare) && bare.len() >= LINE && follows {
            block.push(line);
        } else if is_coded(bare) && bare.len().is_multiple_of(4) && full.is_some_and(|full| bare.len() < full) {
            // The last line of a block is shorter, and of whole groups.
            block.push(line);
            end(&mut block, &mut rest);
        } else {
            end(&mut block, &mut rest);
            if is_coded(bare) && bare.len() >= LINE { block.push(line) } else { rest.push_str(line) }
        }
    }
    end(&mut block, &mut rest);
    let around = rest.chars().filter(|letter| !letter.is_whitespace()).count();
    (!blocks.is_empty()).then_some(Taken { rest, blocks, is_most: coded > around })
}

fn is_coded(line: &str) -> bool {
    let digits = line.trim_end_matches('=');
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// Whether all kinds of letters stand in it: a ruler of `AAAA` is no file.
fn is_mixed(block: &[&str]) -> bool {
    let has = |kind: fn(&char) -> bool| block.iter().any(|line| line.chars().any(|letter| kind(&letter)));
    has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use base64::Engine;

    use super::*;

    fn coded(bytes: &[u8], width: usize) -> String {
        let digits = base64::engine::general_purpose::STANDARD.encode(bytes);
        let lines = digits.as_bytes().chunks(width).map(|line| String::from_utf8(line.to_vec()).unwrap() + "\r\n");
        lines.collect()
    }

    #[test]
    fn blocks_of_base64_are_taken_out_of_a_text_and_its_words_stay() {
        let bytes: Vec<u8> = (0_u8..=255).collect();
        for width in [60, 76, 10_000] {
            let text = format!("see below\r\n{}Regards\r\n", coded(&bytes, width));
            let Taken { rest, blocks, is_most } = taken(&text).unwrap();
            assert_eq!(
                (rest.as_str(), blocks.as_slice(), is_most),
                ("see below\r\nRegards\r\n", &[bytes.clone()][..], true)
            );
        }
    }

    #[test]
    fn words_rulers_and_short_keys_are_no_blocks() {
        let ruler = format!("{}\n", "A".repeat(70)).repeat(10);
        for text in ["Weight 1450 g\n".repeat(50), ruler, coded(b"a key of some forty-odd letters, not more", 64)] {
            assert!(taken(&text).is_none(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_whatever_makes_it_panic(text in "([A-Za-z0-9+/]{55,80}\n|[ -~]{0,30}\n){0,12}") {
            if let Some(told) = taken(&text) {
                proptest::prop_assert!(told.rest.len() < text.len());
            }
        }
    }
}
