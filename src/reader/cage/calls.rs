//! Seccomp: of the kernel's system calls those that decoding and recognising take, and no others, for every thread.
//!
//! The only user of the `seccompiler` crate. Three kinds of calls:
//!
//! - [`ALLOWED`], and four that are allowed with certain arguments only ([`allowed_in_part`]). Measured with strace over
//!   every format, in debug and release builds: read, write, futex, brk, mmap, munmap, mprotect, `clock_gettime`,
//!   getrandom, sigaltstack, exit, `exit_group`. The others are what glibc, libgomp and Rust do on paths that a
//!   measurement does not meet every time: freeing and growing memory, ending on an abort or a segfault, asking the
//!   clock without vDSO.
//! - [`REFUSED`] with EACCES: calls that libraries make by habit and do without. glibc's `free` opens
//!   `/proc/sys/vm/overcommit_memory` before it shrinks a heap: a worker that were killed for it would lose good
//!   documents at random.
//! - All others end the process with SIGSYS, which the pool tells from other deaths. Nothing makes them on an honest
//!   path, so a call that comes is an attack or a library that changed, and a person should see either.
//!
//! No thread, process, socket, signal to another process or executable memory can be made any more.

use std::collections::BTreeMap;

use rustix::process::getpid;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads,
};

/// Whatever their arguments. No call here takes a path, makes a descriptor or reaches another process.
const ALLOWED: [libc::c_long; 26] = [
    // The three pipes.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    // Memory.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Threads that run already.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Crashes that end as what they are.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getpid,
    libc::SYS_gettid,
    // Time, chance and the machine's size (glibc's qsort asks how much memory there is).
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrusage,
    libc::SYS_getrandom,
    libc::SYS_sched_getaffinity,
    libc::SYS_sysinfo,
];

/// The same, by the names that only the oldest of the 64-bit machines has.
#[cfg(target_arch = "x86_64")]
const ALLOWED_OLD: [libc::c_long; 1] = [libc::SYS_time];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_OLD: [libc::c_long; 0] = [];

/// Refused with EACCES rather than deadly.
const REFUSED: [libc::c_long; 9] = [
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_fstat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_readlinkat,
    libc::SYS_lseek,
    libc::SYS_ioctl,
    libc::SYS_fcntl,
];

/// The same, by the old names.
#[cfg(target_arch = "x86_64")]
const REFUSED_OLD: [libc::c_long; 5] =
    [libc::SYS_open, libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_readlink];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_OLD: [libc::c_long; 0] = [];

/// Why the system calls are not shut.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallsError {
    #[error("no filter could be made: {0}")]
    Filter(#[from] BackendError),
    #[error("the kernel did not take the filter: {0}")]
    Kernel(#[from] seccompiler::Error),
}

/// From here on, for all threads of the process.
pub(super) fn shut() -> Result<(), CallsError> {
    let machine = TargetArch::try_from(std::env::consts::ARCH)?;
    // Both are in force, and the stricter answer counts. The allowing one comes last: it forbids `seccomp` itself.
    apply_filter_all_threads(&refusing(machine)?)?;
    apply_filter_all_threads(&allowing(machine, getpid().as_raw_nonzero().get().cast_unsigned())?)?;
    Ok(())
}

fn refusing(machine: TargetArch) -> Result<BpfProgram, BackendError> {
    let rules = REFUSED.into_iter().chain(REFUSED_OLD).map(|call| (call, Vec::new())).collect();
    let refuse = SeccompAction::Errno(libc::EACCES.cast_unsigned());
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, machine)?.try_into()
}

fn allowing(machine: TargetArch, own_pid: u32) -> Result<BpfProgram, BackendError> {
    // The refused ones too: what this filter kills, the other can't refuse.
    let whole = ALLOWED.into_iter().chain(ALLOWED_OLD).chain(REFUSED).chain(REFUSED_OLD);
    let mut rules: BTreeMap<_, _> = whole.map(|call| (call, Vec::new())).collect();
    rules.extend(allowed_in_part(own_pid)?);
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, machine)?.try_into()
}

/// Memory that is not executable; signals to the own process (abort, and the end when stdin ends).
fn allowed_in_part(own_pid: u32) -> Result<[(libc::c_long, Vec<SeccompRule>); 4], BackendError> {
    let only = |argument, operator, value| {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
        Ok::<_, BackendError>(vec![SeccompRule::new(vec![condition])?])
    };
    let not_executable = || SeccompCmpOp::MaskedEq(u64::from(libc::PROT_EXEC.cast_unsigned()));
    Ok([
        (libc::SYS_mmap, only(2, not_executable(), 0)?),
        (libc::SYS_mprotect, only(2, not_executable(), 0)?),
        (libc::SYS_kill, only(0, SeccompCmpOp::Eq, u64::from(own_pid))?),
        (libc::SYS_tgkill, only(0, SeccompCmpOp::Eq, u64::from(own_pid))?),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_can_be_made_for_every_machine_that_is_promised() {
        for machine in [TargetArch::x86_64, TargetArch::aarch64, TargetArch::riscv64] {
            assert!(!refusing(machine).unwrap().is_empty());
            assert!(!allowing(machine, 4711).unwrap().is_empty());
        }
    }

    #[test]
    fn no_call_is_both_allowed_and_refused() {
        let refused: Vec<_> = REFUSED.into_iter().chain(REFUSED_OLD).collect();
        assert!(ALLOWED.into_iter().chain(ALLOWED_OLD).all(|call| !refused.contains(&call)));
    }
}
