//! What stands in a part that mail-parser could not decode, because its coded lines are damaged: as far as it goes.

use base64::Engine;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::{Message, MessagePart, MimeHeaders};

/// The bytes of a part that is damaged; `None` when it is not, or was not coded.
pub(super) fn salvaged(message: &Message<'_>, part: &MessagePart<'_>) -> Option<Vec<u8>> {
    if !part.is_encoding_problem {
        return None;
    }
    let raw = message.raw_message.get(part.offset_body as usize..part.offset_end as usize)?;
    match part.content_transfer_encoding()?.trim().to_ascii_lowercase().as_str() {
        "base64" => Some(base64(raw)),
        "quoted-printable" => Some(quoted_printable(raw)),
        _ => None,
    }
}

/// These bytes as a text, by the part's own word about its letters.
pub(super) fn text(part: &MessagePart<'_>, bytes: &[u8]) -> String {
    let charset = part.content_type().and_then(|kind| kind.attribute("charset"));
    match charset.and_then(|name| charset_decoder(name.as_bytes())) {
        Some(decode) => decode(bytes),
        None => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Base64, without what is none of it, up to its end or the last whole byte.
pub(super) fn base64(coded: &[u8]) -> Vec<u8> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut digits: Vec<u8> =
        coded.split(|byte| *byte == b'=').next().unwrap_or_default().iter().copied().filter(is_digit).collect();
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    GeneralPurpose::new(&base64::alphabet::STANDARD, config).decode(digits).unwrap_or_default()
}

/// What is no code stands for itself.
fn quoted_printable(coded: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(coded.len());
    let mut rest = coded;
    while let Some((first, behind)) = rest.split_first() {
        let digit = |at: usize| behind.get(at).and_then(|sign| char::from(*sign).to_digit(16));
        rest = match (first, behind, digit(0), digit(1)) {
            (b'=', [b'\r', b'\n', behind @ ..] | [b'\n', behind @ ..], ..) => behind,
            (b'=', [_, _, behind @ ..], Some(high), Some(low)) => {
                bytes.push((high << 4 | low) as u8);
                behind
            }
            _ => {
                bytes.push(*first);
                behind
            }
        };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_is_decoded_as_far_as_it_goes() {
        for (coded, bytes) in [
            ("Q2F0", "Cat"),
            ("Q2\r\nF0\r\n", "Cat"),
            ("Q2F0Q2", "CatC"),
            ("Q2F0Q", "Cat"),
            ("Q2F0Qw==\r\n-- \r\nA list's footer", "CatC"),
            ("Q2F0?Q2F0", "CatCat"),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8(base64(coded.as_bytes())).unwrap(), bytes, "{coded}");
        }
        assert_eq!(quoted_printable(b"a=3Db=\r\nc = d=4"), b"a=bc = d=4");
    }
}
