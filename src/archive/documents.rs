//! The stored documents, each named by the digest of its bytes (keyed where state is sealed), and the readings kept
//! beside them.
//!
//! Where state is sealed, a document's file is its wrapped data key, the stream that this seals, and the wrapped key once
//! more, from the first byte written: what a document says never touches the disk, not in a draft either. A reading is sealed under a key derived
//! from its document's.
//!
//! A document gets its name only after its bytes are on the disk, and its name is on the disk before anybody is told;
//! it is never changed afterwards. Only a file that is not whole any more is replaced, as a whole, when the same bytes come
//! again. A reading can be made again from its document, so it is written without waiting
//! for the disk, and one that does not check is simply not there.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;

use super::disk::Disk;
use super::seal::{Key, Opening, content_length, seal_stream, stream_length};
use super::vault::{HEADER, Vault, is_head};
use super::{ArchiveError, Content};
use crate::document::{DocumentId, Reading};
use crate::fault::{self, Step};

/// A sealed document can be read by the daemon's user and changed by nobody.
const SEALED_MODE: u32 = 0o400;

/// Syncs under way at once when many documents are sealed together: enough for the kernel to merge their flushes.
const SYNC_THREADS: usize = 8;

/// Documents that are looked at to tell how all of them lie: more than ever rot together.
const SOME: usize = 16;

/// A reading larger than this unpacked is no reading of ours (10,000 dense pages make some 400 MB of JSON).
const READING_LIMIT: u64 = 1024 * 1024 * 1024;

/// The folder of a state directory that holds the documents.
pub(super) fn folder(state: &Path) -> PathBuf {
    state.join("documents")
}

/// A document's place in that folder.
pub(super) fn path_in(folder: &Path, id: &DocumentId) -> PathBuf {
    folder.join(shard(id)).join(id.as_str())
}

/// Bytes written to a file without a name that lasts yet; removed when dropped unsealed.
pub(super) struct Draft {
    disk: Disk,
    path: PathBuf,
    file: File,
    pub id: DocumentId,
    /// In bytes, unsealed.
    pub size: u64,
    /// Of a sealed draft.
    key: Option<Key>,
    named: bool,
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.named
            && let Err(error) = self.disk.remove(&self.path)
        {
            // The next start empties the folder.
            tracing::warn!(document = %self.id, %error, "a temporary file stays until the next start");
        }
    }
}

/// The folders of documents, readings and drafts; cloned freely.
#[derive(Clone)]
pub(super) struct Documents {
    disk: Disk,
    vault: Vault,
    stored: PathBuf,
    readings: PathBuf,
    drafts: PathBuf,
    next_draft: Arc<AtomicU64>,
}

impl Documents {
    pub(super) fn new(disk: Disk, state: &Path, vault: &Vault) -> Self {
        Self {
            disk,
            vault: vault.clone(),
            stored: folder(state),
            readings: state.join("readings"),
            drafts: state.join("tmp"),
            next_draft: Arc::default(),
        }
    }

    /// Makes the folders, empties that of drafts; needs the archive's lock.
    pub(super) fn prepare(&self) -> Result<(), ArchiveError> {
        self.disk.remove_folder(&self.drafts)?;
        self.disk.make_folder(&self.drafts)?;
        for shard in SHARDS {
            self.disk.make_folder(&self.stored.join(shard))?;
            self.disk.make_folder(&self.readings.join(shard))?;
        }
        self.disk.sync_folder(&self.stored)
    }

    fn path(&self, id: &DocumentId) -> PathBuf {
        path_in(&self.stored, id)
    }

