//! Closes what the worker inherited beyond stdin, stdout and stderr.
//!
//! Rust marks its own descriptors close-on-exec; those that the daemon itself inherited (from a shell, a supervisor) are
//! not. The only user of `close_range`, for which no crate at hand has a safe interface.

#![expect(unsafe_code, reason = "no safe interface to close_range")]

use std::io;

/// First descriptor behind stdin, stdout and stderr.
const FIRST: libc::c_uint = 3;

/// Closes every descriptor from 3 on. Only for a process that has opened nothing yet.
pub(super) fn close_inherited() -> io::Result<()> {
    // SAFETY: takes three numbers and no pointer. It runs first in a worker, before anything in this process owns a
    // descriptor from 3 on, so none is closed under its owner.
    let status = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, 0) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
