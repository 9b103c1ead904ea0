//! A watched folder on a real disk: what is taken, refused, released, and found again after a crash.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;

use super::take::{Ready, Taken, arrival, read, store_and_release};
use super::*;
use crate::intake::source_file::{list, source_key};
use crate::intake::testing::{archive, receipts};

/// An inbox with its archive, and everything that a task needs to watch it.
struct Inbox {
    root: tempfile::TempDir,
    archive: Archive,
    statuses: SourceStatuses,
}

impl Inbox {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("fax")).unwrap();
        let archive = archive(root.path());
        Self { root, archive, statuses: SourceStatuses::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("fax").join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        File::create(self.path(name)).unwrap().write_all(bytes).unwrap();
    }

    fn settings(&self) -> FolderSettings {
        let inbox = FolderSettings::inbox("secure-fax", self.root.path().join("fax"));
        FolderSettings { settle: Duration::from_millis(20), max_bytes: 1000, ..inbox }
    }

    /// A task that has just started; a second one is a restart.
    fn folder(&self) -> Folder {
        Folder::new(self.settings(), self.archive.clone(), self.statuses.clone())
    }

    async fn drain(&self) -> Vec<DocumentId> {
        self.drain_as(self.settings()).await.unwrap()
    }

    async fn drain_as(&self, settings: FolderSettings) -> Result<Vec<DocumentId>, FolderError> {
        let (sender, mut receiver) = mpsc::channel(1000);
        drain_folder(settings, self.archive.clone(), sender, self.statuses.clone()).await?;
        let mut documents = Vec::new();
        while let Some(document) = receiver.recv().await {
            documents.push(document);
        }
        Ok(documents)
    }

    fn reasons(&self) -> Vec<(String, String)> {
        let mut reasons: Vec<_> =
            self.archive.refused().unwrap().into_iter().map(|refusal| (refusal.source_file, refusal.reason)).collect();
        reasons.sort();
        reasons
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.root.path().join(folder))
            .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
            .unwrap_or_default();
        names.sort();
        names
    }
}

#[tokio::test]
async fn a_settled_file_is_stored_and_then_moved_to_done() {
    let inbox = Inbox::new();
    inbox.put("0042.tif", b"II*\0 one");
    inbox.put(
        "0042.tif.json",
        br#"{"sender": "6175550134", "received_at": "2026-03-16T09:12:00-04:00", "pages": 3, "errors": true}"#,
    );
    fs::create_dir(inbox.path("subfolder")).unwrap();
    assert_eq!(inbox.drain().await, [DocumentId::of(b"II*\0 one")]);
    let receipt = receipts(&inbox.archive).remove(0);
    assert_eq!((receipt.source.as_str(), receipt.source_file.as_str()), ("secure-fax", "0042.tif"));
    assert_eq!(receipt.sender.as_deref(), Some("6175550134"));
    assert_eq!(receipt.received_at.to_string(), "2026-03-16T13:12:00Z");
    assert_eq!((receipt.reported_pages, receipt.received_with_errors, receipt.note), (Some(3), true, None));
    assert_eq!(inbox.names("done"), ["0042.tif", "0042.tif.json"]);
    assert_eq!(inbox.names("fax"), ["subfolder"]);
    let status = inbox.statuses.snapshot().remove("secure-fax").unwrap();
    assert_eq!((status.accepted, status.last_error, status.refused), (1, None, 1), "the folder is told of");
    assert!(status.last_read.is_some());
}

#[tokio::test]
async fn without_a_sidecar_the_file_was_received_when_it_was_last_modified() {
    let inbox = Inbox::new();
    inbox.put("0042.tif", b"II*\0");
    let modified = std::time::UNIX_EPOCH + Duration::from_secs(1_773_666_720);
    OpenOptions::new().append(true).open(inbox.path("0042.tif")).unwrap().set_modified(modified).unwrap();
    inbox.drain().await;
    assert_eq!(receipts(&inbox.archive)[0].received_at.to_string(), "2026-03-16T13:12:00Z");
}

