//! Settings: TOML → a validated [`Config`]. Keys, defaults and ranges stand together here and nowhere else.
//!
//! Unknown keys are errors. Relative paths are taken from the configuration file's own folder. Reading touches only
//! that file and the machine's lists of groups and time zones; whether the paths can be used on this machine is asked by `check` (`cli/check.rs`), with the same
//! `Config` that the daemon runs on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span};
use rustix::fs::Gid;
use serde::{Deserialize, Deserializer};

use crate::archive::{AtRest, KeyPlace, OpenOptions, RetentionRule};
use crate::intake::folder::{AfterAccept, FolderSettings};
use crate::intake::submit;
use crate::link::LinkPolicy;
use crate::queue::export::Worklist;
use crate::reader::cage::CageMode;
use crate::route::Lane;

/// Where the configuration is looked for unless `--config` names it.
pub const DEFAULT_FILE: &str = "/etc/nicufaxd/nicufaxd.toml";

/// The name of the key among systemd's credentials.
const CREDENTIAL: &str = "nicufaxd.key";

/// A hundred years, leap days included.
const LONGEST_RETENTION: SignedDuration = SignedDuration::from_hours(36_525 * 24);

/// One thing wrong with the configuration: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {key}: {problem}; {remedy}", file = file.display())]
pub struct Problem {
    pub file: PathBuf,
    /// The key as a dotted path, or `line L, column C` where the TOML itself is wrong.
    pub key: String,
    pub problem: String,
    pub remedy: String,
}

/// Everything the daemon can be told, validated.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it came from.
    pub file: PathBuf,
    /// Journal, documents and store; made with mode 0700 when absent.
    pub state_dir: PathBuf,
    /// Whether the state directory is sealed, and where its key is.
    pub at_rest: AtRest,
    /// What may be purged, and when; nothing is unless a rule says so.
    pub retention: Vec<RetentionRule>,
    /// Bytes that must be free on the disk of the state directory; with less, nothing is accepted.
    pub min_free: u64,
    /// Where days begin and end: the zone in which documents' dates are compared and times exported.
    pub time_zone: TimeZone,
    pub folders: Vec<FolderSettings>,
    pub reader: ReaderSettings,
    /// Type rules in place of the built-in ones.
    pub document_types: Option<PathBuf>,
    /// The open-case registry.
    pub cases: PathBuf,
    pub link: LinkPolicy,
    /// `[export] dir` and `group`, in `time_zone`.
    pub export: Worklist,
    pub log: LogSettings,
}

/// `[reader]`: the worker processes and their bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderSettings {
    /// Worker processes; 0 = one a core. At most 256.
    pub workers: usize,
    /// Wall time for one page before its worker is killed. Default 120 s, 5 s to 1 h.
    pub page_timeout: Duration,
    /// Address space of a worker. Default 1 GiB, 256 MiB to 64 GiB.
    pub worker_memory: u64,
    /// Attempts before a document is held. Default 3, 1 to 20.
    pub attempts: u32,
    /// Tesseract's language data. Default `eng`.
    pub languages: String,
    /// Folder of the language data, if not Tesseract's own.
    pub tessdata: Option<PathBuf>,
    /// A document with more pages is held. Default 1,000.
    pub max_pages: u32,
    /// A page with more pixels is not decoded. Default 100 million (a letter page at 1,000 dpi).
    pub max_pixels: u64,
    /// What becomes of a kernel that can't shut the workers in. Default: nothing starts.
    pub cage: CageMode,
}

/// `[log]`: lines on standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
}

/// For people or for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Human,
    Json,
}

