//! What the pool and its workers say to each other over the worker's stdin and stdout.
//!
//! A frame is its length in bytes (32 bits, little-endian) and that many bytes: JSON for a [`Request`] or an
//! [`Answer`], a document's own bytes after [`Request::Hold`], or a picture's after [`Answer::Pictured`]. Every request
//! but `Hold` gets one answer, in order.
//! An answer names the document and the page that it is about, so that a reading can never be taken for another's.
//! Holds no state; every length is checked before memory is taken for it.

use std::io::{self, BufRead, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::document::{DocumentFormat, DocumentId, MOST_COVERING, Mail, MailHead, Page};
use crate::reader::cage::{CageMode, Lack};
use crate::reader::facsimile::Facsimile;
use crate::reader::render::{RenderError, RenderLimits};

/// Longest JSON frame: a page with all the words and text that are allowed takes about 3 MB.
pub const LONGEST_MESSAGE: u32 = 4 << 20;

/// Longest frame of a picture: a colour page of 20 million pixels that hardly packs.
pub const LONGEST_PICTURE: u32 = 64 << 20;

/// Words of one page. A sheet of the smallest print that a fax passes on holds some 3,000.
const MOST_WORDS: usize = 10_000;

/// Bytes of text on one page: 25 for each of [`MOST_WORDS`].
const MOST_TEXT: usize = 250_000;

/// Barcodes of one page: a sheet of labels has some thirty.
pub const MOST_CODES: usize = 32;

/// Bytes of one barcode's text: the largest QR code holds 2,953.
pub const LONGEST_CODE: usize = 3_000;

/// Bytes of what an email's head tells.
const MOST_HEAD: usize = 10_000;

/// What a worker is told first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerSettings {
    /// Bound on the worker's address space, in bytes.
    pub memory: u64,
    /// As in `eng` or `eng+spa`.
    pub languages: String,
    /// Folder of the language data; `None` for the library's own.
    pub tessdata: Option<PathBuf>,
    /// [`RenderLimits::max_pages`].
    pub max_pages: u32,
    /// [`RenderLimits::max_pixels`].
    pub max_pixels: u64,
    pub cage: CageMode,
    /// Processor time for the worker's whole life, in seconds.
    pub cpu_seconds: u64,
    /// Process id of who starts the worker: it must not outlive it.
    pub daemon: u32,
}

impl WorkerSettings {
    pub fn limits(&self) -> RenderLimits {
        RenderLimits { max_pages: self.max_pages, max_pixels: self.max_pixels }
    }
}

/// What the pool asks of a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// The first request, and only the first.
    Start(WorkerSettings),
    /// The next frame is this document's bytes; they replace those held before. Not answered.
    Hold { document: DocumentId },
    /// Tell format and page count of the document held.
    Inspect { document: DocumentId },
    /// Tell what picture a page (1-based) of the document held is, to know one again that was read before.
    Look { document: DocumentId, page: u32 },
    /// Read a page (1-based) of the document held.
    ReadPage { document: DocumentId, page: u32 },
    /// Give the picture of a page (1-based) of the document held, for people; it stands upright when it is turned and
    /// straightened as its [`Page`] says.
    Picture { document: DocumentId, page: u32, turned: u16, straightened: f32 },
}

/// What a worker answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The engine is loaded, and the cage is shut but for what `lacking` names.
    Ready {
        lacking: Vec<Lack>,
    },
    /// The cage can't be shut and must be: the worker ends.
    NoCage {
        lacking: Vec<Lack>,
    },
    /// The worker can't work at all, and ends.
    CannotStart {
        reason: String,
    },
    Inspected {
        document: DocumentId,
        format: DocumentFormat,
        pages: u32,
        /// Of an email; boxed, as most answers have none.
        mail: Option<Box<Mail>>,
    },
    Looked {
        document: DocumentId,
        page: u32,
        /// 64 hexadecimal digits; see `Picture::digest`. None where there is no picture.
        picture: Option<String>,
    },
    PageRead {
        document: DocumentId,
        page: Page,
    },
    /// Two frames follow where there is one: [`Facsimile::picture`] and [`Facsimile::png`].
    Pictured {
        document: DocumentId,
        page: u32,
        facsimile: Option<Box<Facsimile>>,
    },
    /// No page of the document can be read.
    Refused {
        document: DocumentId,
        refusal: Refusal,
    },
}