#[tokio::test]
async fn a_broken_sidecar_does_not_lose_the_document() {
    let inbox = Inbox::new();
    inbox.put("a.tif", b"II*\0 a");
    inbox.put("a.json", b"{ half a side");
    inbox.put("b.tif", b"II*\0 b");
    symlink(inbox.path("a.json"), inbox.path("b.json")).unwrap();
    assert_eq!(inbox.drain().await.len(), 2);
    let mut notes: Vec<Option<String>> = receipts(&inbox.archive).into_iter().map(|receipt| receipt.note).collect();
    notes.sort();
    assert_eq!(notes, [None, Some("sidecar unreadable: not a JSON object".into())]);
    assert_eq!(inbox.names("fax"), ["b.json"]);
    assert_eq!(inbox.reasons()[0].0, "b.json");
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_once_even_after_a_restart_and_cleared_when_it_can() {
    let inbox = Inbox::new();
    inbox.put("empty.tif", b"");
    inbox.put("large.tif", &[0; 1001]);
    symlink("/etc/hostname", inbox.path("link.tif")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, inbox.path("pipe.tif"), rustix::fs::Mode::RUSR).unwrap();
    assert_eq!(inbox.drain().await, []);
    let reasons = inbox.reasons();
    let names: Vec<&str> = reasons.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["empty.tif", "large.tif", "link.tif", "pipe.tif"]);
    assert_eq!(inbox.names("fax"), ["empty.tif", "large.tif", "link.tif", "pipe.tif"]);
    let told = inbox.archive.counts().records;
    inbox.drain().await;
    inbox.drain().await;
    assert_eq!(inbox.archive.counts().records, told);

    inbox.put("empty.tif", b"II*\0 now with content");
    fs::remove_file(inbox.path("link.tif")).unwrap();
    assert_eq!(inbox.drain().await.len(), 1);
    let names: Vec<String> = inbox.reasons().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["large.tif", "pipe.tif"]);
}

