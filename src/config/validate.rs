//! From the file's own shape to settings: every default and range, and what is wrong with a value and what to do.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span};
use rustix::fs::Gid;

use super::file::{After, AtRestName, Folder, Mailbox, Reader, Retention};
use super::secret::SecretPlace;
use super::{Problem, ReaderSettings};
use crate::archive::{AtRest, KeyPlace, RetentionRule};
use crate::intake::folder::{AfterAccept, FolderKind, FolderSettings};
use crate::intake::submit;
use crate::link::LinkPolicy;
use crate::route::rules::RoutingRules;

/// A hundred years, leap days included.
const LONGEST_RETENTION: SignedDuration = SignedDuration::from_hours(36_525 * 24);

/// `base/path` without `.` and `..` parts, so that paths can be compared.
pub(super) fn resolve(base: &Path, path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for part in base.join(path).components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                resolved.pop();
            }
            std::path::Component::Prefix(_) | std::path::Component::RootDir | std::path::Component::Normal(_) => {
                resolved.push(part);
            }
        }
    }
    resolved
}

/// Whether this names the machine itself, whatever it resolves to.
pub(super) fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What becomes of a source's file, by default or as configured.
fn after(after: Option<After>, done: Option<PathBuf>, path: &Path, base: &Path) -> AfterAccept {
    match after.unwrap_or(After::Move) {
        After::Move => {
            AfterAccept::MoveTo(done.map_or_else(|| FolderSettings::default_done(path), |done| resolve(base, &done)))
        }
        After::Delete => AfterAccept::Delete,
    }
}

/// Collects what is wrong while the settings are taken over.
pub(super) struct Problems<'a> {
    pub file: &'a Path,
    pub found: Vec<Problem>,
    /// Whose lanes settings may name.
    pub routing: Arc<RoutingRules>,
}

