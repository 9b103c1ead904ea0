//! What is known of an email besides its pages.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::DocumentFormat;

/// Bytes of [`Mail::covering`]: a review that was written into a message fits many times over.
pub const MOST_COVERING: usize = 64 * 1024;

/// What an email tells of the papers in it, and of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// The author's address, in lower case.
    pub from: Option<String>,
    pub subject: Option<String>,
    /// Number of the fax that a gateway sends on, ten digits: `Fax from 617-555-0134, 4 pages`, in subject or text.
    pub fax_sender: Option<String>,
    /// When it was sent, as its author's machine tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// Pages of that fax, as the gateway tells.
    pub reported_pages: Option<u32>,
    /// First and last page of each paper, in order, every page in exactly one.
    pub papers: Vec<[u32; 2]>,
    /// Those of the papers that are pictures (photographs, screenshots): one may be no paper after all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictures: Vec<[u32; 2]>,
    /// The one paper is the message's own text.
    pub is_body: bool,
    /// Why a person must look at the message when its own text tells nothing: what else is in it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nothing_else: Option<String>,
    /// The message's own words beside its papers, at most [`MOST_COVERING`] bytes.
    #[serde(default)]
    pub covering: Option<String>,
    /// Whether [`Mail::covering`] is all of its words.
    #[serde(default)]
    pub covering_is_whole: bool,
    /// What tells that it is a mail of ours which came back, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<OwnMail>,
    /// A digest of its author, date, subject, Message-ID and everything below its head: the same for the same message,
    /// whichever mailboxes it was delivered to and whatever each delivery wrote into its head.
    #[serde(default)]
    pub content: Option<String>,
    /// What is in it besides and could not be read; sorted, each once.
    pub unread: Vec<UnreadPart>,
    /// Why it needs nobody, if a machine sent it to tell of another message.
    pub automatic: Option<Automatic>,
    /// Whether a person seems to have written it, to whom an answer may go by itself: no list, no robot, none of ours.
    #[serde(default)]
    pub answerable: bool,
}

impl Mail {
    /// Who sent the papers: the fax behind a gateway, else the author.
    pub fn sender(&self) -> Option<&str> {
        self.fax_sender.as_deref().or(self.from.as_deref())
    }
}

/// The first bytes of a text, at most so many: whole letters.
pub fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

/// What an email's head says of it: for a person who is to find it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailHead {
    /// The author's address, in lower case.
    pub from: Option<String>,
    pub subject: Option<String>,
    /// As [`Mail::fax_sender`], by its subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fax_sender: Option<String>,
    /// As [`Mail::reported_pages`], by its subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_pages: Option<u32>,
}

impl MailHead {
    /// As [`Mail::sender`].
    pub fn sender(&self) -> Option<&str> {
        self.fax_sender.as_deref().or(self.from.as_deref())
    }
}

impl From<&Mail> for MailHead {
    fn from(mail: &Mail) -> Self {
        Self {
            from: mail.from.clone(),
            subject: mail.subject.clone(),
            fax_sender: mail.fax_sender.clone(),
            reported_pages: mail.reported_pages,
        }
    }
}

/// A mail that bears the marks of those which the daemon writes. Anybody can write such marks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnMail {
    /// The digits of its Message-ID, if that is one of ours.
    pub id: Option<String>,
    /// SHA-256 of the one file in it, as hexadecimal digits.
    pub enclosed: Option<String>,
}

/// How the Message-IDs begin that the daemon writes; digits of the mail's id and `@` follow.
pub const OWN_MESSAGE_ID: &str = "nicufaxd.";

/// The parameter of `Auto-Submitted` (RFC 3834, section 5) by which the daemon marks its mails: relays exist that write
/// Message-IDs anew.
pub const OWN_PARAMETER: &str = "owner-program=nicufaxd";

/// Bytes of a message in which the marks of ours are looked for: its head, and that of what a report encloses.
const ECHO: usize = 64 * 1024;

/// Whether these bytes are a message that bears a mark of ours: one of ours, or one that encloses, quotes the head of, or
/// answers one. Looks for the marks and parses nothing.
pub fn echoes_ours(bytes: &[u8]) -> bool {
    let beginning = bytes.get(..bytes.len().min(ECHO)).unwrap_or_default();
    let id = ["<", OWN_MESSAGE_ID].concat();
    let has = |mark: &[u8]| beginning.windows(mark.len()).any(|window| window == mark);
    DocumentFormat::sniff(bytes) == Some(DocumentFormat::Message)
        && (has(id.as_bytes()) || has(OWN_PARAMETER.as_bytes()))
}

/// A part of an email that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnreadPart {
    /// Encrypted, by S/MIME, PGP or Microsoft's rights management.
    Encrypted,
    /// Opens with a password only.
    Password,
    /// Outlook's own wrapping, `winmail.dat`.
    WinmailDat,
    Damaged,
    /// A picture too small for a page and too large for an ornament, or one that a text shows small or as a banner:
    /// perhaps a form that a telephone sent small.
    SmallPicture,
    /// A photograph in the format of Apple's telephones, for which there is no free decoder.
    Heic,
    /// No paper that can be read here: a word processor's file, a recording.
    Unsupported,
    /// More than is taken of one message.
    TooLarge,
    /// Forwarded or packed too many times over.
    TooDeep,
}

impl UnreadPart {
    /// As it stands in an item's flag.
    pub fn name(self) -> &'static str {
        match self {
            Self::Encrypted => "encrypted",
            Self::Password => "password",
            Self::WinmailDat => "winmail_dat",
            Self::Damaged => "damaged",
            Self::SmallPicture => "small_picture",
            Self::Heic => "heic",
            Self::Unsupported => "unsupported",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
        }
    }
}

/// Why an email needs nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Automatic {
    /// What became of a message sent earlier.
    DeliveryReport,
    ReadReceipt,
    /// Somebody is out of office.
    Reply,
    /// It goes round in circles.
    Loop,
    /// The daemon itself wrote it.
    Own,
}

impl Automatic {
    /// As it stands in the record.
    pub fn name(self) -> &'static str {
        match self {
            Self::DeliveryReport => "delivery report",
            Self::ReadReceipt => "read receipt",
            Self::Reply => "automatic reply",
            Self::Loop => "mail loop",
            Self::Own => "a mail of ours that came back",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_encloses_or_answers_one_of_ours_is_an_echo() {
        let head = "From: a@b.example\r\nTo: c@d.example\r\n";
        for (rest, is_echo) in [
            ("Message-ID: <nicufaxd.0a1b@d.example>\r\n\r\nsilent", true),
            ("Auto-Submitted: auto-generated; owner-program=nicufaxd\r\n\r\nsilent", true),
            ("In-Reply-To: <nicufaxd.0a1b@d.example>\r\n\r\nI am away", true),
            ("\r\nCould not be delivered:\r\n\r\nMessage-ID: <nicufaxd.0a1b@d.example>\r\n", true),
            ("Message-ID: <1@b.example>\r\n\r\nWe write to nicufaxd.", false),
        ] {
            assert_eq!(echoes_ours(format!("{head}{rest}").as_bytes()), is_echo, "{rest}");
        }
        assert!(!echoes_ours(b"%PDF-1.4 <nicufaxd.0a1b@d.example>"));
    }
}
