//! A real mail server for a test: Dovecot from Debian's package, private to the test, on loopback, killed when dropped.
//!
//! Messages lie in maildirs under its folder, so a test delivers as any delivery agent does: written elsewhere, then
//! renamed.

#![allow(dead_code, reason = "each test that includes this uses a part of it")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

pub mod between;
pub mod tokens;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::run::wait_until;

/// The account's user and password.
pub const USER: &str = "um@plan.example";
pub const PASSWORD: &str = "open \"sesame\"";

/// How the server is to be.
#[derive(Default)]
pub struct Manner<'a> {
    /// Capabilities that it has and does not tell of.
    pub without: &'a [&'a str],
    /// Lines of its configuration in place of the password.
    pub passdb: Option<String>,
}

pub struct Dovecot {
    folder: tempfile::TempDir,
    process: Child,
    pub imap: u16,
    pub imaps: u16,
    configuration: String,
}

impl Dovecot {
    pub fn start() -> Self {
        Self::in_manner(&Manner::default())
    }

    pub fn in_manner(manner: &Manner) -> Self {
        let folder = tempfile::Builder::new().prefix("dovecot").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (imap, imaps) = (free_port(), free_port());
        certificates(folder.path());
        let configuration = configuration(folder.path(), imap, imaps, manner);
        fs::write(folder.path().join("dovecot.conf"), &configuration).unwrap();
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(folder.path().join("mail").join(part)).unwrap();
        }
        own(&folder.path().join("mail"));
        let process = launch(folder.path());
        let server = Self { folder, process, imap, imaps, configuration };
        server.wait();
        server
    }

    /// The certificate of the authority that signed the server's.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Another authority, which signed nothing.
    pub fn other_authority(&self) -> PathBuf {
        self.folder.path().join("other.pem")
    }

    /// Where messages of a folder lie; "" is the inbox.
    fn maildir(&self, mailbox: &str) -> PathBuf {
        let name = if mailbox.is_empty() { String::new() } else { format!(".{mailbox}") };
        self.folder.path().join("mail").join(name)
    }

    /// Delivers a message into the inbox.
    pub fn deliver(&self, bytes: &[u8]) {
        self.deliver_into("", bytes);
    }

    pub fn deliver_into(&self, mailbox: &str, bytes: &[u8]) {
        static DELIVERED: AtomicU32 = AtomicU32::new(0);
        let maildir = self.maildir(mailbox);
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(maildir.join(part)).unwrap();
        }
        own(&maildir);
        let name = format!("1773384266.M{:07}P1.host", DELIVERED.fetch_add(1, Ordering::Relaxed));
        let elsewhere = maildir.join("tmp").join(&name);
        fs::write(&elsewhere, bytes).unwrap();
        fs::rename(elsewhere, maildir.join("new").join(name)).unwrap();
    }

    /// The messages of a folder with the flags that their names carry, in no order.
    pub fn messages(&self, mailbox: &str) -> Vec<(Vec<u8>, String)> {
        let maildir = self.maildir(mailbox);
        let files = ["cur", "new"].into_iter().flat_map(|part| fs::read_dir(maildir.join(part)).into_iter().flatten());
        let read = files.filter_map(|file| {
            let path = file.unwrap().path();
            let flags =
                path.file_name().unwrap().to_string_lossy().split_once(":2,").map_or("", |(_, flags)| flags).to_owned();
            // One that was renamed meanwhile is seen at the next look.
            Some((fs::read(path).ok()?, flags))
        });
        read.collect()
    }

    /// Moves every message of one folder into another, as a person does with a mail program.
    pub fn move_by_hand(&self, from: &str, to: &str) {
        for (bytes, _) in self.messages(from) {
            self.deliver_into(to, &bytes);
        }
        for part in ["cur", "new"] {
            for file in fs::read_dir(self.maildir(from).join(part)).unwrap() {
                fs::remove_file(file.unwrap().path()).unwrap();
            }
        }
    }

    /// Stops the server, makes it forget which message has which number, and starts it again: as after its index was
    /// lost, the numbers begin anew under another UIDVALIDITY.
    pub fn forget_numbers(&mut self) {
        self.end();
        for name in [
            "dovecot-uidlist",
            "dovecot-uidvalidity",
            "dovecot.index",
            "dovecot.index.log",
            "dovecot.index.cache",
            "dovecot-keywords",
        ] {
            _ = fs::remove_file(self.maildir("").join(name));
        }
        for file in fs::read_dir(self.maildir("")).unwrap() {
            let path = file.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("dovecot-uidvalidity") {
                fs::remove_file(path).unwrap();
            }
        }
        self.process = launch(self.folder.path());
        self.wait();
    }

    pub fn end(&mut self) {
        // SIGTERM, so that its own children end too.
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.process), rustix::process::Signal::TERM)
            .unwrap();
        self.process.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.process = launch(self.folder.path());
        self.wait();
    }

    /// What the server wrote to its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn wait(&self) {
        wait_until("dovecot to listen", || TcpStream::connect(("127.0.0.1", self.imap)).ok());
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("dovecot's log:\n{}\nits configuration:\n{}", self.log(), self.configuration);
        }
        if matches!(self.process.try_wait(), Ok(None)) {
            self.end();
        }
    }
}

