//! A worker process (`nicufaxd worker`): parses and recognises foreign bytes for the pool, one page at a time.
//!
//! It may crash, hang or run out of memory; the pool bounds it from outside. It locks itself in too, before it reads a
//! byte of a document ([`cage`]): no file, no network, no other process, bounded memory and processor time, no core
//! file (it would hold patient data). Speaks only [`protocol`](crate::reader::protocol) on stdin and stdout. Ends with the daemon twice over: the
//! kernel kills it when the daemon dies, and it ends when stdin ends, even amid a page. Never prints anything that
//! stands on a page.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Signal, getpid, kill_process};

use crate::document::{Code, DocumentId, Page, PageFlag, PageSource, Word};
use crate::reader::barcode;
use crate::reader::burnt_line;
use crate::reader::cage::{self, CageMode, Lack};
use crate::reader::facsimile;
#[cfg(feature = "faults")]
use crate::reader::fault_tests;
use crate::reader::layer::{LayerReading, TextLayer};
use crate::reader::message::{self as mail, Opened};
use crate::reader::picture::Picture;
use crate::reader::protocol::{
    Answer, LONGEST_MESSAGE, Refusal, RefusalKind, Request, WorkerSettings, is_possible, message, read_frame,
    write_answer, write_message,
};
use crate::reader::render::{self, Leaf, RenderError, RenderLimits};
use crate::reader::respell;
use crate::reader::straighten;
use crate::reader::tesseract::{Engine, RecognitionError};
use crate::reader::units;
use crate::reader::unread;

/// Below this share of well-read characters, a page whose orientation is uncertain is tried the other way up.
const POOR: f32 = 0.7;

/// Below this share of well-read characters, a page counts as illegible.
const ILLEGIBLE: f32 = 0.25;

