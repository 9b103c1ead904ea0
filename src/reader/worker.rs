//! A worker process (`nicufaxd worker`): parses and recognises foreign bytes for the pool, one page at a time.
//!
//! It may crash, hang or run out of memory; the pool bounds it from outside. It locks itself in too, before it reads a
//! byte of a document ([`cage`]): no file, no network, no other process, bounded memory and processor time, no core
//! file (it would hold patient data). Speaks only [`protocol`](crate::reader::protocol) on stdin and stdout. Ends with the daemon twice over: the
//! kernel kills it when the daemon dies, and it ends when stdin ends, even amid a page. Never prints anything that
//! stands on a page.

use std::io;
use std::panic;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Signal, getpid, kill_process};

use crate::document::{DocumentId, Page};
use crate::reader::cage::{self, CageMode, Lack};
use crate::reader::caught;
use crate::reader::facsimile;
#[cfg(feature = "faults")]
use crate::reader::fault_tests;
use crate::reader::message::{self as mail, Opened};
use crate::reader::page;
use crate::reader::protocol::{
    Answer, LONGEST_MESSAGE, Refusal, RefusalKind, Request, WorkerSettings, is_possible, message, read_frame,
    write_answer, write_message,
};
use crate::reader::render::{self, Leaf, RenderError, RenderLimits};
use crate::reader::tesseract::{Engine, RecognitionError};

/// What is said of a panic: a fault of this program's, which the page brought out.
const PANICKED: &str = "it could not be decoded (the decoder panicked): look at it by hand";

/// What is said of a page on which more was recognised than paper holds.
const OVERFULL: &str = "more words were recognised than fit on a page: look at it by hand";

