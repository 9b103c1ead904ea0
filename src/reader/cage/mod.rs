//! The cage: a worker process locks itself in before it reads a byte of a document, and nothing in it can unlock it.
//!
//! Three steps, in this order, each called once by [`worker`](crate::reader::worker):
//!
//! 1. [`prepare`], before anything is read: inherited descriptors closed, no core file, not to be traced or dumped, no
//!    privilege ever to be gained, killed when the daemon dies, umask 0077.
//! 2. [`shut_files`], once the engine has loaded its language data, and before a second thread starts, because the
//!    kernel takes it thread by thread: every capability given up, no file, no port, no other process's socket or
//!    signal ([`files`]).
//! 3. [`shut`], once all threads run: processor time, files, processes bounded; of the kernel's system calls only those
//!    that decoding and recognising take ([`calls`]).
//!
//! The files are shut after the engine is loaded, not before with the folder of language data left open: that data is
//! the operator's own, nothing is opened later (measured over every format), and so the cage holds no file at all.
//!
//! A worker whose cage can't be shut reads nothing, unless the operator has said so: [`CageMode`]. It never falls back
//! by itself. No step logs or reads anything of a document.

mod calls;
mod descriptors;
mod files;

use std::io;

use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, getppid, getrlimit, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit, umask,
};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};
use serde::{Deserialize, Serialize};

/// `[reader] cage`: what becomes of a machine whose kernel can't shut the cage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CageMode {
    /// No worker starts, so no daemon does: nobody gets less than he believes to have.
    #[default]
    Required,
    /// What the kernel has is used; what it lacks is logged and stands in the status.
    BestEffort,
    /// Neither landlock nor seccomp; to find out whether they are in the way of a new library.
    Off,
}

/// A wall of the cage that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lack {
    /// No file, port or foreign process is barred by landlock.
    Landlock,
    /// No system call is barred by seccomp.
    Seccomp,
}

impl Lack {
    /// What an operator can do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Landlock => {
                "landlock takes Linux 5.13 or later, with `landlock` among `lsm=` on the kernel's command line, and a \
                 container or unit that lets landlock_create_ruleset and landlock_restrict_self through"
            }
            Self::Seccomp => {
                "seccomp takes a kernel with CONFIG_SECCOMP_FILTER on x86_64, aarch64 or riscv64, and a container or \
                 unit that lets seccomp through"
            }
        }
    }
}

impl std::fmt::Display for Lack {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(match self {
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        })
    }
}

/// The names of what lacks, parted by commas.
pub fn names(lacking: &[Lack]) -> String {
    lacking.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What to do about all that lacks, in one line.
pub fn remedies(lacking: &[Lack]) -> String {
    lacking.iter().map(|lack| lack.remedy()).collect::<Vec<_>>().join("; ")
}

/// A step that every Linux of this century has, and that failed all the same.
#[derive(Debug, thiserror::Error)]
#[error("the worker's {what} could not be bounded: {error}; is a container or unit in the way?")]
pub struct CageError {
    what: &'static str,
    error: io::Error,
}

fn step<T>(what: &'static str, done: Result<T, impl Into<io::Error>>) -> Result<T, CageError> {
    done.map_err(|error| CageError { what, error: error.into() })
}

/// The first step: nothing inherited, nothing left behind, no life beyond the daemon's.
///
/// The kernel sends the death signal when the *thread* that started the worker ends: the pool starts workers on
/// threads that last as long as its runtime. Whether the daemon died before this call is asked by [`is_orphan`].
pub fn prepare() -> Result<(), CageError> {
    step("life", set_parent_process_death_signal(Some(Signal::KILL)))?;
    step("inherited descriptors", descriptors::close_inherited())?;
    step("privileges", set_no_new_privs(true))?;
    // Bars ptrace and /proc/PID/mem for all but root; a page in hand is patient data.
    step("dumps", set_dumpable_behavior(DumpableBehavior::NotDumpable))?;
    bound("core files", Resource::Core, 0)?;
    umask(Mode::from_raw_mode(0o077));
    Ok(())
}

/// Whether the parent is no longer the process `daemon`: it died before [`prepare`] asked to die with it.
pub fn is_orphan(daemon: u32) -> bool {
    getppid().is_none_or(|parent| u32::try_from(parent.as_raw_nonzero().get()) != Ok(daemon))
}

/// Bounds the address space, in bytes; before the engine is loaded, so that a bound too low is told at the start.
pub fn bound_memory(bytes: u64) -> Result<(), CageError> {
    bound("memory", Resource::As, bytes)
}

/// The second step, for the calling thread and those that it starts: no capability, no file. Gives what lacks, which
/// is nothing where `mode` requires all.
pub fn shut_files(mode: CageMode) -> Result<Vec<Lack>, CageError> {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    step("capabilities", set_capabilities(None, none))?;
    Ok(try_wall(mode, Lack::Landlock, files::shut))
}

/// The third step, for all threads: bounds on what is left, and the system calls. Gives what lacks.
///
/// `cpu_seconds` is processor time for the process's whole life: the pool's clock ends a page that takes too long, and
/// this ends a worker that spins while nobody looks at that clock (a stopped daemon).
pub fn shut(mode: CageMode, cpu_seconds: u64) -> Result<Vec<Lack>, CageError> {
    bound_processor_time(cpu_seconds)?;
    bound("file sizes", Resource::Fsize, 0)?;
    bound("processes", Resource::Nproc, 0)?;
    // The descriptors that are open stay; nothing more is opened, no socket either.
    bound("open files", Resource::Nofile, 0)?;
    // Last: the steps above are among what it forbids.
    Ok(try_wall(mode, Lack::Seccomp, calls::shut))
}

fn try_wall<E: std::fmt::Display>(mode: CageMode, wall: Lack, shut: impl FnOnce() -> Result<(), E>) -> Vec<Lack> {
    if mode == CageMode::Off {
        return vec![wall];
    }
    match shut() {
        Ok(()) => Vec::new(),
        Err(error) => {
            eprintln!("worker: {wall}: {error}");
            vec![wall]
        }
    }
}

/// Lowers both the soft and the hard bound to `value`, or leaves a hard bound that is lower still.
fn bound(what: &'static str, resource: Resource, value: u64) -> Result<(), CageError> {
    let hard = getrlimit(resource).maximum.map_or(value, |maximum| maximum.min(value));
    step(what, setrlimit(resource, Rlimit { current: Some(hard), maximum: Some(hard) }))
}

/// As [`bound`], with the hard bound a little beyond: at the soft one comes SIGXCPU, which says what it was, at the hard
/// one SIGKILL.
fn bound_processor_time(seconds: u64) -> Result<(), CageError> {
    let hard = getrlimit(Resource::Cpu).maximum.map_or(seconds + 5, |maximum| maximum.min(seconds + 5));
    let bounds = Rlimit { current: Some(hard.min(seconds)), maximum: Some(hard) };
    step("processor time", setrlimit(Resource::Cpu, bounds))
}
