//! Emails: the papers in them are found within bounds, and each page lies on one of them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nicufaxd_fuzz::{let_foreign_decoders_panic, open_message};

fuzz_target!(init: let_foreign_decoders_panic(), |bytes: &[u8]| open_message(bytes));
