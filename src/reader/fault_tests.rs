//! Code that misbehaves inside a worker, for tests of what becomes of it. Only in builds with the feature `faults`.
//!
//! A document that begins with `%fault NAME` brings out the fault of that name, in the very place where a decoder that
//! an attacker has taken over would act: after the cage is shut. What is tried and comes back tells so as a damaged
//! document, with what came of it: `NAME: done`, or `NAME: ` and the error.

#![expect(unsafe_code, reason = "what an attacker does is not safe")]

use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::ptr;
use std::thread;

use crate::reader::render::RenderError;

/// Processes or threads that a fault makes.
const FEW: usize = 16;

/// Does what the document asks for; an error for the pool to see, or nothing if it asks for no fault.
pub(super) fn misbehave(document: &[u8]) -> Result<(), RenderError> {
    let Some(asked) = document.strip_prefix(b"%fault ") else { return Ok(()) };
    let asked = String::from_utf8_lossy(asked);
    let mut words = asked.split_whitespace();
    let name = words.next().unwrap_or_default();
    let came_of_it = attempt(name, words.next().unwrap_or_default());
    let told = match came_of_it {
        Ok(()) => format!("{name}: done"),
        Err(error) => format!("{name}: {error}"),
    };
    Err(RenderError::DamagedDocument { reason: told.leak() })
}

fn attempt(name: &str, argument: &str) -> io::Result<()> {
    match name {
        "hang" => loop {
            thread::park();
        },
        "spin" => loop {
            std::hint::spin_loop();
        },
        "abort" => std::process::abort(),
        "panic" => panic!("a fault put in by a test"),
        "segfault" => {
            // SAFETY: none: it is to crash.
            unsafe { ptr::without_provenance_mut::<u8>(8).write_volatile(1) };
            Ok(())
        }
        "memory" => {
            let mut taken: Vec<Vec<u8>> = Vec::new();
            loop {
                taken.push(vec![1; 16 << 20]);
            }
        }
        "open" => File::open("/etc/hostname").map(drop),
        "language-data" => fs::read_dir("/usr/share").map(drop),
        "write" => File::create(left_behind("file")).map(drop),
        "make-folder" => fs::create_dir(left_behind("folder")),
        "connect" => TcpStream::connect(("127.0.0.1", 9)).map(drop),
        "listen" => TcpListener::bind(("127.0.0.1", 0)).map(drop),
        "socket" => UnixStream::connect("/run/nicufaxd.sock").map(drop),
        "exec" => Command::new("/bin/true").status().map(drop),
        // The first steps of a bomb: a cage that fails must not cost the machine of who tests it.
        "fork-bomb" => {
            for _ in 0..FEW {
                // SAFETY: takes nothing; the child only ends.
                match unsafe { libc::fork() } {
                    -1 => return Err(io::Error::last_os_error()),
                    // SAFETY: ends the child at once, running nothing of its parent's.
                    0 => unsafe { libc::_exit(0) },
                    _ => {}
                }
            }
            Ok(())
        }
        "threads" => (0..FEW).try_for_each(|_| thread::Builder::new().spawn(thread::park).map(drop)),
        "executable" => {
            // SAFETY: asks for new memory, and touches none.
            let memory = unsafe {
                libc::mmap(
                    ptr::null_mut(),
                    4096,
                    libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                    -1,
                    0,
                )
            };
            if memory == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
        }
        // Those that can be closed were open.
        "descriptors" => {
            // SAFETY: nothing here owns one, or the test fails and says so.
            let open = (3..4096).filter(|&number| unsafe { libc::close(number) } == 0).count();
            if open == 0 { Ok(()) } else { Err(io::Error::other(format!("{open} were open"))) }
        }
        // Any system call by its number, with a first argument (for `kill`: whom).
        "call" => {
            let mut numbers = argument.split(',').map(|number| number.parse::<libc::c_long>().unwrap_or(-1));
            let (call, first) = (numbers.next().unwrap_or(-1), numbers.next().unwrap_or(0));
            // SAFETY: all pointers are null; what it does to this process is what the test asks.
            let status = unsafe { libc::syscall(call, first, 0, 0, 0, 0, 0) };
            if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
        }
        _ => Err(io::Error::other("no such fault")),
    }
}

/// A path that nothing lies at, so that what is tried there fails for no other reason than the cage.
fn left_behind(what: &str) -> PathBuf {
    std::env::temp_dir().join(format!("nicufaxd-fault-{}-{what}", std::process::id()))
}
