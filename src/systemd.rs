//! What systemd is told: READY, WATCHDOG, STOPPING. Without systemd all of it does nothing.
//!
//! A notification that can't be sent is no reason to stop sorting faxes, so failures are dropped here; systemd
//! itself notices a missing READY or WATCHDOG and says so.

use std::time::Duration;

use sd_notify::NotifyState;

pub fn ready() {
    _ = sd_notify::notify(&[NotifyState::Ready]);
}

pub fn alive() {
    _ = sd_notify::notify(&[NotifyState::Watchdog]);
}

pub fn stopping() {
    _ = sd_notify::notify(&[NotifyState::Stopping]);
}

/// How often to say that we are alive: three times in the time that systemd allows (`WatchdogSec=`).
pub fn watchdog_interval() -> Duration {
    sd_notify::watchdog_enabled().map_or(Duration::from_secs(20), |allowed| allowed / 3).max(Duration::from_millis(100))
}
