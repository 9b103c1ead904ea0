//! Whether the clock may be believed when something is to be destroyed because of it.
//!
//! A clock that jumps ahead makes everything old at once. So purging goes by a time that is trusted: it is kept in the
//! state directory, and a clock is believed that is not far ahead of it. A clock that is, because it is wrong or because
//! the daemon was off for long, is believed once the daemon has run with it for a day, or when an operator says so. A clock
//! that is behind makes nothing old and needs no check.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::{Archive, ArchiveError};

/// How far the clock may be ahead of the last trusted time when the archive is opened: a long weekend off.
const AFTER_A_START: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How far it may run ahead of the monotonic clock while the archive is open.
const WHILE_RUNNING: SignedDuration = SignedDuration::from_hours(24);

/// How long the daemon has to run with a clock that jumped until it is believed.
const UNTIL_BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);

/// How old the trusted time that is kept may get.
const KEEP_EVERY: SignedDuration = SignedDuration::from_mins(50);

/// What is known of the clock.
#[derive(Clone, Debug)]
pub(super) struct Trusted {
    /// The last time that was believed, and when that was.
    time: Timestamp,
    at: Instant,
    /// Since when the clock is ahead.
    ahead_since: Option<Instant>,
    limit: SignedDuration,
    kept: Option<Timestamp>,
}

impl Trusted {
    /// `last`: what was trusted last, or when something was recorded last; `None` for an archive that holds nothing.
    fn new(last: Option<Timestamp>, now: Timestamp, at: Instant) -> Self {
        Self { time: last.unwrap_or(now), at, ahead_since: None, limit: AFTER_A_START, kept: None }
    }

    fn believe(&mut self, now: Timestamp, at: Instant) {
        *self = Self { time: now, at, ahead_since: None, limit: WHILE_RUNNING, kept: self.kept };
    }

    /// Whether the clock may be believed; otherwise by how much it is ahead.
    fn look(&mut self, now: Timestamp, at: Instant) -> Result<(), SignedDuration> {
        let run = SignedDuration::try_from(at.saturating_duration_since(self.at)).unwrap_or(SignedDuration::MAX);
        let ahead = now.duration_since(self.time).saturating_sub(run);
        if ahead > self.limit {
            let since = *self.ahead_since.get_or_insert(at);
            if at.saturating_duration_since(since) < UNTIL_BELIEVED {
                self.limit = WHILE_RUNNING;
                return Err(ahead);
            }
        }
        self.believe(now, at);
        Ok(())
    }
}

/// The watch over the clock of an open archive.
#[derive(Default)]
pub(super) struct ClockWatch(Mutex<Option<Trusted>>);

impl Archive {
    /// [`ArchiveError::ClockAhead`] while the clock must not be believed. To be asked every hour or so while running.
    pub fn check_clock(&self) -> Result<(), ArchiveError> {
        let (now, at) = (crate::clock::now(), Instant::now());
        self.with_trusted(now, at, |trusted| {
            trusted
                .look(now, at)
                .map_err(|ahead| ArchiveError::ClockAhead { trusted: trusted.time, hours: ahead.as_hours() })
        })
    }

    /// An operator says that the clock is right.
    pub fn believe_clock(&self) -> Result<(), ArchiveError> {
        let (now, at) = (crate::clock::now(), Instant::now());
        self.with_trusted(now, at, |trusted| {
            trusted.believe(now, at);
            Ok(())
        })
    }

    fn with_trusted(
        &self,
        now: Timestamp,
        at: Instant,
        look: impl FnOnce(&mut Trusted) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        let mut watch = self.inner.clock.0.lock().unwrap_or_else(PoisonError::into_inner);
        let trusted = match &mut *watch {
            Some(trusted) => trusted,
            none => none.insert(Trusted::new(self.trusted_time()?.or(self.inner.recorded_before), now, at)),
        };
        let outcome = look(trusted);
        // The time before a jump is kept too: what is recorded from now on bears the wrong one.
        if trusted.kept.is_none_or(|kept| trusted.time.duration_since(kept).abs() > KEEP_EVERY) {
            // A disk that is full: the one kept before, or the last record, stands for it.
            if self.put_trusted_time(trusted.time).is_ok() {
                trusted.kept = Some(trusted.time);
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_weekend_off_is_believed_and_a_month_only_after_a_day_of_running() {
        let (friday, at) = (time("2026-03-13T17:00:00Z"), Instant::now());
        assert!(
            Trusted::new(Some(friday), time("2026-03-16T09:00:00Z"), at).look(time("2026-03-16T09:00:00Z"), at).is_ok()
        );
        let april = time("2026-04-16T09:00:00Z");
        let mut trusted = Trusted::new(Some(friday), april, at);
        for hours in 0..24 {
            assert!(trusted.look(april + HOUR * hours, at + HOUR * hours).is_err(), "after {hours} hours");
        }
        assert!(trusted.look(april + HOUR * 24, at + HOUR * 24).is_ok());
        assert!(trusted.look(april + HOUR * 25, at + HOUR * 25).is_ok());
        // A restart begins anew.
        assert!(Trusted::new(Some(friday), april, at).look(april + HOUR * 24, at).is_err());
    }

    #[test]
    fn a_jump_while_running_is_not_believed_until_it_is_taken_back_or_has_lasted() {
        let (noon, at) = (time("2026-03-16T12:00:00Z"), Instant::now());
        let mut trusted = Trusted::new(None, noon, at);
        assert!(trusted.look(noon, at).is_ok());
        // Summer time, a clock that is set by some hours, and one that goes back.
        assert!(trusted.look(noon + HOUR * 3, at + HOUR).is_ok());
        assert!(trusted.look(noon - HOUR * 48, at + HOUR * 2).is_ok());
        assert!(trusted.look(noon + HOUR * 3, at + HOUR * 3).is_err());
        assert!(trusted.look(noon - HOUR * 46, at + HOUR * 4).is_ok());
        assert!(trusted.look(noon + HOUR * 24 * 365, at + HOUR * 5).is_err());
        trusted.believe(noon + HOUR * 24 * 365, at + HOUR * 5);
        assert!(trusted.look(noon + HOUR * (24 * 365 + 1), at + HOUR * 6).is_ok());
    }
}
