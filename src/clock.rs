//! The one place that asks what time it is; everything that decides is given the answer.

use jiff::Timestamp;

/// The wall clock's time.
#[allow(clippy::disallowed_methods, reason = "the one place that may")]
#[cfg(not(feature = "faults"))]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The wall clock's time, as wrong as a test wants it.
#[allow(clippy::disallowed_methods, reason = "the one place that may")]
#[cfg(feature = "faults")]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    now.checked_add(crate::fault::clock_error()).unwrap_or(now)
}
