//! The keys on the disk: the master key where an operator keeps it, and the keyring that it wraps.
//!
//! The keyring (`STATE/keyring`) holds what everything in a sealed state directory is sealed under: a root key that
//! never changes, from which documents get their names, and the archive keys by generation. It is replaced whole or
//! not at all. A rotation wraps it for the old and the new master key at once; the first start under the new one
//! drops the old one's wrapping. So whichever of the two an operator has configured opens it, wherever a crash falls.
//!
//! A state directory that holds something gets no new key, ever: what it holds would be lost without a word. Key
//! material is wiped from memory when dropped, and no error shows any.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::disk::Disk;
use super::documents::replace;
use super::kept::{CASES, LAST_GOOD};
use super::lock::Lock;
use super::seal::{KEY, Key};
use super::vault::Vault;
use super::{ArchiveError, JOURNAL, documents, journal};

/// The form of the keyring that this program writes.
const FORM: u32 = 1;

/// A key file is one line of 44 characters; more than this is another file.
const KEY_FILE_LIMIT: u64 = 4096;

/// What a wrapped keyring belongs to.
const BOUND_TO: &[u8] = b"nicufaxd keyring 1";

/// How the state directory lies on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AtRest {
    /// Sealed under keys that the master key opens.
    Sealed(KeyPlace),
    /// Readable by whoever gets hold of the disk or of a copy.
    Plain,
}

/// Where the master key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// In a file that the configuration names.
    File(PathBuf),
    /// In a file that systemd hands over (`LoadCredential=` or `LoadCredentialEncrypted=nicufaxd.key:…`), and guards.
    Credential(PathBuf),
    /// In `STATE/key`, which the first start makes.
    Beside,
}

impl KeyPlace {
    /// The key's file, for this state directory.
    pub fn path(&self, state: &Path) -> PathBuf {
        match self {
            Self::File(path) | Self::Credential(path) => path.clone(),
            Self::Beside => state.join("key"),
        }
    }
}

/// What `check` has to say of the keys; none of it keeps the daemon from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// Nothing is sealed.
    Plain,
    /// The key lies in the state directory, or will be made there: a copy of the one holds the other.
    KeyBeside,
    /// A rotation waits for the new key to be configured.
    RotationUnfinished,
}

/// What a rotation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The archive keys there are now.
    pub generations: usize,
    /// The file that has to hold the new key from now on, when putting it there is the operator's to do.
    pub configure: Option<PathBuf>,
    /// Whether a rotation to another key had been begun and not finished: that key opens nothing now.
    pub given_up: bool,
}

/// One wrapping of the keyring.
#[derive(Clone, Serialize, Deserialize)]
struct Wrapping {
    /// Its key's fingerprint: tells a wrong key from a damaged keyring; says nothing of the key.
    key: String,
    /// Base64.
    keyring: String,
}

/// The keyring's file: a wrapping for each master key that may open it, the newest last.
#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    form: u32,
    wrappings: Vec<Wrapping>,
}

/// The keyring, open.
struct Keyring {
    root: Key,
    /// The archive keys, the newest last.
    generations: Vec<Key>,
}

impl Keyring {
    fn new() -> Result<Self, ArchiveError> {
        Ok(Self { root: Key::random()?, generations: vec![Key::random()?] })
    }

    fn wrap(&self, master: &Key) -> Result<Wrapping, ArchiveError> {
        let mut keys = Zeroizing::new(Vec::with_capacity(KEY * (1 + self.generations.len())));
        keys.extend_from_slice(self.root.bytes());
        self.generations.iter().for_each(|key| keys.extend_from_slice(key.bytes()));
        let keyring = BASE64.encode(master.derive("keyring").seal(&keys, BOUND_TO)?);
        Ok(Wrapping { key: fingerprint(master), keyring })
    }

    fn unwrap(wrapping: &Wrapping, master: &Key) -> Option<Self> {
        let keys = master.derive("keyring").open(&BASE64.decode(&wrapping.keyring).ok()?, BOUND_TO)?;
        let mut keys = keys.chunks(KEY).map(Key::from_bytes);
        let root = keys.next()??;
        let generations: Vec<Key> = keys.collect::<Option<_>>()?;
        (!generations.is_empty()).then_some(Self { root, generations })
    }
}

fn fingerprint(master: &Key) -> String {
    BASE64.encode(master.derive("fingerprint").bytes().first_chunk::<12>().unwrap_or(&[0; 12]))
}

impl Stored {
    fn path(state: &Path) -> PathBuf {
        state.join("keyring")
    }

    /// The copy, for when the first rots: without the keyring nothing opens. It is written after the first.
    fn copy_path(state: &Path) -> PathBuf {
        state.join("keyring.copy")
    }

    fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(text).ok().filter(|stored| stored.form == FORM)
    }

    fn write(&self, disk: &Disk, state: &Path) -> Result<(), ArchiveError> {
        let mut text = serde_json::to_vec(self).map_err(|e| ArchiveError::not_serialisable(&e))?;
        text.push(b'\n');
        for path in [Self::path(state), Self::copy_path(state)] {
            replace(disk, &state.join("keyring.next"), &path, &text)?;
        }
        Ok(())
    }

    /// The keyring, and whether this is the newest master key that opens it. Whatever the wrappings call their keys: the
    /// seal tells.
    fn open(&self, master: &Key) -> Option<(Keyring, bool)> {
        let mut opened = self.wrappings.iter().enumerate().rev();
        let (position, keyring) = opened.find_map(|(at, wrapping)| Some((at, Keyring::unwrap(wrapping, master)?)))?;
        Some((keyring, position + 1 == self.wrappings.len()))
    }

    fn names(&self) -> Vec<String> {
        self.wrappings.iter().map(|wrapping| wrapping.key.clone()).collect()
    }
}

/// A keyring as it was found in a state directory.
struct Found {
    stored: Stored,
    keyring: Keyring,
    /// Whether the master key is the newest that opens it.
    newest: bool,
    /// Whether first and copy are both there and the same.
    both: bool,
    /// Whether the first could not be used.
    by_copy: bool,
}

/// Finds the keyring of a state directory; `None` when there is none.
fn find(state: &Path, place: &KeyPlace) -> Result<Option<Found>, ArchiveError> {
    let read = |path: PathBuf| match fs::read(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        text => text.map(Some).map_err(|e| ArchiveError::read_failed(&path, e)),
    };
    // One that cannot be read is as one that is damaged, as long as the other can.
    let texts = match (read(Stored::path(state)), read(Stored::copy_path(state))) {
        (Err(error), Err(_) | Ok(None)) | (Ok(None), Err(error)) => return Err(error),
        (Ok(None), Ok(None)) => return Ok(None),
        (first, copy) => [first.ok().flatten(), copy.ok().flatten()],
    };
    let master = read_key(state, place)?;
    let both = texts[0].is_some() && texts[0] == texts[1];
    let parsed = texts.map(|text| text.and_then(|text| Stored::parse(&text)));
    let [first, copy] = parsed.each_ref().map(|stored| stored.as_ref()?.open(&master));
    let generations = |opened: &Option<(Keyring, bool)>| opened.as_ref().map_or(0, |(ring, _)| ring.generations.len());
    // An older one, put back from a backup, must not take the newer archive keys along.
    let by_copy = generations(&copy) > generations(&first);
    let names: Vec<Vec<String>> = parsed.iter().flatten().map(Stored::names).collect();
    let [stored, stored_copy] = parsed;
    let found = if by_copy { stored_copy.zip(copy) } else { stored.zip(first) };
    let Some((stored, (keyring, newest))) = found else {
        // A key that one of them names is not to blame, nor is any when they name different ones.
        let is_named = names.iter().any(|names| names.contains(&fingerprint(&master)));
        return Err(if is_named || names.is_empty() || names.windows(2).any(|pair| pair.first() != pair.last()) {
            ArchiveError::KeyringDamaged { path: Stored::path(state) }
        } else {
            ArchiveError::KeyWrong { state: state.to_owned(), path: place.path(state) }
        });
    };
    if by_copy {
        tracing::error!(
            keyring = %Stored::path(state).display(),
            "the keyring is damaged or missing, or older than its copy, and its copy serves; the next start of the daemon \
             writes it anew: check the disk"
        );
    }
    Ok(Some(Found { stored, keyring, newest, both, by_copy }))
}

/// Whether the keyring and its copy are both there, whole and the same.
pub(super) fn keyring_is_whole(state: &Path, at_rest: &AtRest) -> Result<bool, ArchiveError> {
    match at_rest {
        AtRest::Plain => Ok(true),
        AtRest::Sealed(place) => Ok(find(state, place)?.is_none_or(|found| found.both)),
    }
}

