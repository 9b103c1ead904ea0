//! `index.html`: the queue to look at in a browser, straight from the file.
//!
//! One page without scripts, pictures or anything fetched; its Content-Security-Policy allows its own style sheet and
//! nothing else. Every text is escaped by the template, whoever faxed it.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::document::{Field, MatchStatus};
use crate::queue::item::{ItemState, QueueItem};
use crate::route::due::ClockState;

/// Asks the browser to load the page again, so that a screen left open stays true; seconds.
const REFRESH: &str = "30";

/// `STYLE_SOURCE` is its SHA-256; a test compares them.
const STYLE: &str = "
:root { color-scheme: light dark; --line: light-dark(#d5dae1, #3a414b); --soft: light-dark(#5a6472, #a3adba); }
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; }
h1 { font-size: 1.3rem; margin: 0; }
p.written { color: var(--soft); margin: .2rem 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .45rem .7rem .45rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; position: sticky; top: 0; background: Canvas; }
td.due { white-space: nowrap; }
td.due small { white-space: normal; }
td.from { overflow-wrap: anywhere; min-width: 7rem; }
small { display: block; color: var(--soft); }
ul { margin: 0; padding-left: 1.1rem; }
.tag { display: inline-block; border: 1px solid var(--line); border-radius: .7rem; padding: 0 .5rem; margin: 0 .25rem .2rem 0; }
.urgent, .held { color: light-dark(#a4161a, #ff8a8a); font-weight: 600; }
.matched { color: light-dark(#14662f, #7fd99b); }
.ambiguous { color: light-dark(#8a5300, #ffc46b); }
.unmatched { color: light-dark(#a4161a, #ff8a8a); }
";

/// The style sheet's hash, as the Content-Security-Policy wants it.
const STYLE_SOURCE: &str = "sha256-L2w1jrK4jI4OlSiyjRlsHjU4eKCoCyHqhyKUBgTP03g=";

/// What stands before the rows.
pub(super) struct Page {
    pub items: usize,
    pub written_at: Zoned,
}

impl Page {
    pub fn head(&self) -> String {
        let policy = format!("default-src 'none'; style-src '{STYLE_SOURCE}'; base-uri 'none'; form-action 'none'");
        let head = html! {
            (DOCTYPE)
            (PreEscaped("<html lang=\"en\">"))
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta http-equiv="refresh" content=(REFRESH);
                meta name="referrer" content="no-referrer";
                meta name="viewport" content="width=device-width";
                title { "NICU work queue (" (self.items) ")" }
                style { (PreEscaped(STYLE)) }
            }
            (PreEscaped("<body>"))
            h1 { (self.items) @if self.items == 1 { " item waits" } @else { " items wait" } }
            p.written {
                "Written " (self.written_at.strftime("%a %-d %b %Y, %H:%M:%S %Z"))
                ", in order of due time"
            }
            (PreEscaped("<table>"))
            thead {
                tr { @for title in ["Due", "What", "Baby", "Case", "Why", "Missing and flags", "From"] { th { (title) } } }
            }
            (PreEscaped("<tbody>\n"))
        };
        head.into_string()
    }
}

/// What stands after the rows.
pub(super) const FOOT: &str = "</tbody></table></body></html>\n";

/// An item's row. Times are shown in `zone`.
pub(super) fn row(item: &QueueItem, zone: &TimeZone) -> String {
    let row = html! {
        tr id=(item.id) {
            td.due {
                @if let Some(due) = item.due_at { (local(due, zone)) } @else { "no due time" }
                @if let Some(clock) = &item.clock {
                    @if clock.state != ClockState::Running { " " span.held { (clock.state.name()) } }
                    @else if clock.passed > 0 { " " span.ambiguous { (clock.passed) " % of the time is over" } }
                }
                small { span.urgent[item.priority == "urgent"] { (item.priority) } @if let Some(rule) = &item.due_rule { " · " (rule) } }
            }
            td {
                (plain(item.document_type.name()))
                @if let Some(direction) = item.transfer_direction {
                    @let direction = format!("{direction:?}").to_lowercase();
                    ", " (direction) " level"
                }
                @if item.state == ItemState::Held { " " span.held { "held" } }
                small { (percent(item.type_confidence)) " sure · " (pages(item)) }
                @for reason in item.type_reasons.iter().take(2) { small { (reason) } }
            }
            td {
                (text(item.fields.get("patient_name")))
                small { @if let Some(born) = item.fields.get("dob") { "born " (born.value) } }
                small { @if let Some(number) = item.fields.get("mrn") { "MRN " (number.value) } }
                small { (text(item.fields.get("facility"))) }
            }
            td { (case(item)) small { (item.lane) @if let Some(nurse) = &item.assigned_to { " · " (nurse) } }
                @if let Some(routed) = &item.routing {
                    small { "rule: " (routed.rule) }
                    @if let Some(category) = &routed.category { small { (category) } }
                    @if let Some(forward) = &routed.forward { small { "send on to " (forward) } }
                    @if let Some(review) = &routed.co_review { small { (review) } }
                    @for (task, person) in &routed.tasks { small { (task) ": " (person) } }
                }
            }
            td { (list(&item.link.reasons)) }
            td {
                @for element in &item.missing { span.tag { "no " (plain(&words(&format!("{element:?}")))) } }
                @for name in item.routing.iter().flat_map(|routed| &routed.ask_for).filter(|name| !is_missing(item, name)) {
                    span.tag { "ask for " (plain(name)) }
                }
                @for flag in &item.flags { span.tag { (plain(flag)) } }
                @if let Some(claim) = &item.claimed { span.tag { "taken by " (claim.by) " until " (local(claim.until, zone)) } }
                @if let Some(asked) = &item.asked { span.tag { "asked for " (asked.what) ", until " (local(asked.until, zone)) } }
                @if let Some(person) = &item.amended_by { span.tag { "as told by " (person) } }
                @if let Some(other) = &item.duplicate_of { span.tag { "same as " (other) } }
                @if item.arrivals > 1 { span.tag { "arrived " (item.arrivals) " times" } }
            }
            td.from {
                (item.sender.as_deref().unwrap_or(&item.source))
                small { (local(item.received_at, zone)) }
                small { (item.source) " / " (item.source_file) }
            }
        }
        "\n"
    };
    row.into_string()
}

fn case(item: &QueueItem) -> Markup {
    let candidates = || item.link.candidates.iter().take(3);
    html! {
        @match (item.link.status, &item.link.case_id) {
            (MatchStatus::Matched, Some(case)) => { span.matched { (case) } }
            (MatchStatus::Matched, None) => { span.ambiguous { "matched" } }
            (MatchStatus::Ambiguous, _) => {
                span.ambiguous { "to be decided" }
                @for candidate in candidates() { small { (candidate.case_id) "?" } }
            }
            (MatchStatus::Unmatched, _) => { span.unmatched { "none found" } }
        }
    }
}

fn pages(item: &QueueItem) -> String {
    match item.page_range {
        _ if item.pages == 0 => "number of pages not known".to_owned(),
        [first, last] if first == last => format!("page {first} of {}", item.pages),
        [first, last] => format!("pages {first}–{last} of {}", item.pages),
    }
}

fn list(texts: &[String]) -> Markup {
    html! { ul { @for text in texts { li { (text) } } } }
}

fn text(field: Option<&Field>) -> String {
    field.map(|field| field.value.to_string()).unwrap_or_default()
}

/// Whether the missing elements of the review name it already.
fn is_missing(item: &QueueItem, name: &str) -> bool {
    item.missing.iter().any(|element| element.name() == name)
}

fn plain(name: &str) -> String {
    name.replace('_', " ")
}

/// `DischargeNeeds` as `discharge needs`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

fn percent(confidence: f32) -> String {
    format!("{:.0} %", confidence * 100.0)
}

fn local(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%a %-d %b %Y, %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// Base64 with padding (RFC 4648, section 4).
    fn base64(bytes: &[u8]) -> String {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            for position in 0..4 {
                let letter = LETTERS[(bits >> (18 - 6 * position) & 63) as usize];
                text.push(if position > chunk.len() { '=' } else { char::from(letter) });
            }
        }
        text
    }

    #[test]
    fn the_policy_allows_this_style_sheet_and_nothing_else() {
        assert_eq!(STYLE_SOURCE, format!("sha256-{}", base64(&Sha256::digest(STYLE))));
        let head = Page { items: 1, written_at: Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC) }.head();
        let policy = format!("default-src &#39;none&#39;; style-src &#39;{STYLE_SOURCE}&#39;");
        assert!(head.contains(&policy) || head.contains(&policy.replace("&#39;", "'")), "{head}");
        assert!(!head.contains("unsafe"));
    }
}
