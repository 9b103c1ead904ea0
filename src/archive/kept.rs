//! What is kept beside documents and journal: the last good snapshot of the open cases, tokens that mail services hand
//! out, and the time that was trusted last. Each is one small file that is only ever replaced whole, durably, and sealed where the archive is.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;

use super::disk::Disk;
use super::vault::Vault;
use super::{Archive, ArchiveError, AtRest, documents, keys};

pub(super) const CASES: &str = "cases";
pub(super) const LAST_GOOD: &str = "last-good.csv";
const TOKENS: &str = "tokens";
const CLOCK: &str = "clock";

/// The last good snapshot of the open cases, as it is kept in a state directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCases {
    pub bytes: Vec<u8>,
    /// When it was taken over; `None` where the file system tells no time.
    pub since: Option<Timestamp>,
}

/// Makes the folders.
pub(super) fn prepare(disk: &Disk, state: &Path) -> Result<(), ArchiveError> {
    disk.make_folder(&state.join(CASES))?;
    disk.make_folder(&state.join(TOKENS))
}

impl Archive {
    /// Keeps the last good snapshot of the open cases, durably, in place of the one before; gives [`KeptCases::since`].
    pub fn put_cases(&self, snapshot: &[u8]) -> Result<Option<Timestamp>, ArchiveError> {
        let path = self.inner.state.join(CASES).join(LAST_GOOD);
        self.keep(CASES, &path, snapshot)?;
        let metadata = std::fs::metadata(path);
        Ok(metadata.and_then(|metadata| metadata.modified()).ok().and_then(|since| since.try_into().ok()))
    }

    /// The last good snapshot of the open cases.
    pub fn cases(&self) -> Result<Option<KeptCases>, ArchiveError> {
        let kept = kept_cases_of(&self.inner.state, &self.inner.vault)?;
        if kept.is_none() && cases_are_damaged(&self.inner.state, &self.inner.vault)? {
            tracing::error!(
                "the last good snapshot of the cases, cases/last-good.csv, is damaged and not used; the next one that is \
                 taken over replaces it"
            );
        }
        Ok(kept)
    }

    /// Keeps the time that was trusted last.
    pub(super) fn put_trusted_time(&self, time: Timestamp) -> Result<(), ArchiveError> {
        self.keep(CLOCK, &self.inner.state.join(CLOCK), time.to_string().as_bytes())
    }

    /// The time that was trusted last, as far as it was kept.
    pub(super) fn trusted_time(&self) -> Result<Option<Timestamp>, ArchiveError> {
        let kept = kept(CLOCK, &self.inner.state.join(CLOCK), &self.inner.vault)?;
        Ok(kept.and_then(|(time, _)| String::from_utf8(time).ok()?.parse().ok()))
    }

    /// Keeps what a mail service handed out for an account, durably, in place of what it did before.
    pub fn put_token(&self, account: &str, token: &[u8]) -> Result<(), ArchiveError> {
        self.keep(TOKENS, &self.token_path(account), token)
    }

    /// What a mail service last handed out for an account.
    pub fn token(&self, account: &str) -> Result<Option<Vec<u8>>, ArchiveError> {
        Ok(kept(TOKENS, &self.token_path(account), &self.inner.vault)?.map(|(token, _)| token))
    }

    /// The name of an account may hold anything, so its file bears a mark of it.
    fn token_path(&self, account: &str) -> PathBuf {
        self.inner.state.join(TOKENS).join(self.inner.vault.mark("token", [account, ""]).digits(32))
    }

    fn keep(&self, label: &str, path: &Path, value: &[u8]) -> Result<(), ArchiveError> {
        let sealed = self.inner.vault.keys().map(|keys| keys.seal_kept(label, value)).transpose()?;
        let value = sealed.as_deref().unwrap_or(value);
        self.inner.room.count(documents::replace(&self.inner.disk, &path.with_extension("next"), path, value))
    }
}

/// Reads the snapshot that a state directory keeps, whoever has the archive open: it is only ever replaced whole.
pub fn kept_cases(state: &Path, at_rest: &AtRest) -> Result<Option<KeptCases>, ArchiveError> {
    kept_cases_of(state, &keys::look(state, at_rest)?)
}

/// Whether the snapshot that is kept cannot be opened.
pub(super) fn cases_are_damaged(state: &Path, vault: &Vault) -> Result<bool, ArchiveError> {
    let path = state.join(CASES).join(LAST_GOOD);
    Ok(path.exists() && kept(CASES, &path, vault)?.is_none())
}

fn kept_cases_of(state: &Path, vault: &Vault) -> Result<Option<KeptCases>, ArchiveError> {
    let kept = kept(CASES, &state.join(CASES).join(LAST_GOOD), vault)?;
    Ok(kept.map(|(bytes, since)| KeptCases { bytes, since: since.try_into().ok() }))
}

/// One that does not open is as one that is not there: its source brings the next.
fn kept(label: &str, path: &Path, vault: &Vault) -> Result<Option<(Vec<u8>, SystemTime)>, ArchiveError> {
    let failed = |error| ArchiveError::read_failed(path, error);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    if let Some(keys) = vault.keys() {
        let Some(opened) = keys.open_kept(label, &bytes) else { return Ok(None) };
        bytes = opened;
    }
    let since = file.metadata().and_then(|metadata| metadata.modified()).map_err(failed)?;
    Ok(Some((bytes, since)))
}
