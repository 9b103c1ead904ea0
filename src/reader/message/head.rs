//! What a message's head tells of the papers in it, and of itself.

use std::sync::LazyLock;

use mail_parser::{HeaderName, HeaderValue, Message, MimeHeaders};
use regex::Regex;

use crate::document::{Automatic, DocumentId, Mail, MailHead, OWN_MESSAGE_ID, OWN_PARAMETER, OwnMail};

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
        own: own(message),
        automatic: automatic(message),
        answerable: answerable(message),
        subject,
        covering: None,
        covering_is_whole: false,
        sent_at: message.date().and_then(|date| jiff::Timestamp::from_second(date.to_timestamp()).ok()),
        content: content(message),
        papers: Vec::new(),
        pictures: Vec::new(),
        is_body: false,
        nothing_else: None,
        unread: Vec::new(),
    }
}

/// What the head says of it alone, for a message that holds nothing to read.
pub(super) fn head(message: &Message<'_>) -> MailHead {
    MailHead::from(&mail(message))
}

/// What a gateway writes into the text beside a fax, where its subject does not say so.
pub(super) fn complete_from(mail: &mut Mail, text: &str) {
    mail.fax_sender = mail.fax_sender.take().or_else(|| fax_sender_in(text));
    mail.reported_pages = mail.reported_pages.or_else(|| reported_pages_in(text));
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

/// A fax number, as it is written: ten digits, with or without the country's 1; or one of another country, behind a `+`.
/// A count of pages behind it is none of its digits.
const NUMBER: &str =
    r"((?:\+?1[ .\-/]*)?\(?[0-9]{3}\)?[ .\-/]*[0-9]{3}[ .\-/]*[0-9]{4}\b|\+[2-9][0-9](?:[ .\-/]?[0-9]){6,13}\b)";

/// What gateways put before the number from which a fax came.
const LABEL: &str = r"(?:caller[ -]?id|remote[ -]?(?:c?s?id|station(?:[ -]id)?|fax(?:[ -]number)?|number)|[ct]sid|ani\b|(?:sender|sending|calling|originating|from|sent from)(?:'s)?(?:[ -]fax)?[ -](?:number|no\.?|id))";

/// `Fax from 617-555-0134, 4 pages` → `6175550134`, as gateways from fax to mail write it into subjects.
fn fax_sender(subject: &str) -> Option<String> {
    static SENDER: LazyLock<[Regex; 3]> = LazyLock::new(|| {
        [
            pattern(&format!(
                r"(?i)\b[a-z]?fax\b.{{0,40}}?\b(?:from|caller id|csid|sender|number)\b[^0-9+(]{{0,20}}{NUMBER}"
            )),
            pattern(&format!(r"(?i)\b{LABEL}\s*[:=#]?\s*{NUMBER}")),
            // `Fax message 617-555-0134 to 866-303-5749`
            pattern(&format!(r"(?i)\b[a-z]?fax\b[^0-9+(]{{0,40}}{NUMBER}\s*(?:to|->|=>|→)\s*{NUMBER}")),
        ]
    });
    first_number(&*SENDER, subject)
}

/// The same in a text, where people write too: only what says that a fax came from there, or a label of a gateway's. A
/// signature with the fax number of its author's office is neither.
fn fax_sender_in(text: &str) -> Option<String> {
    static SENDER: LazyLock<[Regex; 2]> = LazyLock::new(|| {
        [
            pattern(&format!(r"(?i)\b[a-z]?fax\b[^\n]{{0,40}}?\bfrom\b[^0-9+(\n]{{0,20}}{NUMBER}")),
            pattern(&format!(r"(?im)^[\s>*|-]*{LABEL}\s*[:=#]\s*{NUMBER}")),
        ]
    });
    first_number(&*SENDER, text)
}

fn first_number(patterns: &[Regex], text: &str) -> Option<String> {
    let written = patterns.iter().find_map(|pattern| pattern.captures(text))?;
    let number: String = written.get(1)?.as_str().chars().filter(char::is_ascii_digit).collect();
    // The country's own 1 in front is no part of a number here.
    let number = number.strip_prefix('1').filter(|rest| rest.len() == 10).unwrap_or(&number);
    (number.len() >= 10).then(|| number.to_owned())
}

/// `4 pages`, `Pages: 4`, `(4 pgs)`.
fn reported_pages(subject: &str) -> Option<u32> {
    static PAGES: LazyLock<[Regex; 1]> = LazyLock::new(|| {
        [pattern(r"(?i)\b([0-9]{1,4})[ -]*(?:pages?|pgs?|pp)\b|\b(?:pages?|pgs?)\s*[:=#]?\s*([0-9]{1,4})\b")]
    });
    first_count(&*PAGES, subject)
}

/// The same in a text that speaks of a fax: `You have received a 4 page fax`, `Pages: 4`, `Page: 1 of 4`.
fn reported_pages_in(text: &str) -> Option<u32> {
    static FAX: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b[a-z]?fax(?:es)?\b|\bfacsimile\b"));
    static PAGES: LazyLock<[Regex; 3]> = LazyLock::new(|| {
        [
            pattern(
                r"(?im)^[\s>*|-]*(?:(?:total|number of|no\.? of|# of|fax|received)\s+)*(?:pages?|pgs?)(?:\s+(?:count|received|total))?\s*[:=#]\s*(?:[0-9]{1,4}\s*(?:of|/)\s*)?([0-9]{1,4})\b",
            ),
            pattern(r"(?i)\b([0-9]{1,4})[ -]*(?:pages?|page\(s\)|pgs?\.?)\s+(?:[a-z]+\s+)?[a-z]?fax\b"),
            pattern(r"(?i)\bfax\b[^\n]{0,60}?\b([0-9]{1,4})[ -]*(?:pages?|page\(s\)|pgs?)\b"),
        ]
    });
    FAX.is_match(text).then(|| first_count(&*PAGES, text))?
}

fn first_count(patterns: &[Regex], text: &str) -> Option<u32> {
    static NUMBERS: LazyLock<Regex> = LazyLock::new(|| pattern(NUMBER));
    // The end of a telephone number is no count of the pages behind it.
    let text = NUMBERS.replace_all(text, "|");
    let found = patterns.iter().find_map(|pattern| pattern.captures(&text))?;
    found.get(1).or(found.get(2))?.as_str().parse().ok().filter(|pages| *pages > 0)
}

#[expect(clippy::unwrap_used, reason = "constant patterns, compiled by tests")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

/// The marks of a mail that the daemon itself wrote: its Message-ID, or its parameter of `Auto-Submitted`.
fn own(message: &Message<'_>) -> Option<OwnMail> {
    let raw = |wanted: &str| {
        message.headers_raw().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
    };
    let of_id = raw("message-id").and_then(|id| id.trim_start_matches('<').strip_prefix(OWN_MESSAGE_ID));
    let marked = raw("auto-submitted").is_some_and(|value| value.contains(OWN_PARAMETER));
    let digits = |id: &str| id.chars().take_while(char::is_ascii_hexdigit).take(64).collect::<String>();
    (of_id.is_some() || marked).then(|| OwnMail { id: of_id.map(digits), enclosed: None })
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
    let ours = format!("<{OWN_MESSAGE_ID}");
    let ours =
        ["message-id", "in-reply-to", "references"].iter().any(|name| raw(name).iter().any(|id| id.contains(&ours)));
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
    if own(message).is_some() {
        return Some(Automatic::Own);
    }
    let replied = value("Auto-Submitted").is_some_and(|value| value.starts_with("auto-replied"))
        || value("X-Autoreply").is_some()
        || value("X-Autorespond").is_some()
        || value("Precedence").is_some_and(|value| value == "auto_reply");
    let subject = message.subject().unwrap_or_default().trim().to_lowercase();
    let titled = |titles: &[&str]| titles.iter().any(|title| subject.starts_with(title));
    // A person may begin a subject so too; a mail program that answers by itself says so elsewhere as well.
    let author = message.from().and_then(|from| from.first()).and_then(|from| from.address()).unwrap_or_default();
    let local = author.split('@').next().unwrap_or_default().to_lowercase();
    let of_the_post = ["mailer-daemon", "postmaster", "microsoftexchange"].iter().any(|name| local.starts_with(name))
        || value("X-Failed-Recipients").is_some()
        || value("X-MS-Exchange-Message-Is-Ndr").is_some()
        || message.headers_raw().any(|(name, value)| {
            name.eq_ignore_ascii_case("return-path") && value.split_whitespace().collect::<String>() == "<>"
        });
    let by_a_machine = of_the_post
        || value("Auto-Submitted").is_some_and(|value| value != "no")
        || value("X-Auto-Response-Suppress").is_some()
        || value("Precedence").is_some_and(|value| ["bulk", "junk"].contains(&value.as_str()));
    let of_qmail = || message.body_text(0).is_some_and(|text| text.contains("This is the qmail-send program"));
    if titled(&UNDELIVERED) && (by_a_machine || of_qmail()) {
        return Some(Automatic::DeliveryReport);
    }
    (replied || (titled(&AWAY) && by_a_machine)).then_some(Automatic::Reply)
}

/// Whether its subject alone says that somebody is away. A person may begin one so too: it counts only for a message
/// that holds nothing else, and what reads like a hospital's paper is never set aside.
pub(super) fn is_titled_away(mail: &Mail) -> bool {
    let subject = mail.subject.as_deref().unwrap_or_default().to_lowercase();
    AWAY.iter().any(|title| subject.starts_with(title))
}

/// How subjects begin by which mail servers tell that they could not deliver: Postfix, qmail, Exim, Exchange, sendmail,
/// and what Exchange makes of it in other languages.
const UNDELIVERED: [&str; 17] = [
    "undelivered mail returned to sender",
    "failure notice",
    "mail delivery failed",
    "mail delivery failure",
    "mail delivery system",
    "undeliverable",
    "returned mail:",
    "delivery status notification",
    "delivery failure",
    "delivery has failed",
    "delivery delayed",
    "message not delivered",
    "warning: could not send message",
    "unzustellbar:",
    "no se puede entregar:",
    "non remis",
    "não entregue:",
];

/// How subjects begin by which mail programs tell that somebody is away, in the languages that are likely here.
const AWAY: [&str; 24] = [
    "automatic reply",
    "auto reply:",
    "auto-reply:",
    "autoreply:",
    "auto response:",
    "out of office",
    "out of the office",
    "abwesenheitsnotiz",
    "abwesend:",
    "automatische antwort",
    "respuesta automática",
    "respuesta automatica",
    "fuera de la oficina",
    "réponse automatique",
    "reponse automatique",
    "absence du bureau",
    "absent du bureau",
    "resposta automática",
    "risposta automatica",
    "fuori sede",
    "automatisch antwoord",
    "automatisk svar",
    "autosvar",
    "automatyczna odpowied",
];

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
            ("eFax: 12 page(s), Caller-ID: +1-617-555-0134", Some("6175550134"), Some(12)),
            ("Remote ID 617.555.0134, a 7-page message", Some("6175550134"), Some(7)),
            ("You have a new fax (Pages: 2) from +1 617 555 0134", Some("6175550134"), Some(2)),
            ("Fax from 617-555-0134 (4 pages)", Some("6175550134"), Some(4)),
            ("Fax from 617-555-0134 4 pages", Some("6175550134"), Some(4)),
            ("Fax from 6175550134 - 4 pages", Some("6175550134"), Some(4)),
            ("Fax from 16175550134 - 4 Pages", Some("6175550134"), Some(4)),
            ("Fax from +1 617-555-0134 (4 pages)", Some("6175550134"), Some(4)),
            ("Fax from +16175550134, 4 pages", Some("6175550134"), Some(4)),
            ("Fax from 617.555.0134: 4 pgs", Some("6175550134"), Some(4)),
            ("Fax message 617-555-0134 to 866-303-5749 pages: 4", Some("6175550134"), Some(4)),
            ("Fax from 617-555-0134 at 03/16/2026 09:12", Some("6175550134"), None),
            ("New fax from 6175550134 on 2026-03-16", Some("6175550134"), None),
            ("Fax from 508-555-0167 ext 12, 4 pages", Some("5085550167"), Some(4)),
            ("Fax from +44 20 7946 0958, 4 pages", Some("442079460958"), Some(4)),
            ("FAX FROM UNKNOWN, 4 PAGES", None, Some(4)),
            ("NICU clinicals attached", None, None),
            ("Call me at 617-555-0134", None, None),
        ] {
            assert_eq!((fax_sender(subject).as_deref(), reported_pages(subject)), (sender, pages), "{subject}");
        }
    }

    #[test]
    fn a_gateways_text_gives_them_too_and_what_people_write_does_not() {
        for (text, sender, pages) in [
            ("You have received a 4 page fax from 617-555-0134.", Some("6175550134"), Some(4)),
            ("New fax.\nCaller-ID: 617-555-0134\nPages: 4\n", Some("6175550134"), Some(4)),
            ("Fax received\n  Remote ID:   +1 (617) 555-0134\n  Total pages: 12\n", Some("6175550134"), Some(12)),
            ("> Sender fax number: 617.555.0134\n> Page: 1 of 3\n> Sent by fax server", Some("6175550134"), Some(3)),
            ("A fax with 2 pages has come. CSID: LAKEVIEW NICU", None, Some(2)),
            ("A 5-page fax has arrived.", None, Some(5)),
            ("Clinicals attached. R. Nurse, phone 617-555-0134, fax: 617-555-0199", None, None),
            ("Please fax the decision to 617-555-0199. See page 2 of the review.", None, None),
            ("Fax number: 617-555-0199\nPage 2: labs", None, None),
            ("Attached are 3 pages. Caller-ID 617-555-0134 was blocked", None, None),
            ("Fax from 555-0134", None, None),
        ] {
            assert_eq!((fax_sender_in(text).as_deref(), reported_pages_in(text)), (sender, pages), "{text}");
        }
    }

    #[test]
    fn a_mail_of_ours_is_known_by_its_message_id_or_by_its_own_mark() {
        let parser = mail_parser::MessageParser::default();
        let of = |head: &str| own(&parser.parse(&format!("{head}\r\nSubject: x\r\n\r\nhello")).unwrap());
        let with_id = of("Message-ID: <nicufaxd.0a1b2c@clinic.example>").unwrap();
        assert_eq!(with_id.id.as_deref(), Some("0a1b2c"));
        let rewritten = "Message-ID: <relay.1@x>\r\nAuto-Submitted: auto-generated; owner-program=nicufaxd";
        assert_eq!(of(rewritten), Some(OwnMail::default()));
        for head in [
            "In-Reply-To: <nicufaxd.0a1b2c@clinic.example>",
            "Message-ID: <a.nicufaxd.0a@clinic.example>",
            "Auto-Submitted: auto-generated",
        ] {
            assert_eq!(of(head), None, "{head}");
        }
    }

    #[test]
    fn what_mail_servers_and_absent_people_send_is_known_by_more_than_its_subject() {
        let parser = mail_parser::MessageParser::default();
        let told = |head: &str, body: &str| automatic(&parser.parse(&format!("{head}\r\n\r\n{body}")).unwrap());
        let by_post = "From: MAILER-DAEMON@mx.example\r\n";
        for subject in [
            "failure notice",
            "Undeliverable: item 12",
            "Undelivered Mail Returned to Sender",
            "Mail delivery failed: returning message to sender",
            "Returned mail: see transcript for details",
        ] {
            let head = format!("{by_post}Subject: {subject}");
            assert_eq!(told(&head, "It failed."), Some(Automatic::DeliveryReport), "{subject}");
            let by_a_person = format!("From: ur@hospital.example\r\nSubject: {subject}");
            assert_eq!(told(&by_a_person, "did you get this?"), None, "{subject}");
        }
        let qmail = "From: postmaster@qmail.example\r\nSubject: failure notice";
        let words = "Hi. This is the qmail-send program at mx.example.\r\nI'm afraid I wasn't able to deliver";
        assert_eq!(told(qmail, words), Some(Automatic::DeliveryReport));
        assert_eq!(told("From: ur@h.example\r\nSubject: Failure Notice", words), Some(Automatic::DeliveryReport));
        let exim =
            "From: Mail System <root@mx.example>\r\nX-Failed-Recipients: a@b.example\r\nSubject: Mail delivery failed";
        assert_eq!(told(exim, "x"), Some(Automatic::DeliveryReport));
        for subject in [
            "Abwesenheitsnotiz: NICU",
            "=?utf-8?Q?Respuesta_autom=C3=A1tica?=: NICU",
            "=?iso-8859-1?Q?R=E9ponse_automatique?= : NICU",
            "Automatic reply: NICU",
        ] {
            let head = format!("From: ur@h.example\r\nSubject: {subject}");
            assert_eq!(
                told(&format!("{head}\r\nX-Auto-Response-Suppress: All"), "x"),
                Some(Automatic::Reply),
                "{subject}"
            );
            assert_eq!(told(&head, "x"), None, "{subject}");
        }
    }
}
