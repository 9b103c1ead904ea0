//! What the archive's parts ask of its keys: names, marks, and the key for a document or for a generation.
//!
//! A document's data key is random, lies wrapped at the head of the document's own file and nowhere else, and seals
//! the document, its reading and what the journal says of it: whoever destroys that head has destroyed all three.
//! What belongs to no document is sealed under the archive key of its generation. Names of documents and marks of
//! what a source calls its files are keyed digests, so that they tell nothing to somebody who guesses.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Read};
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
const MAGIC: &[u8; 8] = b"nicufax1";

/// Bytes before a sealed document's stream: magic, generation, wrapped data key.
pub(super) const HEADER: usize = MAGIC.len() + 4 + KEY + VALUE_OVERHEAD;

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

    /// A new document's data key, and the head of its file.
    pub(super) fn new_document(&self) -> Result<(Key, Vec<u8>), ArchiveError> {
        let key = Key::random()?;
        let generation = self.generation();
        let wrapping = self.of_archive(generation, "document keys").ok_or(NO_GENERATION)?;
        let mut header = [MAGIC.as_slice(), &generation.to_be_bytes()].concat();
        let wrapped = wrapping.seal(key.bytes(), &header)?;
        header.extend_from_slice(&wrapped);
        Ok((key, header))
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
        let path = path_in(&self.documents, id);
        let mut header = [0; HEADER];
        match File::open(&path).and_then(|mut file| file.read_exact(&mut header)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(ArchiveError::DocumentMissing { document: id.clone() });
            }
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(ArchiveError::DocumentDamaged { document: id.clone() });
            }
            outcome => outcome.map_err(|e| ArchiveError::read_failed(&path, e))?,
        }
        let key = self.unwrap(&header).ok_or_else(|| ArchiveError::DocumentDamaged { document: id.clone() })?;
        self.keep(id, &key);
        Ok(key)
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
