//! Every line that an operator sees, in one place: the wording is an interface and is asserted by tests.
//!
//! Lines go to standard error. They carry ids, stages, durations, counts and reasons from closed lists; never a
//! name, number, date or text from a document, a sidecar or the case registry. A source's file name is shown only
//! as its document id or, where there is no document, as a digest: fax servers put telephone numbers into names,
//! people put patients' names there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{error, info, warn};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::archive::MailId;
use crate::clock;
use crate::config::{LogFormat, LogSettings};
use crate::document::{DocumentId, DocumentType, MatchStatus};
use crate::queue::item::QueueItem;

/// The last line of level ERROR, for `status`: what the log tells of a fault must not be looked for in it first.
#[derive(Clone, Debug, Default)]
pub struct LastError(Arc<Mutex<Option<ErrorLine>>>);

/// A line of level ERROR: what the log has too, so no patient data.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorLine {
    pub at: Timestamp,
    /// Its fields by name, `message` among them.
    #[serde(flatten)]
    pub fields: BTreeMap<&'static str, String>,
}

impl LastError {
    pub fn line(&self) -> Option<ErrorLine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<S: tracing::Subscriber> Layer<S> for LastError {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == tracing::Level::ERROR {
            let mut line = ErrorLine { at: clock::now(), fields: BTreeMap::new() };
            event.record(&mut line);
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
        }
    }
}

impl Visit for ErrorLine {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}

/// Starts logging; called once, by `main`.
pub fn start(settings: &LogSettings) -> LastError {
    let last_error = LastError::default();
    let level = settings.level.parse().unwrap_or(tracing::Level::INFO);
    // The index's own chatter can name paths and keys: only its errors are an operator's business.
    let filter = tracing_subscriber::EnvFilter::new(format!("off,nicufaxd={level},sled=error"));
    // It would tell of a line that cannot be written on standard error, and panic.
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    let kept = last_error.clone();
    let started = match settings.format {
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .finish()
            .with(kept)
            .try_init(),
        LogFormat::Human if std::env::var_os("JOURNAL_STREAM").is_some() => builder
            .with_ansi(false)
            .event_format(Journald(
                tracing_subscriber::fmt::format().without_time().with_target(false).with_level(false),
            ))
            .finish()
            .with(kept)
            .try_init(),
        LogFormat::Human => builder
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .with_target(false)
            .finish()
            .with(kept)
            .try_init(),
    };
    if started.is_err() {
        warn!("logging was started twice");
    }
    last_error
}

/// journald's own form: it stamps the time itself, and takes the priority from a `<N>` in front (sd-daemon(3)).
struct Journald(Format<Full, ()>);

impl<S, N> FormatEvent<S, N> for Journald
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        let priority = match *event.metadata().level() {
            tracing::Level::ERROR => 3,
            tracing::Level::WARN => 4,
            tracing::Level::INFO => 6,
            tracing::Level::DEBUG | tracing::Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}

/// Rounded up: what comes in half a second does not come in none.
pub fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub fn daemon_started(sources: usize, workers: usize, cases: usize, waiting: usize) {
    info!(stage = "daemon", sources, workers, cases, waiting, version = env!("CARGO_PKG_VERSION"), "started");
}

pub fn daemon_stopping(signal: &'static str) {
    info!(stage = "daemon", signal, "stopping: finishing or handing back the work in hand");
}

pub fn daemon_stopped(handed_back: usize) {
    info!(stage = "daemon", handed_back, "stopped; nothing is lost: what was handed back is read after the next start");
}

pub fn document_submitted(id: &DocumentId, first: bool, took: Duration) {
    info!(stage = "intake", document = %id, source = "submit", first, ms = milliseconds(took), "document stored");
}

pub fn submit_refused(id: &str, reason: &str, took: Duration) {
    warn!(stage = "intake", source = "submit", id, reason, ms = milliseconds(took), "refused; it stays where it lies");
}

pub fn refusal_dismissed(id: &str) {
    info!(stage = "intake", source = "submit", id, "a person has seen to what was refused");
}

pub fn dispositions_taken(taken: usize, refused: usize) {
    info!(stage = "dispositions", taken, refused, "dispositions taken; refused rows are told of beside the file");
}

pub fn dispositions_failed(reason: &str) {
    error!(stage = "dispositions", reason, "dispositions cannot be taken");
}

pub fn items_overdue(items: usize) {
    warn!(stage = "queue", items, "overdue");
}

pub fn purged(documents: usize) {
    info!(stage = "archive", documents, "purged by the retention rules");
}

pub fn purge_failed(reason: &str) {
    error!(
        stage = "archive",
        reason, "not everything was purged that the retention rules let go; trying again every hour"
    );
}

pub fn document_read(id: &DocumentId, pages: usize, blank: usize, unreadable: usize, took: Duration) {
    info!(stage = "read", document = %id, pages, blank, unreadable, ms = milliseconds(took), "read");
}

