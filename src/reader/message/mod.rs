//! What is in an email: the papers that a nurse would print, in their order. The only user of `mail-parser`.
//!
//! A paper is an attachment that is a fax, a PDF or a picture of a page, told by content and never by name or declared
//! type, however deep it lies in forwarded messages and archives; or the text of a message that has no such
//! attachment. Logos and signatures are no papers. What is there and cannot be read is named ([`UnreadPart`]); a
//! message that holds nothing else is refused with that reason. Runs in the cage; every size is bounded.

mod base64_block;
mod closing;
mod head;
mod picture;
mod protected;
mod signed;
mod text;
mod transfer;
mod uuencode;
mod zip;

use std::borrow::Cow;
use std::collections::HashSet;
use std::mem;
use std::path::Path;

use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use self::base64_block::Taken;
use self::closing::{Closed, closed};
use self::picture::{Shown, Shows, Standing, shows};
pub use self::text::{page_of_text, pages_of_text};
use super::render::{self, RenderError, RenderLimits};
use crate::document::{
    Automatic, DocumentFormat, DocumentId, MOST_COVERING, Mail, MailHead, OwnMail, UnreadPart, beginning, is_heic,
};

/// Forwarded within forwarded: deeper ones are somebody's joke or an attack.
const DEEPEST: u32 = 8;

/// Papers of one message.
pub const MOST_PAPERS: usize = 200;

/// Bytes of all files of one message: more than any mail server passes on, unless an archive in it is a bomb.
pub const MOST_BYTES: u64 = 256 << 20;

/// Files of one message, papers or not: archives in archives can hold many times as many as they have bytes.
const MOST_FILES: usize = 2_000;

/// Pages of a message's own text: nobody writes 40,000 lines, and each costs the time to understand it.
const MOST_BODY_PAGES: u32 = 100;

/// A message's own text beside what cannot be read is looked at when it has more words: a greeting and a name have fewer.
const FEW_WORDS: usize = 20;

/// Words of a subject that say something by themselves.
const TELLING_SUBJECT: usize = 3;

/// How a file of Microsoft's compound format begins (MS-CFB, 2.2), in which Office keeps what needs a password.
const COMPOUND_FILE: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

/// A paper, in the clear.
pub enum Paper {
    File(Vec<u8>),
    /// The text of a message or of a text file: read as it stands.
    Text(String),
}

/// A message, opened.
pub struct Opened {
    /// Each with the number of its last page in the message.
    pub papers: Vec<(u32, Paper)>,
    pub mail: Mail,
}

impl Opened {
    /// The paper on which a page of the message lies, and the number of the page in it (both counted from 1).
    pub fn paper_of(&self, page: u32) -> Option<(&Paper, u32)> {
        let at = self.papers.partition_point(|(last, _)| *last < page);
        let before = at.checked_sub(1).and_then(|at| self.papers.get(at)).map_or(0, |(last, _)| *last);
        let (_, paper) = self.papers.get(at)?;
        page.checked_sub(before).filter(|page| *page > 0).map(|page| (paper, page))
    }

    /// Pages of all papers.
    pub fn pages(&self) -> u32 {
        self.papers.last().map_or(0, |(last, _)| *last)
    }
}

fn pages_of(paper: &Paper, limits: &RenderLimits) -> Result<u32, RenderError> {
    match paper {
        Paper::File(bytes) => Ok(render::inspect(bytes, limits)?.pages),
        Paper::Text(text) => Ok(pages_of_text(text)),
    }
}

/// What the head of a message says; `None` when these bytes are none.
pub fn head(bytes: &[u8]) -> Option<MailHead> {
    if DocumentFormat::sniff(bytes) != Some(DocumentFormat::Message) {
        return None;
    }
    Some(head::head(&Parsed::of(bytes)?.0))
}

