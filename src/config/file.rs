//! The file's own shape, kept apart from [`Config`](super::Config) so that the rest of the program never meets an unset
//! value; and reading it, so that every line that is wrong is told at once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer};

use super::{Encryption, LogFormat, Problem};
use crate::link::LinkPolicy;
use crate::reader::cage::CageMode;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_field_names, reason = "the names are the configuration's own")]
pub(super) struct File {
    pub state_dir: PathBuf,
    pub at_rest: Option<AtRestName>,
    pub key_file: Option<PathBuf>,
    #[serde(default)]
    pub retention: Vec<Retention>,
    pub time_zone: Option<String>,
    pub fax_number: Option<String>,
    #[serde(default)]
    pub intake: Intake,
    #[serde(default)]
    pub reader: Reader,
    #[serde(default)]
    pub understand: Understand,
    #[serde(default)]
    pub route: Route,
    pub cases: Cases,
    pub dispositions: Option<Dispositions>,
    #[serde(default)]
    pub link: Link,
    pub export: Export,
    #[serde(default)]
    pub log: Log,
    pub outbox: Option<super::outbox::Table>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Intake {
    /// Default 1 GiB, 0 to 1 PB.
    pub min_free: Option<ByteSize>,
    #[serde(default)]
    pub folder: Vec<Folder>,
    #[serde(default)]
    pub mailbox: Vec<Mailbox>,
}

impl Intake {
    /// The sources of which silence is to be told, with how long it may last.
    pub fn silent_after(&self) -> Vec<(String, Duration)> {
        let folders = self.folder.iter().map(|folder| (&folder.name, folder.silent_after));
        let mailboxes = self.mailbox.iter().map(|mailbox| (&mailbox.name, mailbox.silent_after));
        let told = folders.chain(mailboxes).filter_map(|(name, after)| Some((name.clone(), after?)));
        told.collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mailbox {
    pub name: String,
    /// Either this or `imap`.
    pub maildir: Option<PathBuf>,
    pub imap: Option<Imap>,
    /// Default: the lane whose name the mailbox bears, if there is one.
    pub lane: Option<String>,
    /// Default 60 s, 1 s to 1 h.
    #[serde(default, deserialize_with = "duration")]
    pub rescan: Option<Duration>,
    pub after: Option<After>,
    /// Default: `done` beside the maildir.
    pub done: Option<PathBuf>,
    /// Default 100 MB, 1 kB to 2 GB.
    pub max_bytes: Option<ByteSize>,
    /// Default: silence is not told of; 1 min to 31 days.
    #[serde(default, deserialize_with = "duration")]
    pub silent_after: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Imap {
    pub host: String,
    /// Default 993, and 143 unless `tls` is `implicit`.
    pub port: Option<u16>,
    #[serde(default)]
    pub tls: Encryption,
    pub ca_file: Option<PathBuf>,
    pub user: String,
    pub password_file: Option<PathBuf>,
    pub password_credential: Option<String>,
    pub oauth2: Option<Oauth2>,
    /// Default `INBOX`.
    pub folder: Option<String>,
    #[serde(default)]
    pub after: ImapAfter,
    /// Default `nicufaxd`.
    pub after_folder: Option<String>,
    /// Default `nicufaxd`.
    pub flag: Option<String>,
}

/// What becomes of a message at its server once it is stored durably.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ImapAfter {
    #[default]
    Move,
    Delete,
    Flag,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Oauth2 {
    pub token_url: String,
    pub client_id: String,
    pub client_secret_file: Option<PathBuf>,
    pub client_secret_credential: Option<String>,
    pub refresh_token_file: Option<PathBuf>,
    pub refresh_token_credential: Option<String>,
    pub scope: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Folder {
    pub name: String,
    pub path: PathBuf,
    /// Default 5 s, 0 s to 10 min.
    #[serde(default, deserialize_with = "duration")]
    pub settle: Option<Duration>,
    /// Default 60 s, 1 s to 1 h.
    #[serde(default, deserialize_with = "duration")]
    pub rescan: Option<Duration>,
    pub after: Option<After>,
    /// Default: `done` beside the inbox.
    pub done: Option<PathBuf>,
    /// Default 100 MB, 1 kB to 2 GB.
    pub max_bytes: Option<ByteSize>,
    /// Default: silence is not told of; 1 min to 31 days.
    #[serde(default, deserialize_with = "duration")]
    pub silent_after: Option<Duration>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reader {
    pub workers: Option<usize>,
    #[serde(default, deserialize_with = "duration")]
    pub page_timeout: Option<Duration>,
    pub worker_memory: Option<ByteSize>,
    pub attempts: Option<u32>,
    pub languages: Option<String>,
    pub tessdata: Option<PathBuf>,
    pub max_pages: Option<u32>,
    pub max_pixels: Option<u64>,
    #[serde(default)]
    pub cage: CageMode,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Understand {
    pub document_types: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    accept: Option<f64>,
    margin: Option<f64>,
    consider: Option<f64>,
    pub weights: Option<PathBuf>,
}

impl Link {
    /// The policy, with the built-in weights.
    pub fn policy(&self) -> LinkPolicy {
        let usual = LinkPolicy::default();
        LinkPolicy {
            accept: self.accept.unwrap_or(usual.accept),
            margin: self.margin.unwrap_or(usual.margin),
            consider: self.consider.unwrap_or(usual.consider),
            weights: usual.weights,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dispositions {
    pub path: PathBuf,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    pub rules: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cases {
    pub path: PathBuf,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum AtRestName {
    Sealed,
    Plain,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Retention {
    pub name: String,
    pub lane: Option<String>,
    pub state: Option<String>,
    pub after: String,
}

/// What becomes of a source's file once its document is stored durably.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum After {
    Move,
    Delete,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Export {
    pub dir: PathBuf,
    pub group: Option<String>,
    /// Default: true.
    pub items: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    pub format: Option<LogFormat>,
    pub level: Option<String>,
}

/// Durations are written as people write them: `"5s"`, `"2 min"`, `"1h 30m"`.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parsed: SignedDuration =
        text.parse().map_err(|_| serde::de::Error::custom(format!("`{text}` is no duration such as \"5s\"")))?;
    let unsigned = Duration::try_from(parsed).map_err(|_| serde::de::Error::custom("a duration can't be negative"))?;
    Ok(Some(unsigned))
}

/// Reads the file's own shape; a line that is wrong is told and left out, so that the next one is told too.
pub(super) fn read_toml(text: &str, file: &Path) -> Result<(File, Vec<Problem>), Vec<Problem>> {
    let mut left = text.to_owned();
    let mut found = Vec::new();
    loop {
        let error = match toml::from_str(&left) {
            Ok(parsed) => return Ok((parsed, found)),
            Err(error) => error,
        };
        found.push(toml_problem(text, file, &error));
        let Some(rest) = error.span().and_then(|span| without_line(&left, span.start)) else { return Err(found) };
        left = rest;
    }
}

/// The text with the key at this byte, or the whole table that its line begins, made blank; `None` when nothing is left
/// to leave out.
fn without_line(text: &str, offset: usize) -> Option<String> {
    let start = text.get(..offset)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..)?.lines().next()?;
    if line.trim().is_empty() {
        return None;
    }
    let mut end = start + line.len();
    if line.trim_start().starts_with('[') {
        let below = text.get(end..)?;
        end += below.find("\n[").unwrap_or(below.len());
    }
    let blank: String = text.get(start..end)?.chars().map(|sign| if sign == '\n' { '\n' } else { ' ' }).collect();
    Some([text.get(..start)?, &blank, text.get(end..)?].concat())
}

fn toml_problem(text: &str, file: &Path, error: &toml::de::Error) -> Problem {
    let offset = error.span().map_or(0, |span| span.start);
    let before = text.get(..offset).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Problem {
        file: file.to_owned(),
        key: format!("line {line}, column {column}"),
        problem: error.message().to_owned(),
        remedy: "correct this line; config/nicufaxd.toml shows every key with its default".to_owned(),
    }
}
