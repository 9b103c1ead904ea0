//! The journal: one line a record, each bound to the one before it by its SHA-256, in segments of some 64 MiB.
//!
//! A line is `SHA256 JSON\n`; the digest is that of the JSON, and the JSON holds the digest of the line before
//! (`prev`), so nothing can be changed, dropped or put in between without breaking the chain. `synced` is the number of
//! the last record known to be on the disk when this one was written. That tells two kinds of damage apart:
//!
//! * a **torn tail**: the last write was cut short by a crash. Nobody was told that it succeeded, so it is cut away
//!   (the cut bytes are kept beside, as `….torn`).
//! * **damage before it**: a record that had been acknowledged does not check. That is reported with file, offset
//!   and sequence, and never cut away. At the very end only somebody else can know that a record had been acknowledged:
//!   whoever opens the journal says what the index has taken in. An index that knows of no record there proves nothing:
//!   it reaches the disk later than the journal does, so that what a kill, or a power loss, came after may be missing
//!   from it. So a whole line that does not check is an alarm also there, and a person decides.
//!
//! In a sealed archive a record holds the event's [`Fact`] in the clear and the event itself sealed (`sealed`, base64):
//! under the data key of the document that it is about, or under the archive key of generation `key`. Sequence and
//! time are bound into the seal. The digest is that of the record as it stands, so the chain can be checked by whoever
//! has no key, also after purges.
//!
//! It knows nothing of what events mean, and never rewrites a record.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::ArchiveError;
use super::disk::{Disk, free_path};
use super::event::{Event, VERSION};
use super::fact::Fact;
use super::seal::Key;
use super::vault::{Keys, Vault};
use crate::document::DocumentId;
use crate::fault::{self, Step};

/// A new segment is begun once the current one is larger: start-up checks the last segment whole, so this bounds it.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// Hexadecimal digits of a digest.
const DIGEST_DIGITS: usize = 64;

/// What stands in `prev` of the first record.
const NO_RECORD: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(u32, u64, u32)", into = "(u32, u64, u32)")]
pub(super) struct Location {
    pub segment: u32,
    pub offset: u64,
    /// With the line feed.
    pub length: u32,
}

impl From<(u32, u64, u32)> for Location {
    fn from((segment, offset, length): (u32, u64, u32)) -> Self {
        Self { segment, offset, length }
    }
}

impl From<Location> for (u32, u64, u32) {
    fn from(at: Location) -> Self {
        (at.segment, at.offset, at.length)
    }
}

impl Location {
    pub(super) fn end(self) -> u64 {
        self.offset + u64::from(self.length)
    }
}

/// The last record: number (0 when there is none) and digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub sequence: u64,
    pub digest: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { sequence: 0, digest: NO_RECORD.to_owned() }
    }
}

/// A record's JSON as written.
#[derive(Serialize)]
struct WrittenRecord<'a> {
    v: u32,
    seq: u64,
    time: Timestamp,
    synced: u64,
    prev: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a Event>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fact: Option<&'a Fact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

/// A record's JSON as read. `E` and `F` are an [`Event`] and its [`Fact`], or [`IgnoredAny`] where only the chain is
/// looked at.
#[derive(Deserialize)]
#[serde(bound = "E: Deserialize<'de>, F: Deserialize<'de>")]
struct ReadRecord<'a, E, F> {
    v: u32,
    seq: u64,
    time: Timestamp,
    synced: u64,
    prev: &'a str,
    #[serde(default = "Option::default")]
    event: Option<E>,
    #[serde(default = "Option::default")]
    fact: Option<F>,
    #[serde(default)]
    key: Option<u32>,
    #[serde(default)]
    sealed: Option<&'a str>,
}

/// What a record says.
pub(super) enum Said<E, F> {
    /// In the clear.
    Plain(E),
    Sealed {
        fact: F,
        /// Of the archive key; `None` for the document's own key.
        generation: Option<u32>,
        /// Base64; `None` where the fact is all there is.
        sealed: Option<String>,
    },
}

/// A record whose own digest checks.
pub(super) struct Record<E, F> {
    pub sequence: u64,
    pub time: Timestamp,
    pub said: Said<E, F>,
    pub digest: String,
    pub at: Location,
    synced: u64,
    previous: String,
}