/// Opens a message and counts its pages.
pub fn open(bytes: &[u8], limits: &RenderLimits) -> Result<Opened, RenderError> {
    const DAMAGED: RenderError = RenderError::DamagedDocument { reason: "its message can't be parsed" };
    let Closed { bytes, cuts } = closed(bytes);
    let message = Parsed::of(&bytes).ok_or(DAMAGED)?;
    let mut finds = Finds { cuts, ..Finds::default() };
    finds.message(&message.0, 0);
    let mut mail = head::mail(&message.0);
    drop(message);
    let mut papers = Vec::new();
    let mut refused = None;
    // Papers that are pictures, one after the other, are the sheets of one.
    let mut was_picture = false;
    for paper in finds.papers {
        let pages = match pages_of(&paper, limits) {
            Ok(pages) => pages,
            Err(error) => {
                finds.unread.push(if error == RenderError::Encrypted {
                    UnreadPart::Password
                } else if matches!(error, RenderError::Unsupported { .. }) {
                    UnreadPart::Unsupported
                } else {
                    UnreadPart::Damaged
                });
                refused.get_or_insert(error);
                continue;
            }
        };
        let first = mail.papers.last().map_or(1, |[_, last]| last + 1);
        let last = first + pages - 1;
        if last > limits.max_pages {
            return Err(RenderError::TooManyPages { pages: last, most: limits.max_pages });
        }
        let is_picture = is_picture(&paper);
        match mail.papers.last_mut() {
            Some(sheets) if is_picture && was_picture => {
                sheets[1] = last;
                if let Some(pictures) = mail.pictures.last_mut() {
                    pictures[1] = last;
                }
            }
            _ => {
                mail.papers.push([first, last]);
                mail.pictures.extend(is_picture.then_some([first, last]));
            }
        }
        was_picture = is_picture;
        papers.push((last, paper));
    }
    finds.unread.sort_unstable();
    if papers.is_empty() {
        let body = finds.bodies.join("\n\n");
        // A small picture may be a signature's: the text is the document then, and the flag tells of the picture.
        let telling = finds.unread.iter().find(|part| **part != UnreadPart::SmallPicture || body.trim().is_empty());
        let refused = refused.or(telling.map(|part| RenderError::NothingReadable { part: *part }));
        match refused {
            Some(error) if body.split_whitespace().nth(FEW_WORDS).is_none() => return Err(error),
            refused => mail.nothing_else = refused.map(|error| error.to_string()),
        }
        let in_subject = mail.subject.as_deref().unwrap_or_default().split_whitespace().count();
        if body.trim().is_empty() && in_subject < TELLING_SUBJECT {
            return Err(RenderError::EmptyMessage);
        }
        // What came as the text of a message is all there is to read.
        let body = Paper::Text(match &mail.subject {
            Some(subject) => format!("{subject}\n\n{body}"),
            None => body,
        });
        let mut pages = pages_of(&body, limits)?;
        let most = limits.max_pages.min(MOST_BODY_PAGES);
        if pages > most {
            pages = most;
            finds.unread.push(UnreadPart::TooLarge);
        }
        mail.papers = vec![[1, pages]];
        papers.push((pages, body));
        mail.is_body = true;
        if finds.unread.is_empty() && finds.files == 0 && head::is_titled_away(&mail) {
            mail.automatic = mail.automatic.or(Some(Automatic::Reply));
            mail.answerable = false;
        }
    } else {
        // Machines that tell of other messages send no papers.
        mail.automatic = None;
        mail.own = mail.own.or(finds.returned);
        (mail.covering, mail.covering_is_whole) = covering(mail.subject.iter().chain(&finds.bodies));
        head::complete_from(&mut mail, &finds.bodies.join("\n"));
        if let (Some(own), [(_, Paper::File(bytes))]) = (&mut mail.own, papers.as_slice()) {
            own.enclosed = Some(DocumentId::of(bytes).as_str().to_owned());
        }
    }
    if finds.cut_in_text {
        finds.unread.push(UnreadPart::Damaged);
    }
    finds.unread.sort_unstable();
    finds.unread.dedup();
    mail.unread = finds.unread;
    Ok(Opened { papers, mail })
}

/// What a message says in words, from its beginning, and whether that is all of it.
fn covering<'t>(texts: impl Iterator<Item = &'t String>) -> (Option<String>, bool) {
    let mut words = texts.map(String::as_str).collect::<Vec<_>>().join("\n\n");
    let is_whole = words.len() <= MOST_COVERING;
    words.truncate(beginning(&words, MOST_COVERING).len());
    ((!words.trim().is_empty()).then_some(words), is_whole)
}