/// Serves the pool until stdin ends.
pub fn main() -> ExitCode {
    // A panic's message may quote the page; where it happened is enough.
    panic::set_hook(Box::new(|panic| match panic.location() {
        Some(place) => eprintln!("worker: panic at {}:{}", place.file(), place.line()),
        None => eprintln!("worker: panic"),
    }));
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("worker: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A frame from the pool: JSON, or the bytes that follow a `Hold`.
enum Incoming {
    Request(Request),
    Bytes(Vec<u8>),
}

fn serve() -> io::Result<()> {
    cage::prepare().map_err(io::Error::other)?;
    let settings = match read_frame(&mut io::stdin().lock(), LONGEST_MESSAGE)? {
        Some(body) => match message(&body)? {
            Request::Start(settings) => settings,
            Request::Hold { .. }
            | Request::Inspect { .. }
            | Request::Look { .. }
            | Request::ReadPage { .. }
            | Request::Picture { .. } => {
                return Err(out_of_turn());
            }
        },
        None => return Ok(()),
    };
    if cage::is_orphan(settings.daemon) {
        return Ok(());
    }
    let mut stdout = io::stdout().lock();
    let (mut reader, requests) = match start(&settings) {
        Ok((reader, requests, lacking)) => {
            write_message(&mut stdout, &Answer::Ready { lacking })?;
            (reader, requests)
        }
        Err(cannot) => return write_message(&mut stdout, &cannot),
    };
    let mut answer = |answer: &Answer| {
        let written = write_answer(&mut stdout, answer);
        requests.unanswered.fetch_sub(1, Ordering::SeqCst);
        written
    };
    while let Ok(next) = requests.incoming.recv() {
        let Incoming::Request(request) = next else { return Err(out_of_turn()) };
        match request {
            Request::Start(_) => return Err(out_of_turn()),
            Request::Hold { document } => {
                let Ok(Incoming::Bytes(bytes)) = requests.incoming.recv() else { return Err(out_of_turn()) };
                reader.held = Some((document, bytes));
                reader.opened = None;
                reader.looked = None;
            }
            Request::Inspect { document } => answer(&reader.inspect(document)?)?,
            Request::Look { document, page } => answer(&reader.look(document, page)?)?,
            Request::ReadPage { document, page } => answer(&reader.read_page(document, page)?)?,
            Request::Picture { document, page, turned, straightened } => {
                answer(&reader.picture(document, page, (turned, straightened))?)?;
            }
        }
    }
    Ok(())
}

/// Loads the engine and shuts the cage; gives what the cage lacks too. The error is what the pool is to be told.
#[expect(clippy::result_large_err, reason = "it happens once, when a worker starts")]
fn start(settings: &WorkerSettings) -> Result<(Reader, Requests, Vec<Lack>), Answer> {
    let cannot = |reason: String| Answer::CannotStart { reason };
    cage::bound_memory(settings.memory).map_err(|error| cannot(error.to_string()))?;
    let engine = Engine::start(&settings.languages, settings.tessdata.as_deref())
        .map_err(|error: RecognitionError| cannot(error.to_string()))?;
    let mut lacking = cage::shut_files(settings.cage).map_err(|error| cannot(error.to_string()))?;
    // Before the last step, which forbids threads. The stdin it reads gives no document before `Ready` is answered.
    let requests = Requests::listen().map_err(|error| cannot(format!("no thread could be started: {error}")))?;
    lacking.extend(cage::shut(settings.cage, settings.cpu_seconds).map_err(|error| cannot(error.to_string()))?);
    if settings.cage == CageMode::Required && !lacking.is_empty() {
        return Err(Answer::NoCage { lacking });
    }
    let languages = settings.languages.clone();
    Ok((
        Reader { engine, languages, limits: settings.limits(), held: None, opened: None, looked: None },
        requests,
        lacking,
    ))
}

/// What comes on stdin, read by a thread of its own, so that its end is noticed amid a page.
struct Requests {
    incoming: mpsc::Receiver<Incoming>,
    unanswered: Arc<AtomicUsize>,
}

impl Requests {
    /// Returns when the thread runs: what the system does for a new thread must be over when the cage is shut.
    fn listen() -> io::Result<Self> {
        let (sender, incoming) = mpsc::channel();
        let (runs, running) = mpsc::channel();
        let unanswered = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&unanswered);
        thread::Builder::new().name("requests".to_owned()).stack_size(256 << 10).spawn(move || {
            if runs.send(()).is_ok()
                && let Err(error) = take_requests(&sender, &counted)
            {
                eprintln!("worker: {error}");
            }
            if counted.load(Ordering::SeqCst) > 0 {
                // Nobody waits for the page in hand, and it may never end.
                _ = kill_process(getpid(), Signal::KILL);
            }
        })?;
        running.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(Self { incoming, unanswered })
    }
}

fn out_of_turn() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a request came out of turn")
}

