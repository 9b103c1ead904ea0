//! The worker processes: which page goes to which, how long it may take, and what happens when one dies.
//!
//! A unit of work is one page of one document (or the inspection of a document). The page that matters most waits in
//! front; a worker gets one at a time, has a bounded time for it, and is killed and replaced when it overruns, dies or
//! answers out of turn. Such a fault fails that one page and nothing else. The pool does not try a page twice: whoever
//! asks counts the attempts. Log lines hold ids, page numbers and bounded reasons, never what stands on a page.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::document::{DocumentId, Page, PageSource};
use crate::reader::cage::{CageMode, Lack, names, remedies};
use crate::reader::facsimile::{Facsimile, PageUpright};
use crate::reader::process::{Worker, bounded};
use crate::reader::protocol::{Answer, Refusal, Request, is_possible, is_possible_head, is_possible_mail};
use crate::reader::render::{Inspection, RenderLimits};

/// A worker is replaced after so many pages: whatever the library leaks stays bounded.
const PAGES_A_WORKER: u64 = 5_000;

/// A worker is replaced after so much work, so that its bound on processor time can be near: 30 min are some 1,000
/// pages, beside which the start of a new one (a fraction of a second) is nothing.
pub(super) const WORK_A_WORKER: Duration = Duration::from_secs(30 * 60);

/// How long a worker stays with a message whose pages are plain text, whoever waits: they are read in no time, and to
/// open a large message again for each of them takes longer than all of them do.
const STAY: Duration = Duration::from_secs(2);

/// How long [`ReaderPool::shutdown`] lets the pages in hand go on; most take one or two seconds, and the daemon must
/// have stopped within ten.
const SHUTDOWN_TIME: Duration = Duration::from_secs(5);

/// Pause after a worker that could not start; doubles to the longest.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How the pool runs.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// The program whose `worker` subcommand is a worker: this one.
    pub program: PathBuf,
    /// Worker processes, at least 1; one a core serves best.
    pub workers: usize,
    /// Wall time for one page.
    pub page_timeout: Duration,
    /// Bound on a worker's address space, in bytes.
    pub worker_memory: u64,
    /// Tesseract's languages, as in `eng`.
    pub languages: String,
    /// Folder of the language data; `None` for the library's own.
    pub tessdata: Option<PathBuf>,
    pub limits: RenderLimits,
    /// What becomes of a kernel that can't shut a worker in.
    pub cage: CageMode,
}

/// Why a page or a document was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the worker died of {} on it", cause(*.signal))]
    WorkerDied { signal: Option<i32> },
    #[error("it took longer than {seconds} s, and the worker was ended")]
    TimedOut { seconds: u64 },
    #[error("a worker's memory did not suffice for it: raise the worker memory in the configuration if it is genuine")]
    OutOfMemory,
    #[error(
        "the worker was ended for a system call that is forbidden to it: the document may be an attack; do not open it \
         by hand, ask the sender what it is"
    )]
    ForbiddenCall,
    #[error("no worker could be started: {reason}")]
    CannotStart { reason: String },
    #[error("no worker can be shut in here for want of {}: {}", names(.lacking), remedies(.lacking))]
    NoCage { lacking: Vec<Lack> },
    #[error("the daemon is stopping: it is read after the next start")]
    Stopping,
}

impl ReadError {
    /// Whether reading the same document again must fail in the same way.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::WorkerDied { .. }
            | Self::TimedOut { .. }
            | Self::OutOfMemory
            | Self::ForbiddenCall
            | Self::CannotStart { .. }
            | Self::NoCage { .. }
            | Self::Stopping => false,
        }
    }

    /// Whether the document may have caused it, so that the attempt counts against it; the others are the daemon's own
    /// troubles, and no number of them makes a document unreadable.
    pub fn counts_as_attempt(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::WorkerDied { .. }
            | Self::TimedOut { .. }
            | Self::OutOfMemory
            | Self::ForbiddenCall => true,
            Self::CannotStart { .. } | Self::NoCage { .. } | Self::Stopping => false,
        }
    }
}

fn cause(signal: Option<i32>) -> String {
    match signal {
        None => "an error of its own".to_owned(),
        Some(signal) if signal == Signal::XCPU.as_raw() => "its bound on processor time".to_owned(),
        Some(signal) => format!("signal {signal}"),
    }
}