/// A record of which only the chain is looked at.
pub(super) type Link = Record<IgnoredAny, IgnoredAny>;

/// A record as it is sealed in the journal, or in the clear.
pub(super) type Entry = Record<Event, Fact>;

/// What a record's seal is bound to: another record's content does not open in its place.
fn bound_to(sequence: u64, time: Timestamp) -> [u8; 24] {
    let mut bound = [0; 24];
    let parts = sequence.to_be_bytes().into_iter().chain(time.as_nanosecond().to_be_bytes());
    bound.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    bound
}

/// Under which key a record about this document is sealed, and the generation where it is no document's.
///
/// A document whose file is gone has no key any more. That it is gone has to be recordable all the same.
fn record_key(keys: &Keys, document: Option<&DocumentId>) -> Result<(Option<u32>, Key), ArchiveError> {
    if let Some(document) = document {
        match keys.of_document(document) {
            Ok(key) => return Ok((None, key.derive("records"))),
            Err(ArchiveError::DocumentMissing { .. } | ArchiveError::DocumentDamaged { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let generation = keys.generation();
    let key = keys.of_archive(generation, "records");
    Ok((Some(generation), key.ok_or(ArchiveError::cannot_seal("the keyring holds no archive key"))?))
}

impl Entry {
    /// The event that a record holds, opened if it is sealed.
    ///
    /// [`ArchiveError::DocumentMissing`], [`ArchiveError::DocumentDamaged`] and [`ArchiveError::RecordDoesNotOpen`] when
    /// the document's key is not to be had.
    pub(super) fn into_event(self, vault: &Vault) -> Result<Event, ArchiveError> {
        let (sequence, forged) = (self.sequence, ArchiveError::RecordForged { sequence: self.sequence });
        let (fact, generation, sealed) = match self.said {
            Said::Plain(event) => return Ok(event),
            Said::Sealed { fact, generation, sealed } => (fact, generation, sealed),
        };
        let Some(sealed) = sealed else { return fact.whole().ok_or(forged) };
        let keys = vault.keys().ok_or_else(|| forged.clone())?;
        let (key, failure) = match (generation, fact.document()) {
            (Some(generation), _) => (keys.of_archive(generation, "records").ok_or_else(|| forged.clone())?, forged),
            (None, Some(document)) => (
                keys.of_document(document)?.derive("records"),
                ArchiveError::RecordDoesNotOpen { document: document.clone(), sequence },
            ),
            (None, None) => return Err(forged),
        };
        let sealed = BASE64.decode(sealed).map_err(|_| failure.clone())?;
        let json = key.open(&sealed, &bound_to(sequence, self.time)).ok_or_else(|| failure.clone())?;
        let event: Event = serde_json::from_slice(&json).map_err(|_| failure.clone())?;
        if fact.agrees(&event, vault) { Ok(event) } else { Err(failure) }
    }
}

fn segment_path(folder: &Path, segment: u32) -> PathBuf {
    folder.join(format!("{segment:08}.log"))
}

/// The digest of a record's JSON, hexadecimal.
fn digest_of(json: &[u8]) -> String {
    DocumentId::from_digest(&Sha256::digest(json)).into()
}

/// What is wrong with a line whose own digest checks, so that no damage made it so.
const NEWER: &str = "the record was written by a newer version of this program";

/// Takes a line apart and checks its digest; what is wrong with it otherwise.
fn parse<E, F>(line: &[u8], at: Location) -> Result<Record<E, F>, &'static str>
where
    E: for<'de> Deserialize<'de>,
    F: for<'de> Deserialize<'de>,
{
    let body = line.strip_suffix(b"\n").ok_or("the record has no end")?;
    let (digest, json) = body.split_at_checked(DIGEST_DIGITS).ok_or("the record is too short")?;
    let json = json.strip_prefix(b" ").ok_or("the record's digest is malformed")?;
    let own = digest_of(json);
    if own.as_bytes() != digest {
        return Err("the record does not agree with its own SHA-256");
    }
    let read: ReadRecord<E, F> = serde_json::from_slice(json).map_err(|_| NEWER)?;
    if read.v > VERSION {
        return Err(NEWER);
    }
    let said = match (read.event, read.fact) {
        (Some(event), None) => Said::Plain(event),
        (None, Some(fact)) => Said::Sealed { fact, generation: read.key, sealed: read.sealed.map(str::to_owned) },
        (Some(_), Some(_)) | (None, None) => return Err(NEWER),
    };
    Ok(Record {
        sequence: read.seq,
        time: read.time,
        said,
        digest: own,
        at,
        synced: read.synced,
        previous: read.prev.to_owned(),
    })
}

/// The segments present, in order. A gap in their numbers is damage.
pub(super) fn segments(folder: &Path) -> Result<Vec<u32>, ArchiveError> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| ArchiveError::read_failed(folder, e))? {
        let name = entry.map_err(|e| ArchiveError::read_failed(folder, e))?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_suffix(".log"));
        let number: Option<u32> = digits.and_then(|digits| digits.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    for (expected, &found) in (1..).zip(&numbers) {
        if found != expected {
            return Err(ArchiveError::JournalDamaged {
                path: segment_path(folder, expected),
                offset: 0,
                sequence: 0,
                what: "the segment is missing",
            });
        }
    }
    Ok(numbers)
}

/// Whether anything was ever recorded here.
pub(super) fn holds_records(folder: &Path) -> Result<bool, ArchiveError> {
    if !folder.exists() {
        return Ok(false);
    }
    let mut numbers = segments(folder)?.into_iter();
    Ok(numbers.any(|number| std::fs::metadata(segment_path(folder, number)).is_ok_and(|data| data.len() > 0)))
}

/// Whether the journal begins with a sealed record.
pub(super) fn is_sealed(folder: &Path) -> Result<bool, ArchiveError> {
    Ok(first_link(folder, 1)?.is_some_and(|link| matches!(link.said, Said::Sealed { .. })))
}

/// The first record of a segment; `None` when there is none that checks, which is the affair of those who read it.
fn first_link(folder: &Path, segment: u32) -> Result<Option<Link>, ArchiveError> {
    let path = segment_path(folder, segment);
    let file = match File::open(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|e| ArchiveError::read_failed(&path, e))?,
    };
    let mut line = Vec::new();
    BufReader::new(file).read_until(b'\n', &mut line).map_err(|e| ArchiveError::read_failed(&path, e))?;
    Ok(parse(&line, Location { segment, offset: 0, length: line.len() as u32 }).ok())
}

/// What is wrong with a torn tail, where the index has taken in records that should stand there: then it is no
/// leftover, and cutting it away would lose what was acknowledged.
pub(super) fn acknowledged_and_torn(folder: &Path, head: &Head, torn: usize) -> Result<ArchiveError, ArchiveError> {
    let path = segment_path(folder, segments(folder)?.last().copied().unwrap_or(1));
    let length = std::fs::metadata(&path).map_err(|e| ArchiveError::read_failed(&path, e))?.len();
    Ok(ArchiveError::JournalDamaged {
        path,
        offset: length.saturating_sub(torn as u64),
        sequence: head.sequence + 1,
        what: "the last record is damaged, and the index proves that it had been acknowledged",
    })
}

/// What stands at a place of the journal is no record, for this reason.
fn not_a_record(path: PathBuf, offset: u64, sequence: u64, what: &'static str) -> ArchiveError {
    if what == NEWER {
        ArchiveError::JournalNewer { path, offset, sequence }
    } else {
        ArchiveError::JournalDamaged { path, offset, sequence, what }
    }
}

/// What a record says cannot be believed.
pub(super) fn damaged_at(folder: &Path, at: Location, sequence: u64, what: &'static str) -> ArchiveError {
    ArchiveError::JournalDamaged { path: segment_path(folder, at.segment), offset: at.offset, sequence, what }
}

/// Reads the records after `from`, or all of them, through every segment, and gives each to `found`. Gives the last
/// record's head and how many bytes of a torn tail follow it.
pub(super) fn walk<E, F>(
    folder: &Path,
    from: Option<(Head, Location)>,
    mut found: impl FnMut(Record<E, F>) -> Result<(), ArchiveError>,
) -> Result<(Head, usize), ArchiveError>
where
    E: for<'de> Deserialize<'de>,
    F: for<'de> Deserialize<'de>,
{
    let (head, start) = from.unwrap_or_else(|| (Head::default(), Location { segment: 1, offset: 0, length: 0 }));
    let mut before = Some(head);
    let mut torn = 0;
    let numbers = segments(folder)?;
    for &segment in numbers.iter().filter(|&&segment| segment >= start.segment) {
        let offset = if segment == start.segment { start.end() } else { 0 };
        let is_last = Some(&segment) == numbers.last();
        torn = scan(folder, segment, offset, is_last, &mut before, &mut found)?.torn.len();
    }
    Ok((before.unwrap_or_default(), torn))
}

/// What a pass over one segment found at its end.
struct Scanned {
    /// Where the last whole record ends.
    end: u64,
    /// The bytes after it: the torn tail, empty when there is none.
    torn: Vec<u8>,
}

/// Reads the records of a segment from `offset` on and gives each to `found`.
///
/// `before` is the record that must come before the first one (`None`: not known, as at the start of a later segment
/// whose predecessor was not read); afterwards it is the last record read. Only the last segment may have a torn tail.
fn scan<E, F>(
    folder: &Path,
    segment: u32,
    offset: u64,
    is_last: bool,
    before: &mut Option<Head>,
    mut found: impl FnMut(Record<E, F>) -> Result<(), ArchiveError>,
) -> Result<Scanned, ArchiveError>
where
    E: for<'de> Deserialize<'de>,
    F: for<'de> Deserialize<'de>,
{
    let path = segment_path(folder, segment);
    let mut file = File::open(&path).map_err(|e| ArchiveError::read_failed(&path, e))?;
    file.seek(SeekFrom::Start(offset)).map_err(|e| ArchiveError::read_failed(&path, e))?;
    let mut lines = BufReader::with_capacity(256 * 1024, file);
    let mut end = offset;
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = lines.read_until(b'\n', &mut line).map_err(|e| ArchiveError::read_failed(&path, e))?;
        if length == 0 {
            return Ok(Scanned { end, torn: Vec::new() });
        }
        let at = Location { segment, offset: end, length: length as u32 };
        let follows = |record: &Record<E, F>| {
            before.as_ref().is_none_or(|b| record.previous == b.digest && record.sequence == b.sequence + 1)
        };
        let wrong = match parse::<E, F>(&line, at) {
            Ok(record) if follows(&record) => {
                *before = Some(Head { sequence: record.sequence, digest: record.digest.clone() });
                end = at.end();
                found(record)?;
                continue;
            }
            Ok(_) => "the record does not follow the one before it",
            Err(wrong) => wrong,
        };
        let expected = before.as_ref().map_or(0, |b| b.sequence + 1);
        let bad = line.clone();
        let mut rest = Vec::new();
        lines.read_to_end(&mut rest).map_err(|e| ArchiveError::read_failed(&path, e))?;
        if is_last && is_torn(&bad, &rest, expected) {
            let mut torn = bad;
            torn.append(&mut rest);
            return Ok(Scanned { end, torn });
        }
        return Err(not_a_record(path, end, expected, wrong));
    }
}

/// Whether a record that does not check, and what follows it, can be the leftover of a write that never finished.
///
/// A write that was cut short leaves a line without an end, or blocks of zeros; records hold no zero byte. A whole
/// line that does not check was changed later. And no later record may say that this one had been synced.
fn is_torn(bad: &[u8], rest: &[u8], expected: u64) -> bool {
    let unfinished = !bad.ends_with(b"\n") || bad.contains(&0);
    let anywhere = Location { segment: 0, offset: 0, length: 0 };
    let acknowledged = rest
        .split_inclusive(|&byte| byte == b'\n')
        .any(|line| parse::<IgnoredAny, IgnoredAny>(line, anywhere).is_ok_and(|record| record.synced >= expected));
    unfinished && !acknowledged
}

/// Reads single records wherever they stand; shared by all threads.
pub(super) struct Reader {
    folder: PathBuf,
    vault: Vault,
    open: Mutex<BTreeMap<u32, Arc<File>>>,
}

impl Reader {
    pub(super) fn new(folder: &Path, vault: &Vault) -> Self {
        Self { folder: folder.to_owned(), vault: vault.clone(), open: Mutex::default() }
    }

    /// The event recorded at a place, and when; see [`Entry::into_event`].
    pub(super) fn read(&self, at: Location) -> Result<(Event, Timestamp), ArchiveError> {
        let entry = self.entry(at)?;
        let time = entry.time;
        Ok((entry.into_event(&self.vault)?, time))
    }

    /// The record at a place, its digest checked, as it stands.
    pub(super) fn entry(&self, at: Location) -> Result<Entry, ArchiveError> {
        let path = segment_path(&self.folder, at.segment);
        let file = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(file) = open.get(&at.segment) {
                Arc::clone(file)
            } else {
                let file = Arc::new(File::open(&path).map_err(|e| ArchiveError::read_failed(&path, e))?);
                open.insert(at.segment, Arc::clone(&file));
                file
            }
        };
        let mut line = vec![0; at.length as usize];
        file.read_exact_at(&mut line, at.offset).map_err(|e| ArchiveError::read_failed(&path, e))?;
        parse(&line, at).map_err(|what| not_a_record(path, at.offset, 0, what))
    }
}