/// Opens the keys of a state directory for writing, making them for one that holds nothing. Needs the lock.
pub(super) fn open(disk: &Disk, state: &Path, at_rest: &AtRest) -> Result<Vault, ArchiveError> {
    let place = match at_rest {
        AtRest::Plain => return plain(state),
        AtRest::Sealed(place) => place,
    };
    let Some(found) = find(state, place)? else {
        let key_file = place.path(state);
        without_keyring(state)?;
        if *place == KeyPlace::Beside && !key_file.exists() {
            write_key(disk, &state.join("key.next"), &key_file, &Key::random()?)?;
            tracing::warn!(
                "a key was made in the state directory, beside what it seals; keep a copy elsewhere, better move it \
                 out and name it with key_file"
            );
        }
        let master = read_key(state, place)?;
        let keyring = Keyring::new()?;
        Stored { form: FORM, wrappings: vec![keyring.wrap(&master)?] }.write(disk, state)?;
        return Ok(vault(state, keyring));
    };
    let Found { stored, keyring, newest, both, by_copy } = found;
    // What damage has changed in a wrapping's name is put right too.
    let fresh =
        || Ok::<_, ArchiveError>(Stored { form: FORM, wrappings: vec![keyring.wrap(&read_key(state, place)?)?] });
    if stored.wrappings.len() > 1 && newest {
        fresh()?.write(disk, state)?;
        tracing::info!("the key was rotated; the one before opens nothing any more");
    } else {
        if !both {
            let whole = if stored.wrappings.len() == 1 { fresh()? } else { stored.clone() };
            whole.write(disk, state)?;
            let which = if by_copy { "keyring" } else { "keyring.copy" };
            tracing::warn!(which, "one of the keyring and its copy was missing, damaged or older and was written anew");
        }
        if stored.wrappings.len() > 1 {
            tracing::warn!("a rotation of the key is unfinished: the new key is not configured yet");
        }
    }
    Ok(vault(state, keyring))
}

/// Opens the keys of a state directory for looking.
pub(super) fn look(state: &Path, at_rest: &AtRest) -> Result<Vault, ArchiveError> {
    let place = match at_rest {
        AtRest::Plain => return plain(state),
        AtRest::Sealed(place) => place,
    };
    match find(state, place)? {
        Some(found) => Ok(vault(state, found.keyring)),
        // It holds nothing that a key is needed for.
        None => without_keyring(state).map(|()| Vault::Plain),
    }
}

/// What keeps these keys from being used, as an error, and what an operator should know of them. Changes nothing.
pub fn check_keys(state: &Path, at_rest: &AtRest) -> Result<Option<Remark>, ArchiveError> {
    let place = match at_rest {
        AtRest::Plain => return plain(state).map(|_| Some(Remark::Plain)),
        AtRest::Sealed(place) => place,
    };
    let key_file = place.path(state);
    let beside = (*place == KeyPlace::Beside || key_file.starts_with(state)).then_some(Remark::KeyBeside);
    if let Some(Found { newest, .. }) = find(state, place)? {
        return Ok(if newest { beside } else { Some(Remark::RotationUnfinished) });
    }
    without_keyring(state)?;
    if *place != KeyPlace::Beside || key_file.exists() {
        read_key(state, place)?;
    }
    Ok(beside)
}

