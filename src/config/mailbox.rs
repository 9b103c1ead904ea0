//! `[[intake.mailbox]]` with `imap`: from the file's own shape to the settings of a mail account.

use std::path::Path;

use super::Encryption;
use super::file::{Imap, ImapAfter, Mailbox, Oauth2};
use super::validate::{Problems, is_this_machine, resolve};
use crate::intake::imap::{AfterStored, ImapSettings, SignIn, TokenSettings};

/// The folder for what is done with, and the flag, unless configured otherwise.
const OURS: &str = "nicufaxd";

impl Problems<'_> {
    /// What routing rules call a mailbox: its lane as configured, or its own name, which may be that of a lane.
    pub fn mailbox_lane(&mut self, key: &str, mailbox: &Mailbox) -> String {
        if let Some(lane) = &mailbox.lane {
            self.lane(format!("{key}.lane"), lane);
        }
        mailbox.lane.clone().unwrap_or_else(|| mailbox.name.clone())
    }

    /// The settings of an account's folder. `key` is the mailbox's.
    pub fn imap(&mut self, key: &str, mailbox: &Mailbox, imap: Imap, base: &Path) -> Option<ImapSettings> {
        self.source_name(key, &mailbox.name);
        for (name, given) in [("after", mailbox.after.is_some()), ("done", mailbox.done.is_some())] {
            if given {
                let remedy = "say in `imap` what becomes of its messages: after, after_folder, flag";
                self.add(format!("{key}.{name}"), "is for a maildir", remedy);
            }
        }
        let source = mailbox.name.clone();
        let (poll, max_bytes) = (self.rescan(key, mailbox.rescan), self.max_bytes(key, mailbox.max_bytes));
        let key = format!("{key}.imap");
        if imap.tls == Encryption::None && !is_this_machine(&imap.host) {
            let remedy = "set \"implicit\" or \"starttls\"";
            self.add(format!("{key}.tls"), "\"none\" would send the password in the clear", remedy);
        }
        if imap.host.is_empty() || imap.host.contains(|sign: char| sign.is_whitespace() || sign == '/' || sign == '@') {
            self.add(format!("{key}.host"), "is no name of a host", "give it as in \"mail.example.org\"");
        }
        self.protocol_text(format!("{key}.user"), &imap.user);
        let folder = imap.folder.unwrap_or_else(|| "INBOX".to_owned());
        self.protocol_text(format!("{key}.folder"), &folder);
        let after = match imap.after {
            ImapAfter::Move => {
                let into = imap.after_folder.clone().unwrap_or_else(|| OURS.to_owned());
                self.protocol_text(format!("{key}.after_folder"), &into);
                if into.eq_ignore_ascii_case(&folder) {
                    let remedy = "name another folder: messages would come back for ever";
                    self.add(format!("{key}.after_folder"), "is the folder itself", remedy);
                }
                AfterStored::MoveTo(into)
            }
            ImapAfter::Delete => AfterStored::Delete,
            ImapAfter::Flag => {
                let flag = imap.flag.clone().unwrap_or_else(|| OURS.to_owned());
                if flag.is_empty() || !flag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"$-_.".contains(&byte))
                {
                    let remedy =
                        "use letters, digits, `$`, `-`, `_` or `.`; flags that people set (\\Seen) would hide messages";
                    self.add(format!("{key}.flag"), "is no keyword", remedy);
                }
                AfterStored::Flag(flag)
            }
        };
        for (name, given, of) in [
            ("after_folder", imap.after_folder.is_some(), ImapAfter::Move),
            ("flag", imap.flag.is_some(), ImapAfter::Flag),
        ] {
            if given && imap.after != of {
                self.add(format!("{key}.{name}"), "has no effect with this `after`", "take one of them out");
            }
        }
        let ca_file = imap.ca_file.map(|file| resolve(base, &file));
        let password = self.secret(&key, "password", imap.password_file, imap.password_credential, base);
        let tokens = imap.oauth2.map(|oauth2| self.oauth2(&format!("{key}.oauth2"), oauth2, base));
        let sign_in = match (password, tokens) {
            (Some(place), None) => SignIn::Password(place),
            (None, Some(tokens)) => SignIn::Tokens(TokenSettings { ca_file: ca_file.clone(), ..tokens }),
            (Some(_), Some(_)) => {
                self.add(format!("{key}.oauth2"), "stands beside a password", "take one of them out");
                return None;
            }
            (None, None) => {
                let remedy = "give password_file, password_credential or oauth2";
                self.add(key, "has no way to sign in", remedy);
                return None;
            }
        };
        Some(ImapSettings {
            source,
            port: imap.port.unwrap_or(if imap.tls == Encryption::Implicit { 993 } else { 143 }),
            host: imap.host,
            tls: imap.tls,
            ca_file,
            user: imap.user,
            sign_in,
            folder,
            after,
            poll,
            max_bytes,
            key,
        })
    }

    fn oauth2(&mut self, key: &str, oauth2: Oauth2, base: &Path) -> TokenSettings {
        let (secret_file, secret_credential) = (oauth2.client_secret_file, oauth2.client_secret_credential);
        let (token_file, token_credential) = (oauth2.refresh_token_file, oauth2.refresh_token_credential);
        let url = &oauth2.token_url;
        let local = ["http://localhost", "http://127.0.0.1", "http://[::1]"];
        let rest = local.iter().find_map(|start| url.strip_prefix(start));
        let secret = url.starts_with("https://") || rest.is_some_and(|rest| rest.starts_with([':', '/']));
        if !secret {
            let problem = "would send the account's secrets in the clear";
            self.add(format!("{key}.token_url"), problem, "give an address that begins with https://");
        }
        TokenSettings {
            client_secret: self.secret(key, "client_secret", secret_file, secret_credential, base),
            refresh_token: self.secret(key, "refresh_token", token_file, token_credential, base),
            token_url: oauth2.token_url,
            client_id: oauth2.client_id,
            scope: oauth2.scope,
            ca_file: None,
        }
    }

    /// What is sent to a server as it stands.
    fn protocol_text(&mut self, key: String, text: &str) {
        if text.is_empty() || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            let remedy = "write it as the server does, in ASCII (other letters in modified UTF-7)";
            self.add(key, "cannot be sent to a mail server", remedy);
        }
    }

    /// No two sources take from one folder of one account.
    pub fn accounts_apart(&mut self, accounts: &[ImapSettings]) {
        for (position, account) in accounts.iter().enumerate() {
            let same = |other: &&ImapSettings| {
                (&other.host, other.port, &other.user, &other.folder)
                    == (&account.host, account.port, &account.user, &account.folder)
            };
            if let Some(other) = accounts.iter().take(position).find(same) {
                let problem = format!("is the folder that `{}` takes from", other.source);
                self.add(format!("{}.folder", account.key), problem, "name another folder, or take one of them out");
            }
            if comes_back(account, accounts) {
                let problem = "leads back to its own folder by way of other sources: messages would go round for ever";
                self.add(
                    format!("{}.after_folder", account.key),
                    problem,
                    "name a folder from which none of them takes",
                );
            }
        }
    }
}

/// Whether what is moved out of a folder is moved on by other sources of its account until it is back.
fn comes_back(account: &ImapSettings, accounts: &[ImapSettings]) -> bool {
    let is_same = |one: &str, other: &str| {
        one == other || (one.eq_ignore_ascii_case("INBOX") && other.eq_ignore_ascii_case("INBOX"))
    };
    let mut at = account;
    // Each source is passed once at most.
    for _ in accounts {
        let AfterStored::MoveTo(into) = &at.after else { return false };
        let next = accounts.iter().find(|other| {
            (&other.host, other.port, &other.user) == (&at.host, at.port, &at.user) && is_same(&other.folder, into)
        });
        match next {
            // A folder that is its own is told of where it is set.
            Some(next) if std::ptr::eq(next, account) => return !std::ptr::eq(at, account),
            Some(next) => at = next,
            None => return false,
        }
    }
    false
}
