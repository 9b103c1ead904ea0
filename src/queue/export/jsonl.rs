//! `queue.jsonl`: one item a line, exactly as it serialises.

use std::io;

use crate::queue::item::QueueItem;

/// An item's line, with its line feed. JSON escapes line feeds in texts, so it is one line whatever a document says.
pub(super) fn line(item: &QueueItem) -> io::Result<String> {
    let mut line = serde_json::to_string(item)?;
    line.push('\n');
    Ok(line)
}