fn is_picture(paper: &Paper) -> bool {
    matches!(paper, Paper::File(bytes) if DocumentFormat::sniff(bytes).is_some_and(DocumentFormat::is_picture))
}

/// A message, parsed. Taken apart without recursion: dropping forwarded within forwarded, thousands of them, would
/// need more stack than there is.
struct Parsed<'a>(Message<'a>);

impl<'a> Parsed<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        MessageParser::default().parse(bytes).map(Self)
    }
}

impl Drop for Parsed<'_> {
    fn drop(&mut self) {
        let mut parts = mem::take(&mut self.0.parts);
        while let Some(part) = parts.pop() {
            if let PartType::Message(mut nested) = part.body {
                parts.append(&mut nested.parts);
            }
        }
    }
}

/// What was found so far.
#[derive(Default)]
struct Finds {
    papers: Vec<Paper>,
    /// Texts of the message and of those forwarded in it.
    bodies: Vec<String>,
    unread: Vec<UnreadPart>,
    /// The marks of a mail of ours that a report encloses.
    returned: Option<OwnMail>,
    /// Of all files, papers or not.
    bytes: u64,
    files: usize,
    /// Where parts of the message that is being looked through were cut off: [`Closed::cuts`].
    cuts: Vec<u32>,
    /// A text was cut off. It is read as far as it goes.
    cut_in_text: bool,
}

