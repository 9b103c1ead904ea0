//! How much a PDF page's streams unpack to, told before `hayro` unpacks them: it takes whatever a stream inflates to,
//! and a file of some kilobytes can hold gigabytes.
//!
//! Looks at the page's content and at the forms and pictures that it names, however deep. Never keeps what a picture
//! unpacks to. LZW, ASCII85 and hexadecimal steps, and what comes after them in a chain, are not counted: the worker's
//! memory limit bounds them.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::read::{DeflateDecoder, ZlibDecoder};
use hayro::hayro_interpret::hayro_syntax::Filter;
use hayro::hayro_interpret::hayro_syntax::object::{Array, Dict, Name, Object, Stream};
use hayro::hayro_interpret::hayro_syntax::page::Page;

use super::render::{RenderError, RenderLimits};

/// Megabytes of drawing instructions of one page, its forms' among them. The largest drawings (maps, plans) have some
/// ten; a page of text has some kilobytes.
pub const MOST_CONTENT_MB: u64 = 64;

/// Objects that one page names, forms within forms among them; what is beyond is left to the other limits.
const MOST_OBJECTS: usize = 20_000;

/// Refuses a page whose content, or one of whose pictures, unpacks to more than is allowed.
pub fn check(sheet: &Page, page: u32, limits: &RenderLimits) -> Result<(), RenderError> {
    let mut left = MOST_CONTENT_MB << 20;
    let mut spend = |stream: &Stream| {
        let size = unpacked_size(stream, left);
        left = left.checked_sub(size).ok_or(RenderError::ContentTooLarge { page, most: MOST_CONTENT_MB })?;
        Ok::<(), RenderError>(())
    };
    if let Some(stream) = sheet.raw().get::<Stream>("Contents") {
        spend(&stream)?;
    } else if let Some(parts) = sheet.raw().get::<Array>("Contents") {
        for part in parts.iter::<Object>().filter_map(Object::into_stream) {
            spend(&part)?;
        }
    }
    // Four colours of 8 bits, and the byte that tells each row's predictor.
    let most_of_picture = limits.max_pixels.saturating_mul(5);
    let mut seen = Vec::new();
    let mut named = vec![sheet.resources().x_objects.clone()];
    while let Some(objects) = named.pop() {
        for name in objects.keys() {
            let Some(stream) = objects.get::<Stream>(name.as_ref()) else { continue };
            if seen.contains(&stream.obj_id()) || seen.len() >= MOST_OBJECTS {
                continue;
            }
            seen.push(stream.obj_id());
            let kind = stream.dict().get::<Name>("Subtype");
            if kind.is_some_and(|kind| kind.as_ref() == b"Image") {
                if unpacked_size(&stream, most_of_picture) > most_of_picture {
                    return Err(RenderError::ContentTooLarge { page, most: most_of_picture >> 20 });
                }
            } else {
                spend(&stream)?;
                let resources = stream.dict().get::<Dict>("Resources").unwrap_or_default();
                named.extend(resources.get::<Dict>("XObject"));
            }
        }
    }
    Ok(())
}

/// Bytes that the stream unpacks to, or that a step on the way there does; somewhat more than `most` if it is more.
fn unpacked_size(stream: &Stream, most: u64) -> u64 {
    let filters = stream.filters();
    let mut data = stream.raw_data();
    let mut largest = data.len() as u64;
    for (at, filter) in filters.iter().enumerate() {
        match filter {
            Filter::FlateDecode if at + 1 == filters.len() => {
                return largest.max(inflate(&data, most, &mut io::sink()));
            }
            Filter::FlateDecode => {
                let mut inflated = Vec::new();
                largest = largest.max(inflate(&data, most, &mut inflated));
                if largest > most {
                    return largest;
                }
                data = Cow::Owned(inflated);
            }
            // A pair of bytes repeats one of them up to 128 times.
            Filter::RunLengthDecode => {
                return largest.max(run_length(&data));
            }
            Filter::AsciiHexDecode
            | Filter::Ascii85Decode
            | Filter::LzwDecode
            | Filter::CcittFaxDecode
            | Filter::Jbig2Decode
            | Filter::DctDecode
            | Filter::JpxDecode
            | Filter::Crypt => return largest,
        }
    }
    largest
}

/// Inflates up to a byte more than `most`; damage ends it, with what came before.
fn inflate(data: &[u8], most: u64, into: &mut impl io::Write) -> u64 {
    let mut zlib = ZlibDecoder::new(data).take(most + 1);
    // An error says only that no more can be inflated, and how much there was is told by what is left of the limit.
    let ended = io::copy(&mut zlib, into);
    let size = most + 1 - zlib.limit();
    if size > 0 || ended.is_ok() {
        return size;
    }
    let mut bare = DeflateDecoder::new(data).take(most + 1);
    _ = io::copy(&mut bare, into).is_ok();
    most + 1 - bare.limit()
}

fn run_length(data: &[u8]) -> u64 {
    let (mut at, mut size) = (0, 0);
    while let Some(&length) = data.get(at) {
        match u64::from(length) {
            128 => break,
            length @ 0..=127 => (at, size) = (at + length as usize + 2, size + length + 1),
            length => (at, size) = (at + 2, size + 257 - length),
        }
    }
    size
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn inflating_stops_at_the_limit() {
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(&vec![b' '; 1 << 20]).unwrap();
        let whole = packer.finish().unwrap();
        assert_eq!(inflate(&whole, 1000, &mut io::sink()), 1001);
        assert_eq!(inflate(&whole, 2 << 20, &mut io::sink()), 1 << 20);
        let mut part = Vec::new();
        let size = inflate(&whole[..whole.len() / 2], 2 << 20, &mut part);
        assert!(size > 1000 && size == part.len() as u64, "{size}");
        assert_eq!(inflate(b"no such thing", 1000, &mut io::sink()).min(1), 0);
    }

    #[test]
    fn runs_are_counted_without_being_written() {
        assert_eq!(run_length(&[4, 10, 11, 12, 13, 14, 253, 3, 128, 9, 9]), 9);
        assert_eq!(run_length(&[129, 7, 129]), 256);
    }
}
