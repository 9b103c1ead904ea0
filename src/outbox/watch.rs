//! What is told without a document having come: urgent items whose time runs, sources that are silent, trouble of the
//! machine, and nurses' counts at set times.
//!
//! None of it holds patient data: the templates have no place for any. Each notice has a key of its own, so that a
//! restart tells nothing twice: an item's share of its time, a source's silence by its number, trouble by its kind and
//! hour, a digest by its nurse and time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp, Zoned};
use tokio::sync::watch;
use tokio::time::Instant;

use super::address::Address;
use super::plan::Planner;
use super::template::{Name, Text};
use crate::archive::event::Event;
use crate::archive::{Archive, ArchiveError, MailKind, blocking};
use crate::clock;
use crate::document::DocumentId;
use crate::intake::status::SourceStatuses;
use crate::log::LastError;
use crate::queue::item::{ItemId, QueueItem};
use crate::reader::pool::ReaderPool;
use crate::route::due::{ALL_OF_IT, ClockState};

/// Between two looks at the clock.
const TICK: Duration = Duration::from_secs(1);

/// Items are looked through again no sooner than this after they changed.
const AFTER_CHANGE: Duration = Duration::from_secs(2);

/// How often the disk's room is looked at.
const DISK_LOOK: Duration = Duration::from_secs(30);

/// An item that has been overdue for longer tells of itself in the digests only: a daemon that is set up on an old queue
/// must not write about all of it.
const OVERDUE: SignedDuration = SignedDuration::from_hours(24);

/// A digest whose time passed while the daemon was stopped is still sent for so long.
const DIGEST_LATE: SignedDuration = SignedDuration::from_hours(2);

const HOUR: Duration = Duration::from_secs(60 * 60);

/// What the watch looks at.
pub struct Watch {
    pub planner: Arc<Planner>,
    pub archive: Archive,
    pub sources: SourceStatuses,
    pub pool: Arc<ReaderPool>,
    pub last_error: LastError,
}

/// What is known of a source's silence.
struct Heard {
    accepted: u64,
    at: Timestamp,
    /// How many silences have ended.
    number: u64,
    is_silent: bool,
}