impl Finds {
    fn message(&mut self, message: &Message<'_>, depth: u32) {
        if depth >= DEEPEST {
            self.unread.push(UnreadPart::TooDeep);
            return;
        }
        if let Some(body) = text::body(message) {
            let body = self.without_files(body, depth);
            if body.contains("-----BEGIN PGP MESSAGE-----") {
                self.unread.push(UnreadPart::Encrypted);
            } else {
                if protected::is_note(&body) || protected::links_there(message) {
                    self.unread.push(UnreadPart::Encrypted);
                }
                self.bodies.push(body);
            }
        }
        let is_report = message.parts.first().is_some_and(|root| root.is_content_type("multipart", "report"));
        let shown = Shown::of(message);
        let bodies: HashSet<u32> = message.text_body.iter().chain(&message.html_body).copied().collect();
        for (number, part) in message.parts.iter().enumerate() {
            let is_body = bodies.contains(&(number as u32));
            let was_cut = self.was_cut(message, part);
            match &part.body {
                PartType::Multipart(_) if part.is_content_type("multipart", "encrypted") => {
                    self.unread.push(UnreadPart::Encrypted);
                }
                PartType::Multipart(_) => {}
                // What could not be delivered was ours, or somebody else's who may have sent a paper in our name.
                PartType::Message(nested) if is_report && depth == 0 => self.returned(nested),
                PartType::Message(nested) if part.encoding == Encoding::None => self.message(nested, depth + 1),
                PartType::Message(nested) => self.enclosed(&nested.raw_message, depth + 1),
                PartType::Text(_) | PartType::Html(_) | PartType::Binary(_) | PartType::InlineBinary(_)
                    if is_report || is_of_no_interest(part) => {}
                PartType::Text(_) | PartType::Html(_) | PartType::Binary(_) | PartType::InlineBinary(_)
                    if (!is_body || is_attached(part)) && is_uuencoded(part) =>
                {
                    self.uuencoded(message, part, &shown, depth);
                }
                PartType::Text(text) | PartType::Html(text) => {
                    let salvaged = transfer::salvaged(message, part);
                    if salvaged.is_some() {
                        self.unread.push(UnreadPart::Damaged);
                    }
                    let text = match &salvaged {
                        Some(bytes) => Cow::Owned(transfer::text(part, bytes)),
                        None => Cow::Borrowed(&**text),
                    };
                    match file_sent_as_text(message, part, salvaged.as_deref()) {
                        Some(bytes) => {
                            self.name_if_cut(was_cut, &bytes);
                            self.part(part, bytes, shown.standing(part), depth);
                        }
                        None if is_body && !is_attached(part) => self.cut_in_text |= was_cut,
                        None if !self.has_room_for(1, text.len()) => {}
                        None => {
                            self.cut_in_text |= was_cut;
                            self.attached_text(part, text.into_owned(), depth);
                        }
                    }
                }
                PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
                    self.name_if_cut(was_cut, bytes);
                    self.part(part, Cow::Borrowed(bytes), shown.standing(part), depth);
                }
            }
        }
    }

    /// The message that a report tells of. Of one of ours only the papers are of interest: they are compared with what
    /// was sent.
    fn returned(&mut self, message: &Message<'_>) {
        let (bodies, unread) = (self.bodies.len(), self.unread.len());
        self.message(message, 1);
        self.returned = head::mail(message).own;
        if self.returned.is_some() {
            self.bodies.truncate(bodies);
            self.unread.truncate(unread);
        }
    }

    /// A message that came in coded form.
    fn enclosed(&mut self, bytes: &[u8], depth: u32) {
        let Closed { bytes, cuts } = closed(bytes);
        match Parsed::of(&bytes) {
            Some(nested) => {
                let around = mem::replace(&mut self.cuts, cuts);
                self.message(&nested.0, depth);
                self.cuts = around;
            }
            None => self.unread.push(UnreadPart::Damaged),
        }
    }

    /// Whether a part ends where its message was cut off, as far as its coded form tells: where base64 was filled up, all
    /// of it is there.
    fn was_cut(&self, message: &Message<'_>, part: &MessagePart<'_>) -> bool {
        let coded = message.raw_message.get(part.offset_body as usize..part.offset_end as usize);
        self.cuts.contains(&part.offset_end) && !coded.unwrap_or_default().trim_ascii_end().ends_with(b"=")
    }

    /// What is there of a file that was cut off is read; the file is named, unless it has its own end.
    fn name_if_cut(&mut self, was_cut: bool, bytes: &[u8]) {
        if was_cut && !has_end(bytes) {
            self.unread.push(UnreadPart::Damaged);
        }
    }

    fn attached_text(&mut self, part: &MessagePart<'_>, text: String, depth: u32) {
        if !matches!(part.body, PartType::Html(_)) {
            let text = self.without_files(text, depth);
            return self.text(&text);
        }
        let text = text::of_html(&text);
        if protected::is_page(part.attachment_name().unwrap_or_default()) || protected::is_note(&text) {
            self.unread.push(UnreadPart::Encrypted);
        } else {
            self.text(&text);
        }
    }

    fn text(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.paper(Paper::Text(text.to_owned()));
        }
    }

    /// A text without the files that were written into it, which are taken for themselves.
    fn without_files(&mut self, text: String, depth: u32) -> String {
        let text = if uuencode::has_file(&text) { self.without_uuencoded(&text, depth) } else { text };
        let Some(Taken { rest, blocks, is_most }) = base64_block::taken(&text) else { return text };
        // Keys and signatures are blocks too.
        if !is_most && blocks.iter().all(|bytes| !is_file(bytes)) {
            return text;
        }
        for bytes in blocks {
            if !is_file(&bytes) {
                self.unread.push(UnreadPart::Damaged);
            } else if self.has_room_for(1, bytes.len()) {
                self.name_if_cut(true, &bytes);
                self.file(Cow::Owned(bytes), "", Standing::Attached, depth);
            }
        }
        rest
    }

    fn without_uuencoded(&mut self, text: &str, depth: u32) -> String {
        let (rest, files) = uuencode::files(text);
        for file in files {
            match file.bytes {
                Some(bytes) if self.has_room_for(1, bytes.len()) => {
                    self.file(Cow::Owned(bytes), &file.name.to_lowercase(), Standing::Attached, depth);
                }
                Some(_) => {}
                None => self.unread.push(UnreadPart::Damaged),
            }
        }
        rest
    }

    /// A part whose bytes are coded as uuencode does.
    fn uuencoded(&mut self, message: &Message<'_>, part: &MessagePart<'_>, shown: &Shown, depth: u32) {
        let raw = message.raw_message.get(part.offset_body as usize..part.offset_end as usize).unwrap_or_default();
        let (_, files) = uuencode::files(&String::from_utf8_lossy(raw));
        if files.is_empty() {
            self.unread.push(UnreadPart::Damaged);
        }
        for file in files {
            match file.bytes {
                Some(bytes) => self.part(part, Cow::Owned(bytes), shown.standing(part), depth),
                None => self.unread.push(UnreadPart::Damaged),
            }
        }
    }

    /// A part that is no text and no message by its own word.
    fn part(&mut self, part: &MessagePart<'_>, bytes: Cow<'_, [u8]>, standing: Standing, depth: u32) {
        if is_of_no_interest(part) {
            return;
        }
        let name = part.attachment_name().unwrap_or_default().to_lowercase();
        let is_type = |subtype: &str| part.is_content_type("application", subtype);
        if bytes.starts_with(&[0x78, 0x9f, 0x3e, 0x22]) || is_type("ms-tnef") || name == "winmail.dat" {
            self.unread.push(UnreadPart::WinmailDat);
        } else if is_type("x-microsoft-rpmsg-message")
            || has_extension(&name, "rpmsg")
            || is_type("pgp-encrypted")
            || bytes.starts_with(b"-----BEGIN PGP MESSAGE")
        {
            self.unread.push(UnreadPart::Encrypted);
        } else if is_type("pkcs7-mime") || is_type("x-pkcs7-mime") || has_extension(&name, "p7m") {
            let kind = part.content_type().and_then(|kind| kind.attribute("smime-type"));
            let is_signed = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("signed-data"));
            match signed::content(&bytes) {
                Some(content) if self.has_room_for(1, content.len()) => self.enclosed(&content, depth + 1),
                Some(_) => {}
                None => self.unread.push(if is_signed { UnreadPart::Damaged } else { UnreadPart::Encrypted }),
            }
        } else if self.has_room_for(1, bytes.len()) {
            self.file(bytes, &name, standing, depth);
        }
    }

    /// A file, from a part or from an archive in one; room was found for it.
    fn file(&mut self, bytes: Cow<'_, [u8]>, name: &str, standing: Standing, depth: u32) {
        if bytes.is_empty() {
            self.unread.push(UnreadPart::Damaged);
            return;
        }
        match DocumentFormat::sniff(&bytes) {
            Some(format) if format.is_picture() => match shows(&bytes, standing) {
                Shows::Page => self.paper(Paper::File(bytes.into_owned())),
                Shows::PerhapsAPage => self.unread.push(UnreadPart::SmallPicture),
                Shows::Ornament => {}
            },
            Some(DocumentFormat::Message) => self.enclosed(&bytes, depth + 1),
            Some(_) => self.paper(Paper::File(bytes.into_owned())),
            None if bytes.starts_with(b"PK\x03\x04") => self.archive(&bytes, depth),
            None if needs_password(&bytes) => self.unread.push(UnreadPart::Password),
            None if is_heic(&bytes) => self.unread.push(UnreadPart::Heic),
            None => match std::str::from_utf8(&bytes) {
                Ok(text) if has_extension(name, "txt") => self.text(text),
                _ => self.unread.push(UnreadPart::Unsupported),
            },
        }
    }

    fn archive(&mut self, bytes: &[u8], depth: u32) {
        if depth + 1 >= DEEPEST {
            self.unread.push(UnreadPart::TooDeep);
            return;
        }
        let room = MOST_BYTES.saturating_sub(self.bytes);
        match zip::files(bytes, MOST_PAPERS, room) {
            Ok(files) => {
                let size = files.iter().map(|(_, bytes)| bytes.len()).sum();
                if self.has_room_for(files.len(), size) {
                    for (name, bytes) in files {
                        self.file(Cow::Owned(bytes), &name.to_lowercase(), Standing::Attached, depth + 1);
                    }
                }
            }
            Err(part) => self.unread.push(part),
        }
    }

    fn paper(&mut self, paper: Paper) {
        if self.papers.len() < MOST_PAPERS {
            self.papers.push(paper);
        } else {
            self.unread.push(UnreadPart::TooLarge);
        }
    }

    /// Whether so many more files of this size in all are within the bounds; names them as unread otherwise. Every file
    /// counts, also one that turns out to be no paper: what is opened costs time and memory.
    fn has_room_for(&mut self, files: usize, bytes: usize) -> bool {
        self.files += files;
        self.bytes += bytes as u64;
        let has = self.files <= MOST_FILES && self.bytes <= MOST_BYTES;
        if !has {
            self.unread.push(UnreadPart::TooLarge);
        }
        has
    }
}