/// How soon a page is wanted; within one urgency, in order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Likely to tell type and case: page 1 (always taken as such), page 2 behind a cover sheet.
    Triage,
    /// Of a document already known to be urgent.
    Urgent,
    /// All other pages.
    Rest,
    /// Pictures for people, of what was read already.
    Picture,
}

/// Finds the page that was read on a picture before, by its digest; it may wait for a disk.
pub type Recall = Arc<dyn Fn(&str) -> Option<Page> + Send + Sync>;

/// What the pool is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PoolStatus {
    /// Workers configured.
    pub workers: usize,
    /// Process ids of the workers alive.
    pub alive: Vec<u32>,
    /// Pages and inspections in hand, and those that wait.
    pub busy: usize,
    pub waiting: usize,
    pub pages_read: u64,
    /// Of these, pages that had been read before, on the same picture.
    pub pages_recalled: u64,
    /// Workers that had to be killed, or died by themselves.
    pub lost: u64,
    /// Why the last worker could not start; `None` since one did.
    pub cannot_start: Option<String>,
    /// What the workers' cage lacks on this machine; nothing, unless the configuration lets them run all the same.
    pub cage_lacks: Vec<Lack>,
}

/// The pool; dropping it kills the workers.
pub struct ReaderPool {
    shared: Arc<Shared>,
    slots: Mutex<Vec<JoinHandle<()>>>,
}

impl ReaderPool {
    /// Starts one worker to see that it can work at all, and the others as work comes in.
    ///
    /// [`ReadError::CannotStart`] says what is missing (language data, the program itself), [`ReadError::NoCage`] what
    /// the kernel lacks. With `recall`, no picture is read twice.
    pub async fn start(settings: PoolSettings, recall: Option<Recall>) -> Result<Self, ReadError> {
        let first = Worker::start(&settings).await?;
        if !first.lacking.is_empty() {
            let (lacking, remedy) = (names(&first.lacking), remedies(&first.lacking));
            tracing::warn!(stage = "read", lacking, remedy, "workers read documents without the whole of their cage");
        }
        let workers = settings.workers.max(1);
        let status = PoolStatus { workers, cage_lacks: first.lacking.clone(), ..PoolStatus::default() };
        let state = State { status, ..State::default() };
        let shared =
            Arc::new(Shared { settings, recall, state: Mutex::new(state), work: Notify::new(), stop: Notify::new() });
        shared.lock().status.alive.push(first.id);
        let mut first = Some(first);
        let slots = (0..workers).map(|_| tokio::spawn(serve(Arc::clone(&shared), first.take()))).collect();
        Ok(Self { shared, slots: Mutex::new(slots) })
    }

    /// Format and page count of a document.
    pub async fn inspect(&self, id: &DocumentId, bytes: Arc<[u8]>) -> Result<Inspection, ReadError> {
        let (reply, answer) = oneshot::channel();
        self.submit(id, bytes, Urgency::Triage, Task::Inspect { reply });
        answer.await.unwrap_or(Err(ReadError::Stopping))
    }

    /// One page (1-based) of a document. Dropping the future takes the page out of the queue.
    pub async fn read_page(
        &self,
        id: &DocumentId,
        bytes: Arc<[u8]>,
        page: u32,
        urgency: Urgency,
    ) -> Result<Page, ReadError> {
        let (reply, answer) = oneshot::channel();
        let urgency = if page == 1 { Urgency::Triage } else { urgency };
        self.submit(id, bytes, urgency, Task::ReadPage { page, reply });
        answer.await.unwrap_or(Err(ReadError::Stopping))
    }

    /// The picture of a page that was read, for people, when no page waits to be read; `None` where it cannot be made.
    /// Dropping the future takes it out of the queue.
    pub async fn picture(
        &self,
        id: &DocumentId,
        bytes: Arc<[u8]>,
        page: PageUpright,
    ) -> Result<Option<Box<Facsimile>>, ReadError> {
        let (reply, answer) = oneshot::channel();
        self.submit(id, bytes, Urgency::Picture, Task::Picture { page, reply });
        answer.await.unwrap_or(Err(ReadError::Stopping))
    }

