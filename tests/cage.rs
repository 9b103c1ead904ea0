//! The cage of the workers: code that misbehaves inside one is refused or ends that worker alone.
//!
//! The code is `reader/fault_tests.rs`, in builds with the feature `faults`; a document that begins with `%fault NAME`
//! brings it out where an attacker would act who has taken a decoder over.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;
mod workers;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nicufaxd::document::{DocumentId, PageSource};
use nicufaxd::reader::cage::{CageMode, Lack};
use nicufaxd::reader::pool::{PoolSettings, ReadError, ReaderPool, Urgency};
use nicufaxd::reader::protocol::{self, Answer, LONGEST_MESSAGE, Request, WorkerSettings};
use rustix::io::FdFlags;
use rustix::process::{Pid, Signal, kill_process};
use seccompiler::{SeccompAction, SeccompFilter};
use serde_json::json;

use generator::{Fonts, fax_of_lines};
use run::{CONFIG, PATIENCE, Setup, wait_until};
use workers::{settings, white_page};

/// What comes of a document that brings out this fault.
async fn tried(pool: &ReaderPool, fault: &str) -> ReadError {
    let bytes = format!("%fault {fault}").into_bytes();
    pool.inspect(&DocumentId::of(&bytes), Arc::from(bytes)).await.unwrap_err()
}

fn fax() -> Vec<u8> {
    fax_of_lines(&Fonts::load().unwrap(), &["Concurrent review", "Weight today 1450 grams"])
}

async fn reads_on(pool: &ReaderPool) {
    let bytes = white_page();
    let page = pool.read_page(&DocumentId::of(&bytes), Arc::from(bytes), 1, Urgency::Rest).await.unwrap();
    assert_eq!(page.source, PageSource::Blank);
}

/// Whether the process is still there (a zombie is not).
fn lives(pid: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !(state.is_empty() || state.contains(") Z "))
}

#[tokio::test]
async fn a_worker_cannot_open_list_or_make_a_file() {
    let pool = ReaderPool::start(settings(1), None).await.unwrap();
    for fault in ["open", "language-data", "write"] {
        let told = tried(&pool, fault).await.to_string();
        assert!(told.contains(&format!("{fault}: Permission denied")), "{told}");
    }
    reads_on(&pool).await;
    // Libraries try such things by habit, so the worker goes on.
    assert_eq!(pool.status().lost, 0);
}

#[tokio::test]
async fn a_worker_that_connects_executes_or_multiplies_is_ended_alone() {
    let pool = ReaderPool::start(settings(2), None).await.unwrap();
    let faults = ["make-folder", "connect", "listen", "socket", "exec", "fork-bomb", "threads", "executable"];
    for fault in faults {
        let error = tried(&pool, fault).await;
        assert_eq!(error, ReadError::ForbiddenCall, "{fault}");
        assert!(error.counts_as_attempt() && !error.is_permanent());
        reads_on(&pool).await;
    }
    assert_eq!(pool.status().lost, faults.len() as u64);
}

#[tokio::test]
async fn a_system_call_that_reaches_out_of_the_cage_ends_the_worker() {
    let forbidden = [
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_pidfd_open,
        libc::SYS_prlimit64,
        libc::SYS_prctl,
        libc::SYS_seccomp,
        libc::SYS_landlock_restrict_self,
        libc::SYS_clone,
        libc::SYS_clone3,
        libc::SYS_execveat,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_mount,
        libc::SYS_bpf,
        libc::SYS_io_uring_setup,
        libc::SYS_userfaultfd,
        libc::SYS_perf_event_open,
        libc::SYS_keyctl,
        libc::SYS_memfd_create,
        libc::SYS_openat2,
        libc::SYS_unlinkat,
        libc::SYS_renameat2,
        libc::SYS_fchmodat,
        libc::SYS_capset,
        libc::SYS_setuid,
        libc::SYS_sendmsg,
        libc::SYS_shmget,
        libc::SYS_msgget,
        libc::SYS_personality,
        libc::SYS_sched_setaffinity,
        libc::SYS_dup,
    ];
    let pool = ReaderPool::start(settings(1), None).await.unwrap();
    for call in forbidden {
        assert_eq!(tried(&pool, &format!("call {call}")).await, ReadError::ForbiddenCall, "system call {call}");
    }
    // Signals, even none, to another process; this one, as it is known to be there and of the same user.
    for call in [libc::SYS_kill, libc::SYS_tgkill] {
        let fault = format!("call {call},{}", std::process::id());
        assert_eq!(tried(&pool, &fault).await, ReadError::ForbiddenCall);
    }
    reads_on(&pool).await;
}

