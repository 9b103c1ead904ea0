//! A message within a signature (S/MIME `signed-data`: CMS, RFC 5652, section 5): its content is taken out. The signature
//! is not verified, and nothing is believed because of it.
//!
//! Programs that sign while they write leave lengths open (BER), which readers of DER alone refuse.

/// `signedData` and `data` (RFC 5652, sections 5.1 and 4), as they are coded.
const SIGNED: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
const DATA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
/// Octets in pieces.
const PIECES: u8 = 0x24;
const IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0]`, around what the identifier before it names.
const CONTENT: u8 = 0xa0;

/// Elements within elements; a signed message needs seven.
const DEEPEST: u32 = 16;

/// The content that was signed; `None` when these bytes are no signed message, or one without its content.
pub(super) fn content(bytes: &[u8]) -> Option<Vec<u8>> {
    let (information, _) = wanted(SEQUENCE, bytes)?;
    let signed = named(&SIGNED, information)?;
    let (signed, _) = wanted(SEQUENCE, signed)?;
    let (_version, rest) = wanted(INTEGER, signed)?;
    let (_digests, rest) = wanted(SET, rest)?;
    let (encapsulated, _) = wanted(SEQUENCE, rest)?;
    let mut content = Vec::new();
    gather(named(&DATA, encapsulated)?, &mut content, 0)?;
    Some(content)
}

/// What stands in the first element, if it is one of these, and what follows it.
fn wanted(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, within, rest) = element(bytes, 0)?;
    (found == tag).then_some((within, rest))
}

/// What stands behind an identifier.
fn named<'a>(name: &[u8], bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (found, rest) = wanted(IDENTIFIER, bytes)?;
    let (content, _) = wanted(CONTENT, rest).filter(|_| found == name)?;
    Some(content)
}

/// The octets of an element and of the pieces in it.
fn gather(bytes: &[u8], content: &mut Vec<u8>, depth: u32) -> Option<()> {
    let (tag, mut within, _) = element(bytes, depth)?;
    match tag {
        OCTETS => content.extend_from_slice(within),
        PIECES => {
            while !within.is_empty() {
                gather(within, content, depth + 1)?;
                (_, _, within) = element(within, depth)?;
            }
        }
        _ => return None,
    }
    Some(())
}

/// The tag of the first element, what stands in it, and what follows it.
fn element(bytes: &[u8], depth: u32) -> Option<(u8, &[u8], &[u8])> {
    const LONG_TAG: u8 = 0x1f;
    const HOLDS_ELEMENTS: u8 = 0x20;
    const LONG_LENGTH: u8 = 0x80;
    let [tag, length, rest @ ..] = bytes else { return None };
    if tag & LONG_TAG == LONG_TAG || depth >= DEEPEST {
        return None;
    }
    if *length == LONG_LENGTH {
        if tag & HOLDS_ELEMENTS == 0 {
            return None;
        }
        let mut inner = rest;
        loop {
            if let [0, 0, behind @ ..] = inner {
                return Some((*tag, rest.get(..rest.len() - inner.len())?, behind));
            }
            (_, _, inner) = element(inner, depth + 1)?;
        }
    }
    let (length, rest) = if *length < LONG_LENGTH {
        (usize::from(*length), rest)
    } else {
        let (digits, rest) =
            rest.split_at_checked(usize::from(length & !LONG_LENGTH)).filter(|(digits, _)| digits.len() <= 4)?;
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (within, rest) = rest.split_at_checked(length)?;
    Some((*tag, within, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(tag: u8, within: &[u8]) -> Vec<u8> {
        let length = within.len() as u32;
        [&[tag, 0x84][..], &length.to_be_bytes(), within].concat()
    }

    fn open(tag: u8, within: &[u8]) -> Vec<u8> {
        [&[tag, 0x80][..], within, &[0, 0]].concat()
    }

    fn signed(around: fn(u8, &[u8]) -> Vec<u8>, octets: &[u8]) -> Vec<u8> {
        let encapsulated = around(SEQUENCE, &[coded(IDENTIFIER, &DATA), around(CONTENT, octets)].concat());
        let parts = [vec![INTEGER, 1, 1], coded(SET, &[]), encapsulated, vec![SET, 0]].concat();
        around(SEQUENCE, &[coded(IDENTIFIER, &SIGNED), around(CONTENT, &around(SEQUENCE, &parts))].concat())
    }

    #[test]
    fn the_content_of_a_signed_message_is_taken_out_with_lengths_told_before_or_at_the_end() {
        assert_eq!(content(&signed(coded, &coded(OCTETS, b"hello"))).unwrap(), b"hello");
        let pieces = open(PIECES, &[coded(OCTETS, b"hel"), vec![OCTETS, 2, b'l', b'o']].concat());
        assert_eq!(content(&signed(open, &pieces)).unwrap(), b"hello");
        // Signed apart from its content, or cut off.
        assert_eq!(content(&signed(coded, &[])), None);
        assert_eq!(content(&signed(open, &pieces)[..60]), None);
        assert_eq!(content(&open(SEQUENCE, &[]).repeat(100_000)), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_whatever_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            proptest::prop_assert!(content(&bytes).is_none_or(|content| content.len() < bytes.len()));
        }
    }
}
