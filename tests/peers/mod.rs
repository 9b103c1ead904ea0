//! Servers of others, from Debian's packages, that the tests start on loopback for themselves and end again.

#![allow(dead_code, reason = "each test that includes this uses a part of it")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::run::wait_until;

/// A mail server, see `smtp_server.py`; ended when dropped.
pub struct MailServer {
    child: Child,
    folder: PathBuf,
    pub port: u16,
}

impl MailServer {
    /// In this folder, with these arguments besides.
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        fs::create_dir_all(folder).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/smtp_server.py");
        // Debian's own interpreter: only that one sees Debian's packages.
        let mut command = Command::new("/usr/bin/python3");
        command.arg("-W").arg("ignore").arg(script).arg(folder).args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        Self { child, folder: folder.to_owned(), port }
    }

    /// Under TLS, with a certificate of this authority.
    pub fn under_tls(folder: &Path, tls: &str, authority: &Authority, arguments: &[&str]) -> Self {
        let [certificate, key] = [&authority.certificate, &authority.key].map(|path| path.to_str().unwrap());
        let ours = ["--tls", tls, "--certificate", certificate, "--key", key];
        Self::start(folder, &[&ours, arguments].concat())
    }

    /// What it is to do with the next transactions, a line each.
    pub fn order(&self, orders: &str) {
        fs::write(self.folder.join("ordered"), orders).unwrap();
        fs::rename(self.folder.join("ordered"), self.folder.join("orders")).unwrap();
    }

    /// The mails that it was given whole, in their order.
    pub fn mails(&self) -> Vec<Value> {
        let Ok(entries) = fs::read_dir(self.folder.join("mail")) else { return Vec::new() };
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| serde_json::from_slice(&fs::read(file).unwrap()).unwrap()).collect()
    }

    /// Waits until it was given so many.
    pub fn wait_for(&self, count: usize) -> Vec<Value> {
        wait_until(&format!("{count} mails"), || Some(self.mails()).filter(|mails| mails.len() >= count))
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A certificate authority of a test's own (`root.pem` in its folder), with one certificate, for `localhost`.
pub struct Authority {
    certificate: PathBuf,
    key: PathBuf,
}

impl Authority {
    pub fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let openssl = |arguments: &str| {
            let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        fs::write(folder.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").unwrap();
        let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        openssl(&format!("req -x509 {new_key} -keyout root.key -out root.pem -days 2 -subj /CN=test-root"));
        openssl(&format!("req {new_key} -keyout server.key -out server.csr -subj /CN=localhost"));
        openssl(
            "x509 -req -in server.csr -CA root.pem -CAkey root.key -CAcreateserial -out server.pem -days 2 -extfile names",
        );
        let [certificate, key] = ["server.pem", "server.key"].map(|name| folder.join(name));
        Self { certificate, key }
    }
}
