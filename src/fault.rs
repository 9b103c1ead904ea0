//! Where a test may have the process die, hang, or mistake the time. Without the feature `faults`, as in every release, all
//! of this is nothing.
//!
//! `NICUFAXD_DIE_AT=STEP:N` kills the process (SIGKILL, as a power cut would) when it comes to that step between a source
//! and the exports for the Nth time. `NICUFAXD_HANG_SOURCE=NAME` has every file of that source hang as it is opened,
//! `NICUFAXD_HANG_FOLDER=NAME` its folder at the first touch.
//! `NICUFAXD_CLOCK_FILE` names a file that says by how many seconds the clock is wrong; it may change while we run.
//! (Disks that fail are told of in `archive/disk.rs`, documents that misbehave in `reader/`.)

/// A step of a document's way, right after what its name says was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    SourceRead,
    DraftWritten,
    DraftsSynced,
    DraftNamed,
    FoldersSynced,
    JournalWritten,
    JournalSynced,
    IndexChanged,
    SourceParked,
    SourceReleased,
    ReleaseRecorded,
    AttemptCounted,
    Triaged,
    PagesRead,
    ReadingKept,
    Decided,
    ItemsQueued,
    ExportWritten,
    ExportNamed,
    ExportSynced,
    /// Of an item's folder: all but `item.json`.
    ItemPagesWritten,
    /// Of a mail, not of a document: it is recorded as attempted, and not yet handed over.
    MailAttempted,
    /// The relay has taken a mail, which is not yet recorded.
    MailTaken,
}

impl Step {
    /// In the order in which a document comes to them.
    pub const ALL: [Self; 21] = [
        Self::SourceRead,
        Self::DraftWritten,
        Self::DraftsSynced,
        Self::DraftNamed,
        Self::FoldersSynced,
        Self::JournalWritten,
        Self::JournalSynced,
        Self::IndexChanged,
        Self::SourceParked,
        Self::SourceReleased,
        Self::ReleaseRecorded,
        Self::AttemptCounted,
        Self::Triaged,
        Self::PagesRead,
        Self::ReadingKept,
        Self::Decided,
        Self::ItemsQueued,
        Self::ExportWritten,
        Self::ExportNamed,
        Self::ExportSynced,
        Self::ItemPagesWritten,
    ];

    /// As `NICUFAXD_DIE_AT` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::SourceRead => "source-read",
            Self::DraftWritten => "draft-written",
            Self::DraftsSynced => "drafts-synced",
            Self::DraftNamed => "draft-named",
            Self::FoldersSynced => "folders-synced",
            Self::JournalWritten => "journal-written",
            Self::JournalSynced => "journal-synced",
            Self::IndexChanged => "index-changed",
            Self::SourceParked => "source-parked",
            Self::SourceReleased => "source-released",
            Self::ReleaseRecorded => "release-recorded",
            Self::AttemptCounted => "attempt-counted",
            Self::Triaged => "triaged",
            Self::PagesRead => "pages-read",
            Self::ReadingKept => "reading-kept",
            Self::Decided => "decided",
            Self::ItemsQueued => "items-queued",
            Self::ExportWritten => "export-written",
            Self::ExportNamed => "export-named",
            Self::ExportSynced => "export-synced",
            Self::ItemPagesWritten => "item-pages-written",
            Self::MailAttempted => "mail-attempted",
            Self::MailTaken => "mail-taken",
        }
    }
}

/// Comes to a step.
#[cfg(not(feature = "faults"))]
#[inline]
pub fn at(_step: Step) {}

/// Comes to a step, and does not go on if this is where the process is to die.
#[cfg(feature = "faults")]
pub fn at(step: Step) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    static PLAN: LazyLock<Option<(String, u32)>> = LazyLock::new(|| {
        let plan = std::env::var("NICUFAXD_DIE_AT").ok()?;
        let (name, times) = plan.split_once(':')?;
        Some((name.to_owned(), times.parse().ok()?))
    });
    static COMINGS: AtomicU32 = AtomicU32::new(0);

    if let Some((name, times)) = PLAN.as_ref()
        && name == step.name()
        && COMINGS.fetch_add(1, Ordering::SeqCst) + 1 == *times
    {
        _ = kill_process(getpid(), Signal::KILL);
        // The signal is on its way; nothing more may happen meanwhile.
        loop {
            std::thread::park();
        }
    }
}

/// What of a source does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hanging {
    /// The folder itself, at the first touch.
    Folder,
    /// Its files, as they are opened.
    Files,
}

/// Touches a source.
#[cfg(not(feature = "faults"))]
#[inline]
pub fn hang(_what: Hanging, _source: &str) {}

/// Touches a source, and does not come back if that is to hang.
#[cfg(feature = "faults")]
pub fn hang(what: Hanging, source: &str) {
    let variable = match what {
        Hanging::Folder => "NICUFAXD_HANG_FOLDER",
        Hanging::Files => "NICUFAXD_HANG_SOURCE",
    };
    while std::env::var(variable).is_ok_and(|name| name == source) {
        std::thread::park();
    }
}

/// By how much the clock is wrong.
#[cfg(feature = "faults")]
pub fn clock_error() -> jiff::SignedDuration {
    let seconds = std::env::var_os("NICUFAXD_CLOCK_FILE")
        .and_then(|file| std::fs::read_to_string(file).ok())
        .and_then(|seconds| seconds.trim().parse().ok());
    jiff::SignedDuration::from_secs(seconds.unwrap_or(0))
}