impl Watch {
    /// Looks until `stopping`. An archive that can't record is noticed by the work loop, which ends the daemon.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) {
        let Ok(mut heard) = self.begin().await else { return };
        let mut items = self.archive.watch_items();
        items.mark_changed();
        let (mut changed_at, mut next_share) = (None, None);
        let mut next_disk = Instant::now();
        let mut told_error = None;
        let mut losses: Vec<(Instant, u64)> = Vec::new();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stopping.changed() => return,
                _ = ticks.tick() => {}
            }
            let now = clock::now();
            if items.has_changed().unwrap_or(false) {
                items.borrow_and_update();
                changed_at.get_or_insert_with(Instant::now);
            }
            let settled = changed_at.is_some_and(|at: Instant| at.elapsed() >= AFTER_CHANGE);
            if settled || next_share.is_some_and(|share| share <= now) {
                changed_at = None;
                // A failure is looked at again when items change.
                next_share = self.urgent(now).await.unwrap_or_default();
            }
            self.silence(now, &mut heard).await;
            self.digests(now).await;
            if Instant::now() >= next_disk {
                next_disk = Instant::now() + DISK_LOOK;
                let archive = self.archive.clone();
                let room = blocking(move || archive.check_room()).await;
                if matches!(room, Err(ArchiveError::LittleRoom { .. })) {
                    let told =
                        "The disk of the state directory is nearly full: nothing is accepted until there is room.";
                    self.trouble("disk", now, told).await;
                }
            }
            let lost = self.pool.status().lost;
            // The first one is what was lost before the hour began.
            while losses.get(1).is_some_and(|(at, _)| at.elapsed() >= HOUR) {
                losses.remove(0);
            }
            let known = losses.last().map(|(_, lost)| *lost);
            if known != Some(lost) {
                losses.push((Instant::now(), lost));
            }
            let within = lost.saturating_sub(losses.first().map_or(lost, |(_, lost)| *lost));
            if within > self.planner.settings.worker_losses {
                let told = format!("{within} reading workers died or had to be ended within an hour.");
                self.trouble("workers", now, &told).await;
            }
            if let Some(line) = self.last_error.line()
                && told_error != Some(line.at)
            {
                told_error = Some(line.at);
                let field = |name| line.fields.get(name).map_or("", String::as_str);
                // The relay's own trouble cannot be told through the relay.
                if field("stage") != "outbox" {
                    // The message is one of the program's own, the source's name the configuration's; other fields may
                    // name paths.
                    let source = field("source");
                    self.trouble(&format!("error/{source}"), now, &error_words(line.at, field("message"), source))
                        .await;
                }
            }
        }
    }

    /// What is known of the sources' silences from before this start.
    async fn begin(&self) -> Result<BTreeMap<String, Heard>, ArchiveError> {
        let (archive, planner, now) = (self.archive.clone(), self.planner.clone(), clock::now());
        blocking(move || {
            let mut heard = BTreeMap::new();
            // Asked of the first operator alone: all are written to together.
            let Some(operator) = planner.settings.operators.first() else { return Ok(heard) };
            for (source, _) in &planner.settings.silent_after {
                let mut number = 0;
                while archive.is_mail_queued(&heard_key(source, number, operator))? {
                    number += 1;
                }
                let is_silent = archive.is_mail_queued(&silent_key(source, number, operator))?;
                heard.insert(source.clone(), Heard { accepted: 0, at: now, number, is_silent });
            }
            Ok(heard)
        })
        .await
    }

    /// Tells of urgent items; gives when the next one is to be told of.
    async fn urgent(&self, now: Timestamp) -> Result<Option<Timestamp>, ArchiveError> {
        if self.planner.settings.notices.is_empty() {
            return Ok(None);
        }
        let (archive, planner) = (self.archive.clone(), self.planner.clone());
        blocking(move || {
            let (mut next, mut mails): (Option<Timestamp>, Vec<Event>) = (None, Vec::new());
            for item in archive.items() {
                let item = item?;
                let Some(to) = planner.settings.notices.get(&item.lane) else { continue };
                let (passed, coming) = shares(&item, now);
                next = [next, coming].into_iter().flatten().min();
                let Some(percent) = passed else { continue };
                let name = share_name(percent);
                let document = archive.find_document(item.id.document())?;
                for to in to {
                    let key = format!("notice/{name}/{}/{to}", item.id);
                    // Told of the later share, nobody wants to hear of the earlier one.
                    if !archive.is_mail_queued(&key)? {
                        mails.push(urgent_mail(&planner, key, &item, document.clone(), percent, to));
                    }
                }
            }
            if !mails.is_empty() {
                archive.record_all(mails)?;
            }
            Ok(next)
        })
        .await
    }

    async fn silence(&self, now: Timestamp, heard: &mut BTreeMap<String, Heard>) {
        let accepted = self.sources.snapshot();
        for (source, silent_after) in &self.planner.settings.silent_after {
            let Some(known) = heard.get_mut(source) else { continue };
            // A maildir's two folders are told of apart: `um/new` and `um/cur`.
            let below = format!("{source}/");
            let of_source = accepted.iter().filter(|(name, _)| *name == source || name.starts_with(&below));
            // What echoes our own mails, the notice of the silence above all, is no word of the source's.
            let count = of_source.map(|(_, status)| status.accepted - status.echoes).sum();
            let allowed = SignedDuration::try_from(*silent_after).unwrap_or(SignedDuration::MAX);
            let number = known.number;
            if count != known.accepted {
                (known.accepted, known.at) = (count, now);
                if known.is_silent {
                    let text = self.planner.templates.write(Name::Heard, &[("source", source)]);
                    let key = |to: &Address| heard_key(source, number, to);
                    if self.tell_operators(MailKind::Silence, &text, key).await.is_ok() {
                        (known.is_silent, known.number) = (false, number + 1);
                    }
                }
            } else if !known.is_silent && now.duration_since(known.at) > allowed {
                let values = [
                    ("source", source.as_str()),
                    ("silent_after", &format!("{allowed:#}")),
                    ("since", &self.planner.local(known.at)),
                ];
                let text = self.planner.templates.write(Name::Silent, &values);
                let key = |to: &Address| silent_key(source, number, to);
                known.is_silent = self.tell_operators(MailKind::Silence, &text, key).await.is_ok();
            }
        }
    }

    /// Tells the operators of trouble, once an hour of the clock for each kind.
    async fn trouble(&self, kind: &str, now: Timestamp, told: &str) {
        let hour = now.as_second().div_euclid(3600);
        let text = self.planner.templates.write(Name::Trouble, &[("trouble", told)]);
        // Full disks and stopped archives tell of themselves in the log; it is tried again while the trouble lasts.
        _ = self.tell_operators(MailKind::Trouble, &text, |to| format!("trouble/{kind}/{hour}/{to}")).await;
    }

    async fn tell_operators(
        &self,
        kind: MailKind,
        text: &Text,
        key: impl Fn(&Address) -> String,
    ) -> Result<(), ArchiveError> {
        let operators = &self.planner.settings.operators;
        let mails: Vec<Event> = operators.iter().map(|to| notice(key(to), kind, text, to)).collect();
        let archive = self.archive.clone();
        if mails.is_empty() { Ok(()) } else { blocking(move || archive.record_all(mails)).await }
    }

    async fn digests(&self, now: Timestamp) {
        let now = now.to_zoned(self.planner.zone.clone());
        for digest in &self.planner.settings.digests {
            let at = digest.times.iter().filter_map(|time| last(&now, *time)).max();
            let Some(at) = at.filter(|at| now.duration_since(at) <= DIGEST_LATE) else { continue };
            let key = format!("digest/{}/{}/{}", digest.nurse, at.timestamp(), digest.to);
            let (archive, planner, digest, now) =
                (self.archive.clone(), self.planner.clone(), digest.clone(), now.timestamp());
            // A failure is tried again at the next tick.
            _ = blocking(move || {
                if archive.is_mail_queued(&key)? {
                    return Ok(());
                }
                let text = counts(&planner, &archive, &digest.nurse, now)?;
                archive.record(notice(key, MailKind::Digest, &text, &digest.to))
            })
            .await;
        }
    }
}

