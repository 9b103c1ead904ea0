//! What to do with each entry of a folder: a pure function of what lies there, of how long it has lain there, and of
//! the time.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::Refusal;
use super::settle::{Seen, Settling};
use super::source_file::{Entry, Fingerprint, Kind};

/// An upload's temporary file is shown to a person after this long without a change.
const FORGOTTEN: Duration = Duration::from_secs(60 * 60);

/// A sidecar without its document is shown to a person after this long without a change: those of a fax server come
/// within seconds of each other, and what a late one tells (the time of receipt!) is missing on the item.
const SIDECAR_ALONE: Duration = Duration::from_secs(60);

/// A file that a program holds open for writing without a change is shown to a person after this long; no upload
/// protocol keeps a silent connection for longer.
const WRITER_STALLED: Duration = Duration::from_secs(10 * 60);

/// A sidecar that keeps changing holds its document up no longer than this.
const SIDECAR_PATIENCE: Duration = Duration::from_secs(60);

/// Ends of names under which upload programs write before they rename (FTP servers and clients, browsers, rsync and
/// scanners; a leading dot is the other custom).
const UPLOAD_ENDINGS: [&str; 5] = [".tmp", ".part", ".filepart", ".partial", ".crdownload"];

/// The settings that a judgement needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub settle: Duration,
    pub max_bytes: u64,
}

/// What to do with one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has settled and is a document.
    Take {
        sidecar: Option<SidecarFile>,
    },
    /// Not yet; look again at this time, or when something happens.
    Wait {
        until: Option<Instant>,
    },
    Refuse(Refusal),
    /// Not ours (a subfolder), or a sidecar that goes with its document.
    LeaveAlone,
}

/// The sidecar of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SidecarFile {
    pub name: OsString,
    pub fingerprint: Fingerprint,
}

/// Judges every entry, in the order given.
///
/// `now` is the moment of the look; `wall` the same by the wall clock, used only to tell how old forgotten entries are.
pub(super) fn judge(
    entries: &[Entry],
    settling: &Settling,
    rules: Rules,
    now: Instant,
    wall: Timestamp,
) -> Vec<Verdict> {
    let look = Look { entries, settling, rules, now, wall };
    entries.iter().map(|entry| look.verdict(entry)).collect()
}

struct Look<'a> {
    entries: &'a [Entry],
    settling: &'a Settling,
    rules: Rules,
    now: Instant,
    wall: Timestamp,
}

impl Look<'_> {
    fn verdict(&self, entry: &Entry) -> Verdict {
        match entry.kind {
            // Programs keep their working folders under hidden names.
            Kind::Folder if entry.name.as_bytes().starts_with(b".") => return Verdict::LeaveAlone,
            Kind::Folder => return Verdict::Refuse(Refusal::Folder),
            Kind::Link => return Verdict::Refuse(Refusal::Link),
            Kind::Special => return Verdict::Refuse(Refusal::Special),
            Kind::Unknown(kind) => return Verdict::Refuse(Refusal::Unreadable(kind)),
            Kind::File => {}
        }
        let Some(seen) = self.settling.seen(&entry.name) else {
            return Verdict::Wait { until: Some(self.now + self.rules.settle) };
        };
        if upload_of(&entry.name).is_some() {
            return self.forgotten(entry, seen, FORGOTTEN, Refusal::UploadStalled);
        }
        if is_sidecar(&entry.name) {
            let has_document = self.entries.iter().any(|other| is_document_of(&other.name, &entry.name));
            return if has_document {
                Verdict::LeaveAlone
            } else {
                self.forgotten(entry, seen, SIDECAR_ALONE, Refusal::SidecarAlone)
            };
        }
        if self.settling.is_being_written(&entry.name) {
            let until = seen.unchanged_since + WRITER_STALLED;
            return if until <= self.now {
                Verdict::Refuse(Refusal::WriterStalled)
            } else {
                Verdict::Wait { until: Some(until) }
            };
        }
        let sidecar = self.sidecar_of(entry);
        let document_settled = seen.unchanged_since + self.rules.settle;
        let sidecar_settled = sidecar
            .and_then(|sidecar| self.settling.seen(&sidecar.name))
            .map_or(document_settled, |seen| seen.unchanged_since + self.rules.settle);
        let settled = sidecar_settled.clamp(document_settled, document_settled + SIDECAR_PATIENCE);
        if settled > self.now {
            Verdict::Wait { until: Some(settled) }
        } else if entry.fingerprint.size == 0 {
            Verdict::Refuse(Refusal::Empty)
        } else if entry.fingerprint.size > self.rules.max_bytes {
            Verdict::Refuse(Refusal::TooLarge { limit: self.rules.max_bytes })
        } else {
            let file = |entry: &Entry| SidecarFile { name: entry.name.clone(), fingerprint: entry.fingerprint };
            Verdict::Take { sidecar: sidecar.map(file) }
        }
    }

    /// An entry that waits for something else to happen, until that has taken this long.
    fn forgotten(&self, entry: &Entry, seen: Seen, after: Duration, refusal: Refusal) -> Verdict {
        let age_ns = self.wall.as_nanosecond() - entry.fingerprint.last_touched_ns();
        let settled = seen.unchanged_since + self.rules.settle;
        if self.now < settled {
            Verdict::Wait { until: Some(settled) }
        } else if age_ns >= after.as_nanos() as i128 || seen.unchanged_since + after <= self.now {
            Verdict::Refuse(refusal)
        } else {
            Verdict::Wait { until: None }
        }
    }

    /// `0042.tif.json` before `0042.json`.
    fn sidecar_of(&self, document: &Entry) -> Option<&Entry> {
        let mut with_extension = document.name.clone();
        with_extension.push(".json");
        let candidates = || {
            let file = |entry: &&Entry| entry.kind == Kind::File && is_sidecar(&entry.name);
            self.entries.iter().filter(file).filter(|entry| is_document_of(&document.name, &entry.name))
        };
        let exact = |entry: &&Entry| entry.name.eq_ignore_ascii_case(&with_extension);
        candidates().find(exact).or_else(|| candidates().next())
    }
}

