//! What a message's head tells of the papers in it, and of itself.

use std::sync::LazyLock;

use mail_parser::{HeaderName, HeaderValue, Message, MimeHeaders};
use regex::Regex;

use crate::document::{Automatic, DocumentId, Mail};

/// More stations than this are a loop (RFC 5321, 6.3, wants at least 100; nothing real comes near 50).
const MOST_STATIONS: usize = 50;

/// Longest address and subject that are passed on.
const LONGEST: usize = 300;

/// The head, with no papers yet.
pub(super) fn mail(message: &Message<'_>) -> Mail {
    let from = message.from().and_then(|from| from.first()).and_then(|from| from.address());
    let subject = message.subject().map(str::trim).filter(|subject| !subject.is_empty()).map(shortened);
    let said = subject.as_deref().unwrap_or_default();
    Mail {
        from: from.map(|address| shortened(&address.to_lowercase())),
        fax_sender: fax_sender(said),
        reported_pages: reported_pages(said),
        automatic: automatic(message),
        answerable: answerable(message),
        subject,
        covering: None,
        content: content(message),
        papers: Vec::new(),
        is_body: false,
        unread: Vec::new(),
    }
}

/// See [`Mail::content`]. By the raw bytes below the head: a server that writes them anew makes another message of it.
fn content(message: &Message<'_>) -> Option<String> {
    let below = message.raw_message.get(message.parts.first()?.offset_body as usize..)?;
    let mut said = Vec::with_capacity(below.len() + 500);
    for name in ["message-id", "from", "date", "subject"] {
        let raw = message.headers_raw().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        said.extend_from_slice(raw.unwrap_or_default().trim().as_bytes());
        said.push(0);
    }
    said.extend_from_slice(below);
    Some(DocumentId::of(&said).as_str().to_owned())
}

fn shortened(text: &str) -> String {
    text.chars().filter(|sign| !sign.is_control()).take(LONGEST).collect()
}

/// `Fax from 617-555-0134, 4 pages` → `6175550134`, as gateways from fax to mail write it.
fn fax_sender(subject: &str) -> Option<String> {
    #[expect(clippy::unwrap_used, reason = "a constant pattern, compiled by a test")]
    static SENDER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\bfax\b.{0,40}?\b(?:from|caller id|csid|sender|number)\b[^0-9+(]{0,20}(\+?[0-9(][0-9 ().-]{8,18}[0-9])").unwrap()
    });
    let number: String = SENDER.captures(subject)?.get(1)?.as_str().chars().filter(char::is_ascii_digit).collect();
    // The country's own 1 in front is no part of a number here.
    let number = number.strip_prefix('1').filter(|rest| rest.len() == 10).unwrap_or(&number);
    (number.len() >= 10).then(|| number.to_owned())
}

/// `4 pages`, `Pages: 4`, `(4 pgs)`.
fn reported_pages(subject: &str) -> Option<u32> {
    #[expect(clippy::unwrap_used, reason = "a constant pattern, compiled by a test")]
    static PAGES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\b([0-9]{1,4})\s*(?:pages?|pgs?|pp)\b|\b(?:pages?|pgs?)\s*[:=#]?\s*([0-9]{1,4})\b").unwrap()
    });
    let found = PAGES.captures(subject)?;
    found.get(1).or(found.get(2))?.as_str().parse().ok().filter(|pages| *pages > 0)
}

/// Whether a person seems to have written it to us alone, so that an answer may go there by itself (RFC 3834, section 2).
fn answerable(message: &Message<'_>) -> bool {
    const OF_LISTS: [&str; 9] = [
        "list-id",
        "list-post",
        "list-unsubscribe",
        "list-help",
        "mailing-list",
        "x-mailing-list",
        "x-loop",
        "x-auto-response-suppress",
        "feedback-id",
    ];
    let raw = |wanted: &str| {
        let of = message.headers_raw().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        of.map(|(_, value)| value.trim().to_lowercase()).collect::<Vec<_>>()
    };
    let of_list = OF_LISTS.iter().any(|name| !raw(name).is_empty())
        || raw("precedence").iter().any(|value| ["bulk", "list", "junk", "auto_reply"].contains(&value.as_str()));
    let robot = raw("auto-submitted").iter().any(|value| value != "no")
        || raw("return-path").iter().any(|value| value.replace(' ', "") == "<>");
    // A Message-ID of ours, sent back or answered: what answers us may do so for ever.
    let ours =
        ["message-id", "in-reply-to", "references"].iter().any(|name| raw(name).iter().any(|id| id.contains(OURS)));
    let mut authors = message.from().into_iter().flat_map(mail_parser::Address::iter);
    let author = authors.next().and_then(mail_parser::Addr::address).map(str::to_lowercase).unwrap_or_default();
    let local = author.split('@').next().unwrap_or_default();
    let letters: String = local.chars().filter(char::is_ascii_alphanumeric).collect();
    let nobody = ["mailerdaemon", "postmaster", "noreply", "donotreply", "daemon", "root", "listserv", "majordomo"];
    let is_nobody = local.is_empty()
        || authors.next().is_some()
        || nobody.iter().any(|name| letters == *name)
        || ["noreply", "donotreply", "bounce"].iter().any(|name| letters.contains(name))
        || local.starts_with("owner-")
        || ["-request", "-owner"].iter().any(|end| local.ends_with(end));
    !of_list && !robot && !ours && !is_nobody && automatic(message).is_none()
}

