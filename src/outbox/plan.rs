//! What is to be written because of a document: forwards and acknowledgements. Pure: no clock, no disk, no network.
//!
//! The mails are recorded together with the items that they are about, so that neither is there without the other.
//!
//! A forward goes out without a person having looked, so it does only where the machine is sure: the type is told with
//! the rule's confidence or a higher one, every page was read, and the whole document is one item about one baby.
//! Whatever is less sure is left to a person, who sees the item in its lane.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::address::Address;
use super::template::{Name, Templates};
use crate::archive::MailKind;
use crate::archive::event::Event;
use crate::config::outbox::{ForwardRule, OutboxSettings};
use crate::document::{DocumentId, Mail, MatchStatus, Reading};
use crate::pipeline;
use crate::queue::item::{ItemState, QueueItem};

/// Flags, as they begin, that leave something of the document unread.
const UNREAD: [&str; 9] = [
    "unreadable",
    "illegible",
    "handwriting",
    "text_layer_disagrees",
    "blank_picture",
    "damaged_picture",
    "unread_attachment",
    "page_count_differs",
    "received_with_errors",
];

/// What mails are written by: settings, templates, and the zone in which times are told.
#[derive(Clone, Debug)]
pub struct Planner {
    pub settings: OutboxSettings,
    pub templates: Templates,
    pub zone: TimeZone,
}

impl Planner {
    /// The mails by which these items' document is sent on.
    pub fn forwards(&self, document: &DocumentId, items: &[QueueItem]) -> Vec<Event> {
        let [item] = items else { return Vec::new() };
        let mut mails = Vec::new();
        for rule in &self.settings.forwards {
            let Some(why) = reason(rule, item) else { continue };
            if item.state != ItemState::Open || !is_sure(rule, item) {
                continue;
            }
            let received = self.local(item.received_at);
            let id = item.id.to_string();
            let link = self.link(&id);
            let text = self.templates.write(
                Name::Forward,
                &[
                    ("item", &id),
                    ("document", document.short()),
                    ("why", &why),
                    ("pages", &item.pages.to_string()),
                    ("received_at", &received),
                    ("link", &link),
                ],
            );
            for to in &rule.to {
                mails.push(Event::MailQueued {
                    key: format!("forward/{id}/{}/{to}", rule.name),
                    kind: MailKind::Forward,
                    document: Some(document.clone()),
                    item: Some(item.id.clone()),
                    recipient: to.to_string(),
                    subject: text.subject.clone(),
                    body: text.body.clone(),
                });
            }
        }
        mails
    }

    /// Whether a rule says that this item's document is to be sent on, sure or not.
    pub fn has_rule_for(&self, item: &QueueItem) -> bool {
        self.settings.forwards.iter().any(|rule| reason(rule, item).is_some())
    }

    /// The mail by which the sender of an email learns that it came; none unless it came to a mailbox, a person seems
    /// to have written it, and the sender is on the list. A message that quotes an acknowledgement is the answer to it,
    /// perhaps of a robot that says of itself nowhere that it is one.
    pub fn acknowledgement(&self, document: &DocumentId, source: &str, reading: &Reading) -> Option<Event> {
        let mail = reading.mail.as_ref().filter(|mail| mail.answerable && mail.automatic.is_none())?;
        if self.templates.is_quoted(Name::Acknowledgement, &own_words(reading, mail)) {
            return None;
        }
        let to = Address::parse(mail.from.as_deref()?)?;
        let settings = &self.settings;
        let is_ours = to.is_same(&settings.from) || !settings.mailboxes.iter().any(|mailbox| mailbox == source);
        if is_ours || !settings.acknowledge.allows(&to) {
            return None;
        }
        let text = self.templates.write(Name::Acknowledgement, &[("document", document.short())]);
        Some(Event::MailQueued {
            key: format!("acknowledgement/{document:?}/{to}"),
            kind: MailKind::Acknowledgement,
            document: Some(document.clone()),
            item: None,
            recipient: to.to_string(),
            subject: text.subject,
            body: text.body,
        })
    }

    /// A time as people read it here.
    pub fn local(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
    }

    /// Where a person finds an item; empty unless the configuration says.
    pub fn link(&self, item: &str) -> String {
        self.settings.link_base.as_ref().map(|base| format!("{base}{item}")).unwrap_or_default()
    }
}

/// What a message says in its own words.
fn own_words<'r>(reading: &'r Reading, mail: &'r Mail) -> Cow<'r, str> {
    if !mail.is_body {
        return Cow::Borrowed(mail.covering.as_deref().unwrap_or_default());
    }
    let words = reading.pages.iter().flat_map(|page| &page.words).map(|word| word.text.as_str());
    Cow::Owned(words.collect::<Vec<_>>().join(" "))
}

/// Why a rule sends this item on, in words; `None` when it does not.
fn reason(rule: &ForwardRule, item: &QueueItem) -> Option<String> {
    rule.when.iter().find_map(|name| {
        let flag = item.flags.iter().find(|flag| flag.split(':').next() == Some(name));
        if let Some(flag) = flag {
            let (name, why) = flag.split_once(':').unwrap_or((flag, ""));
            let name = name.replace('_', " ");
            return Some(if why.is_empty() { name } else { format!("{name}:{why}") });
        }
        (item.document_type.name() == name || item.lane == *name).then(|| item.document_type.name().replace('_', " "))
    })
}