/// A word read with at least this confidence is taken as well read.
const WELL_READ: f32 = 0.6;

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
                let read = caught(|| {
                    let blank = rendered.picture.is_blank();
                    if blank { Ok(blank_page(number, rendered)) } else { recognised_page(number, rendered, engine) }
                });
                match read {
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
        Ok(Answer::PageRead { document, page: unreadable(number, reason) })
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

/// Runs `step`; `None` if it panicked. What it worked on is thrown away then: the engine holds nothing between pages.
fn caught<T>(step: impl FnOnce() -> T) -> Option<T> {
    panic::catch_unwind(AssertUnwindSafe(step)).ok()
}

/// A page whose picture could not be made: told apart from a blank one.
fn unreadable(number: u32, reason: String) -> Page {
    Page {
        number,
        width: 0,
        height: 0,
        resolution: 0,
        source: PageSource::Unreadable,
        turned: 0,
        straightened: 0.0,
        unread: Vec::new(),
        flags: vec![PageFlag::Undecodable],
        unreadable_because: Some(reason),
        picture: None,
        words: Vec::new(),
        codes: Vec::new(),
    }
}

fn blank_page(number: u32, rendered: render::RenderedPage) -> Page {
    let render::RenderedPage { picture, mut flags, layer, .. } = rendered;
    if layer.is_some_and(|layer| !layer.agrees(&[])) {
        flags.push(PageFlag::TextLayerDisagrees);
    }
    Page {
        number,
        width: picture.width,
        height: picture.height,
        resolution: picture.resolution,
        source: PageSource::Blank,
        turned: 0,
        straightened: 0.0,
        unread: Vec::new(),
        flags,
        unreadable_because: None,
        picture: None,
        words: Vec::new(),
        codes: Vec::new(),
    }
}

/// One way up of a page, read.
struct Attempt {
    picture: Picture,
    turned: u16,
    straightened: f32,
    words: Vec<Word>,
}

fn recognised_page(number: u32, rendered: render::RenderedPage, engine: &mut Engine) -> Result<Page, RecognitionError> {
    let mut flags = rendered.flags;
    let original = rendered.picture;
    if let Some(layer) = &rendered.layer
        && let Some(reading) = layer.read(&original, engine)?
    {
        return Ok(page_with_layer(number, &original, flags, reading, layer));
    }
    let prepared = straighten::prepare(original.clone());
    let words = engine.recognise(&prepared.picture)?;
    let straightened = prepared.straightened;
    let mut best = Attempt { picture: prepared.picture, turned: prepared.turned, straightened, words };
    try_other_ways_up(&original, prepared.certain, &mut best, engine);
    if best.turned != 0 {
        flags.push(PageFlag::Turned);
    }
    if legibility(&best.words) < ILLEGIBLE {
        flags.push(PageFlag::Illegible);
    }
    let unread = unread::places(&best.picture, &best.words);
    if unread::is_handwritten(&best.words, &unread) {
        flags.push(PageFlag::Handwriting);
    }
    if rendered.layer.is_some_and(|layer| !layer.agrees(&best.words)) {
        flags.push(PageFlag::TextLayerDisagrees);
    }
    flags.sort_unstable();
    flags.dedup();
    let mut words = units::parted(best.words, &best.picture);
    respell::mend(&mut words);
    let mut page = Page {
        number,
        width: best.picture.width,
        height: best.picture.height,
        resolution: best.picture.resolution,
        source: PageSource::Recognised,
        turned: best.turned,
        straightened: best.straightened,
        unread,
        unreadable_because: None,
        picture: None,
        flags,
        words,
        codes: codes_on(&best.picture),
    };
    burnt_line::read_again(&mut page, &original, engine)?;
    Ok(page)
}

/// What decoding them does to its thread costs the codes alone.
fn codes_on(picture: &Picture) -> Vec<Code> {
    caught(|| barcode::codes(picture)).unwrap_or_default()
}

/// A page of a PDF whose picture shows its text.
fn page_with_layer(
    number: u32,
    picture: &Picture,
    mut flags: Vec<PageFlag>,
    reading: LayerReading,
    layer: &TextLayer,
) -> Page {
    let LayerReading { words, by_layer, is_contradicted } = reading;
    // What else it says is not to be seen, or means something else.
    if is_contradicted || !layer.agrees(&words) {
        flags.push(PageFlag::TextLayerDisagrees);
        flags.sort_unstable();
    }
    let unread = unread::places(picture, &words);
    Page {
        number,
        width: picture.width,
        height: picture.height,
        resolution: picture.resolution,
        source: if by_layer { PageSource::TextLayer } else { PageSource::Recognised },
        turned: 0,
        straightened: 0.0,
        unread,
        unreadable_because: None,
        picture: None,
        flags,
        words,
        codes: codes_on(picture),
    }
}

/// Reads a page again that lies on its side by its words, or that reads badly without being certain to stand upright.
fn try_other_ways_up(original: &Picture, certain: bool, best: &mut Attempt, engine: &mut Engine) {
    let first = best.turned;
    // Upside down first: that is how a sheet goes wrong into a fax, and what layout alone can't tell.
    let turns = match lies_on_side(&best.words) {
        Some(turn) => vec![turn],
        None if certain => return,
        None => vec![180, 90, 270],
    };
    for turn in turns {
        if legibility(&best.words) >= POOR {
            return;
        }
        let turned = (first + turn) % 360;
        let prepared = straighten::prepare_turned(original.clone(), u32::from(turned / 90));
        let Ok(words) = engine.recognise(&prepared.picture) else { continue };
        if well_read_characters(&words) > well_read_characters(&best.words) {
            let straightened = prepared.straightened;
            *best = Attempt { picture: prepared.picture, turned, straightened, words };
        }
    }
}

/// The turn that brings the page upright, if most words stand on end: Tesseract reads text that runs up or down the
/// page, but its boxes and lines are then of no use.
fn lies_on_side(words: &[Word]) -> Option<u16> {
    let on_end = words.iter().filter(|word| characters(word) > 0 && stands_on_end(word)).count();
    let level = words.iter().filter(|word| characters(word) > 0 && !stands_on_end(word)).count();
    if on_end <= level {
        return None;
    }
    let pairs = || words.windows(2).filter_map(|pair| <&[Word; 2]>::try_from(pair).ok());
    let (mut down, mut up) = (0_u32, 0_u32);
    for [word, next] in pairs() {
        if word.line == next.line && stands_on_end(word) && stands_on_end(next) {
            down += u32::from(next.bounds.top > word.bounds.top);
            up += u32::from(next.bounds.top < word.bounds.top);
        }
    }
    Some(if down > up { 270 } else { 90 })
}

/// Words of three characters and more are wider than high when they stand upright.
fn stands_on_end(word: &Word) -> bool {
    characters(word) >= 3 && word.bounds.height > word.bounds.width
}

/// Letters and digits in words of at least two of them; single ones are what specks are read as.
fn characters(word: &Word) -> usize {
    let count = word.text.chars().filter(|character| character.is_alphanumeric()).count();
    if count < 2 { 0 } else { count }
}

fn well_read_characters(words: &[Word]) -> usize {
    words.iter().filter(|word| word.confidence >= WELL_READ && !stands_on_end(word)).map(characters).sum()
}

/// Share of the characters that stand in well-read words, 0 to 1; 0 for a page without any.
fn legibility(words: &[Word]) -> f32 {
    let all: usize = words.iter().map(characters).sum();
    if all == 0 { 0.0 } else { well_read_characters(words) as f32 / all as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Bounds;

    fn word(text: &str, confidence: f32) -> Word {
        Word { text: text.to_owned(), bounds: Bounds { left: 0, top: 0, width: 1, height: 1 }, confidence, line: 0 }
    }

    #[test]
    fn specks_do_not_make_a_page_legible() {
        let specks = [word("|", 0.95), word(".", 0.9), word("a", 0.9), word("--", 0.95)];
        assert!(legibility(&specks).abs() < f32::EPSILON);
        assert!(legibility(&[word("weight", 0.9), word("1,450", 0.8), word("~iq", 0.2)]) > POOR);
    }

    #[test]
    fn words_that_run_up_the_page_tell_which_way_to_turn_it() {
        let at = |text: &str, top: u32, width: u32, height: u32| Word {
            bounds: Bounds { left: 100, top, width, height },
            ..word(text, 0.9)
        };
        let up = [at("Admitted", 900, 30, 200), at("2026-03-14", 650, 30, 220), at("NICU", 100, 80, 30)];
        assert_eq!(lies_on_side(&up), Some(90));
        assert!(legibility(&up) < POOR);
        let down = [at("Admitted", 100, 30, 200), at("2026-03-14", 350, 30, 220)];
        assert_eq!(lies_on_side(&down), Some(270));
        assert_eq!(lies_on_side(&[at("Admitted", 100, 200, 30), at("lb", 100, 20, 30)]), None);
    }

    #[test]
    fn a_blank_page_is_suspect_only_where_its_decoder_cannot_tell() {
        let stored = |blank_is_suspect| render::StoredPage {
            width: 1728,
            height: 2200,
            pixels: vec![255; 1728 * 2200],
            resolution: (204, 200),
            quarters: 0,
            flags: Vec::new(),
            holds_picture: true,
            blank_is_suspect,
            layer: None,
        };
        for (suspect, flags) in [(true, vec![PageFlag::BlankPicture]), (false, Vec::new())] {
            let page = blank_page(4, stored(suspect).rendered(4, &RenderLimits::default()).unwrap());
            assert_eq!((page.source, page.flags), (PageSource::Blank, flags));
        }
    }
}
