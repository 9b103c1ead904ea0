//! Alarms: what the operators must hear of when there is no archive to queue a mail in, a damaged journal above all.
//!
//! Handed over at once, each operator's by itself, within a bound of time, and tried once: whoever calls is about to end.
//! Nothing is recorded and nothing is kept, so that a service manager which starts a daemon again and again makes it tell
//! again and again; all of one hour have the same Message-ID, by which mail servers and readers know them as one.

use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;

use super::smtp::{self, Letter};
use super::template::{Name, Templates};
use crate::archive::ArchiveError;
use crate::config::Config;
use crate::document::{DocumentId, OWN_MESSAGE_ID};
use crate::{clock, log};

/// For all of it: the service manager waits meanwhile.
const TIME: Duration = Duration::from_secs(15);

/// What of the archive ends the daemon and is for the operators, without paths; `None` for what the configuration or
/// another process is to blame for.
pub fn words(error: &ArchiveError) -> Option<String> {
    let what = match error {
        ArchiveError::JournalDamaged { sequence, .. } => {
            format!("The journal is damaged at record {sequence}: restore it from a copy.")
        }
        ArchiveError::RecordForged { sequence } => {
            format!("Record {sequence} of the journal does not open: restore the journal from a copy.")
        }
        ArchiveError::JournalMissing { .. } => "The journal is missing: restore it from a copy.".to_owned(),
        ArchiveError::KeyringMissing { .. } | ArchiveError::KeyringDamaged { .. } => {
            "The keyring is missing or damaged: restore it from a copy.".to_owned()
        }
        ArchiveError::SyncFailed { .. } => "The disk did not confirm what was written: check the disk.".to_owned(),
        ArchiveError::IndexFailed { .. } => "The index failed: a start makes it anew.".to_owned(),
        ArchiveError::StateDirectory { .. }
        | ArchiveError::OthersMayRead { .. }
        | ArchiveError::KeyMissing { .. }
        | ArchiveError::KeyWrong { .. }
        | ArchiveError::KeyFile { .. }
        | ArchiveError::StatePlain { .. }
        | ArchiveError::StateSealed { .. }
        | ArchiveError::JournalNewer { .. }
        | ArchiveError::CannotSeal { .. }
        | ArchiveError::RecordDoesNotOpen { .. }
        | ArchiveError::NotDoneWith { .. }
        | ArchiveError::ClockAhead { .. }
        | ArchiveError::Locked { .. }
        | ArchiveError::WriteFailed { .. }
        | ArchiveError::LittleRoom { .. }
        | ArchiveError::ReadFailed { .. }
        | ArchiveError::SourceUnreadable { .. }
        | ArchiveError::DocumentMissing { .. }
        | ArchiveError::DocumentDamaged { .. }
        | ArchiveError::UnknownDocument { .. }
        | ArchiveError::UnknownItem { .. }
        | ArchiveError::ArrivalWithoutBytes
        | ArchiveError::NotSerialisable { .. }
        | ArchiveError::ReadOnly
        | ArchiveError::Stopped => return None,
    };
    Some(format!("{what} The daemon has ended or does not start; nothing is accepted, and nothing was changed."))
}

/// Tells the operators; nothing where there are none. What fails is logged.
pub async fn tell(config: &Config, trouble: &str) {
    let Some(settings) = config.outbox.clone().filter(|settings| !settings.operators.is_empty()) else { return };
    // An operator's own templates that are wrong keep no alarm back.
    let Ok(templates) = Templates::load(settings.templates.as_deref()).or_else(|_| Templates::load(None)) else {
        return;
    };
    let text = templates.write(Name::Trouble, &[("trouble", trouble)]);
    let now = clock::now();
    let mut telling = JoinSet::new();
    for to in settings.operators.clone() {
        let (settings, text) = (settings.clone(), text.clone());
        telling.spawn(async move {
            let message_id = message_id(trouble_hour(now), to.as_str(), &text.body, settings.from.domain());
            let letter = Letter {
                message_id,
                from: &settings.from,
                to: &to,
                subject: &text.subject,
                body: &text.body,
                date: now,
                is_reply: false,
                enclosed: None,
            };
            smtp::send(&settings.relay, TIME.min(settings.timeout), letter).await
        });
    }
    while let Some(ended) = telling.join_next().await {
        match ended {
            Ok(Ok(())) => log::alarm_sent(),
            Ok(Err(error)) => log::alarm_not_sent(&error.to_string()),
            Err(_panicked) => log::alarm_not_sent("a fault of the program"),
        }
    }
}

fn trouble_hour(now: Timestamp) -> i64 {
    now.as_second().div_euclid(3600)
}

/// The same for the same alarm to the same operator within an hour of the clock.
fn message_id(hour: i64, to: &str, text: &str, domain: &str) -> String {
    let digest = DocumentId::of(format!("alarm\n{hour}\n{to}\n{text}").as_bytes());
    format!("{OWN_MESSAGE_ID}{}@{domain}", digest.short())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_damaged_journal_is_told_without_its_path_and_a_wrong_setting_is_not() {
        let path = PathBuf::from("/var/lib/nicufaxd/journal/1");
        let damaged = ArchiveError::JournalDamaged { path: path.clone(), offset: 7, sequence: 12, what: "x" };
        let told = words(&damaged).unwrap();
        assert!(told.contains("damaged at record 12") && !told.contains("/var"), "{told}");
        assert_eq!(words(&ArchiveError::StatePlain { state: path }), None);
    }

    #[test]
    fn an_alarm_keeps_its_message_id_for_an_hour() {
        let id = |time: &str| message_id(trouble_hour(time.parse().unwrap()), "it@x.example", "text", "x.example");
        assert_eq!(id("2026-03-16T09:00:00Z"), id("2026-03-16T09:59:59Z"));
        assert_ne!(id("2026-03-16T09:59:59Z"), id("2026-03-16T10:00:00Z"));
    }
}
