//! What the archive's parts ask of its keys: names, marks, and the key for a document or for a generation.
//!
//! A document's data key is random, lies wrapped at the head and at the tail of the document's own file and nowhere
//! else, and seals the document, its reading and what the journal says of it: whoever destroys these two copies has
//! destroyed all three.
//! What belongs to no document is sealed under the archive key of its generation. Names of documents and marks of
//! what a source calls its files are keyed digests, so that they tell nothing to somebody who guesses.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ArchiveError;
use super::documents::path_in;
use super::seal::{KEY, Key, Opening, VALUE_OVERHEAD, seal_stream};
use crate::document::DocumentId;

/// The first bytes of a sealed document: what it is, and in which form.
const MAGIC: &[u8; 8] = b"nicufax2";

/// Bytes of a sealed document's head: magic, generation, wrapped data key. The same bytes stand before its stream and
/// behind it, so that a disk which loses one sector does not take an intact document's key, and with it every record of
/// the document, along.
pub(super) const HEADER: usize = MAGIC.len() + 4 + KEY + VALUE_OVERHEAD;

/// Whether these bytes, the first or the last of a document's file, are those of a sealed one.
pub(super) fn is_head(bytes: &[u8; HEADER]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Data keys kept at hand, some half a megabyte.
const KEPT: usize = 4096;

/// A keyed digest (64 hexadecimal digits): the same for the same thing, and telling nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(String);

impl Mark {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Its first digits, for a name.
    pub(super) fn digits(&self, count: usize) -> String {
        self.0.chars().take(count).collect()
    }
}

/// A document's id in the making.
pub(super) enum Naming {
    Plain(Sha256),
    Keyed(Box<Hmac<Sha256>>),
}

impl Naming {
    pub(super) fn update(&mut self, piece: &[u8]) {
        match self {
            Self::Plain(digest) => Digest::update(digest, piece),
            Self::Keyed(mac) => Mac::update(&mut **mac, piece),
        }
    }

    pub(super) fn finish(self) -> DocumentId {
        match self {
            Self::Plain(digest) => DocumentId::from_digest(&digest.finalize()),
            Self::Keyed(mac) => DocumentId::from_digest(&mac.finalize().into_bytes()),
        }
    }
}

/// The keys of an archive, or that it has none; clones are the same.
#[derive(Clone)]
pub(super) enum Vault {
    Plain,
    Sealed(Arc<Keys>),
}

impl Vault {
    pub(super) fn sealed(documents: PathBuf, root: Key, generations: Vec<Key>) -> Self {
        let (naming, marking) = (root.derive("document ids"), root.derive("marks"));
        Self::Sealed(Arc::new(Keys { documents, root, naming, marking, generations, kept: Mutex::default() }))
    }

    pub(super) fn keys(&self) -> Option<&Keys> {
        match self {
            Self::Plain => None,
            Self::Sealed(keys) => Some(keys),
        }
    }

    pub(super) fn naming(&self) -> Naming {
        match self {
            Self::Plain => Naming::Plain(Sha256::new()),
            Self::Sealed(keys) => Naming::Keyed(Box::new(keys.naming.mac())),
        }
    }

    /// The id of these bytes.
    pub(super) fn name(&self, bytes: &[u8]) -> DocumentId {
        let mut naming = self.naming();
        naming.update(bytes);
        naming.finish()
    }

    /// The mark of a thing of this kind; its parts must tell themselves apart.
    pub(super) fn mark(&self, kind: &str, parts: [&str; 2]) -> Mark {
        let mut naming = match self {
            Self::Plain => Naming::Plain(Sha256::new()),
            Self::Sealed(keys) => Naming::Keyed(Box::new(keys.marking.mac())),
        };
        for part in [kind, parts[0], parts[1]] {
            naming.update(part.as_bytes());
            naming.update(&[0]);
        }
        Mark(naming.finish().into())
    }

    /// The mark of a case.
    pub(super) fn case_mark(&self, case_id: &str) -> Mark {
        self.mark("case", [case_id, ""])
    }
}

/// The keys of a sealed archive.
pub(super) struct Keys {
    documents: PathBuf,
    root: Key,
    naming: Key,
    marking: Key,
    /// The oldest first; numbered from 1.
    generations: Vec<Key>,
    kept: Mutex<Kept>,
}

/// The data keys used last, the oldest of them first in `order`.
#[derive(Default)]
struct Kept {
    keys: HashMap<DocumentId, Key>,
    order: VecDeque<DocumentId>,
}

impl Keys {
    /// Under which the index seals its values; it is remade when the root is another one.
    pub(super) fn index(&self) -> Key {
        self.root.derive("index")
    }

    /// The generation under which new things are sealed.
    pub(super) fn generation(&self) -> u32 {
        self.generations.len() as u32
    }

    /// The archive key of a generation, for one purpose.
    pub(super) fn of_archive(&self, generation: u32, purpose: &str) -> Option<Key> {
        let position = (generation as usize).checked_sub(1)?;
        self.generations.get(position).map(|key| key.derive(purpose))
    }

    /// The head of a document's file that wraps this data key.
    pub(super) fn wrap(&self, key: &Key) -> Result<Vec<u8>, ArchiveError> {
        let generation = self.generation();
        let wrapping = self.of_archive(generation, "document keys").ok_or(NO_GENERATION)?;
        let mut header = [MAGIC.as_slice(), &generation.to_be_bytes()].concat();
        let wrapped = wrapping.seal(key.bytes(), &header)?;
        header.extend_from_slice(&wrapped);
        Ok(header)
    }

    /// The data key at the head of a document's file.
    fn unwrap(&self, header: &[u8; HEADER]) -> Option<Key> {
        let (bound, wrapped) = header.split_at_checked(MAGIC.len() + 4)?;
        let (magic, generation) = bound.split_first_chunk()?;
        if magic != MAGIC {
            return None;
        }
        let wrapping = self.of_archive(u32::from_be_bytes(generation.try_into().ok()?), "document keys")?;
        Key::from_bytes(&wrapping.open(wrapped, bound)?)
    }

    /// A document's data key, from the head of its file. [`ArchiveError::DocumentMissing`] and
    /// [`ArchiveError::DocumentDamaged`] when there is none to be had.
    pub(super) fn of_document(&self, id: &DocumentId) -> Result<Key, ArchiveError> {
        if let Some(key) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).keys.get(id) {
            return Ok(key.clone());
        }
        let [head, tail] = self.copies(id)?;
        let key = head.or(tail).ok_or_else(|| ArchiveError::DocumentDamaged { document: id.clone() })?;
        self.keep(id, &key);
        Ok(key)
    }

    /// Both copies of a document's data key as its file has them, whatever is kept at hand; `None` for one that does not
    /// open.
    pub(super) fn copies(&self, id: &DocumentId) -> Result<[Option<Key>; 2], ArchiveError> {
        let path = path_in(&self.documents, id);
        let failed = |e: io::Error| {
            if e.kind() == io::ErrorKind::NotFound {
                ArchiveError::DocumentMissing { document: id.clone() }
            } else {
                ArchiveError::read_failed(&path, e)
            }
        };
        let file = File::open(&path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let (mut copies, mut error) = ([None, None], None);
        for (copy, at) in copies.iter_mut().zip([Some(0), length.checked_sub(HEADER as u64)]) {
            let mut header = [0; HEADER];
            match at.map(|at| file.read_exact_at(&mut header, at)) {
                Some(Ok(())) => *copy = self.unwrap(&header),
                Some(Err(e)) if e.kind() != io::ErrorKind::UnexpectedEof => error = Some(e),
                Some(Err(_)) | None => {}
            }
        }
        match error {
            Some(e) if copies.iter().all(Option::is_none) => Err(failed(e)),
            _ => Ok(copies),
        }
    }

    /// A kept value as it lies on the disk: the generation of its archive key, and a stream.
    pub(super) fn seal_kept(&self, label: &str, value: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        let generation = self.generation();
        let key = self.of_archive(generation, label).ok_or(NO_GENERATION)?;
        let mut sealed = Vec::new();
        let mut source = value;
        seal_stream(
            &key,
            generation.to_be_bytes().to_vec(),
            &mut source,
            |_| (),
            |piece| {
                sealed.extend_from_slice(piece);
                Ok(())
            },
        )?;
        Ok(sealed)
    }

    /// The value that was sealed so under this label; `None` when it does not open.
    pub(super) fn open_kept(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (generation, stream) = sealed.split_first_chunk()?;
        let key = self.of_archive(u32::from_be_bytes(*generation), label)?;
        let mut snapshot = Vec::with_capacity(stream.len());
        Opening::new(&key, stream).read_to_end(&mut snapshot).ok()?;
        Some(snapshot)
    }

    /// Keeps a data key at hand, in place of the one used longest ago.
    pub(super) fn keep(&self, id: &DocumentId, key: &Key) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.keys.insert(id.clone(), key.clone()).is_none() {
            kept.order.push_back(id.clone());
        }
        while kept.order.len() > KEPT
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.keys.remove(&oldest);
        }
    }

    /// Forgets a data key that is to be destroyed, or that was replaced.
    pub(super) fn forget(&self, id: &DocumentId) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.keys.remove(id).is_some() {
            kept.order.retain(|other| other != id);
        }
    }
}

const NO_GENERATION: ArchiveError = ArchiveError::CannotSeal { what: "the keyring holds no archive key" };