    /// What the pool is doing now.
    pub fn status(&self) -> PoolStatus {
        let state = self.shared.lock();
        PoolStatus {
            waiting: state.waiting.iter().filter(|job| !job.task.is_abandoned()).count(),
            ..state.status.clone()
        }
    }

    /// Takes no more work, gives back what waits ([`ReadError::Stopping`]), lets the pages in hand be finished for
    /// 5 s, then kills the workers. Returns when all have ended.
    pub async fn shutdown(&self) {
        let waiting = {
            let mut state = self.shared.lock();
            state.stopping = true;
            std::mem::take(&mut state.waiting)
        };
        // Their replies are dropped, which tells whoever waits that the pool is stopping.
        drop(waiting);
        self.shared.stop.notify_waiters();
        self.shared.work.notify_waiters();
        let slots = std::mem::take(&mut *self.slots.lock().unwrap_or_else(PoisonError::into_inner));
        let deadline = Instant::now() + SHUTDOWN_TIME;
        for mut slot in slots {
            if tokio::time::timeout_at(deadline, &mut slot).await.is_err() {
                slot.abort();
                // The worker is dropped, and so killed, when the task is gone.
                _ = slot.await;
            }
        }
    }

    fn submit(&self, id: &DocumentId, bytes: Arc<[u8]>, urgency: Urgency, task: Task) {
        let mut state = self.shared.lock();
        if state.stopping {
            return;
        }
        state.waiting.push_back(Job { id: id.clone(), bytes, urgency, task });
        drop(state);
        self.shared.work.notify_one();
    }
}

impl Drop for ReaderPool {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        for slot in self.slots.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            slot.abort();
        }
    }
}

struct Shared {
    settings: PoolSettings,
    recall: Option<Recall>,
    state: Mutex<State>,
    /// A job came in.
    work: Notify,
    /// The pool is stopping.
    stop: Notify,
}

#[derive(Default)]
struct State {
    /// In order of arrival.
    waiting: VecDeque<Job>,
    stopping: bool,
    status: PoolStatus,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next job for a worker that holds `held`; `None` when the pool stops.
    async fn next_job(&self, held: Option<Held<'_>>) -> Option<Job> {
        loop {
            // Taken before the queue is looked at, so that no notice falls between.
            let notified = self.work.notified();
            {
                let mut state = self.lock();
                if state.stopping {
                    return None;
                }
                if let Some(job) = take_next(&mut state.waiting, held) {
                    state.status.busy += 1;
                    if !state.waiting.is_empty() {
                        self.work.notify_one();
                    }
                    return Some(job);
                }
            }
            notified.await;
        }
    }
}

/// The document that a worker holds, and whether it stays with it for the moment.
#[derive(Clone, Copy)]
struct Held<'a> {
    document: &'a DocumentId,
    stays: bool,
}

impl<'a> Held<'a> {
    fn by(worker: &'a Worker) -> Option<Self> {
        let stays = worker.texts_since.is_some_and(|since| since.elapsed() < STAY);
        worker.held.as_ref().map(|document| Self { document, stays })
    }
}

/// A job of the document held where the worker stays with it; else the most urgent one; among equals one of the document
/// held, else the oldest. Drops those that nobody waits for.
fn take_next(waiting: &mut VecDeque<Job>, held: Option<Held<'_>>) -> Option<Job> {
    waiting.retain(|job| !job.task.is_abandoned());
    let rank = |job: &Job| {
        let of_held = held.filter(|held| *held.document == job.id);
        (!of_held.is_some_and(|held| held.stays), job.urgency, of_held.is_none())
    };
    // The first of equal ranks, so the oldest.
    let (place, _) = waiting.iter().enumerate().min_by_key(|(_, job)| rank(job))?;
    waiting.remove(place)
}

struct Job {
    id: DocumentId,
    bytes: Arc<[u8]>,
    urgency: Urgency,
    task: Task,
}

enum Task {
    Inspect { reply: oneshot::Sender<Result<Inspection, ReadError>> },
    ReadPage { page: u32, reply: oneshot::Sender<Result<Page, ReadError>> },
    Picture { page: PageUpright, reply: oneshot::Sender<Result<Option<Box<Facsimile>>, ReadError>> },
}

