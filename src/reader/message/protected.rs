//! Messages that are to be read elsewhere: what comes is a note with a link, or a page that opens the message in a browser.

use std::sync::LazyLock;

use mail_parser::{Message, PartType};
use regex::Regex;

/// Words of the longest note, with what it says about the law and about the program.
const MOST_WORDS: usize = 300;

/// Whether a text says that the message itself is kept where it is protected: Microsoft 365 ("has sent you a protected
/// message"), Cisco's registered envelope, Proofpoint, Zix and Mimecast ("you have received an encrypted message").
fn says_so(text: &str) -> bool {
    static NOTES: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?ix)\b(?: (?:has|have)\s+sent\s+you | you(?:\s+have|'ve)?\s+(?:received|been\s+sent|got) )\s+an?\s+(?:new\s+)?
              (?: (?:protected|encrypted|secured?)\s+(?:e-?mail|message) | registered\s+envelope ) \b
            | \bto\s+(?:read|view|open)\s+(?:the|this|your)\s+(?:protected|encrypted|secured?)\s+(?:e-?mail|message)\b",
        )
    });
    NOTES.is_match(text)
}

/// Whether a text is such a note and little else: a thread of replies may quote one.
pub(super) fn is_note(text: &str) -> bool {
    says_so(text) && text.split_whitespace().nth(MOST_WORDS).is_none()
}

/// Whether the HTML of a message links to where Microsoft 365 keeps protected messages.
pub(super) fn links_there(message: &Message<'_>) -> bool {
    let is_link = |html: &str| html.to_ascii_lowercase().contains("outlook.office365.com/encryption/");
    message.parts.iter().any(|part| matches!(&part.body, PartType::Html(html) if is_link(html)))
}

/// Whether an attached page is by its name one that opens a protected message: `message.html` of Microsoft 365,
/// `securedoc.html` of Cisco, `message_zdm.html` of Cisco's service.
pub(super) fn is_page(name: &str) -> bool {
    static NAMES: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(?i)^(?:message(?:_v[0-9]+|_zdm)?|securedoc(?:[ _-]?[0-9]\w*)?)\.html?$"));
    NAMES.is_match(name)
}

#[expect(clippy::unwrap_used, reason = "constant patterns, compiled by tests")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_messages_that_are_read_elsewhere_are_known_and_what_people_write_is_none() {
        for note in [
            "Ana Berg has sent you a protected message.\nRead the message",
            "You have received an encrypted message from Lakeview Hospital.",
            "You've received a secure message",
            "You have received a Registered Envelope from Lakeview",
            "To view your secure message, open the attachment.",
            "Open the attached message_zdm.html to read the secure message.",
        ] {
            assert!(is_note(note), "{note}");
        }
        for text in ["Baby Roe is on a secured unit", "We have sent you the review", "This message is confidential."] {
            assert!(!is_note(text), "{text}");
        }
        assert!(is_page("message.html") && is_page("securedoc_20260316.html") && is_page("message_zdm.html"));
        assert!(!is_page("message from ur.html") && !is_page("review.html"));
    }
}
