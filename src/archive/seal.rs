//! Sealing bytes: keys, values and streams. The only user of the cipher (XChaCha20-Poly1305) and of the system's
//! randomness.
//!
//! A value is `nonce (24) · ciphertext · tag (16)`, bound to what it belongs to by associated data. A stream is
//! `prefix (19)` and chunks of 64 KiB, each with its tag, sealed as STREAM does (Hoang, Reyhanitabar, Rogaway, Vizár
//! 2015, with a 32-bit counter, as `aead-stream`'s `StreamBE32`): a chunk's nonce is the prefix, the chunk's number and whether
//! it is the last one, so a stream that was cut, reordered or put together from others does not open. Nothing of a
//! chunk is given out before its tag has been checked.
//!
//! Keys are wiped from memory when dropped and never shown by `Debug`. A key seals for one purpose only: others are
//! derived from it by a label.

use std::io::{self, BufRead, BufReader, Read};

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::ArchiveError;

/// Bytes of a key.
pub(super) const KEY: usize = 32;

const NONCE: usize = 24;

const TAG: usize = 16;

/// What sealing adds to a value, in bytes.
pub(super) const VALUE_OVERHEAD: usize = NONCE + TAG;

/// Bytes of content in a chunk of a stream, the last one apart.
pub(super) const CHUNK: usize = 64 * 1024;

/// Bytes of a stream's random prefix: a nonce without number and end mark.
pub(super) const PREFIX: usize = NONCE - 5;

/// Sealed chunks gathered for one write.
const GATHERED: usize = 4 * CHUNK;

/// 32 secret bytes.
#[derive(Clone)]
pub(super) struct Key(Zeroizing<[u8; KEY]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// A new one.
    pub(super) fn random() -> Result<Self, ArchiveError> {
        let mut key = Zeroizing::new([0; KEY]);
        fill(&mut *key)?;
        Ok(Self(key))
    }

    /// The key that these bytes are; `None` unless there are 32.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    pub(super) fn bytes(&self) -> &[u8; KEY] {
        &self.0
    }

    /// The key for another purpose.
    pub(super) fn derive(&self, label: &str) -> Self {
        let mut mac = self.mac();
        mac.update(label.as_bytes());
        let mut key = Zeroizing::new([0; KEY]);
        key.copy_from_slice(&mac.finalize().into_bytes());
        Self(key)
    }

    /// A keyed digest (HMAC-SHA-256) to be fed.
    pub(super) fn mac(&self) -> Hmac<Sha256> {
        // HMAC fills a short key up with zeros itself; doing it here leaves nothing that could fail.
        let mut block = Zeroizing::new([0; 64]);
        block.iter_mut().zip(self.0.iter()).for_each(|(to, from)| *to = *from);
        Hmac::<Sha256>::new(&(*block).into())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&(*self.0).into())
    }

    /// Seals a value, bound to what it belongs to.
    pub(super) fn seal(&self, value: &[u8], belongs_to: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        let mut sealed = Vec::with_capacity(value.len() + VALUE_OVERHEAD);
        let mut nonce = [0; NONCE];
        fill(&mut nonce)?;
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(value);
        let content = sealed.get_mut(NONCE..).unwrap_or_default();
        let tag = self.cipher().encrypt_inout_detached(&nonce.into(), belongs_to, content.into());
        sealed.extend_from_slice(&tag.map_err(|_| ArchiveError::cannot_seal("the value is too long"))?);
        Ok(sealed)
    }

    /// Opens a sealed value; `None` when it was changed, sealed under another key, or belongs to something else.
    pub(super) fn open(&self, sealed: &[u8], belongs_to: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>()?;
        let (content, tag) = rest.split_last_chunk::<TAG>()?;
        let mut content = Zeroizing::new(content.to_vec());
        let opened =
            self.cipher().decrypt_inout_detached(nonce.into(), belongs_to, content.as_mut_slice().into(), tag.into());
        opened.is_ok().then_some(content)
    }
}

/// Random bytes from the kernel.
fn fill(bytes: &mut [u8]) -> Result<(), ArchiveError> {
    getrandom::fill(bytes).map_err(|_| ArchiveError::cannot_seal("the system gives no random numbers"))
}

/// The nonce of a stream's chunk.
fn chunk_nonce(prefix: &[u8; PREFIX], number: u32, last: bool) -> XNonce {
    let mut nonce = XNonce::default();
    let parts = prefix.iter().copied().chain(number.to_be_bytes()).chain([u8::from(last)]);
    nonce.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    nonce
}

/// Bytes of a stream that seals `size` bytes.
pub(super) fn stream_length(size: u64) -> u64 {
    PREFIX as u64 + size + size.div_ceil(CHUNK as u64).max(1) * TAG as u64
}

/// Bytes that a stream of this length seals; nonsense for a length that no stream has.
pub(super) fn content_length(length: u64) -> u64 {
    let chunks = length.saturating_sub(PREFIX as u64);
    chunks.saturating_sub(chunks.div_ceil((CHUNK + TAG) as u64) * TAG as u64)
}

