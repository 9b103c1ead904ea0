//! nicufaxd: from the secure-fax inbox to the nurse's queue.
//!
//! The modules stand in the order in which a fax walks through them:
//!
//! 1. [`intake`] finds a file that has settled in a watched folder, or a message in a mailbox, or takes one from `submit`;
//! 2. [`archive`] stores it durably (sealed document, hash-chained journal, index); only then is the source released;
//! 3. [`reader`] finds the papers in a message, and turns pages into words with boxes, in worker processes that may crash or hang;
//! 4. [`understand`] tells what it is and takes out the facts;
//! 5. [`link`] finds the open case it belongs to, or leaves that to a person;
//! 6. [`repeat`] tells whether it has come before, and [`route`] gives it a lane, a priority and a due time;
//! 7. [`queue`] holds the items, and exports them for the nurses, with [`paper`] as PDFs of their pages;
//! 8. [`outbox`] writes the mails that people expect because of them.
//!
//! [`pipeline`] joins 3 to 6 and reads as what a clerk would do, the pages that tell most before all others;
//! [`daemon`] joins everything and is the only part that acts on signals and time. [`document`] is the vocabulary,
//! [`names`] knows what newborns are called, [`config`] holds the settings, [`fault`] is where tests break in.

pub mod config;
pub mod document;
pub mod names;

pub mod intake;

pub mod archive;

pub mod reader;

pub mod understand;

pub mod link;

pub mod repeat;

pub mod clock;
pub mod route;

pub mod pipeline;

pub mod paper;
pub mod queue;

pub mod outbox;

pub mod control;
pub mod daemon;
pub mod fault;
pub mod log;
pub mod systemd;

pub mod cli;

#[cfg(test)]
mod testing;