/// An error of the log, as operators are told of it.
fn error_words(at: Timestamp, message: &str, source: &str) -> String {
    let of = if source.is_empty() { String::new() } else { format!(", source {source}") };
    format!("The log has an error since {at}{of}: {message}.")
}

fn silent_key(source: &str, number: u64, to: &Address) -> String {
    format!("silent/{source}/{number}/{to}")
}

fn heard_key(source: &str, number: u64, to: &Address) -> String {
    format!("heard/{source}/{number}/{to}")
}

fn notice(key: String, kind: MailKind, text: &Text, to: &Address) -> Event {
    Event::MailQueued {
        key,
        kind,
        document: None,
        item: None,
        recipient: to.to_string(),
        subject: text.subject.clone(),
        body: text.body.clone(),
    }
}

fn urgent_mail(
    planner: &Planner,
    key: String,
    item: &QueueItem,
    document: Option<DocumentId>,
    percent: u8,
    to: &Address,
) -> Event {
    let due = item.due_at.map(|due| planner.local(due));
    let id = item.id.to_string();
    let values = [
        ("item", id.as_str()),
        ("lane", &item.lane),
        ("share", &percent.to_string()),
        ("due_at", &due.unwrap_or_default()),
        ("link", &planner.link(&id)),
    ];
    let Text { subject, body } = planner.templates.write(Name::Urgent, &values);
    let item: Option<ItemId> = Some(item.id.clone());
    Event::MailQueued { key, kind: MailKind::Urgent, document, item, recipient: to.to_string(), subject, body }
}

/// What mails about a share of the time are known by. The names of the usual ones stand in older journals.
fn share_name(percent: u8) -> String {
    match percent {
        50 => "half-time".to_owned(),
        80 => "four-fifths".to_owned(),
        ALL_OF_IT => "overdue".to_owned(),
        other => format!("{other}-percent"),
    }
}

/// The share of its time that an urgent item has spent, in percent, if it is to be told of; and when the next one comes.
fn shares(item: &QueueItem, now: Timestamp) -> (Option<u8>, Option<Timestamp>) {
    let running = item.due_at.zip(item.clock.as_ref());
    let Some((due, clock)) = running.filter(|_| item.priority == "urgent") else { return (None, None) };
    let passed = Some(clock.passed_by(now, due)).filter(|percent| *percent > 0 && clock.state != ClockState::Paused);
    (passed.filter(|_| now.duration_since(due) <= OVERDUE), clock.next_mark(now, due))
}