    fn draft_path(&self) -> PathBuf {
        self.drafts.join(self.next_draft.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// Writes an arrival's bytes down, not durable yet, and finds out its id.
    pub(super) fn draft(&self, content: Content) -> Result<Draft, ArchiveError> {
        let drafted = self.write_draft(content);
        if let Err(ArchiveError::WriteFailed { source, .. }) = drafted {
            // The same words for the same trouble, whatever number the file has: it is told of once.
            return Err(ArchiveError::WriteFailed { path: self.drafts.clone(), source });
        }
        drafted
    }

    fn write_draft(&self, content: Content) -> Result<Draft, ArchiveError> {
        let path = self.draft_path();
        let file = self.disk.create(&path, SEALED_MODE)?;
        let mut draft = Draft {
            disk: self.disk.clone(),
            path,
            file,
            id: DocumentId::from_digest(&[0; 32]),
            size: 0,
            key: None,
            named: false,
        };
        let mut naming = self.vault.naming();
        match (self.vault.keys(), content) {
            (Some(_), content) => {
                let (mut bytes, mut stream);
                let source: &mut dyn Read = match content {
                    Content::Bytes(content) => {
                        bytes = Cursor::new(content);
                        &mut bytes
                    }
                    Content::Stream(content) => {
                        stream = content;
                        &mut stream
                    }
                };
                let key = Key::random()?;
                draft.size = self.write_sealed(&mut draft, &key, source, |piece| naming.update(piece))?;
                draft.key = Some(key);
            }
            (None, Content::Bytes(bytes)) => {
                self.disk.write(&mut draft.file, &draft.path, &bytes)?;
                naming.update(&bytes);
                draft.size = bytes.len() as u64;
            }
            (None, Content::Stream(mut source)) => {
                let seen = |piece: &[u8]| naming.update(piece);
                draft.size = self.disk.copy(&mut source, &mut draft.file, &draft.path, seen)?;
            }
        }
        self.disk.begin_write_back(&draft.file);
        draft.id = naming.finish();
        fault::at(Step::DraftWritten);
        Ok(draft)
    }

    /// Writes all of `source` into a draft's file, sealed under this key; gives its size, unsealed.
    fn write_sealed(
        &self,
        draft: &mut Draft,
        key: &Key,
        source: &mut dyn Read,
        seen: impl FnMut(&[u8]),
    ) -> Result<u64, ArchiveError> {
        let keys = self.vault.keys().ok_or(ArchiveError::cannot_seal("the archive has no keys"))?;
        let head = keys.wrap(key)?;
        let tail = head.clone();
        let write = |piece: &[u8]| self.disk.write(&mut draft.file, &draft.path, piece);
        let size = seal_stream(&key.derive("content"), head, source, seen, write)?;
        self.disk.write(&mut draft.file, &draft.path, &tail)?;
        Ok(size)
    }

    /// Has a draft sealed under the key of the file that it is to replace, so that what was recorded of the document, and
    /// read on it, opens as before.
    pub(super) fn seal_under(&self, draft: &mut Draft, key: &Key) -> Result<(), ArchiveError> {
        let Some(own) = draft.key.clone() else { return Ok(()) };
        let failed = |e| ArchiveError::read_failed(&draft.path, e);
        let mut file = File::open(&draft.path).map_err(failed)?;
        file.seek(io::SeekFrom::Start(HEADER as u64)).map_err(failed)?;
        let mut source = Opening::new(&own.derive("content"), file.take(stream_length(draft.size)));
        let path = self.draft_path();
        let file = self.disk.create(&path, SEALED_MODE)?;
        let (id, disk) = (draft.id.clone(), self.disk.clone());
        let mut again = Draft { disk, path, file, id, size: draft.size, key: Some(key.clone()), named: false };
        self.write_sealed(&mut again, key, &mut source, |_| ())?;
        *draft = again;
        Ok(())
    }

    /// Gives drafts their lasting names, durably. Costs about two syncs for one draft and hardly more for hundreds:
    /// the first sync of a group makes the filesystem commit all of it, the rest find their work done.
    pub(super) fn seal(&self, drafts: &mut [&mut Draft]) -> Result<(), ArchiveError> {
        self.sync_each(&*drafts, |draft| self.disk.sync(&draft.file, &draft.path))?;
        fault::at(Step::DraftsSynced);
        let mut folders = BTreeSet::new();
        for draft in drafts {
            let path = self.path(&draft.id);
            self.disk.rename(&draft.path, &path)?;
            draft.named = true;
            if let (Some(keys), Some(key)) = (self.vault.keys(), &draft.key) {
                // In the place of that of a file which was gone.
                keys.forget(&draft.id);
                keys.keep(&draft.id, key);
            }
            fault::at(Step::DraftNamed);
            folders.extend(path.parent().map(Path::to_owned));
        }
        let folders: Vec<PathBuf> = folders.into_iter().collect();
        self.sync_each(&folders, |folder| self.disk.sync_folder(folder))?;
        fault::at(Step::FoldersSynced);
        Ok(())
    }

    fn sync_each<T: Sync>(
        &self,
        all: &[T],
        sync: impl Fn(&T) -> Result<(), ArchiveError> + Sync,
    ) -> Result<(), ArchiveError> {
        if let [only] = all {
            return sync(only);
        }
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                sync(one)?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (1..SYNC_THREADS.min(all.len())).map(|_| scope.spawn(work)).collect();
            let own = work();
            threads.into_iter().fold(own, |outcome, thread| {
                let theirs = thread.join().unwrap_or_else(|_| {
                    let panicked = io::Error::other("the thread that synced it panicked");
                    Err(ArchiveError::sync_failed(&self.stored, panicked))
                });
                outcome.and(theirs)
            })
        })
    }