#[tokio::test]
async fn a_crash_in_the_cage_ends_as_what_it_is() {
    let pool = ReaderPool::start(settings(1), None).await.unwrap();
    for (fault, signal) in [("segfault", Signal::SEGV), ("abort", Signal::ABORT)] {
        assert_eq!(tried(&pool, fault).await, ReadError::WorkerDied { signal: Some(signal.as_raw()) });
    }
    assert_eq!(tried(&pool, "memory").await, ReadError::OutOfMemory);
    reads_on(&pool).await;
}

#[tokio::test]
async fn a_worker_that_spins_keeps_the_next_document_waiting_for_the_time_limit_at_most() {
    let limit = Duration::from_secs(3);
    let pool = ReaderPool::start(PoolSettings { page_timeout: limit, ..settings(1) }, None).await.unwrap();
    let begun = Instant::now();
    let (spun, ()) = tokio::join!(tried(&pool, "spin"), reads_on(&pool));
    assert_eq!(spun, ReadError::TimedOut { seconds: 3 });
    // A new worker on a busy machine starts within the rest.
    assert!(begun.elapsed() < limit + Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_worker_holds_no_descriptor_but_its_three_pipes() {
    let inherited = fs::File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&inherited, FdFlags::empty()).unwrap();
    let pool = ReaderPool::start(settings(1), None).await.unwrap();
    let told = tried(&pool, "descriptors").await.to_string();
    assert!(told.contains("descriptors: done"), "{told}");
}

#[tokio::test]
async fn the_kernel_confirms_every_bound_on_every_thread_of_a_worker() {
    let pool = ReaderPool::start(settings(1), None).await.unwrap();
    let worker = pool.status().alive[0];
    let threads: Vec<_> = fs::read_dir(format!("/proc/{worker}/task")).unwrap().collect();
    assert_eq!(threads.len(), 2);
    for thread in threads {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        let status: BTreeMap<_, _> = status.lines().filter_map(|line| line.split_once(':')).collect();
        let told = |name: &str| status[name].trim();
        assert_eq!((told("NoNewPrivs"), told("Seccomp")), ("1", "2"), "{status:?}");
        assert!(["CapPrm", "CapEff", "CapInh"].iter().all(|name| told(name) == "0000000000000000"), "{status:?}");
        assert_eq!(told("Umask"), "0077");
    }
    let limits = fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
    let bounds = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let mut words = line.split_whitespace().map(str::to_owned);
        (words.next().unwrap(), words.next().unwrap())
    };
    for name in ["Max core file size", "Max file size", "Max open files", "Max processes"] {
        assert_eq!(bounds(name), ("0".to_owned(), "0".to_owned()), "{name}");
    }
    assert_eq!(bounds("Max address space").1, (1_u64 << 30).to_string());
    // 30 minutes of work, and twice the time limit of a page.
    assert_eq!(bounds("Max cpu time").0, (30 * 60 + 2 * 60).to_string());
}

/// A worker without a pool, and what it answers to its start.
fn lone_worker(mut command: Command, daemon: Option<u32>, cpu_seconds: u64) -> (Child, Lone, Option<Answer>) {
    let mut worker = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = worker.stdin.take().unwrap();
    let mut stdout = BufReader::new(worker.stdout.take().unwrap());
    let start = WorkerSettings {
        memory: 1 << 30,
        languages: "eng".to_owned(),
        tessdata: None,
        max_pages: 100,
        max_pixels: 1 << 24,
        cage: CageMode::Required,
        cpu_seconds,
        daemon: daemon.unwrap_or(worker.id()),
    };
    protocol::write_message(&mut stdin, &Request::Start(start)).unwrap();
    let answer = protocol::read_frame(&mut stdout, LONGEST_MESSAGE).unwrap();
    let answer = answer.map(|body| protocol::message(&body).unwrap());
    (worker, Lone { stdin, stdout }, answer)
}

