//! Settings: TOML → a validated [`Config`]. What can be set stands here, its keys in `file`, its defaults and ranges in
//! `validate`.
//!
//! Unknown keys are errors. Relative paths are taken from the configuration file's own folder. Reading touches only
//! that file, the routing rules that it names, because their lanes are named in it, and the machine's lists of groups and
//! time zones; whether the paths can be used on this machine is asked
//! by `check` (`cli/check.rs`), with the same `Config` that the daemon runs on.

mod file;
mod mailbox;
pub mod outbox;
pub mod secret;
mod validate;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::tz::TimeZone;
use serde::Deserialize;

use self::file::read_toml;
use self::validate::{Problems, resolve};
use crate::archive::{AtRest, KeyPlace, OpenOptions, RetentionRule};
use crate::intake::folder::FolderSettings;
use crate::intake::imap::ImapSettings;
use crate::link::LinkPolicy;
use crate::queue::export::Worklist;
use crate::reader::cage::CageMode;
use crate::route::rules::{RoutingError, RoutingRules};

/// Where the configuration is looked for unless `--config` names it.
pub const DEFAULT_FILE: &str = "/etc/nicufaxd/nicufaxd.toml";

/// The name of the key among systemd's credentials.
const CREDENTIAL: &str = "nicufaxd.key";

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
    /// Where hospitals fax to, as our cover sheets have it.
    pub fax_number: Option<String>,
    pub folders: Vec<FolderSettings>,
    /// Folders of mail accounts.
    pub accounts: Vec<ImapSettings>,
    /// What routing calls the mailboxes, by the sources' names: their lanes, or themselves.
    pub lanes: BTreeMap<String, String>,
    pub reader: ReaderSettings,
    /// Type rules in place of the built-in ones.
    pub document_types: Option<PathBuf>,
    /// Routing rules in place of the built-in ones.
    pub routing_file: Option<PathBuf>,
    /// As they stood there when the configuration was read.
    pub routing: Arc<RoutingRules>,
    /// The open-case registry.
    pub cases: PathBuf,
    /// What people did with items elsewhere: CSV, or JSON Lines where the name ends so.
    pub dispositions: Option<PathBuf>,
    /// With the built-in weights; `link_weights` may name others.
    pub link: LinkPolicy,
    /// Weights in place of the built-in ones.
    pub link_weights: Option<PathBuf>,
    /// `[export]`, in `time_zone`.
    pub export: Worklist,
    pub log: LogSettings,
    /// Mails that the daemon writes; none are unless it stands there.
    pub outbox: Option<outbox::OutboxSettings>,
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

/// How a connection to a mail server is kept secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// From the first byte on.
    #[default]
    Implicit,
    /// Begun with STARTTLS, without which nothing is said.
    StartTls,
    /// Not at all; to this machine alone.
    None,
}

