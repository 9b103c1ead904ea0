//! The sidecar: what the fax server tells about a document, in a JSON file beside it.
//!
//! A document is never lost over its sidecar: what cannot be read in it is left out and named in
//! [`Sidecar::unreadable`], which goes with the document to the person who looks at it. Unknown keys are ignored.

use jiff::Timestamp;
use serde_json::Value;

/// Sidecars are a few hundred bytes; a larger file is not one.
pub(super) const MAX_BYTES: u64 = 64 * 1024;

/// No phone number, name or address of a fax server is longer; the rest would only be carried along.
const MAX_TEXT: usize = 128;

/// Clocks of fax servers run a little ahead; a receipt further ahead than this is an error, and believing it would
/// put the due time off.
const AHEAD: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);

/// A receipt's note begins with this when the document's sidecar could not be read, or not wholly.
pub const SIDECAR_UNREADABLE: &str = "sidecar unreadable";

/// What a sidecar says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sidecar {
    pub sender: Option<String>,
    pub received_at: Option<Timestamp>,
    pub receiver: Option<String>,
    pub pages: Option<u32>,
    pub received_with_errors: bool,
    /// What could not be read: the key, or the whole; no values.
    pub unreadable: Vec<&'static str>,
}

impl Sidecar {
    /// Nothing of it could be read, for this reason.
    pub fn unreadable(reason: &'static str) -> Self {
        Self { unreadable: vec![reason], ..Self::default() }
    }

    /// Reads a sidecar. `now` bounds the time of receipt.
    pub fn parse(bytes: &[u8], now: Timestamp) -> Self {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let Ok(Value::Object(keys)) = serde_json::from_slice(bytes) else {
            return Self::unreadable("not a JSON object");
        };
        let mut sidecar = Self::default();
        let present = |key: &str| keys.get(key).filter(|value| !value.is_null());
        for (key, place) in [("sender", &mut sidecar.sender), ("receiver", &mut sidecar.receiver)] {
            match present(key).map(text) {
                None => {}
                Some(Some(text)) => *place = Some(text),
                Some(None) => sidecar.unreadable.push(if key == "sender" { "sender" } else { "receiver" }),
            }
        }
        match present("received_at").map(|value| time(value, now)) {
            None => {}
            Some(Some(time)) => sidecar.received_at = Some(time),
            Some(None) => sidecar.unreadable.push("received_at"),
        }
        match present("pages").map(count) {
            None => {}
            Some(Some(pages)) => sidecar.pages = Some(pages),
            Some(None) => sidecar.unreadable.push("pages"),
        }
        sidecar.received_with_errors = present("errors").is_some_and(says_errors);
        sidecar
    }

    /// The note for the receipt, if something could not be read.
    pub fn note(&self) -> Option<String> {
        (!self.unreadable.is_empty()).then(|| format!("{SIDECAR_UNREADABLE}: {}", self.unreadable.join(", ")))
    }
}

fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    Some(text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect())
}

fn time(value: &Value, now: Timestamp) -> Option<Timestamp> {
    let time: Timestamp = value.as_str()?.trim().parse().ok()?;
    let latest = now.checked_add(AHEAD).unwrap_or(now);
    (time <= latest).then_some(time.min(now))
}

fn count(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|pages| u32::try_from(pages).ok()),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Anything that is not plainly "no errors" counts as errors: the mark only asks a person to look more closely.
fn says_errors(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(errors) => *errors,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => {
            !matches!(text.trim().to_ascii_lowercase().as_str(), "" | "0" | "no" | "none" | "false" | "ok")
        }
        Value::Array(errors) => !errors.is_empty(),
        Value::Object(errors) => !errors.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Sidecar {
        Sidecar::parse(json.as_bytes(), "2026-03-16T14:00:00Z".parse().unwrap())
    }

    #[test]
    fn everything_that_a_fax_server_tells_is_read_and_unknown_keys_are_ignored() {
        let sidecar = parse(
            r#"{"sender": "6175550134", "received_at": "2026-03-16T09:12:00-04:00", "receiver": 18663035749,
                "pages": 3, "errors": ["page 2"], "csid": "NICU"}"#,
        );
        let expected = Sidecar {
            sender: Some("6175550134".into()),
            received_at: Some("2026-03-16T13:12:00Z".parse().unwrap()),
            receiver: Some("18663035749".into()),
            pages: Some(3),
            received_with_errors: true,
            unreadable: vec![],
        };
        assert_eq!(sidecar, expected);
        assert_eq!(sidecar.note(), None);
    }

    #[test]
    fn errors_may_be_told_by_yes_and_no_by_number_or_by_list() {
        for (errors, told) in [
            ("true", true),
            ("false", false),
            ("2", true),
            ("0", false),
            ("[]", false),
            ("null", false),
            ("\"line noise\"", true),
        ] {
            assert_eq!(parse(&format!(r#"{{"errors": {errors}}}"#)).received_with_errors, told, "{errors}");
        }
    }

    #[test]
    fn one_bad_value_does_not_cost_the_others() {
        let sidecar = parse(r#"{"sender": "617", "received_at": "yesterday", "pages": -1}"#);
        assert_eq!(sidecar.sender.as_deref(), Some("617"));
        assert_eq!(sidecar.note().as_deref(), Some("sidecar unreadable: received_at, pages"));
    }

    #[test]
    fn a_time_of_receipt_in_the_future_is_not_believed() {
        let ahead = parse(r#"{"received_at": "2026-03-16T14:04:00Z"}"#);
        assert_eq!(ahead.received_at, Some("2026-03-16T14:00:00Z".parse().unwrap()));
        let wrong = parse(r#"{"received_at": "2027-03-16T14:00:00Z"}"#);
        assert_eq!((wrong.received_at, wrong.unreadable), (None, vec!["received_at"]));
    }

    #[test]
    fn a_broken_sidecar_says_so() {
        for broken in ["", "{", "[1]", "\"sender\"", "\u{0}"] {
            assert_eq!(parse(broken).note().as_deref(), Some("sidecar unreadable: not a JSON object"));
        }
    }
}