/// Passes requests on until stdin ends; counts those that are owed an answer.
fn take_requests(to: &mpsc::Sender<Incoming>, unanswered: &AtomicUsize) -> io::Result<()> {
    let mut stdin = io::stdin().lock();
    while let Some(body) = read_frame(&mut stdin, LONGEST_MESSAGE)? {
        let request = message(&body)?;
        let holds = matches!(request, Request::Hold { .. });
        if !holds {
            unanswered.fetch_add(1, Ordering::SeqCst);
        }
        if to.send(Incoming::Request(request)).is_err() {
            return Ok(());
        }
        if holds {
            let bytes = read_frame(&mut stdin, u32::MAX)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if to.send(Incoming::Bytes(bytes)).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The engine, and the document in hand.
struct Reader {
    engine: Engine,
    languages: String,
    limits: RenderLimits,
    held: Option<(DocumentId, Vec<u8>)>,
    /// What it holds, if it is a message of which a page was read.
    opened: Option<Opened>,
    /// The page of it that was looked at last.
    looked: Option<Looked>,
}

/// A page that was made and waits to be read.
struct Looked {
    number: u32,
    picture: Option<String>,
    made: Made,
}

/// A page, the reason for there being none, or `None` for a panic.
type Made = Option<Result<Leaf, RenderError>>;

impl Reader {
    fn inspect(&self, document: DocumentId) -> io::Result<Answer> {
        let bytes = held(self.held.as_ref(), &document)?;
        let inspected = caught(|| {
            #[cfg(feature = "faults")]
            fault_tests::misbehave(bytes)?;
            render::inspect(bytes, &self.limits)
        });
        let refusal = match inspected {
            Some(Ok(render::Inspection { format, pages, mail })) => {
                return Ok(Answer::Inspected { document, format, pages, mail: mail.map(Box::new) });
            }
            Some(Err(error)) => {
                // A page in the way of counting the pages is in the way of the document.
                let damaged = |message| Refusal { kind: RefusalKind::Damaged, message, mail: None };
                Refusal::of(&error).unwrap_or_else(damaged)
            }
            None => Refusal { kind: RefusalKind::Damaged, message: PANICKED.to_owned(), mail: None },
        };
        let mail = caught(|| mail::head(bytes)).flatten();
        Ok(Answer::Refused { document, refusal: Refusal { mail, ..refusal } })
    }

    fn made(&mut self, document: &DocumentId, number: u32) -> io::Result<Made> {
        let bytes = held(self.held.as_ref(), document)?;
        let opened = &mut self.opened;
        Ok(caught(|| {
            #[cfg(feature = "faults")]
            fault_tests::misbehave(bytes)?;
            render::leaf(bytes, number, &self.limits, opened)
        }))
    }

    fn look(&mut self, document: DocumentId, page: u32) -> io::Result<Answer> {
        let made = self.made(&document, page)?;
        let picture = match &made {
            // What a layer says is no part of the picture.
            Some(Ok(Leaf::Picture(rendered))) if rendered.layer.is_none() => Some(rendered.digest(&self.languages)),
            Some(Ok(Leaf::Picture(_) | Leaf::Text(_)) | Err(_)) | None => None,
        };
        self.looked = Some(Looked { number: page, picture: picture.clone(), made });
        Ok(Answer::Looked { document, page, picture })
    }

    fn read_page(&mut self, document: DocumentId, number: u32) -> io::Result<Answer> {
        held(self.held.as_ref(), &document)?;
        let (made, picture) = match self.looked.take() {
            Some(looked) if looked.number == number => (looked.made, looked.picture),
            Some(_) | None => (self.made(&document, number)?, None),
        };
        let reason = match made {
            Some(Ok(Leaf::Text(page))) if is_possible(&page) => return Ok(Answer::PageRead { document, page }),
            Some(Ok(Leaf::Text(_))) => OVERFULL.to_owned(),
            Some(Ok(Leaf::Picture(rendered))) => {
                let engine = &mut self.engine;
                match caught(|| page::read(number, rendered, engine)) {
                    Some(Ok(page)) if is_possible(&page) => {
                        return Ok(Answer::PageRead { document, page: Page { picture, ..page } });
                    }
                    Some(Ok(_)) => OVERFULL.to_owned(),
                    Some(Err(error)) => error.to_string(),
                    None => PANICKED.to_owned(),
                }
            }
            Some(Err(error)) => match Refusal::of(&error) {
                Ok(refusal) => return Ok(Answer::Refused { document, refusal }),
                Err(reason) => reason,
            },
            None => PANICKED.to_owned(),
        };
        Ok(Answer::PageRead { document, page: page::unreadable(number, reason) })
    }

    /// The page's picture for people; without one where it cannot be made or would be larger than is taken.
    fn picture(&mut self, document: DocumentId, page: u32, upright: (u16, f32)) -> io::Result<Answer> {
        let bytes = held(self.held.as_ref(), &document)?;
        let opened = &mut self.opened;
        let made = caught(|| {
            #[cfg(feature = "faults")]
            fault_tests::misbehave(bytes)?;
            facsimile::of_page(bytes, page, upright, &self.limits, opened)
        });
        let facsimile = made.and_then(Result::ok).filter(|facsimile| facsimile.is_possible(&self.limits));
        Ok(Answer::Pictured { document, page, facsimile: facsimile.map(Box::new) })
    }
}

fn held<'a>(held: Option<&'a (DocumentId, Vec<u8>)>, document: &DocumentId) -> io::Result<&'a [u8]> {
    match held {
        Some((held, bytes)) if held == document => Ok(bytes),
        Some(_) | None => Err(out_of_turn()),
    }
}
