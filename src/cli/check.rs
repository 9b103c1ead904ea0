//! `check`: everything that a start needs, each problem with file, key and remedy.
//!
//! It loads what the daemon loads, by the same functions, and tries the paths as the user who runs it: run it as the
//! daemon's own user.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::Access;

use super::{EX_CONFIG, counted, print_text, say};
use crate::archive::{AtRest, Remark, check_keys, others_may_read};
use crate::config::{Config, Encryption, Problem};
use crate::control::Failure;
use crate::daemon::knowledge::{load_cases, load_policy, load_rules};
use crate::daemon::pool_settings;
use crate::intake::folder::AfterAccept;
use crate::intake::imap::{ImapSettings, SignIn, check_authorities};
use crate::outbox;
use crate::queue::export::is_as_made;
use crate::reader::cage;
use crate::reader::pool::{ReadError, ReaderPool};
use crate::route::overlap::findings;

pub fn check(file: &Path) -> Result<(), Failure> {
    let (config, problems) = match Config::load(file) {
        Ok(config) => {
            let problems = problems_of(&config);
            (Some(config), problems)
        }
        Err(problems) => (None, problems),
    };
    for problem in &problems {
        say(format_args!("nicufaxd: {problem}"));
    }
    for warning in config.iter().filter_map(warning) {
        say(format_args!("nicufaxd: warning: {warning}"));
    }
    match (config, problems.len()) {
        (Some(config), 0) => print_text(&format!("{}: all is well\n", config.file.display())),
        (_, count) => Err(Failure::new(EX_CONFIG, counted(count as u64, "problem"))),
    }
}

/// What an operator should know of the keys although the daemon starts.
fn warning(config: &Config) -> Option<String> {
    let file = config.file.display();
    match check_keys(&config.state_dir, &config.at_rest).ok()?? {
        Remark::Plain => Some(format!(
            "{file}: at_rest: what the state directory holds is not sealed; whoever gets hold of the disk or a copy can read it"
        )),
        Remark::KeyBeside => Some(format!(
            "{file}: key_file: the key lies in the state directory, beside what it seals; move it out and name it here"
        )),
        Remark::RotationUnfinished => {
            Some(format!("{file}: key_file: a rotation is unfinished; put the new key in the place of the old one"))
        }
    }
}

fn problems_of(config: &Config) -> Vec<Problem> {
    let mut found = Found { config, problems: Vec::new() };
    found.writable_or_creatable("state_dir", &config.state_dir);
    found.private("state_dir", &config.state_dir);
    found.keys();
    for folder in &config.folders {
        found.folder(&folder.key, &folder.path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK);
        if let AfterAccept::MoveTo(done) = &folder.after {
            let table = folder.key.rsplit_once('.').map_or("intake", |(table, _)| table);
            found.writable_or_creatable(&format!("{table}.done"), done);
        }
    }
    for account in &config.accounts {
        found.account(account);
    }
    if let Some(outbox) = &config.outbox
        && !outbox.forwards.is_empty()
        && !outbox.is_safe_for_patient_data()
    {
        let problem = "would send patient data without verified TLS: each forward is held instead";
        let remedy = "set tls in [outbox] smtp, or trust_local_relay if the relay is on this machine and does it";
        found.add("outbox.forward", problem.to_owned(), remedy);
    }
    found.writable_or_creatable("export.dir", &config.export.folder);
    found.shared();
    if let Err(error) = load_rules(config) {
        found.add("understand.document_types", error.to_string(), "correct the rule that is named");
    }
    for finding in findings(&config.routing) {
        found.add("route.rules", finding.to_string(), "see `nicufaxd route test`");
    }
    if let Err(error) = load_policy(config) {
        found.add("link.weights", error.to_string(), "correct the entry that is named");
    }
    if found.answers("cases.path", &config.cases)
        && let Err(error) = load_cases(config)
    {
        found.add("cases.path", error.to_string(), "export the registry again, or correct that line");
    }
    for (key, problem, remedy) in outbox::check(config) {
        found.add(key, problem, remedy);
    }
    found.worker();
    found.problems
}

/// What a file system may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Proves that things can be made in a folder: permissions alone say yes to root in `/proc` and on read-only disks.
/// A folder is made, because a watched inbox takes no notice of those.
fn make_and_remove(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".nicufaxd-check-{}", std::process::id()));
    std::fs::create_dir(&probe)?;
    std::fs::remove_dir(&probe)
}