/// Writes a new key into a new file.
#[allow(clippy::wildcard_enum_match_arm, reason = "one kind of failure is named anew, all others stay")]
pub fn new_key(path: &Path) -> Result<(), ArchiveError> {
    if path.symlink_metadata().is_ok() {
        return Err(ArchiveError::key_file(path, "is there already; name a file that is not"));
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(".next");
    let draft = PathBuf::from(draft);
    write_key(&Disk::default(), &draft, path, &Key::random()?).map_err(|error| match error {
        // A disk that is full or fails may get better; the rest is the place's fault.
        ArchiveError::WriteFailed { source, .. }
            if matches!(
                source.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::ReadOnlyFilesystem
                    | io::ErrorKind::InvalidFilename
                    | io::ErrorKind::InvalidInput
            ) =>
        {
            let what =
                format!("cannot be made: {source}; name a file in a folder that is there and that you may write to");
            ArchiveError::key_file(path, what)
        }
        other => other,
    })
}

/// Puts a state directory under the key in `new`: what is sealed stays as it is, what comes is sealed under an
/// archive key of its own. Nothing may have the archive open.
///
/// May be repeated after a crash. A key in the state directory itself is replaced by the new one; one that was
/// configured is the operator's to replace, and both open the keyring until a start finds the new one.
pub fn rotate(state: &Path, at_rest: &AtRest, new: &Path) -> Result<Rotated, ArchiveError> {
    rotate_on(&Disk::default(), state, at_rest, new)
}

pub(super) fn rotate_on(disk: &Disk, state: &Path, at_rest: &AtRest, new: &Path) -> Result<Rotated, ArchiveError> {
    let AtRest::Sealed(place) = at_rest else {
        return Err(ArchiveError::StatePlain { state: state.to_owned() });
    };
    let new_master = read_key(state, &KeyPlace::File(new.to_owned()))?;
    let _lock = Lock::take(state)?;
    let Some(Found { stored, mut keyring, newest, .. }) = find(state, place)? else {
        without_keyring(state)?;
        return Err(ArchiveError::KeyringMissing { path: Stored::path(state) });
    };
    let key_file = place.path(state);
    let master = read_key(state, place)?;
    let same = fingerprint(&master) == fingerprint(&new_master);
    let begun = stored.wrappings.last().is_some_and(|last| last.key == fingerprint(&new_master));
    let given_up = stored.wrappings.len() > 1 && !newest && !begun;
    if !begun {
        keyring.generations.push(Key::random()?);
        let wrappings = vec![keyring.wrap(&master)?, keyring.wrap(&new_master)?];
        Stored { form: FORM, wrappings }.write(disk, state)?;
    }
    if *place == KeyPlace::Beside && !same {
        write_key(disk, &state.join("key.next"), &key_file, &new_master)?;
    }
    let configure = (*place != KeyPlace::Beside && !same).then_some(key_file);
    if configure.is_none() && !(begun && newest && stored.wrappings.len() == 1) {
        Stored { form: FORM, wrappings: vec![keyring.wrap(&new_master)?] }.write(disk, state)?;
    }
    Ok(Rotated { generations: keyring.generations.len(), configure, given_up })
}

fn vault(state: &Path, keyring: Keyring) -> Vault {
    Vault::sealed(documents::folder(state), keyring.root, keyring.generations)
}

fn plain(state: &Path) -> Result<Vault, ArchiveError> {
    let keyring = Stored::path(state).exists() || Stored::copy_path(state).exists();
    if keyring || is_sealed(state)? {
        return Err(ArchiveError::StateSealed { state: state.to_owned() });
    }
    Ok(Vault::Plain)
}

/// Whether anything here, documents or journal, was sealed.
fn is_sealed(state: &Path) -> Result<bool, ArchiveError> {
    Ok(journal::is_sealed(&state.join(JOURNAL))? || documents::are_sealed(&documents::folder(state))?)
}

/// Makes sure that a state directory without a keyring holds nothing.
fn without_keyring(state: &Path) -> Result<(), ArchiveError> {
    if is_sealed(state)? {
        return Err(ArchiveError::KeyringMissing { path: Stored::path(state) });
    }
    let holds_documents = !documents::stored_in(&documents::folder(state))?.is_empty();
    if holds_documents || journal::holds_records(&state.join(JOURNAL))? || state.join(CASES).join(LAST_GOOD).exists() {
        return Err(ArchiveError::StatePlain { state: state.to_owned() });
    }
    Ok(())
}

/// Reads a master key, from a file that is nobody else's to read.
fn read_key(state: &Path, place: &KeyPlace) -> Result<Key, ArchiveError> {
    let path = place.path(state);
    // Not blocking: a FIFO in its place must not hang a start.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let opened = fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(&path);
    let file = opened.map_err(|e| {
        if e.kind() == io::ErrorKind::NotFound {
            ArchiveError::KeyMissing { state: state.to_owned(), path: path.clone() }
        } else {
            ArchiveError::key_file(&path, format!("cannot be read: {e}; give it to this user"))
        }
    })?;
    let unreadable = |e: io::Error| ArchiveError::key_file(&path, format!("cannot be read: {e}"));
    let data = file.metadata().map_err(unreadable)?;
    if !data.is_file() {
        return Err(ArchiveError::key_file(&path, "is no file"));
    }
    // systemd guards its folder of credentials itself, with access lists that look like permissions for the group.
    if !matches!(place, KeyPlace::Credential(_)) {
        guarded(&path, &data, state)?;
    }
    let mut text = Zeroizing::new(Vec::with_capacity(KEY_FILE_LIMIT as usize));
    file.take(KEY_FILE_LIMIT).read_to_end(&mut text).map_err(unreadable)?;
    let key = BASE64.decode(text.trim_ascii()).map(Zeroizing::new).ok().and_then(|bytes| Key::from_bytes(&bytes));
    key.ok_or_else(|| ArchiveError::key_file(&path, "holds no key; make one with: nicufaxd key new FILE"))
}

/// Whether a key's file is its owner's alone, and its owner this user. Root may use the key of the daemon's user.
fn guarded(path: &Path, data: &fs::Metadata, state: &Path) -> Result<(), ArchiveError> {
    let mode = data.mode() & 0o777;
    if mode & 0o077 != 0 {
        let remedy = format!("may be read by others (mode {mode:03o}); run: chmod 600 {}", path.display());
        return Err(ArchiveError::key_file(path, remedy));
    }
    let user = rustix::process::geteuid();
    let states = || fs::metadata(state).is_ok_and(|state| state.uid() == data.uid());
    if data.uid() != user.as_raw() && !(user.is_root() && states()) {
        let owner = data.uid();
        let remedy = format!("belongs to another user (uid {owner}); give it to the user that runs this program");
        return Err(ArchiveError::key_file(path, remedy));
    }
    Ok(())
}

fn write_key(disk: &Disk, draft: &Path, path: &Path, key: &Key) -> Result<(), ArchiveError> {
    let mut text = Zeroizing::new(String::with_capacity(64));
    BASE64.encode_string(key.bytes(), &mut text);
    text.push('\n');
    replace(disk, draft, path, text.as_bytes())
}