impl Task {
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Inspect { reply } => reply.is_closed(),
            Self::ReadPage { reply, .. } => reply.is_closed(),
            Self::Picture { reply, .. } => reply.is_closed(),
        }
    }

    fn request(&self, document: &DocumentId) -> Request {
        let document = document.clone();
        match self {
            Self::Inspect { .. } => Request::Inspect { document },
            Self::ReadPage { page, .. } => Request::ReadPage { document, page: *page },
            Self::Picture { page: PageUpright { number, turned, straightened }, .. } => {
                Request::Picture { document, page: *number, turned: *turned, straightened: *straightened }
            }
        }
    }

    fn page(&self) -> Option<u32> {
        match self {
            Self::Inspect { .. } => None,
            Self::ReadPage { page, .. } => Some(*page),
            Self::Picture { page, .. } => Some(page.number),
        }
    }

    /// Hands the answer to whoever asked. False if it answers another question, or claims what can't be: nothing that
    /// such a worker says can be believed.
    fn settle(self, asked: &DocumentId, answer: Answer, limits: &RenderLimits) -> bool {
        match (self, answer) {
            (task, Answer::Refused { document, refusal }) if document == *asked => {
                let Refusal { kind, message, mail } = refusal;
                let mail = mail.filter(is_possible_head);
                task.fail(Refusal { kind, message: bounded(&message), mail }.into());
                true
            }
            (Self::Inspect { reply }, Answer::Inspected { document, format, pages, mail })
                if document == *asked
                    && (1..=limits.max_pages).contains(&pages)
                    && mail.as_ref().is_none_or(|mail| is_possible_mail(mail, pages)) =>
            {
                _ = reply.send(Ok(Inspection { format, pages, mail: mail.map(|mail| *mail) }));
                true
            }
            (Self::ReadPage { page: number, reply }, Answer::PageRead { document, mut page })
                if document == *asked && page.number == number && is_possible(&page) =>
            {
                page.unreadable_because = page.unreadable_because.as_deref().map(bounded);
                if let Some(reason) = &page.unreadable_because {
                    tracing::warn!(document = %asked, stage = "read", page = number, reason, "a page is unreadable");
                }
                _ = reply.send(Ok(page));
                true
            }
            (Self::Picture { page: asked_for, reply }, Answer::Pictured { document, page, facsimile })
                if document == *asked
                    && page == asked_for.number
                    && facsimile.as_ref().is_none_or(|facsimile| facsimile.is_possible(limits)) =>
            {
                _ = reply.send(Ok(facsimile));
                true
            }
            (task, _) => {
                task.fail(ReadError::WorkerDied { signal: None });
                false
            }
        }
    }

    /// Nobody waiting any longer is no trouble.
    fn fail(self, error: ReadError) {
        match self {
            Self::Inspect { reply } => _ = reply.send(Err(error)),
            Self::ReadPage { reply, .. } => _ = reply.send(Err(error)),
            Self::Picture { reply, .. } => _ = reply.send(Err(error)),
        }
    }
}