struct Found<'a> {
    config: &'a Config,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn add(&mut self, key: &str, problem: String, remedy: impl Into<String>) {
        self.problems.push(Problem {
            file: self.config.file.clone(),
            key: key.to_owned(),
            problem,
            remedy: remedy.into(),
        });
    }

    /// Whether the file system beneath a path answers at all.
    fn answers(&mut self, key: &str, path: &Path) -> bool {
        let (sender, answer) = mpsc::sync_channel(1);
        let asked = path.to_owned();
        // One that hangs is left hanging, to its end or ours.
        std::thread::spawn(move || {
            let seen = asked.ancestors().find(|ancestor| ancestor.exists()).map(Path::to_owned);
            _ = sender.send(seen);
        });
        let answered = answer.recv_timeout(ANSWERS_WITHIN).is_ok();
        if !answered {
            self.add(
                key,
                format!("{} does not answer within {} s", path.display(), ANSWERS_WITHIN.as_secs()),
                "is it a share that hangs? mount it again; the daemon starts without it, and tells when it answers",
            );
        }
        answered
    }

    fn folder(&mut self, key: &str, path: &Path, access: Access) {
        if !self.answers(key, path) {
            return;
        }
        if !path.is_dir() {
            self.add(key, format!("{} is no folder", path.display()), format!("make it: mkdir -p {}", path.display()));
        } else if rustix::fs::access(path, access).is_err() {
            self.add(
                key,
                format!("{} cannot be read and written by this user", path.display()),
                "give the daemon's user read, write and search permission",
            );
        } else {
            self.writable_or_creatable(key, path);
        }
    }

    /// What signing in needs is there; no server is asked.
    fn account(&mut self, account: &ImapSettings) {
        let (secrets, key) = match &account.sign_in {
            SignIn::Password(place) => (vec![("password", place)], account.key.clone()),
            SignIn::Tokens(service) => {
                let secret = service.client_secret.iter().map(|place| ("client_secret", place));
                let token = service.refresh_token.iter().map(|place| ("refresh_token", place));
                (secret.chain(token).collect(), format!("{}.oauth2", account.key))
            }
        };
        for (name, place) in secrets {
            if let Err(error) = place.read() {
                self.add(&format!("{key}.{name}"), error.to_string(), "it is for the daemon's user alone");
            }
        }
        if account.tls != Encryption::None
            && let Err(error) = check_authorities(account.ca_file.as_deref())
        {
            self.add(&format!("{}.ca_file", account.key), error.to_string(), "give certificates in PEM");
        }
    }

    /// In an existing folder something can be made; above an absent one there is a folder in which it can.
    fn writable_or_creatable(&mut self, key: &str, path: &Path) {
        if !self.answers(key, path) {
            return;
        }
        let tried = match path.ancestors().find(|ancestor| ancestor.exists()) {
            Some(existing) => make_and_remove(existing).map_err(|error| format!("in {}: {error}", existing.display())),
            None => Err("no folder above it exists".to_owned()),
        };
        if let Err(why) = tried {
            self.add(
                key,
                format!("{} cannot be written by this user (nothing can be made {why})", path.display()),
                "name a folder on a disk that can be written, and give it to the daemon's user",
            );
        }
    }

    /// The files can be given to the group, and the group can get at them.
    fn shared(&mut self) {
        let Some(group) = self.config.export.group else { return };
        let ours = rustix::process::getgroups().unwrap_or_default();
        let may_give =
            rustix::process::geteuid().is_root() || rustix::process::getegid() == group || ours.contains(&group);
        if !may_give {
            self.add(
                "export.group",
                "this user is no member of it, and cannot give files to it".to_owned(),
                "add the daemon's user to the group (usermod -a -G GROUP nicufaxd), or run check as that user",
            );
        }
        let folder = &self.config.export.folder;
        let enters = |metadata: &Metadata| {
            let bits = if metadata.gid() == group.as_raw() { 0o050 } else { 0o005 };
            metadata.mode() & bits == bits
        };
        // One that the daemon made is given to the group by the next start.
        if std::fs::metadata(folder).is_ok_and(|metadata| !enters(&metadata) && !is_as_made(&metadata)) {
            let folder = folder.display();
            self.add(
                "export.group",
                format!("it cannot look into {folder}"),
                format!("chgrp GROUP {folder} && chmod 750 {folder}"),
            );
        }
    }

    /// An existing state directory must be its owner's alone.
    fn private(&mut self, key: &str, path: &Path) {
        if path.is_dir()
            && let Err(error) = others_may_read(path)
        {
            self.add(key, error.to_string(), "the faxes in it are patients' data");
        }
    }

    /// The key is there, nobody else's to read, and the one that seals the state directory.
    fn keys(&mut self) {
        if let Err(error) = check_keys(&self.config.state_dir, &self.config.at_rest) {
            let key = if self.config.at_rest == AtRest::Plain { "at_rest" } else { "key_file" };
            self.add(key, error.to_string(), "see the README on keys");
        }
    }

    /// Starts a worker as the daemon would: that loads Tesseract and its language data, and shuts the cage.
    fn worker(&mut self) {
        let started = tokio::runtime::Runtime::new()
            .map_err(|error| ReadError::CannotStart { reason: error.to_string() })
            .and_then(|runtime| {
                runtime.block_on(async {
                    let mut settings = pool_settings(&self.config.reader)?;
                    settings.workers = 1;
                    let pool = ReaderPool::start(settings, None).await?;
                    let lacking = pool.status().cage_lacks;
                    pool.shutdown().await;
                    Ok(lacking)
                })
            });
        match started {
            Ok(lacking) if lacking.is_empty() => {}
            // No problem, because the configuration says so; but never silent.
            Ok(lacking) => say(format_args!(
                "nicufaxd: warning: {}: reader.cage: workers read documents without {}; {}",
                self.config.file.display(),
                cage::names(&lacking),
                cage::remedies(&lacking)
            )),
            Err(error @ ReadError::NoCage { .. }) => self.add(
                "reader.cage",
                error.to_string(),
                "or set it to \"best-effort\" to read documents with less between them and this machine",
            ),
            Err(error) => {
                let languages = self.config.reader.languages.split('+');
                let packages: Vec<String> = languages.map(|language| format!("tesseract-ocr-{language}")).collect();
                self.add(
                    "reader.languages",
                    error.to_string(),
                    format!("install Debian's {}, or set reader.tessdata", packages.join(", ")),
                );
            }
        }
    }
}