/// Whether this is an Office file that opens with a password only: it holds the stream `EncryptedPackage` (MS-OFFCRYPTO,
/// 1.3.2), whose name stands in its directory.
fn needs_password(bytes: &[u8]) -> bool {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes.starts_with(&COMPOUND_FILE) && bytes.windows(name.len()).any(|window| window == name)
}

/// Whether a part says that its bytes are coded as uuencode does.
fn is_uuencoded(part: &MessagePart<'_>) -> bool {
    let encoding = part.content_transfer_encoding().unwrap_or_default().trim();
    ["uuencode", "x-uuencode", "x-uue", "uue"].iter().any(|name| encoding.eq_ignore_ascii_case(name))
}

/// What is declared a text, or nothing at all, and is a file by its content; `salvaged`: its bytes if they were damaged.
fn file_sent_as_text<'a>(
    message: &'a Message<'_>,
    part: &MessagePart<'_>,
    salvaged: Option<&'a [u8]>,
) -> Option<Cow<'a, [u8]>> {
    if let Some(bytes) = salvaged {
        // What was declared a file is none of a text's words, whatever is left of it.
        let is_text = part.content_type().is_none_or(|kind| kind.ctype().eq_ignore_ascii_case("text"));
        return (!is_text || is_file(bytes)).then_some(Cow::Borrowed(bytes));
    }
    let raw = message.raw_message.get(part.offset_body as usize..part.offset_end as usize)?;
    let bytes = match part.encoding {
        Encoding::Base64 => Cow::Owned(transfer::base64(raw)),
        Encoding::None => Cow::Borrowed(raw),
        Encoding::QuotedPrintable => Cow::Owned(quoted_printable_decode(raw)?),
    };
    is_file(&bytes).then_some(bytes)
}