impl Problems<'_> {
    pub(super) fn add(&mut self, key: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) {
        self.found.push(Problem {
            file: self.file.to_owned(),
            key: key.into(),
            problem: problem.into(),
            remedy: remedy.into(),
        });
    }

    /// The value, or the default; out of range is a problem.
    pub fn ranged<T: PartialOrd + Copy + std::fmt::Debug>(
        &mut self,
        key: String,
        value: Option<T>,
        default: T,
        least: T,
        most: T,
    ) -> T {
        let value = value.unwrap_or(default);
        if value < least || value > most {
            self.add(key, format!("{value:?} is out of range"), format!("give {least:?} to {most:?}"));
        }
        value
    }

    pub fn time_zone(&mut self, name: Option<&str>) -> TimeZone {
        match name {
            None => TimeZone::system(),
            Some(name) => TimeZone::get(name).unwrap_or_else(|_| {
                self.add("time_zone", format!("`{name}` is not known here"), "give a name such as America/New_York");
                TimeZone::UTC
            }),
        }
    }

    pub fn folder(&mut self, key: &str, folder: Folder, base: &Path) -> FolderSettings {
        let path = resolve(base, &folder.path);
        self.source_name(key, &folder.name);
        let second = Duration::from_secs(1);
        FolderSettings {
            key: format!("{key}.path"),
            source: folder.name.clone(),
            kind: FolderKind::Inbox,
            settle: self.ranged(format!("{key}.settle"), folder.settle, 5 * second, Duration::ZERO, 600 * second),
            rescan: self.rescan(key, folder.rescan),
            after: after(folder.after, folder.done, &path, base),
            max_bytes: self.max_bytes(key, folder.max_bytes),
            name: folder.name,
            path,
        }
    }

    /// The two folders of a maildir in which messages lie: unseen and seen. What lies there is whole.
    pub fn maildir(&mut self, key: &str, mailbox: Mailbox, maildir: &Path, base: &Path) -> [FolderSettings; 2] {
        self.source_name(key, &mailbox.name);
        let path = resolve(base, maildir);
        let new = FolderSettings {
            key: format!("{key}.maildir"),
            name: format!("{}/new", mailbox.name),
            source: mailbox.name.clone(),
            kind: FolderKind::Maildir,
            settle: Duration::ZERO,
            rescan: self.rescan(key, mailbox.rescan),
            after: after(mailbox.after, mailbox.done, &path, base),
            max_bytes: self.max_bytes(key, mailbox.max_bytes),
            path: path.join("new"),
        };
        let seen = FolderSettings { name: format!("{}/cur", mailbox.name), path: path.join("cur"), ..new.clone() };
        [new, seen]
    }

    pub fn source_name(&mut self, key: &str, name: &str) {
        self.usable_name(format!("{key}.name"), name, "logs and exports");
        if name == submit::SOURCE {
            self.add(
                format!("{key}.name"),
                "is the name of what `nicufaxd submit` takes",
                "give the source another name",
            );
        }
    }

    /// A name that can stand there as it is.
    pub(super) fn usable_name(&mut self, key: String, name: &str, stands_in: &str) {
        let acceptable = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(acceptable) {
            let remedy = format!("use 1 to 64 letters, digits, `-`, `_` or `.`: the name stands in {stands_in}");
            self.add(key, "is not a usable name", remedy);
        }
    }

    pub fn rescan(&mut self, key: &str, value: Option<Duration>) -> Duration {
        let second = Duration::from_secs(1);
        self.ranged(format!("{key}.rescan"), value, 60 * second, second, 3600 * second)
    }

    pub fn max_bytes(&mut self, key: &str, value: Option<ByteSize>) -> u64 {
        self.ranged(format!("{key}.max_bytes"), value, ByteSize::mb(100), ByteSize::kb(1), ByteSize::gb(2)).as_u64()
    }

    /// There is a source, and each has a name of its own. Given are the sources' names and the keys of their tables.
    pub fn names_apart(&mut self, sources: impl IntoIterator<Item = (String, String)>) {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for (name, key) in sources {
            let problem = format!("`{name}` is used twice");
            if names.insert(name, key.clone()).is_some_and(|other| other != key) {
                self.add(format!("{key}.name"), problem, "give each source a name of its own");
            }
        }
        if names.is_empty() {
            self.add("intake.folder", "no source is configured", "add an [[intake.folder]] with name and path");
        }
    }

    /// No inbox lies in another one or is another's `done`: a file would be taken twice.
    pub fn folders_apart(&mut self, folders: &[FolderSettings]) {
        for (position, folder) in folders.iter().enumerate() {
            for (other_position, other) in folders.iter().enumerate() {
                // Of two sources on one folder the second is told of.
                let same = folder.path == other.path;
                if position != other_position
                    && folder.path.starts_with(&other.path)
                    && !(same && position < other_position)
                {
                    self.add(
                        folder.key.clone(),
                        format!("lies in the inbox of `{}`", other.name),
                        "give each source a folder apart from the others",
                    );
                }
                if other.after == AfterAccept::MoveTo(folder.path.clone()) {
                    self.add(
                        folder.key.clone(),
                        format!("is where `{}` puts its released files", other.name),
                        "set another `done` folder",
                    );
                }
            }
        }
    }

    pub fn reader(&mut self, reader: Reader, base: &Path) -> ReaderSettings {
        let second = Duration::from_secs(1);
        let languages = reader.languages.unwrap_or_else(|| "eng".to_owned());
        if languages.is_empty()
            || !languages.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-/".contains(&byte))
        {
            self.add("reader.languages", "is no list of language data", "give names such as \"eng\" or \"eng+spa\"");
        }
        ReaderSettings {
            workers: self.ranged("reader.workers".to_owned(), reader.workers, 0, 0, 256),
            page_timeout: self.ranged(
                "reader.page_timeout".to_owned(),
                reader.page_timeout,
                120 * second,
                5 * second,
                3600 * second,
            ),
            worker_memory: self
                .ranged(
                    "reader.worker_memory".to_owned(),
                    reader.worker_memory,
                    ByteSize::gib(1),
                    ByteSize::mib(256),
                    ByteSize::gib(64),
                )
                .as_u64(),
            attempts: self.ranged("reader.attempts".to_owned(), reader.attempts, 3, 1, 20),
            languages,
            tessdata: reader.tessdata.map(|path| resolve(base, &path)),
            max_pages: self.ranged("reader.max_pages".to_owned(), reader.max_pages, 1000, 1, 100_000),
            max_pixels: self.ranged(
                "reader.max_pixels".to_owned(),
                reader.max_pixels,
                100_000_000,
                1_000_000,
                1_000_000_000,
            ),
            cage: reader.cage,
        }
    }

    pub fn link(&mut self, policy: &LinkPolicy) {
        if let Err(error) = policy.check() {
            self.add(
                format!("link.{}", error.key),
                format!("{} is out of range", error.value),
                format!("give {} to {} bits of evidence", error.least, error.most),
            );
        }
    }

    /// The one place of a secret, of the two ways to name one: `NAME_file` and `NAME_credential`; `None` when neither is
    /// given. `key` is the table's.
    pub fn secret(
        &mut self,
        key: &str,
        name: &str,
        file: Option<PathBuf>,
        credential: Option<String>,
        base: &Path,
    ) -> Option<SecretPlace> {
        match (file, credential) {
            (Some(_), Some(_)) => {
                let remedy = "take one of them out";
                self.add(format!("{key}.{name}_file"), format!("stands beside {name}_credential"), remedy);
                None
            }
            (Some(file), None) => Some(SecretPlace::File(resolve(base, &file))),
            (None, Some(credential)) => {
                self.usable_name(format!("{key}.{name}_credential"), &credential, "the unit");
                Some(SecretPlace::Credential(credential))
            }
            (None, None) => None,
        }
    }

    /// The id of a group of this machine.
    pub fn group(&mut self, name: &str) -> Option<Gid> {
        let found = nix::unistd::Group::from_name(name).ok().flatten();
        if found.is_none() {
            let remedy = "make it (groupadd), or name another";
            self.add("export.group", format!("`{name}` is no group of this machine"), remedy);
        }
        found.map(|group| Gid::from_raw(group.gid.as_raw()))
    }

    pub fn at_rest(&mut self, name: Option<AtRestName>, key_file: Option<PathBuf>) -> AtRest {
        match (name.unwrap_or(AtRestName::Sealed), key_file) {
            (AtRestName::Sealed, Some(file)) => AtRest::Sealed(KeyPlace::File(file)),
            (AtRestName::Sealed, None) => AtRest::Sealed(KeyPlace::Beside),
            (AtRestName::Plain, key_file) => {
                if key_file.is_some() {
                    self.add("key_file", "seals nothing, because at_rest is \"plain\"", "take one of them out");
                }
                AtRest::Plain
            }
        }
    }

    pub fn retention(&mut self, rules: Vec<Retention>, at_rest: &AtRest) -> Vec<RetentionRule> {
        if !rules.is_empty() && *at_rest == AtRest::Plain {
            let remedy = "take out at_rest = \"plain\", or the retention rules";
            self.add("retention", "a journal that is not sealed cannot forget", remedy);
        }
        let mut kept: Vec<RetentionRule> = Vec::with_capacity(rules.len());
        for (position, Retention { name, lane, state, after }) in rules.into_iter().enumerate() {
            let key = |name: &str| format!("retention[{position}].{name}");
            self.usable_name(key("name"), &name, "the journal");
            if kept.iter().any(|rule| rule.name == name) {
                self.add(key("name"), format!("`{name}` is used twice"), "give each rule a name of its own");
            }
            if let Some(lane) = &lane {
                self.lane(key("lane"), lane);
            }
            if state.is_some_and(|state| state != "resolved") {
                self.add(key("state"), "cannot be purged", "give \"resolved\": nothing else is ever purged");
            }
            let any_day = jiff::civil::date(2024, 1, 1);
            let span = after.parse::<Span>().ok().filter(|span| {
                let lasts = span.to_duration(any_day);
                lasts.is_ok_and(|lasts| (SignedDuration::from_hours(24)..=LONGEST_RETENTION).contains(&lasts))
            });
            match span {
                Some(after) => kept.push(RetentionRule { name, lane, after }),
                None => self.add(
                    key("after"),
                    format!("`{after}` is no time to keep"),
                    "give one day to a hundred years, such as \"400d\" or \"7y\"",
                ),
            }
        }
        kept
    }

    /// It is a lane of the routing rules.
    pub fn lane(&mut self, key: String, name: &str) {
        if !self.routing.has_lane(name) {
            let remedy = format!("give one of {}", self.routing.lane_names());
            self.add(key, "is no lane", remedy);
        }
    }

    pub fn level(&mut self, level: Option<String>) -> String {
        let level = level.unwrap_or_else(|| "info".to_owned());
        if !["error", "warn", "info", "debug", "trace"].contains(&level.as_str()) {
            self.add("log.level", format!("`{level}` is no level"), "give error, warn, info, debug or trace");
        }
        level
    }
}