/// How Message-IDs begin that the daemon writes.
const OURS: &str = "<nicufaxd.";

/// Whether a machine wrote it to tell of another message (RFC 3834; RFC 6522).
fn automatic(message: &Message<'_>) -> Option<Automatic> {
    let root = message.parts.first()?;
    if root.is_content_type("multipart", "report") {
        let kind = root.content_type().and_then(|kind| kind.attribute("report-type")).unwrap_or_default();
        return Some(if kind.eq_ignore_ascii_case("disposition-notification") {
            Automatic::ReadReceipt
        } else {
            Automatic::DeliveryReport
        });
    }
    let stations = message.headers().iter().filter(|header| header.name == HeaderName::Received).count();
    if stations > MOST_STATIONS {
        return Some(Automatic::Loop);
    }
    let value = |name: &str| {
        let header = message.headers().iter().find(|header| header.name.as_str().eq_ignore_ascii_case(name))?;
        if let HeaderValue::Text(text) = &header.value { Some(text.trim().to_lowercase()) } else { None }
    };
    let replied = value("Auto-Submitted").is_some_and(|value| value.starts_with("auto-replied"))
        || value("X-Autoreply").is_some()
        || value("X-Autorespond").is_some()
        || value("Precedence").is_some_and(|value| value == "auto_reply");
    let subject = message.subject().unwrap_or_default().trim().to_lowercase();
    let titled = ["automatic reply:", "out of office:", "autoreply:", "auto reply:"];
    // A person may begin a subject so too; a mail program that answers by itself says so elsewhere as well.
    let by_a_machine = value("Auto-Submitted").is_some_and(|value| value != "no")
        || value("X-Auto-Response-Suppress").is_some()
        || value("Precedence").is_some_and(|value| ["bulk", "junk"].contains(&value.as_str()));
    let titled = titled.iter().any(|title| subject.starts_with(title));
    (replied || (titled && by_a_machine)).then_some(Automatic::Reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_person_wrote_may_be_answered_by_a_machine() {
        let parser = mail_parser::MessageParser::default();
        let may = |head: &str| answerable(&parser.parse(&format!("{head}Subject: x\r\n\r\nhello")).unwrap());
        let person = "From: R. Nurse <ur@hospital.example>\r\n";
        assert!(may(person) && may(&format!("Return-Path: <ur@hospital.example>\r\nAuto-Submitted: no\r\n{person}")));
        for head in [
            "List-Id: <nicu.hospital.example>",
            "Precedence: bulk",
            "Precedence:  List",
            "Auto-Submitted: auto-generated",
            "Return-Path: <>",
            "Message-ID: <nicufaxd.12@clinic.example>",
            "In-Reply-To: <nicufaxd.12@clinic.example>",
            "References: <a@b>\r\n <nicufaxd.12@clinic.example>",
            "X-Auto-Response-Suppress: All",
            "X-Autoreply: yes",
        ] {
            assert!(!may(&format!("{head}\r\n{person}")), "{head}");
        }
        for from in [
            "MAILER-DAEMON@h.example",
            "no-reply@h.example",
            "NICU_noreply@h.example",
            "nicu-bounces@h.example",
            "owner-nicu@h.example",
            "",
        ] {
            assert!(!may(&format!("From: {from}\r\n")), "{from}");
        }
        assert!(!may("From: a@h.example, b@h.example\r\n"));
    }

    #[test]
    fn a_gateways_subject_gives_the_fax_number_and_the_pages() {
        for (subject, sender, pages) in [
            ("Fax from 617-555-0134, 4 pages", Some("6175550134"), Some(4)),
            ("Incoming fax received from (617) 555-0134 [3 pgs]", Some("6175550134"), Some(3)),
            ("eFax: 12 page(s), Caller-ID: +1-617-555-0134", None, Some(12)),
            ("You have a new fax (Pages: 2) from +1 617 555 0134", Some("6175550134"), Some(2)),
            ("NICU clinicals attached", None, None),
            ("Call me at 617-555-0134", None, None),
        ] {
            assert_eq!((fax_sender(subject).as_deref(), reported_pages(subject)), (sender, pages), "{subject}");
        }
    }
}
