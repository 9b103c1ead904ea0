//! A listener between daemon and server: it counts what passes, and cuts connections when told to.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// When a connection is cut.
pub enum Cut {
    /// Before this word of the client's is passed on, so many times.
    BeforeSaying(&'static str, u32),
    /// After the server has sent so many bytes on one connection, once.
    AfterBytes(u64),
}

pub struct Between {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    to: u16,
    /// From the server to the client.
    bytes: AtomicU64,
    cut: Mutex<Option<Cut>>,
    cuts: Mutex<u32>,
    changed: Condvar,
}

impl Between {
    /// Passes everything on to this port of the same machine.
    pub fn start(to: u16, cut: Option<Cut>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            to,
            bytes: AtomicU64::new(0),
            cut: Mutex::new(cut),
            cuts: Mutex::new(0),
            changed: Condvar::new(),
        });
        let ours = shared.clone();
        // Ends with the test's process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = ours.clone();
                thread::spawn(move || pass(&shared, &client));
            }
        });
        Self { port, shared }
    }

    /// Bytes that the server has sent so far.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::SeqCst)
    }

    /// Waits until so many connections have been cut.
    pub fn wait_for_cuts(&self, count: u32) {
        let deadline = Instant::now() + Duration::from_secs(120);
        let mut cuts = self.shared.cuts.lock().unwrap();
        while *cuts < count {
            assert!(Instant::now() < deadline, "{} of {count} connections were cut", *cuts);
            cuts = self.shared.changed.wait_timeout(cuts, Duration::from_secs(1)).unwrap().0;
        }
    }
}

fn pass(shared: &Arc<Shared>, client: &TcpStream) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", shared.to)) else { return };
    let (from, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let answers = shared.clone();
    thread::spawn(move || pass_answers(&answers, from, to));
    pass_commands(shared, client.try_clone().unwrap(), server);
}

fn pass_commands(shared: &Shared, mut client: TcpStream, mut server: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read) = client.read(&mut buffer) {
        if read == 0 {
            break;
        }
        let said = String::from_utf8_lossy(&buffer[..read]).into_owned();
        let now = {
            let mut cut = shared.cut.lock().unwrap();
            match &mut *cut {
                Some(Cut::BeforeSaying(word, times)) if said.contains(*word) && *times > 0 => {
                    *times -= 1;
                    true
                }
                _ => false,
            }
        };
        if now {
            end(shared, &client, &server);
            return;
        }
        if server.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    _ = server.shutdown(Shutdown::Both);
}

fn pass_answers(shared: &Shared, mut server: TcpStream, mut client: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    let mut sent = 0;
    while let Ok(read) = server.read(&mut buffer) {
        if read == 0 {
            break;
        }
        sent += read as u64;
        shared.bytes.fetch_add(read as u64, Ordering::SeqCst);
        let now = {
            let mut cut = shared.cut.lock().unwrap();
            let now = matches!(&*cut, Some(Cut::AfterBytes(limit)) if sent > *limit);
            if now {
                *cut = None;
            }
            now
        };
        if now {
            end(shared, &client, &server);
            return;
        }
        if client.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    _ = client.shutdown(Shutdown::Both);
}

fn end(shared: &Shared, one: &TcpStream, other: &TcpStream) {
    _ = one.shutdown(Shutdown::Both);
    _ = other.shutdown(Shutdown::Both);
    *shared.cuts.lock().unwrap() += 1;
    shared.changed.notify_all();
}