struct Lone {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Lone {
    fn asked_for(&mut self, fault: &str) {
        let bytes = format!("%fault {fault}").into_bytes();
        let document = DocumentId::of(&bytes);
        protocol::write_message(&mut self.stdin, &Request::Hold { document: document.clone() }).unwrap();
        self.stdin.write_all(&protocol::header(bytes.len()).unwrap()).unwrap();
        self.stdin.write_all(&bytes).unwrap();
        protocol::write_message(&mut self.stdin, &Request::Inspect { document }).unwrap();
    }
}

/// What comes of `wait`, which must not take for ever.
fn in_time<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || sender.send(wait()));
    receiver.recv_timeout(PATIENCE).unwrap()
}

const READY: Option<Answer> = Some(Answer::Ready { lacking: Vec::new() });

fn worker_command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nicufaxd"));
    command.arg("worker").env("OMP_THREAD_LIMIT", "1");
    command
}

#[test]
fn a_worker_that_spins_while_nobody_looks_at_the_clock_ends_at_its_processor_time() {
    let (mut worker, mut lone, answer) = lone_worker(worker_command(), Some(std::process::id()), 5);
    assert_eq!(answer, READY);
    lone.asked_for("spin");
    // Its stdin stays open.
    assert_eq!(in_time(move || worker.wait().unwrap()).signal(), Some(Signal::XCPU.as_raw()));
    drop(lone);
}

#[test]
fn a_worker_dies_with_the_process_that_started_it_even_if_its_stdin_stays_open() {
    let mut command = Command::new("sh");
    // The shell stands in for a daemon; the test holds the other ends of the pipes.
    command
        .args(["-c", "exec 3<&0; \"$0\" worker <&3 & wait", env!("CARGO_BIN_EXE_nicufaxd")])
        .env("OMP_THREAD_LIMIT", "1");
    let (mut shell, mut lone, answer) = lone_worker(command, None, 600);
    assert_eq!(answer, READY);
    lone.asked_for("hang");
    shell.kill().unwrap();
    shell.wait().unwrap();
    let Lone { stdin, mut stdout } = lone;
    // The last who could write to it is gone.
    assert!(in_time(move || protocol::read_frame(&mut stdout, LONGEST_MESSAGE).unwrap()).is_none());
    drop(stdin);
}

#[test]
fn a_worker_whose_daemon_died_before_it_could_ask_to_die_with_it_reads_nothing() {
    let someone_else = 1;
    let (mut worker, _lone, answer) = lone_worker(worker_command(), Some(someone_else), 600);
    assert_eq!(answer, None);
    assert!(worker.wait().unwrap().success());
}

#[test]
fn no_worker_outlives_a_daemon_that_is_killed() {
    let setup = Setup::with("", "[reader]\nworkers = 2\n");
    for name in ["one", "two"] {
        setup.arrive(&format!("{name}.tif"), format!("%fault spin {name}").as_bytes());
    }
    let daemon = setup.start();
    let status = wait_until("both workers in hand", || {
        let status = setup.json(&["status", "--json"]);
        (status["workers"]["busy"] == 2 && status["workers"]["alive"].as_array().unwrap().len() == 2).then_some(status)
    });
    let workers: Vec<u32> =
        status["workers"]["alive"].as_array().unwrap().iter().map(|pid| pid.as_u64().unwrap() as u32).collect();
    kill_process(Pid::from_raw(daemon.pid() as i32).unwrap(), Signal::KILL).unwrap();
    wait_until("the workers' end", || workers.iter().all(|&worker| !lives(worker)).then_some(()));
}

#[test]
fn documents_that_attack_are_held_with_the_reason_while_the_others_are_queued() {
    let setup = Setup::with("", "[reader]\nattempts = 2\npage_timeout = \"5s\"\n");
    let expected = [
        ("connect", "forbidden"),
        ("exec", "forbidden"),
        ("fork-bomb", "forbidden"),
        ("segfault", "signal 11"),
        ("abort", "signal 6"),
        ("spin", "longer than 5 s"),
        ("memory", "memory did not suffice"),
        ("open", "Permission denied"),
    ];
    for (fault, _) in expected {
        setup.arrive(&format!("{fault}.tif"), format!("%fault {fault}").as_bytes());
    }
    setup.arrive("good.tif", &fax());
    setup.drain();
    for (fault, reason) in expected {
        let held = setup.held_of(&format!("{fault}.tif"));
        assert!(held["reason"].as_str().unwrap().contains(reason), "{held:#}");
        assert_eq!(setup.exported_of(&format!("{fault}.tif"))[0]["state"], "held");
    }
    let good = setup.exported_of("good.tif");
    assert_eq!((good.len(), &good[0]["state"]), (1, &json!("open")));
}

