//! `[outbox]`: the file's own shape, and the settings that it comes to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::civil::Time;
use serde::Deserialize;

use super::Encryption;
use super::file::duration;
use super::secret::SecretPlace;
use super::validate::{Problems, is_this_machine, resolve};
use crate::document::DocumentType;
use crate::outbox::address::{Address, AllowList};
use crate::route::rules::Rule;

/// Least confidence in a document's type at which the machine forwards by itself, by default.
const SURE: f32 = 0.9;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    from: String,
    smtp: Option<SmtpTable>,
    sendmail: Option<PathBuf>,
    #[serde(default)]
    trust_local_relay: bool,
    /// Default 5 min, 5 s to 30 min.
    #[serde(default, deserialize_with = "duration")]
    timeout: Option<Duration>,
    /// Default 30 s, 1 s to 1 h.
    #[serde(default, deserialize_with = "duration")]
    retry_after: Option<Duration>,
    /// Default 24 h, 1 s to 7 days.
    #[serde(default, deserialize_with = "duration")]
    give_up_after: Option<Duration>,
    /// Default 20 MB, 100 kB to 100 MB.
    max_attachment: Option<ByteSize>,
    templates: Option<PathBuf>,
    link_base: Option<String>,
    #[serde(default)]
    operators: Vec<String>,
    /// Default 10, 1 to 10,000.
    worker_losses: Option<u64>,
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    acknowledge: Vec<String>,
    #[serde(default)]
    notices: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    digest: Vec<DigestTable>,
    #[serde(default)]
    forward: Vec<ForwardTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SmtpTable {
    host: String,
    port: Option<u16>,
    #[serde(default)]
    tls: Encryption,
    user: Option<String>,
    password_file: Option<PathBuf>,
    password_credential: Option<String>,
    ca_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DigestTable {
    nurse: String,
    to: String,
    times: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForwardTable {
    name: String,
    when: Vec<String>,
    to: Vec<String>,
    /// Default 0.9, 0.5 to 1.
    min_confidence: Option<f32>,
}

/// `[outbox]`: whom the daemon writes to, when, and through whom.
#[derive(Clone, Debug)]
pub struct OutboxSettings {
    /// Sender of every mail.
    pub from: Address,
    pub relay: Relay,
    /// Whether forwards, which hold patient data, may go to a relay on this machine without TLS.
    pub trust_local_relay: bool,
    /// For a whole mail to be handed over.
    pub timeout: Duration,
    /// Before the second try; doubled with each, to an hour.
    pub retry_after: Duration,
    pub give_up_after: Duration,
    /// A larger document is not forwarded.
    pub max_attachment: u64,
    /// Folder of an operator's own templates.
    pub templates: Option<PathBuf>,
    /// What an item's id is put behind to make a link.
    pub link_base: Option<String>,
    pub operators: Vec<Address>,
    /// More workers lost within an hour are told to the operators.
    pub worker_losses: u64,
    /// To whom forwards may go.
    pub allow: AllowList,
    /// Whose emails are acknowledged.
    pub acknowledge: AllowList,
    /// Who is told of urgent items, by the lane's name.
    pub notices: BTreeMap<String, Vec<Address>>,
    pub digests: Vec<Digest>,
    pub forwards: Vec<ForwardRule>,
    /// Sources of which silence is told, with how long it may last.
    pub silent_after: Vec<(String, Duration)>,
    /// Names of the sources that are mailboxes.
    pub mailboxes: Vec<String>,
}

/// Who takes our mails over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relay {
    Smtp(Smtp),
    /// A program of this machine, called as sendmail is.
    Sendmail(PathBuf),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub tls: Encryption,
    /// User and password.
    pub login: Option<(String, SecretPlace)>,
    /// A root certificate besides the system's (PEM).
    pub ca_file: Option<PathBuf>,
}

impl OutboxSettings {
    /// Whether what is sent holds patient data may go this way.
    pub fn is_safe_for_patient_data(&self) -> bool {
        let verified = matches!(&self.relay, Relay::Smtp(smtp) if smtp.tls != Encryption::None);
        verified || self.trust_local_relay
    }
}

/// `[[outbox.digest]]`
#[derive(Clone, Debug)]
pub struct Digest {
    /// As the case registry names the nurse.
    pub nurse: String,
    pub to: Address,
    pub times: Vec<Time>,
}

/// `[[outbox.forward]]`
#[derive(Clone, Debug)]
pub struct ForwardRule {
    pub name: String,
    /// Types, lanes and flags; one of them is enough.
    pub when: Vec<String>,
    pub to: Vec<Address>,
    pub min_confidence: f32,
}

impl Problems<'_> {
    /// `silent_after` and `mailboxes` stand with the sources.
    pub(super) fn outbox(
        &mut self,
        table: Option<Table>,
        silent_after: Vec<(String, Duration)>,
        mailboxes: Vec<String>,
        base: &Path,
    ) -> Option<OutboxSettings> {
        let told = table.as_ref().is_some_and(|table| !table.operators.is_empty());
        if !silent_after.is_empty() && !told {
            self.add("silent_after", "there is nobody to be told", "set [outbox] operators, or take silent_after out");
        }
        let minute = Duration::from_secs(60);
        for (source, silent) in &silent_after {
            self.ranged(format!("silent_after of `{source}`"), Some(*silent), *silent, minute, 60 * 24 * 31 * minute);
        }
        let table = table?;
        let from = self.address("outbox.from", &table.from);
        let relay = self.relay(table.smtp, table.sendmail, base);
        let operators = self.addresses("outbox.operators", &table.operators);
        let allow = self.allow_list("outbox.allow", &table.allow);
        let acknowledge = self.allow_list("outbox.acknowledge", &table.acknowledge);
        let mut notices = BTreeMap::new();
        for (lane, addresses) in table.notices {
            let key = format!("outbox.notices.{lane}");
            self.lane(key.clone(), &lane);
            notices.insert(lane, self.addresses(&key, &addresses));
        }
        let digests = self.digests(table.digest);
        let forwards = self.forwards(table.forward, &allow);
        if let Some(link) = &table.link_base
            && !(link.starts_with("https://") || link.starts_with("http://") || link.starts_with("file://"))
        {
            self.add("outbox.link_base", "is no address of a page", "begin it with https://");
        }
        let second = Duration::from_secs(1);
        let settings = OutboxSettings {
            trust_local_relay: table.trust_local_relay,
            timeout: self.ranged("outbox.timeout".into(), table.timeout, 5 * minute, 5 * second, 30 * minute),
            retry_after: self.ranged("outbox.retry_after".into(), table.retry_after, 30 * second, second, 60 * minute),
            give_up_after: self.ranged(
                "outbox.give_up_after".into(),
                table.give_up_after,
                60 * 24 * minute,
                second,
                60 * 24 * 7 * minute,
            ),
            max_attachment: self
                .ranged(
                    "outbox.max_attachment".into(),
                    table.max_attachment,
                    ByteSize::mb(20),
                    ByteSize::kb(100),
                    ByteSize::mb(100),
                )
                .as_u64(),
            templates: table.templates.map(|path| resolve(base, &path)),
            link_base: table.link_base,
            worker_losses: self.ranged("outbox.worker_losses".into(), table.worker_losses, 10, 1, 10_000),
            operators,
            allow,
            acknowledge,
            notices,
            digests,
            forwards,
            silent_after,
            mailboxes,
            from: from?,
            relay: relay?,
        };
        Some(settings)
    }

    fn address(&mut self, key: &str, text: &str) -> Option<Address> {
        let address = Address::parse(text);
        if address.is_none() {
            self.add(key, "is no plain mail address", "give one such as name@clinic.example, without a name in front");
        }
        address
    }

    fn addresses(&mut self, key: &str, texts: &[String]) -> Vec<Address> {
        texts
            .iter()
            .enumerate()
            .filter_map(|(position, text)| self.address(&format!("{key}[{position}]"), text))
            .collect()
    }

    fn allow_list(&mut self, key: &str, entries: &[String]) -> AllowList {
        let mut list = AllowList::default();
        for (position, entry) in entries.iter().enumerate() {
            if !list.add(entry) {
                self.add(
                    format!("{key}[{position}]"),
                    "is neither an address nor a domain",
                    "give name@plan.example or plan.example",
                );
            }
        }
        list
    }

    fn relay(&mut self, smtp: Option<SmtpTable>, sendmail: Option<PathBuf>, base: &Path) -> Option<Relay> {
        match (smtp, sendmail) {
            (Some(smtp), None) => Some(Relay::Smtp(self.smtp(smtp, base))),
            (None, Some(program)) => {
                if program.is_relative() {
                    self.add("outbox.sendmail", "is no absolute path", "give one such as /usr/sbin/sendmail");
                }
                Some(Relay::Sendmail(program))
            }
            (Some(_), Some(_)) => {
                self.add("outbox.sendmail", "stands beside smtp", "take one of them out");
                None
            }
            (None, None) => {
                let remedy = "give smtp = { host = \"…\" }, or sendmail = \"/usr/sbin/sendmail\"";
                self.add("outbox.smtp", "nobody is named who takes mails over", remedy);
                None
            }
        }
    }

    fn smtp(&mut self, table: SmtpTable, base: &Path) -> Smtp {
        let key = "outbox.smtp";
        if table.tls == Encryption::None && !is_this_machine(&table.host) {
            self.add(
                format!("{key}.tls"),
                "would send in the clear to another machine",
                "give \"implicit\" or \"starttls\"; \"none\" is for localhost, 127.0.0.1 and ::1",
            );
        }
        let host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
        if table.host.is_empty() || !table.host.bytes().all(host) {
            self.add(format!("{key}.host"), "is no host's name or address", "give one such as mail.clinic.example");
        }
        let password = self.secret(key, "password", table.password_file, table.password_credential, base);
        let login = match (table.user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            (Some(_), None) => {
                self.add(format!("{key}.user"), "has no password", "add password_file or password_credential");
                None
            }
            (None, Some(_)) => {
                self.add(format!("{key}.user"), "is missing beside the password", "add user");
                None
            }
        };
        let port = table.port.unwrap_or(match table.tls {
            Encryption::Implicit => 465,
            Encryption::StartTls => 587,
            Encryption::None => 25,
        });
        let ca_file = table.ca_file.map(|path| resolve(base, &path));
        Smtp { host: table.host, port, tls: table.tls, login, ca_file }
    }

    fn digests(&mut self, tables: Vec<DigestTable>) -> Vec<Digest> {
        let mut digests = Vec::new();
        for (position, DigestTable { nurse, to, times }) in tables.into_iter().enumerate() {
            let key = |name: &str| format!("outbox.digest[{position}].{name}");
            let to = self.address(&key("to"), &to);
            let parsed: Vec<Time> = times.iter().filter_map(|time| Time::strptime("%H:%M", time).ok()).collect();
            if parsed.len() != times.len() || parsed.is_empty() {
                self.add(key("times"), "holds no times of day", "give them such as [\"07:30\", \"15:00\"]");
            }
            digests.extend(to.map(|to| Digest { nurse, to, times: parsed }));
        }
        digests
    }

    fn forwards(&mut self, tables: Vec<ForwardTable>, allow: &AllowList) -> Vec<ForwardRule> {
        let types = DocumentType::ALL.map(DocumentType::name);
        let routing = Arc::clone(&self.routing);
        let lanes = routing.lanes.iter().map(|lane| lane.name.as_str());
        let set: BTreeSet<String> = routing.rules.iter().flat_map(Rule::flag_names).collect();
        let known: Vec<&str> = types.into_iter().chain(lanes).chain(set.iter().map(String::as_str)).collect();
        let mut rules: Vec<ForwardRule> = Vec::new();
        for (position, ForwardTable { name, when, to, min_confidence }) in tables.into_iter().enumerate() {
            let key = |name: &str| format!("outbox.forward[{position}].{name}");
            self.usable_name(key("name"), &name, "the journal");
            if rules.iter().any(|rule| rule.name == name) {
                self.add(key("name"), format!("`{name}` is used twice"), "give each rule a name of its own");
            }
            if when.is_empty() || when.iter().any(|name| !known.contains(&name.as_str())) {
                self.add(key("when"), "names no type, lane or flag", format!("give some of {}", known.join(", ")));
            }
            let to = self.addresses(&key("to"), &to);
            if to.is_empty() {
                self.add(key("to"), "names nobody", "give one address or several");
            }
            if to.iter().any(|to| !allow.allows(to)) {
                let remedy = "add the address, or its domain, to [outbox] allow: a forward holds patient data";
                self.add(key("to"), "names somebody who is not on the allow list", remedy);
            }
            let min_confidence = self.ranged(key("min_confidence"), min_confidence, SURE, 0.5, 1.0);
            rules.push(ForwardRule { name, when, to, min_confidence });
        }
        rules
    }
}