/// A point to which unwritten records can be taken back.
pub(super) struct Savepoint {
    head: Head,
    buffered: usize,
}

/// The journal's end, where records are added. Belongs to one thread.
pub(super) struct Journal {
    disk: Disk,
    vault: Vault,
    folder: PathBuf,
    file: File,
    path: PathBuf,
    segment: u32,
    /// Bytes of the current segment that are whole, synced records.
    length: u64,
    /// The last record, those in `buffer` included.
    head: Head,
    /// The last record on the disk.
    synced: u64,
    /// Records prepared but not written yet.
    buffer: Vec<u8>,
    segment_bytes: u64,
}

/// The journal as opened, with what opening it found.
pub(super) struct Opened {
    pub journal: Journal,
    /// Where the last record stands; `None` when there is none.
    pub last: Option<Location>,
    /// Bytes cut from a torn tail.
    pub torn: usize,
}

impl Journal {
    /// Checks the last segment, cuts a torn tail, and stands ready to append. Makes the first segment of a new
    /// archive.
    ///
    /// `acknowledged` is the number of the last record that the index has taken in, 0 when nobody knows: what is
    /// damaged up to there is no torn tail, and is never cut away.
    pub(super) fn open(disk: Disk, folder: &Path, vault: &Vault, acknowledged: u64) -> Result<Opened, ArchiveError> {
        let numbers = segments(folder)?;
        let Some(&last) = numbers.last() else {
            let path = segment_path(folder, 1);
            let file = disk.create(&path, 0o600)?;
            disk.sync_folder(folder)?;
            let journal = Self::at(disk, vault, folder, (file, path), 1, 0, Head::default());
            return Ok(Opened { journal, last: None, torn: 0 });
        };
        let mut last_at = None;
        let mut note = |link: Link| {
            last_at = Some(link.at);
            Ok(())
        };
        let mut head = (last == 1).then(Head::default);
        // A crash right after a new segment was made, or in its first write, leaves no record in it that checks: the last
        // one then stands in the segment before.
        if let Some(&earlier) = numbers.iter().rev().nth(1)
            && first_link(folder, last)?.is_none()
        {
            scan(folder, earlier, 0, false, &mut head, &mut note)?;
        }
        let scanned = scan(folder, last, 0, true, &mut head, note)?;
        let head = head.unwrap_or_default();
        let path = segment_path(folder, last);
        let file = File::options().write(true).open(&path).map_err(|e| ArchiveError::read_failed(&path, e))?;
        if !scanned.torn.is_empty() {
            if acknowledged > head.sequence {
                return Err(acknowledged_and_torn(folder, &head, scanned.torn.len())?);
            }
            // The copy lasts, name and all, before anything is taken away.
            let kept = free_path(folder, |number| match number {
                1 => format!("{last:08}.torn"),
                more => format!("{last:08}.{more}.torn"),
            });
            let mut copy = disk.create(&kept, 0o600)?;
            disk.write(&mut copy, &kept, &scanned.torn)?;
            disk.sync(&copy, &kept)?;
            disk.sync_folder(folder)?;
            disk.cut(&file, &path, scanned.end)?;
            disk.sync(&file, &path)?;
        }
        let journal = Self::at(disk, vault, folder, (file, path), last, scanned.end, head);
        Ok(Opened { journal, last: last_at, torn: scanned.torn.len() })
    }