/// Runs `step` on a thread for whose processes these system calls do not exist: as on a kernel that lacks them.
fn on_a_kernel_without<T: Send>(calls: &[libc::c_long], step: impl FnOnce() -> T + Send) -> T {
    let rules = calls.iter().map(|&call| (call, Vec::new())).collect();
    let missing = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    let machine = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, missing, machine).unwrap();
    let program: seccompiler::BpfProgram = filter.try_into().unwrap();
    thread::scope(|scope| {
        let shut_in = scope.spawn(|| {
            seccompiler::apply_filter(&program).unwrap();
            step()
        });
        shut_in.join().unwrap()
    })
}

const KERNELS: [(Lack, &[libc::c_long]); 2] =
    [(Lack::Landlock, &[libc::SYS_landlock_create_ruleset]), (Lack::Seccomp, &[libc::SYS_seccomp])];

#[test]
fn on_a_kernel_that_cannot_shut_the_cage_nothing_starts_and_it_is_said_with_key_and_remedy() {
    for (lack, calls) in KERNELS {
        let setup = Setup::new();
        setup.arrive("fax.tif", &fax());
        let (check, drain) = on_a_kernel_without(calls, || (setup.run(&["check"]), setup.run(&["run", "--drain"])));
        assert_eq!((check.code, drain.code), (Some(CONFIG), Some(CONFIG)), "{}{}", check.said, drain.said);
        for words in ["nicufaxd.toml", "reader.cage", "best-effort", &format!("for want of {lack}")] {
            assert!(check.said.contains(words), "{} lacks {words:?}", check.said);
        }
        assert!(!check.said.contains("reader.languages"), "{}", check.said);
        assert!(drain.said.contains(&format!("for want of {lack}")), "{}", drain.said);
        assert_eq!(setup.files("inbox"), ["fax.tif"]);
    }
}

#[test]
fn landlock_alone_bars_the_files_where_there_is_no_seccomp() {
    let error = on_a_kernel_without(&[libc::SYS_seccomp], || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let pool =
                ReaderPool::start(PoolSettings { cage: CageMode::BestEffort, ..settings(1) }, None).await.unwrap();
            assert_eq!(pool.status().cage_lacks, [Lack::Seccomp]);
            tried(&pool, "make-folder").await
        })
    });
    assert!(error.to_string().contains("make-folder: Permission denied"), "{error}");
}

#[test]
fn what_lacks_is_never_silent_where_the_operator_lets_it_lack() {
    for (lack, calls) in KERNELS {
        let setup = Setup::with("", "[reader]\ncage = \"best-effort\"\n");
        setup.arrive("fax.tif", &fax());
        let (check, log) = on_a_kernel_without(calls, || (setup.run(&["check"]), setup.drain()));
        assert_eq!(check.code, Some(0), "{}", check.said);
        assert!(check.said.contains("reader.cage") && check.said.contains(&lack.to_string()), "{}", check.said);
        // The key that the first start makes is warned of too, and is not this test's subject.
        let warns = |line: &&str| line.contains("\"WARN\"") && !line.contains("a key was made");
        let warned: Vec<&str> = log.lines().filter(warns).collect();
        assert_eq!(warned.len(), 1, "{log}");
        assert!(warned[0].contains(&format!("\"lacking\":\"{lack}\"")), "{warned:?}");
        assert_eq!(setup.exported()[0]["state"], "open");
    }
}

#[test]
fn a_cage_that_is_off_is_warned_of_and_stands_in_the_status() {
    let setup = Setup::with("", "[reader]\ncage = \"off\"\n");
    let check = setup.run(&["check"]);
    assert_eq!(check.code, Some(0), "{}", check.said);
    assert!(check.said.contains("landlock, seccomp"), "{}", check.said);
    let daemon = setup.start();
    assert_eq!(setup.json(&["status", "--json"])["workers"]["cage_lacks"], json!(["landlock", "seccomp"]));
    assert!(daemon.stop().0.success());
}

#[test]
fn a_whole_cage_is_checked_without_a_word_and_stands_in_the_status() {
    let setup = Setup::new();
    let check = setup.run(&["check"]);
    assert_eq!(check.code, Some(0), "{}", check.said);
    assert!(!check.said.contains("cage"), "{}", check.said);
    let daemon = setup.start();
    assert_eq!(setup.json(&["status", "--json"])["workers"]["cage_lacks"], json!([]));
    assert!(daemon.stop().0.success());
}