/// One place in the pool: keeps a worker alive in it and feeds it.
async fn serve(shared: Arc<Shared>, mut worker: Option<Worker>) {
    let mut pause = SHORTEST_PAUSE;
    loop {
        let held = worker.as_ref().and_then(Held::by);
        let Some(job) = shared.next_job(held).await else { break };
        if worker.is_none() {
            match Worker::start(&shared.settings).await {
                Ok(started) => {
                    pause = SHORTEST_PAUSE;
                    let mut state = shared.lock();
                    state.status.cannot_start = None;
                    state.status.alive.push(started.id);
                    worker = Some(started);
                }
                Err(error) => {
                    let reason = error.to_string();
                    tracing::error!(stage = "read", reason, pause_s = pause.as_secs(), "no worker could be started");
                    {
                        let mut state = shared.lock();
                        state.status.busy -= 1;
                        state.status.cannot_start = Some(reason);
                    }
                    job.task.fail(error);
                    // The others wait in the queue meanwhile, rather than fail one after the other.
                    let stopping = shared.stop.notified();
                    let stopped = shared.lock().stopping;
                    if stopped || timeout(pause, stopping).await.is_ok() {
                        break;
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
            }
        }
        if let Some(mut current) = worker.take() {
            let keep = work(&shared, &mut current, job).await;
            if keep && current.pages < PAGES_A_WORKER && current.worked < WORK_A_WORKER {
                worker = Some(current);
            } else {
                let id = current.id;
                current.end().await;
                shared.lock().status.alive.retain(|alive| *alive != id);
            }
        }
    }
    if let Some(worker) = worker {
        let id = worker.id;
        worker.end().await;
        shared.lock().status.alive.retain(|alive| *alive != id);
    }
}

/// Has a worker tell what picture a page is, and gives the page if one was read on that picture before. `None`: it is to be
/// read.
async fn look(
    worker: &mut Worker,
    id: &DocumentId,
    bytes: &[u8],
    number: u32,
    recall: &Recall,
) -> io::Result<Option<Answer>> {
    let request = Request::Look { document: id.clone(), page: number };
    let answer = worker.ask(id, bytes, &request).await?;
    let Answer::Looked { document, page, picture } = answer else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    if document != *id || page != number {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let Some(picture) = picture.filter(|picture| picture.len() == 64) else { return Ok(None) };
    let recall = Arc::clone(recall);
    let page = tokio::task::spawn_blocking(move || recall(&picture)).await.ok().flatten();
    Ok(page.map(|page| Answer::PageRead { document: id.clone(), page: Page { number, ..page } }))
}

/// Has one job done. False when the worker can't be used any more.
async fn work(shared: &Shared, worker: &mut Worker, job: Job) -> bool {
    let Job { id, bytes, task, .. } = job;
    let page = task.page();
    let limit = shared.settings.page_timeout;
    let begun = Instant::now();
    let mut recalled = false;
    let asked = async {
        if let Task::ReadPage { page, .. } = &task
            && let Some(recall) = &shared.recall
            && let Some(known) = look(worker, &id, &bytes, *page, recall).await?
        {
            recalled = true;
            return Ok(known);
        }
        worker.ask(&id, &bytes, &task.request(&id)).await
    };
    let outcome = timeout(limit, asked).await;
    worker.worked += begun.elapsed();
    drop(bytes);
    let process = worker.id;
    let lost = |error: &ReadError| {
        tracing::warn!(document = %id, stage = "read", page, worker = process, %error, "a worker was lost");
    };
    let (settled, read) = match outcome {
        Ok(Ok(answer)) => {
            let read = matches!(answer, Answer::PageRead { .. });
            if matches!(&answer, Answer::PageRead { page, .. } if page.source == PageSource::Text) {
                worker.texts_since.get_or_insert_with(Instant::now);
            }
            let settled = task.settle(&id, answer, &shared.settings.limits);
            if !settled {
                lost(&ReadError::WorkerDied { signal: None });
            }
            (settled, read)
        }
        Ok(Err(_)) => {
            let error = worker.cause_of_death().await;
            lost(&error);
            task.fail(error);
            (false, false)
        }
        Err(_) => {
            let error = ReadError::TimedOut { seconds: limit.as_secs() };
            lost(&error);
            worker.kill().await;
            task.fail(error);
            (false, false)
        }
    };
    worker.pages += u64::from(read);
    let mut state = shared.lock();
    state.status.busy -= 1;
    state.status.pages_read += u64::from(read);
    state.status.pages_recalled += u64::from(read && recalled);
    state.status.lost += u64::from(!settled);
    settled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::DocumentFormat;
    use crate::reader::protocol::RefusalKind;

    fn job(document: &str, page: u32, urgency: Urgency) -> (Job, oneshot::Receiver<Result<Page, ReadError>>) {
        let (reply, answer) = oneshot::channel();
        let bytes = Arc::from(document.as_bytes());
        (Job { id: DocumentId::of(document.as_bytes()), bytes, urgency, task: Task::ReadPage { page, reply } }, answer)
    }

    fn order(waiting: &mut VecDeque<Job>, held: Option<Held<'_>>) -> Vec<(String, u32)> {
        let mut taken = Vec::new();
        while let Some(job) = take_next(waiting, held) {
            taken.push((String::from_utf8(job.bytes.to_vec()).unwrap(), job.task.page().unwrap()));
        }
        taken
    }

    #[test]
    fn first_pages_go_before_the_rest_and_then_by_arrival() {
        let (jobs, _answers): (VecDeque<_>, Vec<_>) = [
            job("a", 1, Urgency::Triage),
            job("a", 2, Urgency::Rest),
            job("b", 1, Urgency::Triage),
            job("c", 2, Urgency::Urgent),
        ]
        .into_iter()
        .unzip();
        let expected = [("a", 1), ("b", 1), ("c", 2), ("a", 2)].map(|(name, page)| (name.to_owned(), page));
        assert_eq!(order(&mut { jobs }, None), expected);
    }

    #[test]
    fn the_document_held_is_preferred_only_among_equals() {
        let (jobs, _answers): (VecDeque<_>, Vec<_>) =
            [job("a", 3, Urgency::Rest), job("b", 2, Urgency::Rest), job("c", 1, Urgency::Triage)].into_iter().unzip();
        let expected = [("c", 1), ("b", 2), ("a", 3)].map(|(name, page)| (name.to_owned(), page));
        let held = Held { document: &DocumentId::of(b"b"), stays: false };
        assert_eq!(order(&mut { jobs }, Some(held)), expected);
    }

    #[test]
    fn a_worker_that_stays_with_a_text_reads_all_of_it_first() {
        let (jobs, _answers): (VecDeque<_>, Vec<_>) =
            [job("a", 1, Urgency::Triage), job("b", 2, Urgency::Rest), job("b", 3, Urgency::Rest)].into_iter().unzip();
        let expected = [("b", 2), ("b", 3), ("a", 1)].map(|(name, page)| (name.to_owned(), page));
        let held = Held { document: &DocumentId::of(b"b"), stays: true };
        assert_eq!(order(&mut { jobs }, Some(held)), expected);
    }

    #[test]
    fn a_page_that_nobody_waits_for_is_not_read() {
        let (abandoned, answer) = job("a", 1, Urgency::Triage);
        drop(answer);
        let (wanted, _answer) = job("b", 1, Urgency::Triage);
        assert_eq!(order(&mut VecDeque::from([abandoned, wanted]), None), [("b".to_owned(), 1)]);
    }

    #[test]
    fn an_answer_about_another_document_is_never_taken() {
        let (asked, mut answer) = job("a", 1, Urgency::Triage);
        let refusal = Refusal { kind: RefusalKind::Encrypted, message: String::new(), mail: None };
        let other = Answer::Refused { document: DocumentId::of(b"b"), refusal };
        assert!(!asked.task.settle(&asked.id, other, &RenderLimits::default()));
        assert_eq!(answer.try_recv().unwrap(), Err(ReadError::WorkerDied { signal: None }));
    }

    #[test]
    fn a_page_count_that_no_document_may_have_is_never_taken() {
        let limits = RenderLimits::default();
        for (pages, taken) in [(0, false), (1, true), (limits.max_pages, true), (u32::MAX, false)] {
            let document = DocumentId::of(b"a");
            let (reply, mut answer) = oneshot::channel();
            let inspected =
                Answer::Inspected { document: document.clone(), format: DocumentFormat::Tiff, pages, mail: None };
            assert_eq!(Task::Inspect { reply }.settle(&document, inspected, &limits), taken, "{pages} pages");
            assert_eq!(answer.try_recv().unwrap().is_ok(), taken, "{pages} pages");
        }
    }

    #[tokio::test]
    async fn a_program_that_cannot_be_run_is_an_error_and_not_a_loop() {
        let settings = PoolSettings {
            program: PathBuf::from("/nonexistent/nicufaxd"),
            workers: 1,
            page_timeout: Duration::from_secs(1),
            worker_memory: 1 << 30,
            languages: "eng".to_owned(),
            tessdata: None,
            limits: RenderLimits::default(),
            cage: CageMode::Required,
        };
        let error = ReaderPool::start(settings, None).await.err().unwrap();
        assert!(matches!(&error, ReadError::CannotStart { reason } if reason.contains("nicufaxd")), "{error}");
        assert!(!error.is_permanent() && !error.counts_as_attempt());
    }
}
