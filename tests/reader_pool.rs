//! The pool against real worker processes: what one document does to its worker must never cost another document.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::format_push_string, reason = "a test document, made once")]

mod workers;

use std::io::{BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nicufaxd::document::{DocumentFormat, DocumentId, PageSource};
use nicufaxd::reader::cage::CageMode;
use nicufaxd::reader::pool::{PoolSettings, ReadError, ReaderPool, Urgency};
use nicufaxd::reader::protocol::{self, Answer, LONGEST_MESSAGE, Refusal, RefusalKind, Request, WorkerSettings};
use workers::settings;

fn document(bytes: Vec<u8>) -> (DocumentId, Arc<[u8]>) {
    (DocumentId::of(&bytes), Arc::from(bytes))
}

fn white_page() -> (DocumentId, Arc<[u8]>) {
    document(workers::white_page())
}

/// A PDF page with these lines of Helvetica; nothing but the document is at hand in the cage, fonts included.
fn printed_page(lines: &[&str]) -> (DocumentId, Arc<[u8]>) {
    let mut content = "BT /F1 16 Tf 24 TL 72 700 Td ".to_owned();
    for line in lines {
        content.push_str(&format!("({line}) Tj T* "));
    }
    content.push_str("ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut pdf = "%PDF-1.4\n".to_owned();
    let mut places = String::new();
    for (index, object) in objects.iter().enumerate() {
        places.push_str(&format!("{:010} 00000 n \n", pdf.len()));
        pdf.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
    }
    let table = pdf.len();
    pdf.push_str(&format!("xref\n0 6\n0000000000 65535 f \n{places}trailer\n<< /Size 6 /Root 1 0 R >>\n"));
    pdf.push_str(&format!("startxref\n{table}\n%%EOF\n"));
    document(pdf.into_bytes())
}

async fn reads_on(pool: &ReaderPool) {
    let (id, bytes) = white_page();
    let page = pool.read_page(&id, bytes, 1, Urgency::Rest).await.unwrap();
    assert_eq!((page.number, page.source), (1, PageSource::Blank));
}

/// Whether the process is still there (a zombie is not).
fn lives(pid: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !(state.is_empty() || state.contains(") Z "))
}

#[tokio::test]
async fn a_document_is_inspected_and_read() {
    let pool = ReaderPool::start(settings(1), None).await.unwrap();
    let (id, bytes) = white_page();
    let inspection = pool.inspect(&id, Arc::clone(&bytes)).await.unwrap();
    assert_eq!((inspection.format, inspection.pages), (DocumentFormat::Png, 1));
    reads_on(&pool).await;
    assert_eq!(pool.status().pages_read, 1);
    pool.shutdown().await;
}

#[tokio::test]
async fn printed_words_come_back_with_their_lines_and_boxes() {
    let pool = ReaderPool::start(settings(1), None).await.unwrap();
    let lines = ["Concurrent review of the newborn", "Weight today 1450 grams", "Respiratory support room air"];
    let (id, bytes) = printed_page(&lines);
    let page = pool.read_page(&id, bytes, 1, Urgency::Triage).await.unwrap();
    assert_eq!((page.source, page.turned, page.flags.as_slice()), (PageSource::TextLayer, 0, [].as_slice()));
    assert_eq!(page.text(), lines.join("\n"));
    let weight = page.words.iter().find(|word| word.text == "1450").unwrap();
    // Set 24 points below 700 of 792, so about 1.6 inches from the top.
    let inches = weight.bounds.bottom() as f32 / page.resolution as f32;
    assert!((inches - (792.0 - 676.0) / 72.0).abs() < 0.1, "{inches}");
}

#[tokio::test]
async fn a_document_of_no_known_format_is_refused_for_good_and_costs_no_worker() {
    let pool = ReaderPool::start(settings(1), None).await.unwrap();
    let (id, bytes) = document(b"Dear nurse, this is no fax.".to_vec());
    let error = pool.inspect(&id, bytes).await.unwrap_err();
    assert!(error.is_permanent(), "{error}");
    assert!(matches!(error, ReadError::Refused(Refusal { kind: RefusalKind::UnknownFormat, .. })), "{error:?}");
    reads_on(&pool).await;
    assert_eq!(pool.status().lost, 0);
}

#[tokio::test]
#[cfg_attr(not(feature = "faults"), ignore = "needs --features faults")]
async fn a_worker_that_hangs_is_killed_and_replaced_while_others_go_on() {
    let pool =
        ReaderPool::start(PoolSettings { page_timeout: Duration::from_secs(4), ..settings(2) }, None).await.unwrap();
    let (id, bytes) = document(b"%fault hang".to_vec());
    let hangs = async {
        let error = pool.read_page(&id, bytes, 1, Urgency::Triage).await.unwrap_err();
        (error, Instant::now())
    };
    let goes_on = async {
        for _ in 0..3 {
            reads_on(&pool).await;
        }
        Instant::now()
    };
    let ((error, killed), done) = tokio::join!(hangs, goes_on);
    assert_eq!(error, ReadError::TimedOut { seconds: 4 });
    assert!(!error.is_permanent() && error.counts_as_attempt());
    assert!(done < killed, "the other worker had to wait");
    assert_eq!(pool.status().lost, 1);
    reads_on(&pool).await;
}

#[tokio::test]
#[cfg_attr(not(feature = "faults"), ignore = "needs --features faults")]
async fn a_worker_that_aborts_costs_only_its_own_page() {
    let pool = ReaderPool::start(settings(1), None).await.unwrap();
    let (id, bytes) = document(b"%fault abort".to_vec());
    let (poison, ()) = tokio::join!(pool.read_page(&id, bytes, 1, Urgency::Triage), reads_on(&pool));
    assert_eq!(poison.unwrap_err(), ReadError::WorkerDied { signal: Some(6) });
    reads_on(&pool).await;
}

#[tokio::test]
#[cfg_attr(not(feature = "faults"), ignore = "needs --features faults")]
async fn a_worker_that_eats_memory_ends_at_its_bound() {
    let pool = ReaderPool::start(PoolSettings { worker_memory: 512 << 20, ..settings(1) }, None).await.unwrap();
    let (id, bytes) = document(b"%fault memory".to_vec());
    assert_eq!(pool.read_page(&id, bytes, 1, Urgency::Triage).await.unwrap_err(), ReadError::OutOfMemory);
    reads_on(&pool).await;
}

#[tokio::test]
#[cfg_attr(not(feature = "faults"), ignore = "needs --features faults")]
async fn a_page_that_makes_the_decoder_panic_is_unreadable_and_not_blank() {
    let pool = ReaderPool::start(settings(1), None).await.unwrap();
    let (id, bytes) = document(b"%fault panic".to_vec());
    let page = pool.read_page(&id, bytes, 2, Urgency::Rest).await.unwrap();
    assert_eq!((page.number, page.source), (2, PageSource::Unreadable));
    assert_eq!(pool.status().lost, 0);
}

#[tokio::test]
async fn missing_language_data_is_told_at_the_start() {
    let empty = tempfile::tempdir().unwrap();
    let settings = PoolSettings { tessdata: Some(empty.path().to_owned()), ..settings(1) };
    let error = ReaderPool::start(settings, None).await.err().unwrap().to_string();
    assert!(error.contains("tesseract-ocr-eng"), "{error}");

    let settings = PoolSettings { languages: "xyz".to_owned(), ..workers::settings(1) };
    let error = ReaderPool::start(settings, None).await.err().unwrap().to_string();
    assert!(error.contains("'xyz'"), "{error}");
}

#[tokio::test]
async fn too_little_memory_for_a_worker_is_told_at_the_start() {
    let error = ReaderPool::start(PoolSettings { worker_memory: 24 << 20, ..settings(1) }, None).await.err().unwrap();
    assert!(matches!(error, ReadError::CannotStart { .. }), "{error:?}");
}

#[tokio::test]
#[cfg_attr(not(feature = "faults"), ignore = "needs --features faults")]
async fn stopping_gives_back_what_waits_and_leaves_no_process() {
    let pool = Arc::new(ReaderPool::start(settings(1), None).await.unwrap());
    let worker = pool.status().alive[0];
    let read = |bytes: &[u8]| {
        let (pool, (id, bytes)) = (Arc::clone(&pool), document(bytes.to_vec()));
        tokio::spawn(async move { pool.read_page(&id, bytes, 1, Urgency::Triage).await })
    };
    let in_hand = read(b"%fault hang");
    while pool.status().busy == 0 {
        tokio::task::yield_now().await;
    }
    let waits = read(b"%fault hang too");
    while pool.status().waiting == 0 {
        tokio::task::yield_now().await;
    }
    let start = Instant::now();
    pool.shutdown().await;
    assert!(start.elapsed() < Duration::from_secs(9));
    assert_eq!(waits.await.unwrap().unwrap_err(), ReadError::Stopping);
    assert_eq!(in_hand.await.unwrap().unwrap_err(), ReadError::Stopping);
    assert_eq!(read(b"late").await.unwrap().unwrap_err(), ReadError::Stopping);
    let gone = Instant::now() + Duration::from_secs(10);
    while lives(worker) && Instant::now() < gone {
        tokio::task::yield_now().await;
    }
    assert!(!lives(worker));
}

#[test]
#[cfg_attr(not(feature = "faults"), ignore = "needs --features faults")]
fn a_worker_amid_a_page_ends_when_its_stdin_ends() {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_nicufaxd"))
        .arg("worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = worker.stdin.take().unwrap();
    let mut stdout = BufReader::new(worker.stdout.take().unwrap());
    let (id, bytes) = document(b"%fault hang".to_vec());
    let start = WorkerSettings {
        memory: 1 << 30,
        languages: "eng".to_owned(),
        tessdata: None,
        max_pages: 100,
        max_pixels: 1 << 24,
        cage: CageMode::Required,
        cpu_seconds: 600,
        daemon: std::process::id(),
    };
    protocol::write_message(&mut stdin, &Request::Start(start)).unwrap();
    let body = protocol::read_frame(&mut stdout, LONGEST_MESSAGE).unwrap().unwrap();
    assert_eq!(protocol::message::<Answer>(&body).unwrap(), Answer::Ready { lacking: Vec::new() });
    protocol::write_message(&mut stdin, &Request::Hold { document: id.clone() }).unwrap();
    stdin.write_all(&protocol::header(bytes.len()).unwrap()).unwrap();
    stdin.write_all(&bytes).unwrap();
    protocol::write_message(&mut stdin, &Request::ReadPage { document: id, page: 1 }).unwrap();
    drop(stdin);
    // Waits for ever if it does not end.
    assert_eq!(worker.wait().unwrap().signal(), Some(9));
}