/// Whether a page has no more words and text than paper holds, and what is said of its words can be stored.
///
/// A worker keeps to it; one that doesn't has been taken over by what it read. The daemon's memory and the time that it
/// takes to decide on a page are bounded by this.
pub fn is_possible(page: &Page) -> bool {
    page.words.len() <= MOST_WORDS
        && page.words.iter().map(|word| word.text.len()).sum::<usize>() <= MOST_TEXT
        && page.words.iter().all(|word| (0.0..=1.0).contains(&word.confidence))
        && page.codes.len() <= MOST_CODES
        && page.codes.iter().all(|code| code.text.len() <= LONGEST_CODE)
}

/// Whether an email's papers are all its pages, each in one, and what it tells is short enough to be kept.
pub fn is_possible_mail(mail: &Mail, pages: u32) -> bool {
    let mut next = 1;
    let parted = mail.papers.iter().all(|&[first, last]| {
        let follows = first == next && last >= first;
        next = last.saturating_add(1);
        follows
    });
    let texts = [&mail.from, &mail.subject, &mail.fax_sender].into_iter().flatten();
    let covered = mail.covering.as_ref().is_none_or(|text| text.len() <= MOST_COVERING);
    let digest = mail.content.as_ref().is_none_or(|content| content.len() == 64);
    let own = mail.own.iter().flat_map(|own| own.id.iter().chain(&own.enclosed)).all(|digits| digits.len() <= 64);
    let pictured = mail.pictures.iter().all(|picture| mail.papers.contains(picture));
    digest
        && own
        && pictured
        && covered
        && parted
        && next == pages.saturating_add(1)
        && texts.map(String::len).sum::<usize>() <= MOST_HEAD
}

/// Whether what an email's head is said to say is short enough to be kept.
pub fn is_possible_head(head: &MailHead) -> bool {
    head.from.iter().chain(&head.subject).chain(&head.fax_sender).map(String::len).sum::<usize>() <= MOST_HEAD
}

/// Why a document is refused for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub kind: RefusalKind,
    /// What is wrong and what to do, with nothing that stands on the document.
    pub message: String,
    /// Of an email: what its head says, for whoever must find it.
    pub mail: Option<MailHead>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    UnknownFormat,
    Encrypted,
    NothingReadable,
    NoPages,
    TooManyPages,
    NoSuchPage,
    Damaged,
}

impl Refusal {
    /// The refusal that an error means for the whole document; the error's words if only a page is concerned.
    pub fn of(error: &RenderError) -> Result<Self, String> {
        let message = error.to_string();
        let kind = match error {
            RenderError::UnknownFormat | RenderError::Heic => RefusalKind::UnknownFormat,
            RenderError::Encrypted => RefusalKind::Encrypted,
            RenderError::NothingReadable { .. } => RefusalKind::NothingReadable,
            RenderError::NoPages | RenderError::EmptyMessage => RefusalKind::NoPages,
            RenderError::TooManyPages { .. } => RefusalKind::TooManyPages,
            RenderError::NoSuchPage { .. } => RefusalKind::NoSuchPage,
            RenderError::DamagedDocument { .. } => RefusalKind::Damaged,
            RenderError::Unsupported { .. }
            | RenderError::PageTooLarge { .. }
            | RenderError::ContentTooLarge { .. }
            | RenderError::DamagedPage { .. } => {
                return Err(message);
            }
        };
        Ok(Self { kind, message, mail: None })
    }
}

/// A frame's bytes.
pub fn frame(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let body = serde_json::to_vec(message)?;
    let mut bytes = header(body.len())?.to_vec();
    bytes.extend(body);
    Ok(bytes)
}

/// The length that goes before `length` bytes.
pub fn header(length: usize) -> io::Result<[u8; 4]> {
    let length = u32::try_from(length).map_err(|_| io::Error::other("a frame is longer than 4 GiB"))?;
    Ok(length.to_le_bytes())
}

/// Writes a message and flushes.
pub fn write_message(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&frame(message)?)?;
    to.flush()
}

/// Writes an answer with the frames that follow it, and flushes.
pub fn write_answer(to: &mut impl Write, answer: &Answer) -> io::Result<()> {
    write_message(to, answer)?;
    if let Answer::Pictured { facsimile: Some(facsimile), .. } = answer {
        for bytes in [&facsimile.picture, &facsimile.png] {
            to.write_all(&header(bytes.len())?)?;
            to.write_all(bytes)?;
        }
        to.flush()?;
    }
    Ok(())
}