/// When it was this time of day last.
fn last(now: &Zoned, time: Time) -> Option<Zoned> {
    let on = |date: jiff::civil::Date| date.to_datetime(time).to_zoned(now.time_zone().clone()).ok();
    on(now.date()).filter(|at| at <= now).or_else(|| on(now.date().yesterday().ok()?))
}

/// A nurse's open items in numbers.
fn counts(planner: &Planner, archive: &Archive, nurse: &str, now: Timestamp) -> Result<Text, ArchiveError> {
    let (mut open, mut urgent, mut overdue) = (0_u64, 0_u64, 0_u64);
    let mut lanes: BTreeMap<String, u64> = BTreeMap::new();
    for item in archive.items() {
        let item = item?;
        if item.assigned_to.as_deref().is_some_and(|to| to.trim().eq_ignore_ascii_case(nurse.trim())) {
            open += 1;
            urgent += u64::from(item.priority == "urgent");
            overdue += u64::from(item.due_at.is_some_and(|due| due <= now));
            *lanes.entry(item.lane).or_default() += 1;
        }
    }
    let lanes: Vec<String> = lanes.iter().map(|(lane, count)| format!("{lane} {count}")).collect();
    let lanes = if lanes.is_empty() { "none".to_owned() } else { lanes.join(", ") };
    let (open, urgent, overdue) = (open.to_string(), urgent.to_string(), overdue.to_string());
    let values = [
        ("open", open.as_str()),
        ("urgent", &urgent),
        ("overdue", &overdue),
        ("lanes", &lanes),
        ("link", planner.settings.link_base.as_deref().unwrap_or_default()),
    ];
    Ok(planner.templates.write(Name::Digest, &values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Receipt;

    fn item() -> QueueItem {
        let receipt = Receipt::new("secure-fax", "1.tif", "2026-03-16T00:00:00Z".parse().unwrap());
        // Urgent, due in 24 hours.
        QueueItem::held(&DocumentId::of(b"fax"), &receipt, "")
    }

    #[test]
    fn an_urgent_item_is_told_of_at_half_and_at_four_fifths_of_its_time_and_when_it_is_overdue() {
        let at = |time: &str| shares(&item(), time.parse().unwrap());
        let when = |time: &str| Some(time.parse::<Timestamp>().unwrap());
        assert_eq!(at("2026-03-16T11:59:59Z"), (None, when("2026-03-16T12:00:00Z")));
        assert_eq!(at("2026-03-16T12:00:00Z"), (Some(50), when("2026-03-16T19:12:00Z")));
        assert_eq!(at("2026-03-16T19:12:00Z"), (Some(80), when("2026-03-17T00:00:00Z")));
        assert_eq!(at("2026-03-17T12:00:00Z"), (Some(100), None), "overdue, and still told of");
        assert_eq!(at("2026-03-18T00:00:01Z"), (None, None), "too old to be news");
        let standard = QueueItem { priority: "standard".to_owned(), ..item() };
        assert_eq!(shares(&standard, "2026-03-16T19:12:00Z".parse().unwrap()), (None, None));
    }

    #[test]
    fn an_error_of_a_source_names_it() {
        let at = "2026-03-16T00:00:00Z".parse().unwrap();
        assert!(error_words(at, "source failed", "um").contains("source um: source failed."));
        assert!(error_words(at, "cannot go on", "").ends_with("since 2026-03-16T00:00:00Z: cannot go on."));
    }

    #[test]
    fn a_digests_time_is_that_of_the_wall_clock() {
        let now: Zoned = "2026-03-08T08:00:00-04:00[America/New_York]".parse().unwrap();
        let at = |hour, minute| last(&now, Time::constant(hour, minute, 0, 0)).unwrap().to_string();
        assert_eq!(at(7, 30), "2026-03-08T07:30:00-04:00[America/New_York]");
        assert_eq!(at(15, 0), "2026-03-07T15:00:00-05:00[America/New_York]");
    }
}