/// Whether the machine may send this on by itself.
fn is_sure(rule: &ForwardRule, item: &QueueItem) -> bool {
    let unread = item.flags.iter().any(|flag| UNREAD.iter().any(|unread| flag.starts_with(unread)));
    let whole = item.page_range == [1, item.pages] && !item.flags.iter().any(|flag| flag.starts_with("other_segments"));
    let one_baby = item.link.status != MatchStatus::Ambiguous && !pipeline::may_be_about_another(item);
    item.type_confidence >= rule.min_confidence && !unread && whole && one_baby
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::document::{DocumentFormat, DocumentType, Receipt};

    const TABLES: &str = "state_dir = \"s\"\n[cases]\npath = \"c\"\n[export]\ndir = \"w\"\n\
        [[intake.mailbox]]\nname = \"um\"\nmaildir = \"um\"\n\
        [outbox]\nfrom = \"fax@clinic.example\"\nsmtp = { host = \"mail.clinic.example\" }\n\
        allow = [\"plan.example\"]\nacknowledge = [\"hospital.example\", \"clinic.example\"]\nlink_base = \"https://q/\"\n\
        [[outbox.forward]]\nname = \"plan\"\nwhen = [\"readmission\", \"out_of_program\"]\nto = [\"um@plan.example\"]\n";

    fn planner() -> Planner {
        let config = Config::parse(TABLES, Path::new("/etc/n.toml")).unwrap();
        let settings = config.outbox.unwrap();
        Planner { settings, templates: Templates::load(None).unwrap(), zone: TimeZone::UTC }
    }

    fn document() -> DocumentId {
        DocumentId::of(b"fax")
    }

    fn readmission() -> QueueItem {
        let receipt = Receipt::new("secure-fax", "1.tif", "2026-03-16T09:12:00Z".parse().unwrap());
        let mut item = QueueItem::held(&document(), &receipt, "");
        (item.pages, item.page_range, item.flags) = (2, [1, 2], Vec::new());
        (item.document_type, item.type_confidence, item.state) = (DocumentType::Readmission, 0.95, ItemState::Open);
        item
    }

    fn mail(from: &str) -> Mail {
        Mail { from: Some(from.to_owned()), answerable: true, ..Mail::default() }
    }

    #[test]
    fn a_readmission_that_is_sure_is_sent_on_with_the_reason_and_without_a_name() {
        let planner = planner();
        let mails = planner.forwards(&document(), &[readmission()]);
        let [Event::MailQueued { key, recipient, body, kind, .. }] = mails.as_slice() else { panic!("{mails:?}") };
        assert_eq!((kind, recipient.as_str()), (&MailKind::Forward, "um@plan.example"));
        assert!(key.starts_with("forward/") && key.ends_with("/plan/um@plan.example"), "{key}");
        assert!(body.contains(": readmission.") && body.contains("https://q/"), "{body}");
    }

    #[test]
    fn what_is_less_than_sure_is_left_to_a_person() {
        let planner = planner();
        let changes: [fn(&mut QueueItem); 8] = [
            |item| item.type_confidence = 0.89,
            |item| item.flags.push("unreadable: p2".to_owned()),
            |item| item.flags.push("page_count_differs".to_owned()),
            |item| item.flags.push("other_segments: x-2".to_owned()),
            |item| item.page_range = [1, 1],
            |item| item.link.status = MatchStatus::Ambiguous,
            |item| item.link.reasons.push("page 2 may be about another baby".to_owned()),
            |item| item.state = ItemState::Resolved,
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut item = readmission();
            change(&mut item);
            assert!(planner.forwards(&document(), &[item]).is_empty(), "change {number}");
        }
        assert!(planner.forwards(&document(), &[readmission(), readmission()]).is_empty(), "several items");
        let other = QueueItem { document_type: DocumentType::Discharge, ..readmission() };
        assert!(planner.forwards(&document(), std::slice::from_ref(&other)).is_empty(), "no rule");
        assert!(!planner.has_rule_for(&other) && planner.has_rule_for(&readmission()));
        let flagged = QueueItem { flags: vec!["out_of_program: FEP".to_owned()], ..other };
        assert_eq!(planner.forwards(&document(), &[flagged]).len(), 1);
    }

    #[test]
    fn an_acknowledgement_goes_to_listed_people_who_wrote_to_a_mailbox_and_to_nobody_else() {
        let planner = planner();
        let reading = |mail: &Mail| {
            let words = crate::reader::message::page_of_text("Are you there?", 1, 1);
            Reading { mail: Some(mail.clone()), ..Reading::new(DocumentFormat::Message, vec![words]) }
        };
        let told = |source, mail: &Mail| planner.acknowledgement(&document(), source, &reading(mail)).is_some();
        assert!(told("um", &mail("ur@hospital.example")));
        assert!(!told("secure-fax", &mail("ur@hospital.example")), "no mailbox");
        assert!(!told("um", &mail("ur@elsewhere.example")), "not listed");
        assert!(!told("um", &mail("FAX@clinic.example")), "our own");
        assert!(!told("um", &Mail { answerable: false, ..mail("ur@hospital.example") }));
        assert!(!told("um", &mail("ur@hospital.example\r\nbcc: x@hospital.example")));
        let quoted = Mail {
            covering: Some("> Your message was received. Its id is 0a1b.".to_owned()),
            ..mail("ur@hospital.example")
        };
        assert!(!told("um", &quoted) && told("um", &Mail { is_body: true, ..quoted.clone() }));
        let fax = Reading { mail: None, ..reading(&quoted) };
        assert!(planner.acknowledgement(&document(), "um", &fax).is_none());
    }
}