/// Whose mail it is: this user's, or, because root's is refused, nobody's.
fn mail_user() -> (u32, u32) {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    if uid != 0 {
        return (uid, gid);
    }
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    (nobody.uid.as_raw(), nobody.gid.as_raw())
}

/// Gives a maildir and its three folders to whose mail it is.
fn own(maildir: &Path) {
    let (uid, gid) = mail_user();
    for folder in ["", "cur", "new", "tmp"] {
        std::os::unix::fs::chown(maildir.join(folder), Some(uid), Some(gid)).unwrap();
    }
}

/// A port that nothing listens on now.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn launch(folder: &Path) -> Child {
    // Debian puts it where a user's path does not lead.
    let program = if Path::new("/usr/sbin/dovecot").exists() { "/usr/sbin/dovecot" } else { "dovecot" };
    let mut command = Command::new(program);
    command.arg("-F").arg("-c").arg(folder.join("dovecot.conf"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| panic!("dovecot is missing ({error}): run tests/setup.sh"))
}

/// An authority and a certificate for `localhost` and 127.0.0.1; and another authority.
fn certificates(folder: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        (certificate.pem(), Issuer::new(params, key))
    };
    let (pem, issuer) = authority("authority");
    fs::write(folder.join("authority.pem"), pem).unwrap();
    fs::write(folder.join("other.pem"), authority("other").0).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    fs::write(folder.join("server.pem"), params.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}

fn configuration(folder: &Path, imap: u16, imaps: u16, manner: &Manner) -> String {
    let at = folder.display();
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let name = |result: Option<String>, id: u32| result.unwrap_or_else(|| id.to_string());
    let user = name(nix::unistd::User::from_uid(uid.into()).ok().flatten().map(|user| user.name), uid);
    let group = name(nix::unistd::Group::from_gid(gid.into()).ok().flatten().map(|group| group.name), gid);
    let offered = ["IDLE", "MOVE", "UIDPLUS"].into_iter().filter(|capability| !manner.without.contains(capability));
    let offered: Vec<&str> = offered.collect();
    fs::write(folder.join("users"), format!("{USER}:{{PLAIN}}{PASSWORD}\n")).unwrap();
    let users = || format!("passdb {{\n driver = passwd-file\n args = {at}/users\n}}\n");
    let passdb = manner.passdb.clone().unwrap_or_else(users);
    let (owner, owners) = mail_user();
    // What speaks to the network refuses to be root.
    let speaker = if uid == 0 { "nobody" } else { &user };
    format!(
        "base_dir = {at}/run\nstate_dir = {at}/run\nlog_path = {at}/log\nprotocols = imap\nlisten = 127.0.0.1\n\
         default_internal_user = {user}\ndefault_internal_group = {group}\ndefault_login_user = {speaker}\n\
         first_valid_uid = 0\nfirst_valid_gid = 0\nssl = yes\nssl_cert = <{at}/server.pem\nssl_key = <{at}/server.key\n\
         disable_plaintext_auth = no\nauth_mechanisms = plain login xoauth2\nauth_failure_delay = 0\nmaildir_stat_dirs = yes\n\
         auth_verbose = yes\nmail_location = maildir:{at}/mail\nmail_max_userip_connections = 100\n\
         imap_capability = IMAP4rev1 LITERAL+ {offered}\n{passdb}\
         userdb {{\n driver = static\n args = uid={owner} gid={owners} home={at}/mail\n}}\n\
         service imap-login {{\n chroot =\n inet_listener imap {{\n port = {imap}\n }}\n\
         inet_listener imaps {{\n port = {imaps}\n ssl = yes\n }}\n}}\n\
         service anvil {{\n chroot =\n}}\nservice stats {{\n chroot =\n}}\n",
        offered = offered.join(" "),
    )
}
