//! Faxes that a daemon is killed over, and the oracle of what must be true afterwards.
//!
//! Every kill is followed by the same questions: was nothing released before it was stored, and after a restart, is
//! every fax there once, unchanged, with the same queue, byte for byte, as a daemon that nobody killed exports?

#![allow(dead_code, reason = "each program that includes this uses a part of it")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use nicufaxd::fault::Step;

use crate::generator::{Encoding, FillOrder, Scan, Storage};
use crate::generator::{Fonts, Sheet, fax, fax_of_lines};
use crate::run::Setup;

/// Files that come together.
const FILES: usize = 3;

/// Each kill counts as an attempt of what is in hand; these trials are not about those.
const TABLES: &str = "[reader]\nattempts = 20\n";

/// The faxes of every trial, and what an undisturbed daemon makes of them.
pub struct Oracle {
    faxes: Vec<(String, Vec<u8>)>,
    /// Of the undisturbed daemon's state directory, by file name: documents are named under them.
    keys: Vec<(&'static str, Vec<u8>)>,
    queue: [Vec<u8>; 2],
    /// How long an undisturbed run takes.
    pub run_time: Duration,
}

/// How a run ends before its time.
#[derive(Clone, Copy, Debug)]
pub enum Death {
    /// At this step, when the process comes to it for this time.
    At(Step, u32),
    /// After this time.
    After(Duration),
    /// It is for the daemon to say how: the disk fails it once, at the operation of this kind (`write`, `rename`, `sync`)
    /// that comes after so many, with this number of Linux's.
    Disk { operation: &'static str, after: u32, errno: i32 },
}

impl Oracle {
    pub fn new() -> Self {
        let fonts = Fonts::load().unwrap();
        let storage = Storage::Fax(Encoding::Group4, FillOrder::MostSignificantFirst);
        let blank = |pages: usize| {
            let sheets: Vec<Sheet> = (0..pages).map(|_| Sheet::new(&fonts)).collect();
            fax(&sheets, &Scan::default(), storage)
        };
        let mut faxes =
            vec![("0.tif".to_owned(), fax_of_lines(&fonts, &["Concurrent review", "Weight today 1480 grams"]))];
        for number in 1..FILES {
            // Blank pages are read in no time, and three of them do not tell what the fourth is; what follows the last
            // directory of a TIFF is no part of it.
            let pages = if number == 1 { 4 } else { 1 };
            faxes.push((format!("{number}.tif"), [blank(pages), vec![b'0' + number as u8]].concat()));
        }
        let mut oracle = Self { faxes, keys: Vec::new(), queue: [Vec::new(), Vec::new()], run_time: Duration::ZERO };
        let undisturbed = oracle.arrive();
        let begun = std::time::Instant::now();
        undisturbed.drain();
        oracle.run_time = begun.elapsed();
        let key = |name| (name, fs::read(undisturbed.path("state").join(name)).unwrap());
        oracle.keys = ["key", "keyring"].map(key).into();
        oracle.queue = exports(&undisturbed);
        assert_eq!(undisturbed.exported().len(), FILES);
        oracle
    }

    /// A set-up with the faxes in its inbox.
    fn arrive(&self) -> Setup {
        let setup = Setup::with("", TABLES);
        fs::DirBuilder::new().mode(0o700).create(setup.path("state")).unwrap();
        for (name, key) in &self.keys {
            let mut file =
                File::options().write(true).create_new(true).mode(0o600).open(setup.path("state").join(name));
            file.as_mut().unwrap().write_all(key).unwrap();
        }
        for (name, bytes) in &self.faxes {
            setup.arrive(name, bytes);
            let received = SystemTime::UNIX_EPOCH + Duration::from_secs(1_773_666_720);
            File::options().append(true).open(setup.inbox().join(name)).unwrap().set_modified(received).unwrap();
        }
        setup
    }

    /// One cycle: the faxes come, the daemon dies, is started again, and everything must be as if it had not died.
    /// Whether it did die, or the disk did fail it; a run may be over before.
    pub fn try_death(&self, death: Death) -> bool {
        let setup = self.arrive();
        let (status, said) = die(&setup, death);
        let died = if let Death::Disk { errno, .. } = death {
            assert_eq!(status.signal(), None, "{death:?}: {said}");
            let told = said.contains(&format!("(os error {errno})"));
            let last = said.lines().last().unwrap_or_default();
            assert!(
                status.success() || last.contains("cannot write") || last.contains("did not confirm"),
                "{death:?}: {status} without a clear last line: {said}"
            );
            assert!(status.success() || [74, 75].contains(&status.code().unwrap()), "{death:?}: {status}: {said}");
            told
        } else {
            assert!(status.signal() == Some(9) || status.success(), "{death:?}: ended with {status}: {said}");
            status.signal() == Some(9)
        };
        for (name, bytes) in &self.faxes {
            let lies_in_inbox = setup.files("inbox").iter().any(|file| file.ends_with(name.as_str()));
            assert!(lies_in_inbox || setup.sealed(bytes).is_some(), "{death:?}: {name} was released and is not stored");
        }

        setup.drain();
        assert_eq!(exports(&setup), self.queue, "{death:?}: the queue is not that of an undisturbed run");
        assert_eq!(setup.files("inbox"), Vec::<String>::new(), "{death:?}");
        let names: Vec<&String> = self.faxes.iter().map(|(name, _)| name).collect();
        assert_eq!(setup.files("done").iter().collect::<Vec<_>>(), names, "{death:?}");
        for (name, bytes) in &self.faxes {
            assert_eq!(fs::read(setup.done().join(name)).unwrap(), *bytes, "{death:?}: {name}");
            assert!(setup.sealed(bytes).is_some(), "{death:?}: {name} is not stored unchanged");
        }
        setup.succeed(&["verify"]);
        died
    }
}

/// The exports that hold no time of their own.
fn exports(setup: &Setup) -> [Vec<u8>; 2] {
    ["queue.jsonl", "queue.csv"].map(|file| fs::read(setup.path("worklist").join(file)).unwrap())
}

/// How the run ended, and what it said.
fn die(setup: &Setup, death: Death) -> (ExitStatus, String) {
    let mut command = setup.command(&["run", "--drain"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    match death {
        Death::At(step, times) => _ = command.env("NICUFAXD_DIE_AT", format!("{}:{times}", step.name())),
        Death::Disk { operation, after, errno } => {
            command.env("NICUFAXD_DISK_FAULT", format!("{operation}:{after}:{errno}"));
        }
        Death::After(_) => {}
    }
    let mut child = command.spawn().unwrap();
    if let Death::After(time) = death {
        // The random moment is the subject; there is nothing to wait for.
        std::thread::sleep(time);
        child.kill().unwrap();
    }
    let ended = child.wait_with_output().unwrap();
    (ended.status, String::from_utf8_lossy(&ended.stderr).into_owned())
}
