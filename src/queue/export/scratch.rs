//! A scratch file: texts are appended as they come, and read back in another order. It has no name, so that nothing is
//! left of it however the process ends.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Where a text lies in the scratch file, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    start: u64,
    length: usize,
}

pub(super) struct Scratch {
    writer: BufWriter<File>,
    end: u64,
}

impl Scratch {
    /// A scratch file on the file system of this folder.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let path = folder.join(".scratch");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        fs::remove_file(&path)?;
        Ok(Self { writer: BufWriter::with_capacity(64 * 1024, file), end: 0 })
    }

    pub fn append(&mut self, text: &[u8]) -> io::Result<Span> {
        self.writer.write_all(text)?;
        let span = Span { start: self.end, length: text.len() };
        self.end += text.len() as u64;
        Ok(span)
    }

    /// Copies texts to `target`, in the order given.
    pub fn copy<'a>(&mut self, spans: impl Iterator<Item = &'a Span>, target: &mut impl Write) -> io::Result<()> {
        self.writer.flush()?;
        let mut text = Vec::new();
        for span in spans {
            text.resize(span.length, 0);
            self.writer.get_ref().read_exact_at(&mut text, span.start)?;
            target.write_all(&text)?;
        }
        Ok(())
    }
}
