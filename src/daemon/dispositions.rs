//! Watches the dispositions file and records what its rows say, each once; refused ones are told of beside it.
//!
//! `FILE.refused.jsonl` holds a line a refused row, with its number and the reason; it is not there while none is refused.
//! The file itself is left as it is.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::sync::watch;

use super::watched_file::{LOOK, state_of};
use crate::archive::event::Event;
use crate::archive::{Archive, ArchiveError};
use crate::clock;
use crate::log;
use crate::pipeline::Knowledge;
use crate::queue::acts::{self, Disposition};
use crate::queue::dispositions::{Given, Shape, rows};
use crate::queue::export::atomic::Replacement;
use crate::queue::ground::Ground;

/// Bytes of the longest file: a million rows.
const LONGEST: u64 = 256_000_000;

/// Looks until `stopping`.
pub async fn run(
    file: PathBuf,
    archive: Archive,
    knowledge: watch::Receiver<Knowledge>,
    mut stopping: watch::Receiver<bool>,
) {
    let (mut taken, mut last) = (None, None);
    loop {
        let now = state_of(&file).filter(|_| file.is_file());
        if now.is_some() && now == last && now != taken {
            let ground = knowledge.borrow().ground();
            take(&file, &archive, &ground).await;
            taken = now;
        }
        last = now;
        tokio::select! {
            _ = stopping.changed() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Takes the rows of the file that were not taken before; what fails is logged and told of beside it.
pub async fn take(file: &Path, archive: &Archive, ground: &Ground) {
    let (file, archive, ground) = (file.to_owned(), archive.clone(), ground.clone());
    let done = tokio::task::spawn_blocking(move || take_all(&file, &archive, &ground)).await;
    match done {
        Ok(Ok(Taken { new: 0, refused: 0 })) => {}
        Ok(Ok(Taken { new, refused })) => log::dispositions_taken(new, refused),
        Ok(Err(error)) => log::dispositions_failed(&error.to_string()),
        Err(_panicked) => log::dispositions_failed("a fault in the program"),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Taken {
    new: usize,
    refused: usize,
}

#[derive(Debug, thiserror::Error)]
enum TakeError {
    #[error("the dispositions file cannot be read: {0}; correct its permissions")]
    Unreadable(io::Error),
    #[error("the dispositions file has more than {LONGEST} bytes, and none of its rows was taken: split it")]
    TooLong,
    #[error("the dispositions file is refused whole: {0}")]
    NoSuchFile(String),
    #[error("the refused dispositions cannot be told of beside their file: {0}; let the daemon's user write there")]
    Unwritable(io::Error),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

fn take_all(file: &Path, archive: &Archive, ground: &Ground) -> Result<Taken, TakeError> {
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(TakeError::Unreadable)?;
    let read = opened.take(LONGEST + 1).read_to_string(&mut text).map_err(TakeError::Unreadable)?;
    if read as u64 > LONGEST {
        return Err(TakeError::TooLong);
    }
    let rows = rows(&text, Shape::of(file)).map_err(TakeError::NoSuchFile)?;
    let (mut new, mut refused) = (0, Vec::new());
    for Given { row, key, disposition } in rows {
        let taken = match disposition {
            Ok(disposition) => take_one(archive, ground, &key, &disposition)?,
            Err(reason) => Err(reason),
        };
        match taken {
            Ok(is_new) => new += usize::from(is_new),
            Err(reason) => refused.push((row, reason)),
        }
    }
    tell(file, &refused).map_err(TakeError::Unwritable)?;
    Ok(Taken { new, refused: refused.len() })
}

/// Whether it was new, or why it is refused.
fn take_one(
    archive: &Archive,
    ground: &Ground,
    key: &str,
    disposition: &Disposition,
) -> Result<Result<bool, String>, ArchiveError> {
    if archive.is_disposition_taken(key)? {
        return Ok(Ok(false));
    }
    let Some(item) = archive.item(&disposition.item)? else {
        return Ok(Err(format!("{} is not known", disposition.item)));
    };
    let earlier = match acts::determined_case(&item, disposition) {
        Some(case_id) => archive.determinations(Some(case_id))?,
        None => Vec::new(),
    };
    let by = format!("{} (dispositions file)", disposition.by.trim());
    let mut events = match acts::events(&item, disposition, &by, ground, clock::now(), &earlier) {
        Ok(events) => events,
        Err(refused) => return Ok(Err(format!("{} {refused}", item.id))),
    };
    events.push(Event::DispositionTaken { key: key.to_owned() });
    archive.record_all(events)?;
    Ok(Ok(true))
}

/// Writes the refused rows beside their file, whole, or takes that away.
fn tell(file: &Path, refused: &[(usize, String)]) -> io::Result<()> {
    let mut name = file.as_os_str().to_owned();
    name.push(".refused.jsonl");
    let target = PathBuf::from(name);
    if refused.is_empty() {
        return match std::fs::remove_file(&target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        };
    }
    let folder = target.parent().unwrap_or(Path::new("."));
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let written = Replacement::write(folder, &name, None, |writing| {
        refused.iter().try_for_each(|(row, reason)| writeln!(writing, "{}", json!({ "row": row, "reason": reason })))
    });
    written?.replace()
}