    fn at(
        disk: Disk,
        vault: &Vault,
        folder: &Path,
        (file, path): (File, PathBuf),
        segment: u32,
        length: u64,
        head: Head,
    ) -> Self {
        let synced = head.sequence;
        let segment_bytes = disk.segment_bytes(SEGMENT_BYTES);
        Self {
            disk,
            vault: vault.clone(),
            folder: folder.to_owned(),
            file,
            path,
            segment,
            length,
            head,
            synced,
            buffer: Vec::new(),
            segment_bytes,
        }
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// To be called before the first record of a group: begins a new segment when the current one is full.
    pub(super) fn begin_group(&mut self) -> Result<(), ArchiveError> {
        if self.length < self.segment_bytes {
            return Ok(());
        }
        let next = self.segment + 1;
        let path = segment_path(&self.folder, next);
        // One that an earlier, failed try has left is empty.
        self.disk.remove(&path)?;
        let file = self.disk.create(&path, 0o600)?;
        self.disk.sync_folder(&self.folder)?;
        (self.file, self.path, self.segment, self.length) = (file, path, next, 0);
        Ok(())
    }

    /// Prepares a record and says where it will stand and what number it has.
    pub(super) fn prepare(
        &mut self,
        event: &Event,
        fact: &Fact,
        time: Timestamp,
    ) -> Result<(u64, Location), ArchiveError> {
        let sequence = self.head.sequence + 1;
        let prev = &self.head.digest;
        let (mut key, mut sealed) = (None, None);
        if let Some(keys) = self.vault.keys()
            && fact.whole().is_none()
        {
            let json = Zeroizing::new(serde_json::to_vec(event).map_err(|e| ArchiveError::not_serialisable(&e))?);
            let (generation, record_key) = record_key(keys, fact.sealed_with())?;
            key = generation;
            sealed = Some(BASE64.encode(record_key.seal(&json, &bound_to(sequence, time))?));
        }
        let in_the_clear = self.vault.keys().is_none();
        let (event, fact) = (in_the_clear.then_some(event), (!in_the_clear).then_some(fact));
        let record =
            WrittenRecord { v: VERSION, seq: sequence, time, synced: self.synced, prev, event, fact, key, sealed };
        let json = serde_json::to_vec(&record).map_err(|e| ArchiveError::not_serialisable(&e))?;
        let digest = digest_of(&json);
        let offset = self.length + self.buffer.len() as u64;
        let length = (DIGEST_DIGITS + 1 + json.len() + 1) as u32;
        self.buffer.extend_from_slice(digest.as_bytes());
        self.buffer.push(b' ');
        self.buffer.extend_from_slice(&json);
        self.buffer.push(b'\n');
        self.head = Head { sequence, digest };
        Ok((sequence, Location { segment: self.segment, offset, length }))
    }

    pub(super) fn savepoint(&self) -> Savepoint {
        Savepoint { head: self.head.clone(), buffered: self.buffer.len() }
    }

    /// Takes back what was prepared after a savepoint.
    pub(super) fn rewind(&mut self, to: Savepoint) {
        self.buffer.truncate(to.buffered);
        self.head = to.head;
    }

    /// Writes what was prepared and waits until it is on the disk. After a failed write the file is cut back, so that
    /// nothing half-written stays; after a failed sync the process must end.
    pub(super) fn commit(&mut self) -> Result<(), ArchiveError> {
        if let Err(error) = self.disk.write_at(&self.file, &self.path, &self.buffer, self.length) {
            // With leftovers in the file no later record would be safe: as final as a failed sync.
            return match self.disk.cut(&self.file, &self.path, self.length) {
                Err(ArchiveError::WriteFailed { path, source }) => Err(ArchiveError::SyncFailed { path, source }),
                Err(other) => Err(other),
                Ok(()) => Err(error),
            };
        }
        fault::at(Step::JournalWritten);
        self.disk.sync_data(&self.file, &self.path)?;
        fault::at(Step::JournalSynced);
        self.length += self.buffer.len() as u64;
        self.buffer.clear();
        self.buffer.shrink_to(1024 * 1024);
        self.synced = self.head.sequence;
        Ok(())
    }
}
