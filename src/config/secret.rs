//! Where a password lies, which is never the configuration itself: a file of our own, or one of systemd's credentials.
//!
//! Read anew at each use, so that a password that was changed is taken up without a restart. The value is wiped when
//! it is dropped, and no error tells any of it.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// A secret with more bytes than this is none: access tokens and certificates of mail services stay below it.
const MOST_BYTES: u64 = 64 * 1024;

/// Where one secret lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretPlace {
    /// `…_file`: absolute; for its owner alone.
    File(PathBuf),
    /// `…_credential`: a name among systemd's credentials, which guards them itself.
    Credential(String),
}

/// Why a secret cannot be had. Names its place, never what is in it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("{place} cannot be read: {error}; correct its path or its permissions")]
    Unreadable { place: PathBuf, error: io::Error },
    #[error("{place} may be read by others (mode {mode:03o}); run: chmod 600 {place}")]
    OthersMayRead { place: PathBuf, mode: u32 },
    #[error(
        "{place} holds no usable secret (it is empty, larger than 64 KiB, or no text); write the secret alone into it"
    )]
    NotASecret { place: PathBuf },
    #[error("credential `{name}` is named, and systemd has handed over none; add LoadCredential={name}:… to the unit")]
    NoCredentials { name: String },
}

impl SecretPlace {
    /// The secret, without the line's end that editors add. Blocks, on a small local file.
    pub fn read(&self) -> Result<Zeroizing<String>, SecretError> {
        let place = match self {
            Self::File(path) => path.clone(),
            Self::Credential(name) => std::env::var_os("CREDENTIALS_DIRECTORY")
                .map(|folder| Path::new(&folder).join(name))
                .ok_or_else(|| SecretError::NoCredentials { name: name.clone() })?,
        };
        let unreadable = |error| SecretError::Unreadable { place: place.clone(), error };
        let data = std::fs::metadata(&place).map_err(unreadable)?;
        let mode = data.permissions().mode() & 0o777;
        if matches!(self, Self::File(_)) && mode & 0o077 != 0 {
            return Err(SecretError::OthersMayRead { place, mode });
        }
        if !data.is_file() || data.len() > MOST_BYTES {
            return Err(SecretError::NotASecret { place });
        }
        let text = match std::fs::read_to_string(&place) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(SecretError::NotASecret { place }),
            Err(error) => return Err(unreadable(error)),
        };
        let secret = text.trim_end_matches(['\r', '\n']);
        if secret.is_empty() {
            return Err(SecretError::NotASecret { place });
        }
        Ok(Zeroizing::new(secret.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "a file for a test need not outlast a power loss")]
    fn kept(text: &str, mode: u32) -> (tempfile::TempDir, SecretPlace) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("um.password");
        #[allow(clippy::disallowed_methods, reason = "a test's own file")]
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (folder, SecretPlace::File(path))
    }

    #[test]
    fn a_password_is_read_without_the_end_of_its_line() {
        let (_folder, place) = kept("open sesame \n", 0o600);
        assert_eq!(place.read().unwrap().as_str(), "open sesame ");
    }

    #[test]
    fn a_password_that_others_may_read_is_refused_with_the_remedy() {
        let (_folder, place) = kept("open sesame", 0o640);
        let told = place.read().unwrap_err().to_string();
        assert!(told.contains("chmod 600") && !told.contains("sesame"), "{told}");
    }

    #[test]
    fn an_empty_file_holds_no_password() {
        let (_folder, place) = kept("\n", 0o600);
        assert!(matches!(place.read().unwrap_err(), SecretError::NotASecret { .. }));
    }
}
