//! TIFF pages that are neither fax codes nor plain bilevel rows: LZW, deflate and JPEG, grey, colours and palettes (the
//! only user of the `tiff` crate).
//!
//! What of a page can be decoded is kept; the caller learns how many rows can't. The page's size was checked before.

use std::io::Cursor;

use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::{ColorType, TiffError};

use super::picture::Picture;
use super::render::{RenderError, RenderLimits};

/// The page at `index` in the chain of directories (`page` is its number in messages): grey pixels, and the number of
/// missing rows, which are white.
pub fn pixels(
    bytes: &[u8],
    index: usize,
    page: u32,
    (width, height): (u32, u32),
    palette: &[u64],
    limits: &RenderLimits,
) -> Result<(Vec<u8>, u32), RenderError> {
    const DAMAGED: &str = "its picture can't be decoded";
    let damaged = |error: TiffError| match error {
        TiffError::UnsupportedError(_) => RenderError::Unsupported { page, what: "its kind of TIFF" },
        TiffError::FormatError(_)
        | TiffError::IoError(_)
        | TiffError::LimitsExceeded
        | TiffError::IntSizeError
        | TiffError::UsageError(_) => RenderError::DamagedPage { page, reason: DAMAGED },
    };
    let mut bounds = Limits::default();
    bounds.decoding_buffer_size = usize::try_from(limits.max_pixels.saturating_mul(8)).unwrap_or(usize::MAX);
    bounds.intermediate_buffer_size = bounds.decoding_buffer_size;
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(damaged)?.with_limits(bounds);
    decoder.seek_to_image(index).map_err(damaged)?;
    let color = decoder.colortype().map_err(damaged)?;
    let samples = match color {
        ColorType::Gray(_) | ColorType::Palette(_) => 1,
        ColorType::GrayA(_) => 2,
        ColorType::RGB(_) | ColorType::YCbCr(_) => 3,
        ColorType::RGBA(_) | ColorType::CMYK(_) => 4,
        ColorType::CMYKA(_) | ColorType::Lab(_) | ColorType::Multiband { .. } | _ => {
            return Err(RenderError::Unsupported { page, what: "its kind of colour" });
        }
    };
    let mut picture = Picture::white(width, height, 1);
    let (chunk_width, chunk_height) = decoder.chunk_dimensions();
    if chunk_width == 0 || chunk_height == 0 {
        return Err(RenderError::DamagedPage { page, reason: DAMAGED });
    }
    let across = width.div_ceil(chunk_width);
    let mut missing = 0;
    for chunk in 0..across.saturating_mul(height.div_ceil(chunk_height)) {
        let (left, top) = (chunk % across * chunk_width, chunk / across * chunk_height);
        let (wide, high) = decoder.chunk_data_dimensions(chunk);
        let result = match decoder.read_chunk(chunk) {
            Ok(result) => result,
            Err(error @ TiffError::UnsupportedError(_)) => return Err(damaged(error)),
            Err(_) => {
                // What came before is kept; one lost tile costs the rows beside it too.
                missing += high;
                continue;
            }
        };
        let values = match (result, color.bit_depth()) {
            (DecodingResult::U8(values), 8) => values,
            (DecodingResult::U8(values), bits @ (1 | 2 | 4)) => {
                unpacked_samples(&values, bits, wide as usize * samples, color)
            }
            (DecodingResult::U16(values), _) => values.into_iter().map(|value| (value >> 8) as u8).collect(),
            _ => return Err(RenderError::Unsupported { page, what: "its number of bits a sample" }),
        };
        for (y, row) in values.chunks_exact(wide as usize * samples).take(high as usize).enumerate() {
            let start = (top as usize + y) * width as usize + left as usize;
            let Some(target) = picture.pixels.get_mut(start..start + wide as usize) else { break };
            for (pixel, sample) in target.iter_mut().zip(row.chunks_exact(samples)) {
                *pixel = grey(sample, color, palette);
            }
        }
    }
    Ok((picture.pixels, missing.min(height)))
}

/// Samples of fewer than eight bits, each to a byte: palette indices as they are, grey spread to 0 to 255.
fn unpacked_samples(packed: &[u8], bits: u8, row: usize, color: ColorType) -> Vec<u8> {
    let most = (1_u16 << bits) - 1;
    let spread = if matches!(color, ColorType::Palette(_)) { 1 } else { 255 / most };
    let stride = (row * usize::from(bits)).div_ceil(8);
    packed
        .chunks_exact(stride.max(1))
        .flat_map(|line| {
            line.iter()
                .flat_map(move |byte| {
                    (1..=8 / bits).map(move |index| (u16::from(*byte) >> (8 - index * bits) & most) * spread)
                })
                .take(row)
        })
        .map(|value| value as u8)
        .collect()
}

/// One pixel's brightness (ITU-R BT.601 for colours).
fn grey(sample: &[u8], color: ColorType, palette: &[u64]) -> u8 {
    let luma = |red: u32, green: u32, blue: u32| ((red * 299 + green * 587 + blue * 114) / 1000) as u8;
    match (color, sample) {
        (ColorType::Palette(_), &[index]) => {
            let colors = palette.len() / 3;
            let part = |plane: usize| {
                palette.get(plane * colors + usize::from(index)).map_or(255, |value| (value >> 8) as u32)
            };
            luma(part(0), part(1), part(2))
        }
        (ColorType::GrayA(_), &[value, alpha]) => {
            ((u32::from(value) * u32::from(alpha) + 255 * (255 - u32::from(alpha))) / 255) as u8
        }
        (ColorType::YCbCr(_), &[value, ..]) | (_, &[value]) => value,
        (ColorType::CMYK(_), &[cyan, magenta, yellow, key]) => {
            let part = |ink: u8| u32::from(255 - ink) * u32::from(255 - key) / 255;
            luma(part(cyan), part(magenta), part(yellow))
        }
        (_, &[red, green, blue, ..]) => luma(red.into(), green.into(), blue.into()),
        _ => 255,
    }
}