    /// Whether all of the document is on the disk as it was accepted, both copies of its key included. Reads all of it.
    pub(super) fn is_whole(&self, id: &DocumentId) -> bool {
        self.has_both_keys(id) && self.check(id).is_ok()
    }

    /// Whether both copies of a sealed document's key open.
    pub(super) fn has_both_keys(&self, id: &DocumentId) -> bool {
        matches!(self.keys_of(id), Ok(2))
    }

    /// How many of the two copies of a sealed document's key open; 2 for one that is not sealed and there.
    pub(super) fn keys_of(&self, id: &DocumentId) -> Result<usize, ArchiveError> {
        let Some(keys) = self.vault.keys() else {
            return if self.exists(id) { Ok(2) } else { Err(ArchiveError::DocumentMissing { document: id.clone() }) };
        };
        Ok(match keys.copies(id)? {
            [Some(head), Some(tail)] if head.bytes() == tail.bytes() => 2,
            [None, None] => 0,
            _ => 1,
        })
    }

    /// Whether a file bears the document's name.
    pub(super) fn exists(&self, id: &DocumentId) -> bool {
        self.path(id).symlink_metadata().is_ok()
    }

    /// Opens a document for reading; what was changed or cut ends with [`io::ErrorKind::InvalidData`].
    fn open(&self, id: &DocumentId) -> Result<Box<dyn Read>, ArchiveError> {
        let path = self.path(id);
        let failed = |e: io::Error| {
            if e.kind() == io::ErrorKind::NotFound {
                ArchiveError::DocumentMissing { document: id.clone() }
            } else {
                ArchiveError::read_failed(&path, e)
            }
        };
        let mut file = File::open(&path).map_err(failed)?;
        let Some(keys) = self.vault.keys() else { return Ok(Box::new(file)) };
        let key = keys.of_document(id)?.derive("content");
        let stream = file.metadata().map_err(failed)?.len().saturating_sub(2 * HEADER as u64);
        file.seek(io::SeekFrom::Start(HEADER as u64)).map_err(failed)?;
        Ok(Box::new(Opening::new(&key, file.take(stream))))
    }

    fn read_failed(&self, id: &DocumentId, error: io::Error) -> ArchiveError {
        if error.kind() == io::ErrorKind::InvalidData {
            ArchiveError::DocumentDamaged { document: id.clone() }
        } else {
            ArchiveError::read_failed(&self.path(id), error)
        }
    }