#[tokio::test]
async fn a_crash_between_storing_and_releasing_gives_one_document_with_one_arrival() {
    let inbox = Inbox::new();
    inbox.put("0042.tif", b"II*\0");
    // Stored, and then the process died.
    let entry = list(&inbox.settings().path).unwrap().remove(0);
    let key = source_key("secure-fax", "0042.tif", &entry.fingerprint);
    let arrival = arrival(&inbox.settings(), &Ready { entry, sidecar: None, key }).unwrap();
    inbox.archive.accept(arrival).unwrap();
    assert_eq!(inbox.names("fax"), ["0042.tif"]);

    // It waits for the pipeline, which may not know.
    assert_eq!(inbox.drain().await, [DocumentId::of(b"II*\0")]);
    assert_eq!(receipts(&inbox.archive).len(), 1);
    assert_eq!((inbox.names("fax"), inbox.names("done")), (vec![], vec!["0042.tif".to_owned()]));
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_release_gives_one_document_with_one_arrival() {
    let inbox = Inbox::new();
    inbox.put("0042.tif", b"II*\0");
    let entry = list(&inbox.settings().path).unwrap().remove(0);
    let key = source_key("secure-fax", "0042.tif", &entry.fingerprint);
    let arrival = arrival(&inbox.settings(), &Ready { entry, sidecar: None, key }).unwrap();
    inbox.archive.accept(arrival).unwrap();
    fs::rename(inbox.path("0042.tif"), inbox.path(".nicufaxd-releasing-0042.tif")).unwrap();

    // It waits for the pipeline, which may not know.
    assert_eq!(inbox.drain().await, [DocumentId::of(b"II*\0")]);
    assert_eq!(receipts(&inbox.archive).len(), 1);
    assert_eq!((inbox.names("fax"), inbox.names("done")), (vec![], vec!["0042.tif".to_owned()]));
}

#[tokio::test]
async fn the_same_bytes_in_another_file_are_a_second_arrival_of_one_document() {
    let inbox = Inbox::new();
    inbox.put("0042.tif", b"II*\0");
    assert_eq!(inbox.drain().await.len(), 1);
    inbox.put("0043.tif", b"II*\0");
    // It waits for the pipeline, which may not know.
    assert_eq!(inbox.drain().await, [DocumentId::of(b"II*\0")]);
    assert_eq!(receipts(&inbox.archive).len(), 2);
}

#[tokio::test]
async fn the_same_name_again_keeps_both_files_in_done() {
    let inbox = Inbox::new();
    for bytes in [b"II*\0 one", b"II*\0 two"] {
        inbox.put("0042.tif", bytes);
        assert_eq!(inbox.drain().await, [DocumentId::of(bytes)]);
    }
    assert_eq!(inbox.names("done").len(), 2);
}

#[tokio::test]
async fn a_sidecar_shared_by_two_documents_goes_with_the_last() {
    let inbox = Inbox::new();
    inbox.put("0042.tif", b"II*\0");
    inbox.put("0042.pdf", b"");
    inbox.put("0042.json", br#"{"sender": "617"}"#);
    inbox.drain().await;
    assert_eq!(inbox.names("fax"), ["0042.json", "0042.pdf"]);
    inbox.put("0042.pdf", b"%PDF-1.7");
    inbox.drain().await;
    assert_eq!(inbox.names("fax"), [""; 0]);
    assert!(receipts(&inbox.archive).iter().all(|receipt| receipt.sender.as_deref() == Some("617")));
}

#[tokio::test]
async fn a_file_that_cannot_be_released_is_stored_once_and_released_later() {
    let inbox = Inbox::new();
    inbox.put("0042.tif", b"II*\0");
    let done = inbox.root.path().join("done");
    File::create(&done).unwrap();
    let mut settings = inbox.settings();
    settings.rescan = Duration::from_millis(1);
    settings.settle = Duration::ZERO;
    let mut folder = Folder::new(settings, inbox.archive.clone(), inbox.statuses.clone());
    folder.look(None).await.unwrap();
    folder.look(None).await.unwrap();
    assert_eq!((inbox.names("fax"), folder.unannounced.len()), (vec!["0042.tif".to_owned()], 1));
    fs::remove_file(&done).unwrap();
    while !inbox.names("fax").is_empty() {
        folder.look(None).await.unwrap();
    }
    assert_eq!((receipts(&inbox.archive).len(), inbox.names("done").len()), (1, 1));
    assert_eq!(inbox.statuses.snapshot()["secure-fax"].accepted, 1);
}

#[tokio::test]
async fn a_file_put_in_the_place_of_another_after_the_look_is_not_taken_for_it() {
    let inbox = Inbox::new();
    inbox.put("0042.tif", b"II*\0 first");
    let entry = list(&inbox.settings().path).unwrap().remove(0);
    inbox.put("other.tif", b"II*\0 second");
    fs::rename(inbox.path("other.tif"), inbox.path("0042.tif")).unwrap();
    let ready = Ready { entry, sidecar: None, key: "key".into() };
    let batch = vec![read(&inbox.settings(), ready, None)];
    let taken = store_and_release(&inbox.settings(), &inbox.archive, batch);
    assert!(matches!(taken[..], [(_, Taken::Changed)]));
    assert_eq!(receipts(&inbox.archive).len(), 0);
}

#[tokio::test]
async fn a_folder_that_is_missing_is_an_error_of_the_drain_and_not_the_end_of_the_watch() {
    let inbox = Inbox::new();
    let mut settings = inbox.settings();
    settings.path = inbox.root.path().join("not-yet");
    settings.rescan = Duration::from_millis(20);
    let error = inbox.drain_as(settings.clone()).await.unwrap_err();
    assert!(matches!(error, FolderError::Unreadable { .. }), "{error}");
    assert!(inbox.statuses.snapshot()["secure-fax"].last_error.is_some());

    let (accepted, mut documents) = mpsc::channel(1);
    let (stop, stopped) = watch::channel(false);
    let path = settings.path.clone();
    let task = tokio::spawn(watch_folder(settings, inbox.archive.clone(), accepted, inbox.statuses.clone(), stopped));
    fs::create_dir(&path).unwrap();
    File::create(path.join("0042.tif")).unwrap().write_all(b"II*\0").unwrap();
    assert_eq!(documents.recv().await, Some(DocumentId::of(b"II*\0")));
    assert_eq!(inbox.statuses.snapshot()["secure-fax"].last_error, None);
    stop.send(true).unwrap();
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_watch_takes_what_comes_by_events_alone_and_never_a_file_that_is_being_written() {
    let inbox = Inbox::new();
    let (accepted, mut documents) = mpsc::channel(1);
    let (stop, stopped) = watch::channel(false);
    let settings = FolderSettings { rescan: Duration::from_secs(3600), ..inbox.settings() };
    let task = tokio::spawn(watch_folder(settings, inbox.archive.clone(), accepted, inbox.statuses.clone(), stopped));
    inbox.put("first.tif", b"II*\0 first");
    assert_eq!(documents.recv().await, Some(DocumentId::of(b"II*\0 first")));

    let mut half = File::create(inbox.path("half.tif")).unwrap();
    half.write_all(b"II*\0 ha").unwrap();
    // Written later, settled and taken earlier: by then the half-written one has lain unchanged for as long.
    inbox.put("a.tif", b"II*\0 a");
    assert_eq!(documents.recv().await, Some(DocumentId::of(b"II*\0 a")));
    inbox.put("b.tif", b"II*\0 b");
    assert_eq!(documents.recv().await, Some(DocumentId::of(b"II*\0 b")));
    half.write_all(b"lf").unwrap();
    drop(half);
    assert_eq!(documents.recv().await, Some(DocumentId::of(b"II*\0 half")));
    stop.send(true).unwrap();
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_archive_that_cannot_write_leaves_the_files_in_their_folder() {
    let inbox = Inbox::new();
    inbox.put("0042.tif", b"II*\0");
    // The archive cannot write while its folder for temporary files is not one.
    let temporary = inbox.root.path().join("state/tmp");
    fs::rename(&temporary, inbox.root.path().join("tmp")).unwrap();
    File::create(&temporary).unwrap();
    let error = inbox.drain_as(inbox.settings()).await.unwrap_err();
    assert!(matches!(error, FolderError::Archive { .. }));
    assert_eq!(inbox.names("fax"), ["0042.tif"]);
    fs::remove_file(&temporary).unwrap();
    fs::rename(inbox.root.path().join("tmp"), &temporary).unwrap();
    assert_eq!(inbox.drain().await.len(), 1);
}

#[tokio::test]
async fn a_burst_larger_than_a_batch_and_than_the_channel_is_stored_whole() {
    let inbox = Inbox::new();
    for number in 0..200 {
        inbox.put(&format!("{number:04}.tif"), format!("II*\0 {number}").as_bytes());
    }
    let mut folder = inbox.folder();
    folder.look(None).await.unwrap();
    while !inbox.names("fax").is_empty() {
        folder.look(None).await.unwrap();
    }
    assert_eq!((receipts(&inbox.archive).len(), folder.unannounced.len()), (200, 200));
    assert_eq!(inbox.names("done").len(), 200);
}

#[tokio::test]
async fn with_delete_the_stored_file_and_its_sidecar_are_gone_and_nothing_else() {
    let inbox = Inbox::new();
    inbox.put("0042.tif", b"II*\0");
    inbox.put("0042.tif.json", b"{}");
    inbox.put("0043.tif.part", b"II");
    let settings = FolderSettings { after: AfterAccept::Delete, ..inbox.settings() };
    assert_eq!(inbox.drain_as(settings).await.unwrap().len(), 1);
    assert_eq!(inbox.names("fax"), ["0043.tif.part"]);
    assert_eq!(inbox.names("done"), [""; 0]);
    assert_eq!(inbox.reasons(), []);
}

#[tokio::test]
async fn a_drain_leaves_a_file_that_never_settles_for_the_next_time() {
    let inbox = Inbox::new();
    inbox.put("0042.tif", b"II*\0");
    let mut folder = inbox.folder();
    let first = folder.look(None).await.unwrap();
    assert_eq!(first.unsettled.len(), 1);
    inbox.put("0042.tif", b"II*\0 and more");
    let second = folder.look(None).await.unwrap();
    // Known since the first look, though it begins to settle anew: a drain's patience runs out.
    assert_eq!(second.unsettled[0].first_seen, first.unsettled[0].first_seen);
    assert!(second.unsettled[0].until > first.unsettled[0].until);
}
