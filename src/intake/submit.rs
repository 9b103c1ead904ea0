//! `nicufaxd submit`: one file from a script, such as a fax server's hook, taken while the script waits.
//!
//! The same refusals as in a watched folder, told to the script at once, and held for a person as well: a hook's exit
//! code may be seen by nobody. The file stays where it is: it is the script's own. Given again (a hook that did not see
//! our answer), it is the same arrival.

use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::source_file::{Fingerprint, ReadError, SourceFile, source_key};
use super::{Refusal, received_by};
use crate::clock;
use crate::document::Receipt;

/// What the script tells about the file.
#[derive(Clone, Debug)]
pub struct SubmitOptions {
    /// Name that queue items show as their source.
    pub source: String,
    pub sender: Option<String>,
    /// When the fax server received it; the file's modification time unless given.
    pub received_at: Option<Timestamp>,
    pub note: Option<String>,
    /// Larger files are refused.
    pub max_bytes: u64,
}

/// The source of what `submit` refused, whatever source it named; no folder may bear this name.
pub const SOURCE: &str = "submit";

/// A file that was not taken, as the archive lists it for a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefusedFile {
    /// Its name, without folders.
    pub source_file: String,
    /// Bounded, without names.
    pub reason: String,
    /// The same for the same file, another for another one under the same path.
    pub key: String,
}

impl RefusedFile {
    pub fn new(file: &Path, refusal: &Refusal) -> Self {
        // The entry itself is meant, not what a link points to; one that cannot be looked at is known by its path.
        let fingerprint = fs::symlink_metadata(file).map(|metadata| Fingerprint::of(&metadata)).unwrap_or_default();
        let Fingerprint { inode, modified_ns, size, .. } = fingerprint;
        Self {
            source_file: file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned(),
            reason: refusal.to_string(),
            key: format!("{}{inode}-{modified_ns}-{size}", refusals_of(file)),
        }
    }
}

/// How the keys of all refusals of the files under this path begin.
fn refusals_of(file: &Path) -> String {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let path = folder.join(file.file_name().unwrap_or(file.as_os_str()));
    format!("{SOURCE}/{}#", path.to_string_lossy())
}

/// Why a file was not stored. The texts name no file: the caller knows which it gave.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    #[error("there is no such file; correct the path")]
    NoSuchFile,
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    #[error("the file changed while it was read; submit it once it is complete")]
    Changed,
}

impl SubmitError {
    /// Exit code of sysexits.h: 65 when trying again is no use, 75 when it is.
    pub fn exit_code(&self) -> u8 {
        match self {
            // A disk or a network that fails may come back; a missing permission does not by itself.
            Self::Refused(Refusal::Unreadable(kind)) if *kind != io::ErrorKind::PermissionDenied => 75,
            Self::NoSuchFile | Self::Refused(_) => 65,
            Self::Changed => 75,
        }
    }
}

/// A file as it goes to the archive, or over the control socket to the daemon that has the archive open.
#[derive(Debug)]
pub struct Submission {
    pub bytes: Vec<u8>,
    pub receipt: Receipt,
    /// See [`Arrival`](crate::archive::Arrival).
    pub source_key: String,
    /// How the keys of what was refused under the same path begin: it has come now.
    pub refusals: String,
}

/// Reads a file as far as it may be accepted. Blocks. Nothing is stored yet.
pub fn take(file: &Path, options: &SubmitOptions) -> Result<Submission, SubmitError> {
    let mut opened = SourceFile::open(file)?;
    let fingerprint = opened.fingerprint;
    let bytes = opened.read_whole(options.max_bytes)?;
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    // The whole path tells files of the same name apart; a path that cannot be made whole still has its inode.
    let path = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let source_key = source_key(&options.source, &path.to_string_lossy(), &fingerprint);
    let receipt = Receipt {
        source: options.source.clone(),
        source_file: name,
        sender: options.sender.clone(),
        received_at: options.received_at.unwrap_or_else(|| received_by(fingerprint.modified_ns, clock::now())),
        receiver: None,
        reported_pages: None,
        received_with_errors: false,
        note: options.note.clone(),
    };
    Ok(Submission { bytes, receipt, source_key, refusals: refusals_of(file) })
}

impl From<ReadError> for SubmitError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Gone => Self::NoSuchFile,
            ReadError::Changed => Self::Changed,
            ReadError::Refused(refusal) => Self::Refused(refusal),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;
    use crate::archive::{Arrival, Content};
    use crate::document::DocumentId;

    fn options() -> SubmitOptions {
        SubmitOptions {
            source: "submit".into(),
            sender: Some("6175550134".into()),
            received_at: Some("2026-03-16T13:12:00Z".parse().unwrap()),
            note: None,
            max_bytes: 100,
        }
    }

    #[test]
    fn a_file_submitted_twice_by_a_hook_is_one_arrival_and_stays_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let archive = crate::intake::testing::archive(folder.path());
        let path = folder.path().join("0042.tif");
        File::create(&path).unwrap().write_all(b"II*\0").unwrap();
        for _ in 0..2 {
            let Submission { bytes, receipt, source_key, .. } = take(&path, &options()).unwrap();
            let accepted = archive.accept(Arrival { content: Content::Bytes(bytes), receipt, source_key }).unwrap();
            assert_eq!(accepted.document, DocumentId::of(b"II*\0"));
        }
        assert!(path.exists());
        let receipts = crate::intake::testing::receipts(&archive);
        assert_eq!(receipts.len(), 1);
        assert_eq!(receipts[0].source_file, "0042.tif");
        assert_eq!(receipts[0].received_at.to_string(), "2026-03-16T13:12:00Z");
    }

    #[test]
    fn a_script_is_told_whether_trying_again_is_of_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0042.tif");
        let code = |path: &Path| take(path, &options()).unwrap_err().exit_code();
        assert_eq!(code(&path), 65);
        File::create(&path).unwrap();
        assert_eq!(code(&path), 65);
        assert_eq!(code(folder.path()), 65);
        assert_eq!(SubmitError::Changed.exit_code(), 75);
        assert_eq!(SubmitError::Refused(Refusal::Unreadable(io::ErrorKind::TimedOut)).exit_code(), 75);
    }
}
