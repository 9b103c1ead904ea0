//! Takes note when a share of an item's time has passed, and when it is overdue: recorded, so that the exports show it
//! and the trail tells when it was known.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::archive::event::{Act, Event, MACHINE};
use crate::archive::{Archive, ArchiveError, blocking};
use crate::clock;
use crate::log;
use crate::queue::item::{ItemState, QueueItem};
use crate::route::due::{ALL_OF_IT, ClockState};

/// Between two looks at the clock.
const TICK: Duration = Duration::from_millis(500);

/// How much longer than it takes it is waited before the items are looked through again, because of changes alone.
const RESTS: u32 = 10;

/// Events recorded at a time.
const TOGETHER: usize = 1000;

/// Looks until `stopping`. An archive that can't record is noticed by the work loop, which ends the daemon.
pub async fn run(archive: Archive, mut stopping: watch::Receiver<bool>) {
    let mut items = archive.watch_items();
    items.mark_changed();
    let (mut next, mut rested) = (None, Instant::now());
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stopping.changed() => return,
            _ = ticks.tick() => {}
        }
        let changed = items.has_changed().unwrap_or(false) && rested <= Instant::now();
        if !changed && next.is_none_or(|next| next > clock::now()) {
            continue;
        }
        items.borrow_and_update();
        let (begun, looked_at) = (Instant::now(), archive.clone());
        // A failure is looked at again when items change.
        next = blocking(move || pass(&looked_at, clock::now())).await.unwrap_or_default();
        rested = Instant::now() + begun.elapsed() * RESTS;
    }
}

/// What people did with an item for a while that is over.
fn over(item: &QueueItem, now: Timestamp) -> Vec<Event> {
    let mut acts = Vec::new();
    if item.claimed.as_ref().is_some_and(|claim| claim.until <= now) {
        acts.push(Act::Released);
    }
    if let Some((asked, due_at)) = item.asked.as_ref().zip(item.due_at)
        && asked.until <= now
    {
        acts.push(Act::Resumed { due_at });
    }
    let event = |act| Event::Acted { item: item.id.clone(), by: MACHINE.to_owned(), act };
    acts.into_iter().map(event).collect()
}

/// Records what has passed of the open items' time; gives when the next mark comes. Blocks.
pub fn pass(archive: &Archive, now: Timestamp) -> Result<Option<Timestamp>, ArchiveError> {
    let (mut next, mut passed, mut overdue): (Option<Timestamp>, Vec<Event>, usize) = (None, Vec::new(), 0);
    let mut is_again = false;
    for item in archive.items() {
        let item = item?;
        let over = over(&item, now);
        if !over.is_empty() {
            passed.extend(over);
            // What is left of its time is looked at next, with what these have changed.
            is_again = true;
            continue;
        }
        let ends = [item.claimed.as_ref().map(|claim| claim.until), item.asked.as_ref().map(|asked| asked.until)];
        next = [next].into_iter().chain(ends).flatten().min();
        let Some((clock, due_at)) = item.clock.as_ref().zip(item.due_at) else { continue };
        if item.state == ItemState::Resolved {
            continue;
        }
        next = [next, clock.next_mark(now, due_at)].into_iter().flatten().min();
        let percent = clock.passed_by(now, due_at);
        if percent > clock.passed && clock.state != ClockState::Paused {
            overdue += usize::from(percent >= ALL_OF_IT);
            passed.push(Event::ClockPassed { item: item.id, percent });
        }
    }
    if overdue > 0 {
        log::items_overdue(overdue);
    }
    let mut passed = passed.into_iter().peekable();
    while passed.peek().is_some() {
        archive.record_all(passed.by_ref().take(TOGETHER).collect())?;
    }
    Ok(if is_again { Some(now) } else { next })
}
