//! Archives in a message (ZIP), unpacked within bounds.

use std::borrow::Cow;
use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::document::UnreadPart;

/// The files in an archive with their names, at most `most` of them with `room` bytes in all. Word processors' and
/// spreadsheets' files are archives too, and not unpacked.
pub(super) fn files(bytes: &[u8], most: usize, room: u64) -> Result<Vec<(String, Vec<u8>)>, UnreadPart> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| UnreadPart::Damaged)?;
    if archive.index_for_name("[Content_Types].xml").is_some() || archive.index_for_name("mimetype").is_some() {
        return Err(UnreadPart::Unsupported);
    }
    if archive.len() > most {
        return Err(UnreadPart::TooLarge);
    }
    let mut files = Vec::new();
    let mut left = room;
    for index in 0..archive.len() {
        let file = match archive.by_index(index) {
            Ok(file) => file,
            Err(ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => return Err(UnreadPart::Password),
            Err(ZipError::UnsupportedArchive(_)) => return Err(UnreadPart::Unsupported),
            Err(_) => return Err(UnreadPart::Damaged),
        };
        if file.is_dir() {
            continue;
        }
        let name = file.name().map(Cow::into_owned).unwrap_or_default();
        let mut unpacked = Vec::new();
        // One byte more than there is room for tells that it is too large, whatever the archive claims.
        file.take(left + 1).read_to_end(&mut unpacked).map_err(|_| UnreadPart::Damaged)?;
        left = left.checked_sub(unpacked.len() as u64).ok_or(UnreadPart::TooLarge)?;
        files.push((name, unpacked));
    }
    Ok(files)
}