// The file's own shape. Kept apart from `Config` so that the rest of the program never meets an unset value.

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_field_names, reason = "the names are the configuration's own")]
struct File {
    state_dir: PathBuf,
    at_rest: Option<AtRestName>,
    key_file: Option<PathBuf>,
    #[serde(default)]
    retention: Vec<Retention>,
    time_zone: Option<String>,
    #[serde(default)]
    intake: Intake,
    #[serde(default)]
    reader: Reader,
    #[serde(default)]
    understand: Understand,
    cases: Cases,
    #[serde(default)]
    link: LinkPolicy,
    export: Export,
    #[serde(default)]
    log: Log,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Intake {
    /// Default 1 GiB, 0 to 1 PB.
    min_free: Option<ByteSize>,
    #[serde(default)]
    folder: Vec<Folder>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Folder {
    name: String,
    path: PathBuf,
    /// Default 5 s, 0 s to 10 min.
    #[serde(default, deserialize_with = "duration")]
    settle: Option<Duration>,
    /// Default 60 s, 1 s to 1 h.
    #[serde(default, deserialize_with = "duration")]
    rescan: Option<Duration>,
    after: Option<After>,
    /// Default: `done` beside the inbox.
    done: Option<PathBuf>,
    /// Default 100 MB, 1 kB to 2 GB.
    max_bytes: Option<ByteSize>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reader {
    workers: Option<usize>,
    #[serde(default, deserialize_with = "duration")]
    page_timeout: Option<Duration>,
    worker_memory: Option<ByteSize>,
    attempts: Option<u32>,
    languages: Option<String>,
    tessdata: Option<PathBuf>,
    max_pages: Option<u32>,
    max_pixels: Option<u64>,
    #[serde(default)]
    cage: CageMode,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Understand {
    document_types: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    path: PathBuf,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AtRestName {
    Sealed,
    Plain,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Retention {
    name: String,
    lane: Option<String>,
    state: Option<String>,
    after: String,
}

/// What becomes of a source's file once its document is stored durably.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum After {
    Move,
    Delete,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    dir: PathBuf,
    group: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Log {
    format: Option<LogFormat>,
    level: Option<String>,
}

/// Durations are written as people write them: `"5s"`, `"2 min"`, `"1h 30m"`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parsed: SignedDuration =
        text.parse().map_err(|_| serde::de::Error::custom(format!("`{text}` is no duration such as \"5s\"")))?;
    let unsigned = Duration::try_from(parsed).map_err(|_| serde::de::Error::custom("a duration can't be negative"))?;
    Ok(Some(unsigned))
}

impl Config {
    /// How the archive is to be opened.
    pub fn archive_options(&self) -> OpenOptions {
        OpenOptions { min_free: self.min_free, ..OpenOptions::new(self.at_rest.clone()) }
    }

    /// Reads and validates `file`; every problem that is found is given, not only the first.
    pub fn load(file: &Path) -> Result<Self, Vec<Problem>> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            vec![Problem {
                file: file.to_owned(),
                key: "(file)".to_owned(),
                problem: format!("cannot be read: {error}"),
                remedy: "name the configuration with --config FILE".to_owned(),
            }]
        })?;
        // A relative --config has the empty parent; `absolute` gives its folder a name that works after a chdir.
        let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let mut config = Self::parse(&text, &absolute)?;
        // systemd hands over what `LoadCredential=` names in a folder that it names so.
        let credential = std::env::var_os("CREDENTIALS_DIRECTORY").map(|folder| Path::new(&folder).join(CREDENTIAL));
        if let Some(credential) = credential.filter(|credential| credential.exists())
            && config.at_rest == AtRest::Sealed(KeyPlace::Beside)
        {
            config.at_rest = AtRest::Sealed(KeyPlace::Credential(credential));
        }
        Ok(config)
    }

    /// Validates `text` as the content of `file` (an absolute path; relative paths are taken from its folder).
    pub fn parse(text: &str, file: &Path) -> Result<Self, Vec<Problem>> {
        let (parsed, unreadable) = read_toml(text, file)?;
        let base = file.parent().unwrap_or(Path::new("/"));
        let mut problems = Problems { file, found: unreadable };

        let time_zone = problems.time_zone(parsed.time_zone.as_deref());
        let folders: Vec<_> = parsed
            .intake
            .folder
            .into_iter()
            .enumerate()
            .map(|(position, folder)| problems.folder(position, folder, base))
            .collect();
        problems.folders_apart(&folders);
        let min_free = problems
            .ranged(
                "[intake] min_free".to_owned(),
                parsed.intake.min_free,
                ByteSize::gib(1),
                ByteSize::b(0),
                ByteSize::pb(1),
            )
            .as_u64();
        let reader = problems.reader(parsed.reader, base);
        problems.link(&parsed.link);
        let level = problems.level(parsed.log.level);
        let at_rest = problems.at_rest(parsed.at_rest, parsed.key_file.map(|path| resolve(base, &path)));
        let retention = problems.retention(parsed.retention, &at_rest);
        let group = parsed.export.group.and_then(|name| problems.group(&name));

        let config = Self {
            file: file.to_owned(),
            state_dir: resolve(base, &parsed.state_dir),
            at_rest,
            retention,
            folders,
            min_free,
            reader,
            document_types: parsed.understand.document_types.map(|path| resolve(base, &path)),
            cases: resolve(base, &parsed.cases.path),
            link: parsed.link,
            export: Worklist { folder: resolve(base, &parsed.export.dir), zone: time_zone.clone(), group },
            time_zone,
            log: LogSettings { format: parsed.log.format.unwrap_or(LogFormat::Human), level },
        };
        if problems.found.is_empty() { Ok(config) } else { Err(problems.found) }
    }
}

/// `base/path` without `.` and `..` parts, so that paths can be compared.
fn resolve(base: &Path, path: &Path) -> PathBuf {
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

/// Reads the file's own shape; a line that is wrong is told and left out, so that the next one is told too.
fn read_toml(text: &str, file: &Path) -> Result<(File, Vec<Problem>), Vec<Problem>> {
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

/// Collects what is wrong while the settings are taken over.
struct Problems<'a> {
    file: &'a Path,
    found: Vec<Problem>,
}

impl Problems<'_> {
    fn add(&mut self, key: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) {
        self.found.push(Problem {
            file: self.file.to_owned(),
            key: key.into(),
            problem: problem.into(),
            remedy: remedy.into(),
        });
    }

    /// The value, or the default; out of range is a problem.
    fn ranged<T: PartialOrd + Copy + std::fmt::Debug>(
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

    fn time_zone(&mut self, name: Option<&str>) -> TimeZone {
        match name {
            None => TimeZone::system(),
            Some(name) => TimeZone::get(name).unwrap_or_else(|_| {
                self.add("time_zone", format!("`{name}` is not known here"), "give a name such as America/New_York");
                TimeZone::UTC
            }),
        }
    }

    fn folder(&mut self, position: usize, folder: Folder, base: &Path) -> FolderSettings {
        let key = |name: &str| format!("intake.folder[{position}].{name}");
        let acceptable = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if folder.name.is_empty() || folder.name.len() > 64 || !folder.name.bytes().all(acceptable) {
            self.add(
                key("name"),
                "is not a usable name",
                "use 1 to 64 letters, digits, `-`, `_` or `.`: the name stands in logs and exports",
            );
        }
        if folder.name == submit::SOURCE {
            self.add(key("name"), "is the name of what `nicufaxd submit` takes", "give the folder another name");
        }
        let path = resolve(base, &folder.path);
        let after = match folder.after.unwrap_or(After::Move) {
            After::Move => AfterAccept::MoveTo(
                folder.done.map_or_else(|| FolderSettings::default_done(&path), |done| resolve(base, &done)),
            ),
            After::Delete => AfterAccept::Delete,
        };
        let second = Duration::from_secs(1);
        FolderSettings {
            settle: self.ranged(key("settle"), folder.settle, 5 * second, Duration::ZERO, 600 * second),
            rescan: self.ranged(key("rescan"), folder.rescan, 60 * second, second, 3600 * second),
            after,
            max_bytes: self
                .ranged(key("max_bytes"), folder.max_bytes, ByteSize::mb(100), ByteSize::kb(1), ByteSize::gb(2))
                .as_u64(),
            name: folder.name,
            path,
        }
    }

    /// Names are unique, and no inbox lies in another one or is another's `done`: a file would be taken twice.
    fn folders_apart(&mut self, folders: &[FolderSettings]) {
        if folders.is_empty() {
            self.add("intake.folder", "no source is configured", "add an [[intake.folder]] with name and path");
        }
        let mut names = BTreeSet::new();
        for (position, folder) in folders.iter().enumerate() {
            if !names.insert(&folder.name) {
                self.add(
                    format!("intake.folder[{position}].name"),
                    format!("`{}` is used twice", folder.name),
                    "give each source a name of its own",
                );
            }
            for (other_position, other) in folders.iter().enumerate() {
                if position != other_position && folder.path.starts_with(&other.path) {
                    self.add(
                        format!("intake.folder[{position}].path"),
                        format!("lies in the inbox of `{}`", other.name),
                        "give each source a folder apart from the others",
                    );
                }
                if other.after == AfterAccept::MoveTo(folder.path.clone()) {
                    self.add(
                        format!("intake.folder[{position}].path"),
                        format!("is where `{}` puts its released files", other.name),
                        "set another `done` folder",
                    );
                }
            }
        }
    }

    fn reader(&mut self, reader: Reader, base: &Path) -> ReaderSettings {
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

    fn link(&mut self, policy: &LinkPolicy) {
        if let Err(error) = policy.check() {
            self.add(
                format!("link.{}", error.key),
                format!("{} is out of range", error.value),
                format!("give {} to {} bits of evidence", error.least, error.most),
            );
        }
    }

    /// The id of a group of this machine.
    fn group(&mut self, name: &str) -> Option<Gid> {
        let found = nix::unistd::Group::from_name(name).ok().flatten();
        if found.is_none() {
            let remedy = "make it (groupadd), or name another";
            self.add("export.group", format!("`{name}` is no group of this machine"), remedy);
        }
        found.map(|group| Gid::from_raw(group.gid.as_raw()))
    }

    fn at_rest(&mut self, name: Option<AtRestName>, key_file: Option<PathBuf>) -> AtRest {
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

    fn retention(&mut self, rules: Vec<Retention>, at_rest: &AtRest) -> Vec<RetentionRule> {
        if !rules.is_empty() && *at_rest == AtRest::Plain {
            let remedy = "take out at_rest = \"plain\", or the retention rules";
            self.add("retention", "a journal that is not sealed cannot forget", remedy);
        }
        let mut kept: Vec<RetentionRule> = Vec::with_capacity(rules.len());
        for (position, Retention { name, lane, state, after }) in rules.into_iter().enumerate() {
            let key = |name: &str| format!("retention[{position}].{name}");
            let acceptable = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            if name.is_empty() || name.len() > 64 || !name.bytes().all(acceptable) {
                let remedy = "use 1 to 64 letters, digits, `-`, `_` or `.`: the name stands in the journal";
                self.add(key("name"), "is not a usable name", remedy);
            }
            if kept.iter().any(|rule| rule.name == name) {
                self.add(key("name"), format!("`{name}` is used twice"), "give each rule a name of its own");
            }
            if lane.as_deref().is_some_and(|lane| Lane::ALL.iter().all(|known| known.name() != lane)) {
                let lanes: Vec<&str> = Lane::ALL.iter().map(|lane| lane.name()).collect();
                self.add(key("lane"), "is no lane", format!("give one of {}", lanes.join(", ")));
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

    fn level(&mut self, level: Option<String>) -> String {
        let level = level.unwrap_or_else(|| "info".to_owned());
        if !["error", "warn", "info", "debug", "trace"].contains(&level.as_str()) {
            self.add("log.level", format!("`{level}` is no level"), "give error, warn, info, debug or trace");
        }
        level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "state_dir = \"state\"\n[[intake.folder]]\nname = \"secure-fax\"\npath = \"inbox/fax\"\n\
                         [cases]\npath = \"cases.csv\"\n[export]\ndir = \"worklist\"\n";

    fn parse(text: &str) -> Result<Config, Vec<Problem>> {
        Config::parse(text, Path::new("/etc/nicufaxd/nicufaxd.toml"))
    }

    #[test]
    fn the_least_configuration_has_every_default() {
        let config = parse(LEAST).unwrap();
        assert_eq!(config.state_dir, Path::new("/etc/nicufaxd/state"));
        let folder = &config.folders[0];
        assert_eq!(folder.settle, Duration::from_secs(5));
        assert_eq!(folder.after, AfterAccept::MoveTo("/etc/nicufaxd/inbox/done".into()));
        assert_eq!(folder.max_bytes, 100_000_000);
        assert_eq!(config.reader.attempts, 3);
    }

    #[test]
    fn every_wrong_line_is_told_whatever_is_wrong_with_it() {
        let text = format!(
            "statedir = 3\n{}\nsettle = \"20min\"\nafter = \"burn\"\n[nonsense]\nworkers = 1\n[reader]\nworkers = \"many\"\n",
            LEAST.replace("[cases]", "setle = \"5s\"\n[cases]")
        );
        let told: Vec<String> =
            Config::parse(&text, Path::new("/etc/n.toml")).unwrap_err().iter().map(ToString::to_string).collect();
        for wrong in ["statedir", "setle", "after", "nonsense", "many"] {
            assert!(told.iter().any(|problem| problem.contains(wrong)), "{wrong} is not told: {told:#?}");
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let problems =
            parse(&LEAST.replace("path = \"inbox/fax\"", "path = \"inbox/fax\"\nsetle = \"5s\"")).unwrap_err();
        assert_eq!(problems[0].key, "line 5, column 1");
        assert!(problems[0].problem.contains("setle"), "{}", problems[0]);
    }

    #[test]
    fn an_inbox_inside_another_one_is_refused() {
        let text = format!("{LEAST}\n[[intake.folder]]\nname = \"second\"\npath = \"inbox/fax/second\"\n");
        let problems = parse(&text).unwrap_err();
        assert!(problems.iter().any(|problem| problem.key == "intake.folder[1].path"), "{problems:?}");
    }

    #[test]
    fn an_inbox_that_is_another_ones_done_folder_is_refused() {
        let text = format!("{LEAST}\n[[intake.folder]]\nname = \"second\"\npath = \"inbox/done\"\n");
        let problems = parse(&text).unwrap_err();
        assert!(problems.iter().any(|problem| problem.key == "intake.folder[1].path"), "{problems:?}");
    }

    #[test]
    fn values_out_of_range_are_all_reported_with_their_range() {
        let text = format!("{LEAST}[reader]\nattempts = 0\npage_timeout = \"1s\"\n[log]\nlevel = \"loud\"\n");
        let keys: Vec<_> = parse(&text).unwrap_err().into_iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["reader.page_timeout", "reader.attempts", "log.level"]);
    }

    #[test]
    fn a_group_of_the_export_is_one_of_this_machine() {
        let with = |group: &str| parse(&LEAST.replace("\"worklist\"", &format!("\"worklist\"\ngroup = \"{group}\"")));
        // Every machine has it.
        assert_eq!(with("root").unwrap().export.group, Some(Gid::ROOT));
        assert_eq!(parse(LEAST).unwrap().export.group, None);
        assert_eq!(with("nobody-has-this-one").unwrap_err()[0].key, "export.group");
    }

    #[test]
    fn a_duration_that_is_none_says_how_one_looks() {
        let text = LEAST.replace("path = \"inbox/fax\"", "path = \"inbox/fax\"\nsettle = \"soon\"");
        assert!(parse(&text).unwrap_err()[0].problem.contains("\"5s\""));
    }
}
