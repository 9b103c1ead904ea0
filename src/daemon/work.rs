//! The work loop: takes each accepted document through the pipeline, a few at a time, and records what came of it.
//!
//! In two goes, where a document has more pages than it takes to tell what it is: first those (triage), and the rest
//! when no other document waits for its triage. What waits between the two has given its attempt back.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::answered::Answered;
use super::attempt::Verdict;
use super::decider::Decider;
use super::sharing::Sharing;
use super::todo::Todo;
use crate::archive::{Archive, ArchiveError, blocking};
use crate::document::DocumentId;
use crate::outbox::Planner;
use crate::pipeline::Knowledge;
use crate::reader::pool::ReaderPool;

/// How far a run has come, for a progress display.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    pub accepted: u64,
    pub queued: u64,
    pub held: u64,
    pub pages: u64,
    /// Documents that are being read or decided on now.
    pub in_hand: usize,
}

/// What a run did, for the last line of `run --drain`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Worked {
    pub queued: u64,
    pub held: u64,
    pub handed_back: usize,
    /// Documents, of whatever run, that were queued and whose stored file is missing or damaged.
    pub lost: usize,
}

pub struct WorkLoop {
    pub archive: Archive,
    pub pool: Arc<ReaderPool>,
    pub knowledge: watch::Receiver<Knowledge>,
    pub decider: Decider,
    /// Which mails a document's arrival sends; `None` where none are written.
    pub planner: Option<Arc<Planner>>,
    pub sharing: Sharing,
    /// Attempts before a document is held.
    pub attempts: u32,
    pub progress: watch::Sender<Progress>,
    /// Whose messages were acknowledged.
    pub answered: Mutex<Answered>,
}

impl WorkLoop {
    /// Runs until every source has ended and nothing is waiting, or until `stopping`. Ends early only when the archive
    /// can't record any more, which is fatal.
    pub async fn run(
        self,
        waiting: Vec<DocumentId>,
        mut arrivals: mpsc::Receiver<DocumentId>,
        mut stopping: watch::Receiver<bool>,
    ) -> Result<Worked, ArchiveError> {
        let this = Arc::new(self);
        let mut known: HashSet<DocumentId> = waiting.iter().cloned().collect();
        // Announced once more while in hand: a person may have wanted it tried again just as it was held, or it was stored
        // anew just as it was queued.
        let mut announced_again = HashSet::new();
        let mut todo = Todo::of(waiting);
        let mut in_hand: JoinSet<(DocumentId, Result<Verdict, ArchiveError>)> = JoinSet::new();
        let mut later: JoinSet<DocumentId> = JoinSet::new();
        // What documents cost their workers in this run: what the daemon dies of is counted in the journal.
        let mut failed: HashMap<DocumentId, u32> = HashMap::new();
        let mut worked = Worked::default();
        let mut sources_open = true;
        // Twice the workers, so that the next document's pages are at hand when a worker becomes free, and no more:
        // each one's bytes are in memory.
        let limit = 2 * this.pool.status().workers;
        this.progress.send_modify(|progress| progress.accepted = known.len() as u64);

        while !*stopping.borrow_and_update() {
            while in_hand.len() < limit
                && let Some((id, begun)) = todo.next()
            {
                let (this, failed) = (this.clone(), failed.get(&id).copied().unwrap_or(0));
                in_hand.spawn(async move {
                    let verdict = this.attempt(&id, begun, failed).await;
                    let verdict = match verdict {
                        Ok(verdict) => Ok(verdict),
                        Err(error) => this.after_fault(&id, error).await,
                    };
                    (id, verdict)
                });
            }
            this.progress
                .send_if_modified(|progress| std::mem::replace(&mut progress.in_hand, in_hand.len()) != in_hand.len());
            if !sources_open && in_hand.is_empty() && later.is_empty() {
                // Whoever waits for a drain relies on nothing being left: the archive's word counts, not who announced what.
                let archive = this.archive.clone();
                let waiting = blocking(move || archive.waiting()).await?;
                if waiting.is_empty() {
                    return Ok(worked);
                }
                known.extend(waiting.iter().cloned());
                todo.waiting.extend(waiting);
                continue;
            }
            let mut done_with = None;
            tokio::select! {
                _ = stopping.changed() => {}
                arrival = arrivals.recv(), if sources_open => match arrival {
                    Some(id) => if known.insert(id.clone()) {
                        this.progress.send_modify(|progress| progress.accepted += 1);
                        todo.waiting.push_back(id);
                    } else {
                        announced_again.insert(id);
                    },
                    None => sources_open = false,
                },
                Some(Ok(id)) = later.join_next() => todo.waiting.push_back(id),
                Some(ended) = in_hand.join_next() => {
                    let Ok((id, verdict)) = ended else { continue };
                    let verdict = verdict?;
                    if matches!(verdict, Verdict::Failed(_)) {
                        *failed.entry(id.clone()).or_default() += 1;
                    }
                    match verdict {
                        Verdict::Again(after) | Verdict::Failed(after) => drop(later.spawn(async move {
                            tokio::time::sleep(after).await;
                            id
                        })),
                        Verdict::Begun(begun) => todo.begun(id, *begun),
                        Verdict::Queued { pages } => {
                            worked.queued += 1;
                            this.progress.send_modify(|progress| {
                                progress.queued += 1;
                                progress.pages += pages as u64;
                            });
                            done_with = Some(id);
                        }
                        Verdict::Held => {
                            worked.held += 1;
                            this.progress.send_modify(|progress| progress.held += 1);
                            done_with = Some(id);
                        }
                        Verdict::NotWaiting => done_with = Some(id),
                        Verdict::HandedBack => worked.handed_back += 1,
                    }
                }
            }
            if let Some(id) = done_with {
                failed.remove(&id);
                if announced_again.remove(&id) {
                    todo.waiting.push_back(id);
                } else {
                    known.remove(&id);
                }
            }
        }
        this.finish(in_hand, worked).await
    }

    /// Lets the pages in hand be finished, as long as the pool allows, and gives the other documents' attempts back.
    async fn finish(
        &self,
        mut in_hand: JoinSet<(DocumentId, Result<Verdict, ArchiveError>)>,
        mut worked: Worked,
    ) -> Result<Worked, ArchiveError> {
        // Every page that no worker has begun ends with `ReadError::Stopping`, and its document's attempt gives itself
        // back; a document whose last pages are in hand is finished.
        let shutdown = self.pool.shutdown();
        let finished = async {
            while let Some(ended) = in_hand.join_next().await {
                let Ok((_, verdict)) = ended else { continue };
                match verdict? {
                    Verdict::Queued { .. } => worked.queued += 1,
                    Verdict::Held => worked.held += 1,
                    Verdict::NotWaiting => {}
                    Verdict::Begun(_) | Verdict::Again(_) | Verdict::Failed(_) | Verdict::HandedBack => {
                        worked.handed_back += 1;
                    }
                }
            }
            Ok(worked)
        };
        tokio::join!(shutdown, finished).1
    }
}
