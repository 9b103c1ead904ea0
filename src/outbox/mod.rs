//! The outbox: mails that the daemon writes, as durable as what it takes in.
//!
//! Each mail is queued in the archive before anything is sent, under a key that names its reason; under a key that is
//! known nothing is queued again. One mail has one recipient, so that one refusal concerns nobody else. [`plan`] decides
//! what a document's arrival sends, [`watch`] what time and trouble send, [`alarm`] tells of what leaves no archive to queue in, [`sender`] tries, and [`smtp`] hands over.
//!
//! Sending is at least once: SMTP cannot tell a relay that took a mail and a daemon that died before it had noted so
//! from one that was never reached. The mail is then sent again under the same Message-ID, which receivers know it by.
//!
//! Log lines name a mail by its id; addresses and texts stand in the sealed journal, and in `held show`.

pub mod address;
pub mod alarm;
mod plan;
mod sender;
mod smtp;
mod template;
mod watch;

use std::sync::{Arc, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::task::JoinSet;

use crate::archive::{Archive, ArchiveError};
use crate::config::Config;
use crate::config::outbox::Relay;
use crate::intake::status::SourceStatuses;
use crate::log::LastError;
use crate::reader::pool::ReaderPool;

pub use self::plan::Planner;
use self::sender::{Sender, SharedSending};
pub use self::template::TemplateError;
use self::template::Templates;
use self::watch::Watch;

/// Settings and templates, checked; `None` where no mail is to be written. Reads the templates' folder.
pub fn load(config: &Config) -> Result<Option<Arc<Planner>>, TemplateError> {
    let Some(settings) = config.outbox.clone() else { return Ok(None) };
    let templates = Templates::load(settings.templates.as_deref())?;
    Ok(Some(Arc::new(Planner { settings, templates, zone: config.time_zone.clone() })))
}

/// What is wrong with the secrets and files that the relay needs: key, problem and remedy of each. Reads them.
pub fn check(config: &Config) -> Vec<(&'static str, String, &'static str)> {
    let mut found = Vec::new();
    if let Err(error) = load(config) {
        found.push(("outbox.templates", error.to_string(), "config/templates shows the built-in ones"));
    }
    match config.outbox.as_ref().map(|settings| &settings.relay) {
        Some(Relay::Smtp(smtp)) => {
            if let Some((_, Err(error))) = smtp.login.as_ref().map(|(user, place)| (user, place.read())) {
                found.push(("outbox.smtp.password", error.to_string(), "the relay wants it at each login"));
            }
            if let Some((file, Err(error))) = smtp.ca_file.as_ref().map(|file| (file, smtp::certificate(file))) {
                let problem = format!("{} cannot be used: {error}", file.display());
                found.push(("outbox.smtp.ca_file", problem, "name a root certificate in PEM"));
            }
        }
        Some(Relay::Sendmail(program)) if !program.is_file() => {
            let problem = format!("{} is no program", program.display());
            found.push(("outbox.sendmail", problem, "install a mail server, or give smtp instead"));
        }
        Some(Relay::Sendmail(_)) | None => {}
    }
    found
}

/// What the watch looks at besides the archive.
pub struct Watched {
    pub sources: SourceStatuses,
    pub pool: Arc<ReaderPool>,
    pub last_error: LastError,
}

/// The running outbox.
pub struct Outbox {
    sender: Option<Sender>,
    tasks: JoinSet<()>,
    status: OutboxStatus,
}

impl Outbox {
    /// Starts to send and to watch; without `watched`, as in a drain, nothing is done before [`Outbox::drain`].
    pub fn start(
        planner: Option<&Arc<Planner>>,
        archive: &Archive,
        watched: Option<Watched>,
        stopping: &Receiver<bool>,
    ) -> Self {
        let sending = SharedSending::default();
        let sender = planner.map(|planner| Sender {
            settings: Arc::new(planner.settings.clone()),
            archive: archive.clone(),
            sending: sending.clone(),
        });
        let mut tasks = JoinSet::new();
        if let (Some(sender), Some(planner), Some(Watched { sources, pool, last_error })) = (&sender, planner, watched)
        {
            let (planner, archive) = (planner.clone(), archive.clone());
            tasks.spawn(sender.clone().run(stopping.clone()));
            tasks.spawn(Watch { planner, archive, sources, pool, last_error }.run(stopping.clone()));
        }
        let status = OutboxStatus { configured: planner.is_some(), archive: archive.clone(), sending };
        Self { sender, tasks, status }
    }

    pub fn status(&self) -> OutboxStatus {
        self.status.clone()
    }

    /// Tries every mail that waits once.
    pub async fn drain(&self) {
        if let Some(sender) = &self.sender {
            sender.once().await;
        }
    }

    /// Waits for the tasks, which end within a few seconds of `stopping`.
    pub async fn end(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// How the outbox stands, for `status`.
#[derive(Clone)]
pub struct OutboxStatus {
    configured: bool,
    archive: Archive,
    sending: SharedSending,
}

impl OutboxStatus {
    /// Without addresses.
    pub fn tell(&self) -> Result<Value, ArchiveError> {
        let counts = self.archive.mail_counts();
        let oldest = self.archive.waiting_mails()?.into_iter().min_by_key(|mail| mail.waiting_since);
        let sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(json!({
            "configured": self.configured,
            "waiting": counts.waiting,
            "oldest": oldest.map(|mail| {
                json!({ "mail": mail.id.short(), "since": mail.waiting_since, "attempts": mail.attempts })
            }),
            "dead_letters": counts.dead_letters,
            "queued_ever": counts.queued,
            "sending": sending,
        }))
    }
}