/// Seals all of `source`, giving each piece of content to `seen` and each sealed piece to `write`, the first of them
/// behind `head`. Holds some 300 KB whatever the size, which is given.
pub(super) fn seal_stream(
    key: &Key,
    head: Vec<u8>,
    source: &mut dyn Read,
    mut seen: impl FnMut(&[u8]),
    mut write: impl FnMut(&[u8]) -> Result<(), ArchiveError>,
) -> Result<u64, ArchiveError> {
    let cipher = key.cipher();
    let mut prefix = [0; PREFIX];
    fill(&mut prefix)?;
    let mut out = head;
    out.reserve(PREFIX + CHUNK + TAG);
    out.extend_from_slice(&prefix);
    let mut start = out.len();
    let mut size = read_chunk(source, &mut out)?;
    let mut next = Vec::new();
    for number in 0..=u32::MAX {
        // Only a full chunk can have another one behind it.
        if out.len() - start == CHUNK {
            size += read_chunk(source, &mut next)?;
        }
        let last = next.is_empty();
        let chunk = out.get_mut(start..).unwrap_or_default();
        seen(chunk);
        let tag = cipher.encrypt_inout_detached(&chunk_nonce(&prefix, number, last), &[], chunk.into());
        out.extend_from_slice(&tag.map_err(|_| ArchiveError::cannot_seal("a chunk is too long"))?);
        if last || out.len() >= GATHERED {
            write(&out)?;
            out.clear();
        }
        if last {
            return Ok(size);
        }
        start = out.len();
        out.append(&mut next);
    }
    Err(ArchiveError::cannot_seal("it is longer than 256 TiB"))
}

/// Adds the next chunk of the source, which is shorter only at its end; says how long it is.
fn read_chunk(source: &mut dyn Read, buffer: &mut Vec<u8>) -> Result<u64, ArchiveError> {
    let read = source.take(CHUNK as u64).read_to_end(buffer);
    read.map(|size| size as u64).map_err(|e| ArchiveError::SourceUnreadable { source: std::sync::Arc::new(e) })
}

/// Opens a stream while it is read. What does not check ends with [`io::ErrorKind::InvalidData`].
pub(super) struct Opening<R> {
    cipher: XChaCha20Poly1305,
    sealed: BufReader<R>,
    prefix: Option<[u8; PREFIX]>,
    number: u32,
    ended: bool,
    chunk: Zeroizing<Vec<u8>>,
    given: usize,
}

impl<R: Read> Opening<R> {
    pub(super) fn new(key: &Key, sealed: R) -> Self {
        Self {
            cipher: key.cipher(),
            sealed: BufReader::with_capacity(CHUNK + TAG, sealed),
            prefix: None,
            number: 0,
            ended: false,
            chunk: Zeroizing::default(),
            given: 0,
        }
    }

    /// Opens the next chunk in place of the one before.
    fn advance(&mut self) -> io::Result<()> {
        let prefix = if let Some(prefix) = self.prefix {
            prefix
        } else {
            let mut prefix = [0; PREFIX];
            let ends_early = |e: &io::Error| e.kind() == io::ErrorKind::UnexpectedEof;
            self.sealed.read_exact(&mut prefix).map_err(|e| if ends_early(&e) { damaged() } else { e })?;
            *self.prefix.insert(prefix)
        };
        self.chunk.clear();
        self.given = 0;
        (&mut self.sealed).take((CHUNK + TAG) as u64).read_to_end(&mut self.chunk)?;
        let last = self.sealed.fill_buf()?.is_empty();
        let content = self.chunk.len().checked_sub(TAG).ok_or_else(damaged)?;
        let tag: Tag = self.chunk.get(content..).and_then(|tag| tag.try_into().ok()).ok_or_else(damaged)?;
        self.chunk.truncate(content);
        let nonce = chunk_nonce(&prefix, self.number, last);
        let opened = self.cipher.decrypt_inout_detached(&nonce, &[], self.chunk.as_mut_slice().into(), &tag);
        if opened.is_err() {
            // Nothing of what did not check may be given out.
            self.chunk.clear();
            return Err(damaged());
        }
        self.ended = last;
        self.number = self.number.checked_add(1).ok_or_else(damaged)?;
        Ok(())
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the sealed bytes were changed or cut")
}

impl<R: Read> Read for Opening<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.given == self.chunk.len() && !self.ended {
            self.advance()?;
        }
        let left = self.chunk.get(self.given..).unwrap_or_default();
        let size = left.len().min(to.len());
        if let (Some(to), Some(from)) = (to.get_mut(..size), left.get(..size)) {
            to.copy_from_slice(from);
        }
        self.given += size;
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(key: &Key, content: &[u8]) -> Vec<u8> {
        let (mut written, mut seen) = (Vec::new(), Vec::new());
        let size = seal_stream(
            key,
            Vec::new(),
            &mut &*content,
            |piece| seen.extend_from_slice(piece),
            |piece| {
                written.extend_from_slice(piece);
                Ok(())
            },
        );
        assert_eq!(size.unwrap(), content.len() as u64);
        assert_eq!(seen, content);
        written
    }

