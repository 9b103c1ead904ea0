//! A pool of the built program's own workers, and the plainest page to give them.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::Cursor;
use std::path::PathBuf;
use std::time::Duration;

use nicufaxd::reader::cage::CageMode;
use nicufaxd::reader::pool::PoolSettings;
use nicufaxd::reader::render::RenderLimits;

pub fn settings(workers: usize) -> PoolSettings {
    PoolSettings {
        program: PathBuf::from(env!("CARGO_BIN_EXE_nicufaxd")),
        workers,
        page_timeout: Duration::from_secs(60),
        worker_memory: 1 << 30,
        languages: "eng".to_owned(),
        tessdata: None,
        limits: RenderLimits::default(),
        cage: CageMode::Required,
    }
}

/// A PNG of nothing.
pub fn white_page() -> Vec<u8> {
    let mut png = Vec::new();
    let page = image::GrayImage::from_pixel(850, 1100, image::Luma([255]));
    page.write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    png
}