fn is_sidecar(name: &OsStr) -> bool {
    upload_of(name).is_none() && extension_is_json(name)
}

fn extension_is_json(name: &OsStr) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// Whether `name` is a document, or the upload of one, to which this sidecar belongs.
pub(super) fn is_document_of(name: &OsStr, sidecar: &OsStr) -> bool {
    let name = upload_of(name).unwrap_or(name);
    let stem = Path::new(sidecar).file_stem();
    !extension_is_json(name) && (Some(name) == stem || Path::new(name).file_stem() == stem)
}

/// The name that a file will have once its upload is complete; `None` when it bears no upload's name.
fn upload_of(name: &OsStr) -> Option<&OsStr> {
    let bytes = name.as_bytes();
    let ending = UPLOAD_ENDINGS.iter().find_map(|ending| {
        let (stem, end) = bytes.split_at_checked(bytes.len().checked_sub(ending.len())?)?;
        end.eq_ignore_ascii_case(ending.as_bytes()).then_some(stem)
    });
    match (bytes.strip_prefix(b"."), ending) {
        (_, Some(stem)) => Some(OsStr::from_bytes(stem.strip_prefix(b".").unwrap_or(stem))),
        (Some(rest), None) => Some(OsStr::from_bytes(rest)),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::changes::Change;

    const RULES: Rules = Rules { settle: Duration::from_secs(5), max_bytes: 1000 };
    /// Wall clock of the tests, and the age at which all entries were last touched.
    const WALL_NS: i128 = 1_773_669_600_000_000_000;

    fn file(name: &str, size: u64) -> Entry {
        let fingerprint = Fingerprint { inode: 7, size, modified_ns: WALL_NS, ..Fingerprint::default() };
        Entry { name: name.into(), kind: Kind::File, fingerprint }
    }

    /// The verdicts `after` the entries were first seen, nothing having changed.
    fn judged(entries: &[Entry], after: Duration) -> Vec<Verdict> {
        let start = Instant::now();
        let mut settling = Settling::default();
        settling.observe(entries, start);
        let wall = Timestamp::from_nanosecond(WALL_NS + after.as_nanos() as i128).unwrap();
        settling.observe(entries, start + after);
        judge(entries, &settling, RULES, start + after, wall)
    }

    const SETTLED: Duration = Duration::from_secs(5);

    #[test]
    fn a_file_is_taken_only_after_it_has_lain_unchanged() {
        let take = Verdict::Take { sidecar: None };
        assert!(matches!(judged(&[file("a.tif", 9)], Duration::from_secs(4))[..], [Verdict::Wait { until: Some(_) }]));
        assert_eq!(judged(&[file("a.tif", 9)], SETTLED), [take]);
    }

    #[test]
    fn a_half_written_file_begins_to_settle_anew_with_each_change() {
        let start = Instant::now();
        let wall = Timestamp::from_nanosecond(WALL_NS).unwrap();
        let mut settling = Settling::default();
        for second in 0..30 {
            let now = start + Duration::from_secs(second);
            let entries = [file("a.tif", 100 + second / 4)];
            settling.observe(&entries, now);
            let verdicts = judge(&entries, &settling, RULES, now, wall);
            assert!(matches!(verdicts[..], [Verdict::Wait { .. }]), "second {second}");
        }
        let entries = [file("a.tif", 100 + 29 / 4)];
        let now = start + Duration::from_secs(33);
        settling.observe(&entries, now);
        assert_eq!(judge(&entries, &settling, RULES, now, wall), [Verdict::Take { sidecar: None }]);
    }

    #[test]
    fn a_file_that_is_held_open_by_its_writer_waits_and_then_goes_to_a_person() {
        let start = Instant::now();
        let wall = Timestamp::from_nanosecond(WALL_NS).unwrap();
        let entries = [file("a.tif", 9)];
        let mut settling = Settling::default();
        settling.observe(&entries, start);
        settling.note(Change::Writing("a.tif".into()));
        let after = |settling: &Settling, minutes: u64| {
            judge(&entries, settling, RULES, start + Duration::from_secs(60 * minutes), wall)
        };
        assert!(matches!(after(&settling, 9)[..], [Verdict::Wait { until: Some(_) }]));
        assert_eq!(after(&settling, 10), [Verdict::Refuse(Refusal::WriterStalled)]);
        assert!(settling.note(Change::Closed("a.tif".into())));
        assert_eq!(after(&settling, 10), [Verdict::Take { sidecar: None }]);
    }

    #[test]
    fn what_is_no_file_or_no_document_is_refused_with_its_reason() {
        let odd = |name: &str, kind| Entry { kind, ..file(name, 9) };
        let entries =
            [odd("l", Kind::Link), odd("p", Kind::Special), odd("d", Kind::Folder), file("e", 0), file("big", 1001)];
        let expected = [
            Verdict::Refuse(Refusal::Link),
            Verdict::Refuse(Refusal::Special),
            Verdict::Refuse(Refusal::Folder),
            Verdict::Refuse(Refusal::Empty),
            Verdict::Refuse(Refusal::TooLarge { limit: 1000 }),
        ];
        assert_eq!(judged(&entries, SETTLED), expected);
        assert_eq!(judged(&[odd(".stage", Kind::Folder)], SETTLED), [Verdict::LeaveAlone]);
        assert!(matches!(judged(&entries, Duration::ZERO)[3..], [Verdict::Wait { .. }, Verdict::Wait { .. }]));
    }

    #[test]
    fn uploads_are_left_alone_until_they_have_been_forgotten_for_an_hour() {
        for name in [".0042.tif", "0042.tif.part", "0042.TMP", "0042.tif.filepart", ".0042.tif.Xy12"] {
            assert_eq!(judged(&[file(name, 9)], SETTLED), [Verdict::Wait { until: None }], "{name}");
            let later = judged(&[file(name, 9)], FORGOTTEN);
            assert_eq!(later, [Verdict::Refuse(Refusal::UploadStalled)], "{name}");
        }
    }

    #[test]
    fn a_sidecar_goes_with_its_document_whichever_way_it_is_named() {
        for name in ["0042.tif.json", "0042.json", "0042.JSON"] {
            let entries = [file("0042.tif", 9), file(name, 9)];
            let sidecar = SidecarFile { name: name.into(), fingerprint: entries[1].fingerprint };
            let expected = [Verdict::Take { sidecar: Some(sidecar) }, Verdict::LeaveAlone];
            assert_eq!(judged(&entries, SETTLED), expected, "{name}");
        }
    }

    #[test]
    fn the_sidecar_with_the_whole_name_is_preferred() {
        let entries = [file("0042.json", 9), file("0042.tif", 9), file("0042.tif.json", 9)];
        let Verdict::Take { sidecar: Some(sidecar) } = &judged(&entries, SETTLED)[1] else { panic!("not taken") };
        assert_eq!(sidecar.name, "0042.tif.json");
    }

    #[test]
    fn a_sidecar_alone_waits_for_its_document_and_is_shown_after_a_minute() {
        assert_eq!(judged(&[file("0042.json", 9)], SETTLED), [Verdict::Wait { until: None }]);
        assert_eq!(judged(&[file("0042.json", 9)], SIDECAR_ALONE), [Verdict::Refuse(Refusal::SidecarAlone)]);
        let uploading = [file("0042.json", 9), file("0042.tif.part", 9)];
        assert_eq!(judged(&uploading, SETTLED)[0], Verdict::LeaveAlone);
    }

    #[test]
    fn a_document_waits_for_a_sidecar_that_is_still_being_written() {
        let start = Instant::now();
        let wall = Timestamp::from_nanosecond(WALL_NS).unwrap();
        let mut settling = Settling::default();
        settling.observe(&[file("0042.tif", 9)], start);
        let entries = [file("0042.tif", 9), file("0042.tif.json", 3)];
        let now = start + SETTLED;
        settling.observe(&entries, now);
        let verdicts = judge(&entries, &settling, RULES, now, wall);
        assert_eq!(verdicts[0], Verdict::Wait { until: Some(now + RULES.settle) });
    }
}
