//! Pages as JPEG and PNG, as a multi-function machine sends a scan.

use std::io::{self, Cursor};

use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, ImageFormat};

use super::ccitt::Bitmap;

fn grey(page: Option<&Bitmap>) -> io::Result<GrayImage> {
    let page = page.ok_or_else(|| io::Error::other("a picture needs a page"))?;
    let levels = page.pixels.iter().map(|pixel| if *pixel == 0 { 250 } else { 20 }).collect();
    GrayImage::from_raw(page.width as u32, page.height as u32, levels)
        .ok_or_else(|| io::Error::other("a page whose pixels do not fill it"))
}

/// JPEG holds one page.
pub fn jpeg(page: Option<&Bitmap>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 80).encode_image(&grey(page)?).map_err(io::Error::other)?;
    Ok(bytes)
}

/// PNG holds one page.
pub fn png(page: Option<&Bitmap>) -> io::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    grey(page)?.write_to(&mut bytes, ImageFormat::Png).map_err(io::Error::other)?;
    Ok(bytes.into_inner())
}