/// What its first pages tell is shown; the rest is read after everybody's first pages.
pub fn document_triaged(id: &DocumentId, (read, pages): (usize, u32), item: Option<&QueueItem>, took: Duration) {
    let document_type = item.map_or("", |item| item.document_type.name());
    let lane = item.map_or("", |item| item.lane.as_str());
    info!(stage = "triage", document = %id, read, pages, r#type = document_type, lane, ms = milliseconds(took), "triaged");
}

pub fn document_understood(
    id: &DocumentId,
    document_type: DocumentType,
    confidence: f32,
    fields: usize,
    took: Duration,
) {
    let confidence = f64::from((confidence * 100.0).round()) / 100.0;
    info!(stage = "understand", document = %id, r#type = document_type.name(), confidence, fields, ms = milliseconds(took), "understood");
}

pub fn document_linked(id: &DocumentId, status: MatchStatus, candidates: usize, took: Duration) {
    let status = match status {
        MatchStatus::Matched => "matched",
        MatchStatus::Ambiguous => "ambiguous",
        MatchStatus::Unmatched => "unmatched",
    };
    info!(stage = "link", document = %id, status, candidates, ms = milliseconds(took), "linked");
}

/// `repeated`: papers found to say what others said before.
pub fn document_queued(id: &DocumentId, items: usize, repeated: usize, lane: &str, due_rule: &str, took: Duration) {
    info!(stage = "queue", document = %id, items, repeated, lane, due_rule, ms = milliseconds(took), "queued");
}

pub fn repeats_unknown(id: &DocumentId, reason: &str) {
    warn!(stage = "queue", document = %id, reason, "whether it came before could not be looked up; its items do not say so");
}

pub fn document_held(id: &DocumentId, stage: &'static str, reason: &str) {
    warn!(stage, document = %id, reason, "held for a person; `nicufaxd held retry {id}` tries again");
}

pub fn attempt_failed(id: &DocumentId, attempt: u32, of: u32, reason: &str) {
    warn!(stage = "read", document = %id, attempt, of, reason, "attempt failed; it is tried again");
}

pub fn reader_unavailable(reason: &str, again_in: Duration) {
    error!(
        stage = "read",
        reason,
        again_in_s = whole_seconds(again_in),
        "no page can be read; documents wait, none is given up"
    );
}

pub fn archive_unavailable(id: &DocumentId, reason: &str, again_in: Duration) {
    error!(stage = "archive", document = %id, reason, again_in_s = whole_seconds(again_in), "cannot be recorded now; it is tried again");
}

pub fn cases_loaded(cases: usize, took: Duration) {
    info!(stage = "cases", cases, ms = milliseconds(took), "open-case registry loaded");
}

/// `reason` names line and column, never a value.
pub fn cases_refused(reason: &str, kept: usize) {
    if kept == 0 {
        error!(
            stage = "cases",
            reason, kept, "case snapshot refused whole, and no cases are in force: all goes to people"
        );
    } else {
        error!(stage = "cases", reason, kept, "case snapshot refused whole; the last good one stays in force");
    }
}

pub fn cases_not_kept(reason: &str) {
    error!(stage = "cases", reason, "the case snapshot is in force, but could not be kept for the next start");
}

pub fn decided_again(documents: usize, changed: usize, took: Duration) {
    info!(
        stage = "link",
        documents,
        changed,
        ms = milliseconds(took),
        "open items decided again under the new cases or rules"
    );
}

pub fn rules_reloaded(rules: usize) {
    info!(stage = "rules", rules, "rules reloaded");
}

pub fn rules_refused(reason: &str) {
    error!(stage = "rules", reason, "rules refused; the last good ones stay in force");
}

pub fn mail_sent(mail: &MailId, kind: &'static str, attempt: u32) {
    info!(stage = "outbox", %mail, kind, attempt, "mail sent");
}

pub fn mail_put_off(mail: &MailId, kind: &'static str, attempt: u32, reason: &str, again_in: Duration) {
    warn!(stage = "outbox", %mail, kind, attempt, reason, again_in_s = whole_seconds(again_in), "mail not sent; it is tried again");
}

pub fn mail_given_up(mail: &MailId, reason: &str) {
    warn!(stage = "outbox", %mail, reason, "mail given up; `nicufaxd held show {mail}` tells of it, `held retry {mail}` tries again");
}

pub fn mail_not_recorded(mail: &MailId, reason: &str, again_in: Duration) {
    error!(stage = "outbox", %mail, reason, again_in_s = whole_seconds(again_in), "what became of a mail cannot be recorded now; it is tried again");
}

pub fn alarm_sent() {
    info!(stage = "outbox", "an operator was told by mail");
}

pub fn alarm_not_sent(reason: &str) {
    warn!(stage = "outbox", reason, "an operator could not be told by mail, and nothing could be queued");
}

/// `again`: whether starting again may help.
pub fn fatal(reason: &str, again: bool) {
    if again {
        error!(
            stage = "daemon",
            reason, "cannot go on; nothing accepted is lost, the service manager may start it again"
        );
    } else {
        error!(stage = "daemon", reason, "cannot go on; nothing accepted is lost; correct this, then start it again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_seconds_and_never_as_none() {
        let told = [0, 1, 999, 1000, 1001].map(|ms| whole_seconds(Duration::from_millis(ms)));
        assert_eq!(told, [0, 1, 1, 1, 2]);
    }
}