    /// A document's bytes, proven to be those that were accepted.
    pub(super) fn read(&self, id: &DocumentId) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = Vec::new();
        self.open(id)?.read_to_end(&mut bytes).map_err(|e| self.read_failed(id, e))?;
        if self.vault.name(&bytes) == *id {
            Ok(bytes)
        } else {
            Err(ArchiveError::DocumentDamaged { document: id.clone() })
        }
    }

    /// Whether a document's bytes are those that were accepted, without holding them all in memory.
    pub(super) fn check(&self, id: &DocumentId) -> Result<(), ArchiveError> {
        let mut file = self.open(id)?;
        let mut naming = self.vault.naming();
        let mut buffer = vec![0; 128 * 1024];
        loop {
            let read = file.read(&mut buffer).map_err(|e| self.read_failed(id, e))?;
            if read == 0 {
                break;
            }
            naming.update(buffer.get(..read).unwrap_or_default());
        }
        if naming.finish() == *id { Ok(()) } else { Err(ArchiveError::DocumentDamaged { document: id.clone() }) }
    }

    /// Every document on the disk, whether or not the journal knows it.
    pub(super) fn stored(&self) -> Result<Vec<DocumentId>, ArchiveError> {
        stored_in(&self.stored)
    }

    /// Every document of which a reading is kept, or was begun to be, whether or not it is there itself.
    pub(super) fn with_readings(&self) -> Result<Vec<DocumentId>, ArchiveError> {
        named_in(&self.readings, |name| name.split('.').next().unwrap_or(name))
    }

    /// Whether anything bears the document's name: its file, or what was read on it.
    pub(super) fn leaves_anything(&self, id: &DocumentId) -> bool {
        self.exists(id) || self.reading_path(id).symlink_metadata().is_ok()
    }

    /// Destroys documents and what was read on them, durably: first both copies of the key in each file, so that also a
    /// copy of the file's blocks that the disk keeps for a while says nothing without them; then the files.
    pub(super) fn destroy(&self, ids: &[DocumentId]) -> Result<(), ArchiveError> {
        let mut folders = BTreeSet::new();
        for id in ids {
            let path = self.path(id);
            if let Some(keys) = self.vault.keys() {
                keys.forget(id);
                if self.exists(id) {
                    self.disk.make_writable(&path)?;
                    let file =
                        File::options().write(true).open(&path).map_err(|e| ArchiveError::write_failed(&path, e))?;
                    let length = file.metadata().map_err(|e| ArchiveError::write_failed(&path, e))?.len();
                    for at in [0, length.saturating_sub(HEADER as u64)] {
                        self.disk.write_at(&file, &path, &[0; HEADER], at)?;
                    }
                    self.disk.sync(&file, &path)?;
                }
            }
            for path in [path, self.reading_path(id)] {
                self.disk.remove(&path)?;
                folders.extend(path.parent().map(Path::to_owned));
            }
        }
        let folders: Vec<PathBuf> = folders.into_iter().collect();
        self.sync_each(&folders, |folder| self.disk.sync_folder(folder))
    }

    /// A stored document's size, unsealed, and when it was stored.
    pub(super) fn stored_since(&self, id: &DocumentId) -> Result<(u64, Timestamp), ArchiveError> {
        let path = self.path(id);
        let data = fs::metadata(&path).map_err(|e| ArchiveError::read_failed(&path, e))?;
        let modified = data.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
        let size = match self.vault {
            Vault::Plain => data.len(),
            Vault::Sealed(_) => content_length(data.len().saturating_sub(2 * HEADER as u64)),
        };
        Ok((size, modified.unwrap_or(Timestamp::UNIX_EPOCH)))
    }

    fn reading_path(&self, id: &DocumentId) -> PathBuf {
        let form = if self.vault.keys().is_some() { "sealed" } else { "json.gz" };
        self.readings.join(shard(id)).join(format!("{}.{form}", id.as_str()))
    }

    /// Keeps a reading; it may be gone after a crash.
    pub(super) fn put_reading(&self, id: &DocumentId, reading: &Reading) -> Result<(), ArchiveError> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        serde_json::to_writer(&mut packed, reading).map_err(|e| ArchiveError::not_serialisable(&e))?;
        let path = self.reading_path(id);
        let mut packed = packed.finish().map_err(|e| ArchiveError::write_failed(&path, e))?;
        if let Some(keys) = self.vault.keys() {
            let key = keys.of_document(id)?.derive("reading");
            let mut sealed = Vec::with_capacity(packed.len() + packed.len() / 1024 + 64);
            seal_stream(
                &key,
                Vec::new(),
                &mut packed.as_slice(),
                |_| (),
                |piece| {
                    sealed.extend_from_slice(piece);
                    Ok(())
                },
            )?;
            packed = sealed;
        }
        let draft = self.draft_path();
        let written = self.disk.create(&draft, 0o600).and_then(|mut file| {
            self.disk.write(&mut file, &draft, &packed)?;
            self.disk.rename(&draft, &path)
        });
        fault::at(Step::ReadingKept);
        if written.is_err() {
            self.disk.remove(&draft)?;
        }
        written
    }

    /// The reading kept for a document; `None` when there is none, or none that is whole.
    pub(super) fn reading(&self, id: &DocumentId) -> Result<Option<Reading>, ArchiveError> {
        let path = self.reading_path(id);
        let file = match File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|e| ArchiveError::read_failed(&path, e))?,
        };
        let mut json = Vec::new();
        let packed: Box<dyn io::BufRead> = match self.vault.keys() {
            Some(keys) => {
                let key = keys.of_document(id)?.derive("reading");
                Box::new(io::BufReader::new(Opening::new(&key, file)))
            }
            None => Box::new(io::BufReader::new(file)),
        };
        // The seal, or the gzip trailer's checksum, tells a whole reading from a damaged one.
        match GzDecoder::new(packed).take(READING_LIMIT).read_to_end(&mut json) {
            Ok(_) => Ok(serde_json::from_slice(&json).ok()),
            Err(_) => Ok(None),
        }
    }
}

