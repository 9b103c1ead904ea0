//! The one place that asks what time it is; everything that decides is given the answer.

use jiff::Timestamp;

/// The wall clock's time.
#[allow(clippy::disallowed_methods, reason = "the one place that may")]
pub fn now() -> Timestamp {
    Timestamp::now()
}