    fn opened(key: &Key, sealed: &[u8]) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        Opening::new(key, sealed).read_to_end(&mut content).map(|_| content)
    }

    fn content(size: usize) -> Vec<u8> {
        (0..size).map(|at| (at % 251) as u8).collect()
    }

    #[test]
    fn a_stream_of_any_length_opens_to_what_was_sealed() {
        let key = Key::random().unwrap();
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 9 * CHUNK + 7] {
            let sealed = sealed(&key, &content(size));
            assert_eq!(sealed.len() as u64, stream_length(size as u64));
            assert_eq!(content_length(sealed.len() as u64), size as u64);
            assert_eq!(opened(&key, &sealed).unwrap(), content(size));
        }
    }

    #[test]
    fn a_stream_that_was_changed_cut_lengthened_or_reordered_does_not_open() {
        let key = Key::random().unwrap();
        let whole = sealed(&key, &content(3 * CHUNK));
        let refused = |bytes: &[u8]| opened(&key, bytes).is_err_and(|e| e.kind() == io::ErrorKind::InvalidData);
        for at in [0, PREFIX - 1, PREFIX, CHUNK, PREFIX + CHUNK + TAG, whole.len() - 1] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            assert!(refused(&flipped), "flipped at {at}");
        }
        // Also exactly between chunks, where nothing but the end mark tells.
        for end in [0, 5, PREFIX, PREFIX + CHUNK + TAG, PREFIX + 2 * (CHUNK + TAG), whole.len() - 1] {
            assert!(refused(&whole[..end]), "cut at {end}");
        }
        assert!(refused(&[whole.as_slice(), &[0]].concat()));
        let (head, chunks) = whole.split_at(PREFIX);
        let (first, rest) = chunks.split_at(CHUNK + TAG);
        let (second, third) = rest.split_at(CHUNK + TAG);
        assert!(refused(&[head, second, first, third].concat()));
        assert!(opened(&Key::random().unwrap(), &whole).is_err());
    }

    #[test]
    fn nothing_of_a_chunk_that_does_not_check_is_given_out() {
        let key = Key::random().unwrap();
        let mut sealed = sealed(&key, &content(2 * CHUNK));
        *sealed.last_mut().unwrap() ^= 1;
        let mut given = Vec::new();
        assert!(Opening::new(&key, sealed.as_slice()).read_to_end(&mut given).is_err());
        assert_eq!(given, content(CHUNK));
    }

    #[test]
    fn a_value_opens_only_under_its_key_and_for_what_it_belongs_to() {
        let (key, other) = (Key::random().unwrap(), Key::random().unwrap());
        let sealed = key.seal(b"value", b"entry 1").unwrap();
        assert_eq!(sealed.len(), 5 + VALUE_OVERHEAD);
        assert_eq!(key.open(&sealed, b"entry 1").as_deref().map(Vec::as_slice), Some(b"value".as_slice()));
        assert!(key.open(&sealed, b"entry 2").is_none());
        assert!(other.open(&sealed, b"entry 1").is_none());
        assert!(key.open(&sealed[..sealed.len() - 1], b"entry 1").is_none());
        assert!(key.open(b"", b"").is_none());
    }

    #[test]
    fn a_key_is_never_shown() {
        let key = Key::from_bytes(&[7; KEY]).unwrap();
        assert_eq!(format!("{key:?}"), "Key(…)");
    }

    /// HMAC-SHA-256, RFC 4231, test case 2; and XChaCha20-Poly1305, draft-irtf-cfrg-xchacha-03, A.3.1.
    #[test]
    fn the_ciphers_are_those_of_the_published_test_vectors() {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        mac.update(b"what do ya want for nothing?");
        let digest = crate::document::DocumentId::from_digest(&mac.finalize().into_bytes());
        assert_eq!(digest.as_str(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let key: Vec<u8> = (0x80..0xa0).collect();
        let nonce: Vec<u8> = (0x40..0x58).collect();
        let belongs_to = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                     sunscreen would be it.";
        let mut sealed = text.to_vec();
        let key = Key::from_bytes(&key).unwrap();
        let nonce: XNonce = nonce.as_slice().try_into().unwrap();
        let tag = key.cipher().encrypt_inout_detached(&nonce, &belongs_to, sealed.as_mut_slice().into()).unwrap();
        assert_eq!(sealed[..4], [0xbd, 0x6d, 0x17, 0x9d]);
        assert_eq!(tag[..4], [0xc0, 0x87, 0x59, 0x24]);
        let whole = [nonce.as_slice(), &sealed, &tag].concat();
        assert_eq!(key.open(&whole, &belongs_to).as_deref().map(Vec::as_slice), Some(text.as_slice()));
    }
}