/// Whether these bytes are a file of a kind that is looked into; a message is a text too.
fn is_file(bytes: &[u8]) -> bool {
    DocumentFormat::sniff(bytes).is_some_and(|format| format != DocumentFormat::Message)
        || bytes.starts_with(b"PK\x03\x04")
}

/// Whether the end of a file is there, by the mark with which its kind ends; where there is no such mark, nobody knows.
fn has_end(bytes: &[u8]) -> bool {
    let tail = bytes.get(bytes.len().saturating_sub(1024)..).unwrap_or_default();
    let has = |mark: &[u8]| tail.windows(mark.len()).any(|window| window == mark);
    match DocumentFormat::sniff(bytes) {
        Some(DocumentFormat::Pdf) => has(b"%%EOF"),
        Some(DocumentFormat::Jpeg) => has(&[0xff, 0xd9]),
        Some(DocumentFormat::Png) => has(b"IEND"),
        Some(DocumentFormat::Gif) => tail.ends_with(b";"),
        Some(DocumentFormat::Tiff | DocumentFormat::Bmp | DocumentFormat::Message) | None => false,
    }
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// Sent as a file, not as what the reader is to see.
fn is_attached(part: &MessagePart<'_>) -> bool {
    part.attachment_name().is_some()
        || part.content_disposition().is_some_and(|disposition| disposition.c_type.eq_ignore_ascii_case("attachment"))
}

/// Signatures, visiting cards, appointments.
fn is_of_no_interest(part: &MessagePart<'_>) -> bool {
    [
        ("application", "pgp-signature"),
        ("application", "pkcs7-signature"),
        ("application", "x-pkcs7-signature"),
        ("text", "calendar"),
        ("text", "vcard"),
        ("text", "x-vcard"),
        ("text", "directory"),
        ("text", "rfc822-headers"),
        ("message", "delivery-status"),
        ("message", "disposition-notification"),
    ]
    .iter()
    .any(|(kind, subtype)| part.is_content_type(kind, subtype))
}

#[cfg(test)]
mod tests;