/// Documents are spread by the first digit of their id. Sixteen folders, because a group of arrivals must sync each
/// folder that it touches: with 256, two hundred arrivals spent half of their time on that.
const SHARDS: [&str; 16] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f"];

/// Every document in this folder.
pub(super) fn stored_in(folder: &Path) -> Result<Vec<DocumentId>, ArchiveError> {
    named_in(folder, |name| name)
}

/// Every document that a file in this folder is named after; `named` takes out its id.
fn named_in(folder: &Path, named: impl Fn(&str) -> &str) -> Result<Vec<DocumentId>, ArchiveError> {
    let mut found = Vec::new();
    for shard in SHARDS {
        let folder = folder.join(shard);
        let failed = |e| ArchiveError::read_failed(&folder, e);
        let entries = match fs::read_dir(&folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let name = entry.map_err(failed)?.file_name().into_string();
            found.extend(name.ok().and_then(|name| DocumentId::try_from(named(&name).to_owned()).ok()));
        }
    }
    Ok(found)
}

/// Whether the documents in this folder are sealed, as some of them tell: all are, or none.
pub(super) fn are_sealed(folder: &Path) -> Result<bool, ArchiveError> {
    for id in stored_in(folder)?.iter().take(SOME) {
        let mut head = [0; HEADER];
        if File::open(path_in(folder, id)).and_then(|mut file| file.read_exact(&mut head)).is_ok() && is_head(&head) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn shard(id: &DocumentId) -> &str {
    id.as_str().get(..1).unwrap_or("0")
}

/// Replaces `path` durably by `bytes`, whole or not at all.
pub(super) fn replace(disk: &Disk, draft: &Path, path: &Path, bytes: &[u8]) -> Result<(), ArchiveError> {
    disk.remove(draft)?;
    let mut file = disk.create(draft, 0o600)?;
    disk.write(&mut file, draft, bytes)?;
    disk.sync(&file, draft)?;
    disk.rename(draft, path)?;
    path.parent().map_or(Ok(()), |folder| disk.sync_folder(folder))
}