/// Reads a frame's bytes; `None` at the end of input between frames.
pub fn read_frame(from: &mut impl BufRead, longest: u32) -> io::Result<Option<Vec<u8>>> {
    loop {
        match from.fill_buf() {
            Ok([]) => return Ok(None),
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = checked(length, longest)?;
    let mut body = Vec::with_capacity(length);
    if from.take(length as u64).read_to_end(&mut body)? < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(body))
}

/// Reads a message on the pool's side.
pub async fn receive<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin), longest: u32) -> io::Result<T> {
    message(&receive_frame(from, longest).await?)
}

/// Reads an answer with the frames that follow it.
pub async fn receive_answer(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Answer> {
    let mut answer = receive(from, LONGEST_MESSAGE).await?;
    if let Answer::Pictured { facsimile: Some(facsimile), .. } = &mut answer {
        facsimile.picture = receive_frame(from, LONGEST_PICTURE).await?;
        facsimile.png = receive_frame(from, LONGEST_PICTURE).await?;
    }
    Ok(answer)
}

async fn receive_frame(from: &mut (impl AsyncRead + Unpin), longest: u32) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length).await?;
    let length = checked(length, longest)?;
    let mut body = Vec::new();
    if from.take(length as u64).read_to_end(&mut body).await? < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(body)
}

/// The message in a frame.
pub fn message<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    serde_json::from_slice(body).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a frame holds no message"))
}

fn checked(length: [u8; 4], longest: u32) -> io::Result<usize> {
    let length = u32::from_le_bytes(length);
    if length > longest {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame claims to be too long"));
    }
    Ok(length as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Bounds, PageSource, Word};

    #[test]
    fn a_message_comes_back_as_it_went() {
        let request = Request::ReadPage { document: DocumentId::of(b"fax"), page: 3 };
        let mut pipe = Vec::new();
        write_message(&mut pipe, &request).unwrap();
        let mut from = pipe.as_slice();
        let body = read_frame(&mut from, LONGEST_MESSAGE).unwrap().unwrap();
        assert_eq!(message::<Request>(&body).unwrap(), request);
        assert!(read_frame(&mut from, LONGEST_MESSAGE).unwrap().is_none());
    }

    #[test]
    fn a_torn_frame_is_an_error_and_not_an_end() {
        let mut pipe = Vec::new();
        write_message(&mut pipe, &Answer::Ready { lacking: Vec::new() }).unwrap();
        for length in 1..pipe.len() {
            let torn = &mut &pipe[..length];
            assert!(read_frame(torn, LONGEST_MESSAGE).is_err(), "cut after {length} bytes");
        }
    }

    #[test]
    fn a_length_beyond_the_bound_takes_no_memory() {
        let mut from: &[u8] = &[0xff, 0xff, 0xff, 0xff, 1, 2];
        let error = read_frame(&mut from, LONGEST_MESSAGE).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_page_with_more_than_paper_holds_is_not_possible_and_the_largest_possible_one_fits_a_frame() {
        let word = |text: &str, confidence| Word {
            text: text.to_owned(),
            bounds: Bounds { left: u32::MAX, top: u32::MAX, width: u32::MAX, height: u32::MAX },
            confidence,
            line: u32::MAX,
        };
        let page = |words| Page {
            number: u32::MAX,
            width: 1,
            height: 1,
            resolution: 200,
            source: PageSource::Recognised,
            turned: 0,
            straightened: 0.0,
            unread: Vec::new(),
            flags: Vec::new(),
            unreadable_because: None,
            picture: None,
            words,
            codes: Vec::new(),
        };
        // JSON writes a control character in six bytes.
        let full = page(vec![word(&"\u{1}".repeat(MOST_TEXT / MOST_WORDS), 0.123_456_79); MOST_WORDS]);
        assert!(is_possible(&full));
        let answer = Answer::PageRead { document: DocumentId::of(b"fax"), page: full };
        assert!(frame(&answer).unwrap().len() < LONGEST_MESSAGE as usize);

        assert!(!is_possible(&page(vec![word("a", 0.9); MOST_WORDS + 1])));
        assert!(!is_possible(&page(vec![word(&"a".repeat(MOST_TEXT + 1), 0.9)])));
        // It would be stored as null, and the reading could not be read again.
        assert!(!is_possible(&page(vec![word("a", f32::INFINITY)])));
    }

    #[tokio::test]
    async fn what_is_no_message_is_an_error_for_the_pool() {
        let mut from: &[u8] = &[2, 0, 0, 0, b'{', b'!'];
        assert!(receive::<Answer>(&mut from, LONGEST_MESSAGE).await.is_err());
    }
}