/// For people or for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Human,
    Json,
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
        let routing_file = parsed.route.rules.map(|path| resolve(base, &path));
        let mut problems = Problems { file, found: unreadable, routing: Arc::new(RoutingRules::builtin()) };
        match load_routing(routing_file.as_deref()) {
            Ok(rules) => problems.routing = Arc::new(rules),
            Err(error) => problems.add("route.rules", error.to_string(), "correct the table that is named"),
        }

        let time_zone = problems.time_zone(parsed.time_zone.as_deref());
        let silent_after = parsed.intake.silent_after();
        let mailbox_names = parsed.intake.mailbox.iter().map(|mailbox| mailbox.name.clone()).collect();
        let outbox = problems.outbox(parsed.outbox, silent_after, mailbox_names, base);
        let mut folders: Vec<_> = parsed
            .intake
            .folder
            .into_iter()
            .enumerate()
            .map(|(position, folder)| problems.folder(&format!("intake.folder[{position}]"), folder, base))
            .collect();
        let (mut accounts, mut lanes) = (Vec::new(), BTreeMap::new());
        for (position, mut mailbox) in parsed.intake.mailbox.into_iter().enumerate() {
            let key = format!("intake.mailbox[{position}]");
            lanes.insert(mailbox.name.clone(), problems.mailbox_lane(&key, &mailbox));
            match (mailbox.maildir.take(), mailbox.imap.take()) {
                (Some(maildir), None) => folders.extend(problems.maildir(&key, mailbox, &maildir, base)),
                (None, Some(imap)) => accounts.extend(problems.imap(&key, &mailbox, imap, base)),
                (Some(_), Some(_)) => problems.add(key, "has both maildir and imap", "make two mailboxes of it"),
                (None, None) => problems.add(key, "has neither maildir nor imap", "say where its messages are"),
            }
        }
        let table = |key: &str| key.rsplit_once('.').map_or(String::new(), |(table, _)| table.to_owned());
        let sources = folders.iter().map(|folder| (folder.source.clone(), table(&folder.key)));
        let sources = sources.chain(accounts.iter().map(|account| (account.source.clone(), table(&account.key))));
        problems.names_apart(sources);
        problems.folders_apart(&folders);
        problems.accounts_apart(&accounts);
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
        let link = parsed.link.policy();
        problems.link(&link);
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
            accounts,
            lanes,
            min_free,
            reader,
            document_types: parsed.understand.document_types.map(|path| resolve(base, &path)),
            routing_file,
            routing: Arc::clone(&problems.routing),
            cases: resolve(base, &parsed.cases.path),
            dispositions: parsed.dispositions.map(|table| resolve(base, &table.path)),
            link,
            link_weights: parsed.link.weights.map(|path| resolve(base, &path)),
            export: Worklist {
                folder: resolve(base, &parsed.export.dir),
                zone: time_zone.clone(),
                group,
                items: parsed.export.items.unwrap_or(true),
            },
            time_zone,
            fax_number: parsed.fax_number,
            log: LogSettings { format: parsed.log.format.unwrap_or(LogFormat::Human), level },
            outbox,
        };
        if problems.found.is_empty() { Ok(config) } else { Err(problems.found) }
    }
}

/// Why routing rules could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadRoutingError {
    #[error("{file}: cannot be read: {error}; correct the path or its permissions", file = file.display())]
    Unreadable { file: PathBuf, error: std::io::Error },
    #[error("{file}: {error}", file = file.display())]
    Rules { file: PathBuf, error: RoutingError },
}

/// Bytes of the longest file of routing rules.
const LONGEST_ROUTING: u64 = 4_000_000;

/// A file that is a file and ends somewhere.
fn read_bounded(file: &Path) -> std::io::Result<String> {
    if !std::fs::metadata(file)?.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    std::fs::File::open(file)?.take(LONGEST_ROUTING).read_to_string(&mut text)?;
    Ok(text)
}

/// The routing rules of this file, or the built-in ones.
pub fn load_routing(file: Option<&Path>) -> Result<RoutingRules, LoadRoutingError> {
    let Some(file) = file else { return Ok(RoutingRules::builtin()) };
    let text = read_bounded(file).map_err(|error| LoadRoutingError::Unreadable { file: file.to_owned(), error })?;
    RoutingRules::parse(&text).map_err(|error| LoadRoutingError::Rules { file: file.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use rustix::fs::Gid;

    use super::*;
    use crate::intake::folder::AfterAccept;

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
    fn mailboxes_whose_messages_would_go_round_for_ever_are_refused() {
        let mailbox = |name: &str, user: &str, folder: &str, into: &str| {
            format!(
                "[[intake.mailbox]]\nname = \"{name}\"\nimap = {{ host = \"localhost\", tls = \"none\", user = \"{user}\", \
                 password_file = \"p\", folder = \"{folder}\", after_folder = \"{into}\" }}\n"
            )
        };
        let keys = |mailboxes: &[String]| -> Vec<String> {
            let problems = parse(&format!("{LEAST}{}", mailboxes.concat())).err().unwrap_or_default();
            problems.into_iter().map(|problem| problem.key).collect()
        };
        let [first, second] = [mailbox("a", "um", "INBOX", "Read"), mailbox("b", "um", "Read", "Done")];
        assert_eq!(keys(&[first.clone(), second.clone()]), Vec::<String>::new());
        let round = [first.clone(), second, mailbox("c", "um", "Done", "inbox")];
        let told: Vec<String> = (0..3).map(|at| format!("intake.mailbox[{at}].imap.after_folder")).collect();
        assert_eq!(keys(&round), told);
        // The folders of another account are others.
        assert_eq!(keys(&[first, mailbox("b", "cm", "Read", "INBOX")]), Vec::<String>::new());
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
