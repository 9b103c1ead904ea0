//! Archives, through the one door to them: attached to a message.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nicufaxd_fuzz::{let_foreign_decoders_panic, open_message};

/// The mark that archives are known by stands here, so that none of the mutants is lost for the want of it.
const HEAD: &[u8] = b"From: a@b.example\r\nSubject: zip\r\nContent-Type: application/zip\r\n\r\nPK\x03\x04";

fuzz_target!(init: let_foreign_decoders_panic(), |bytes: &[u8]| {
    let archive = bytes.strip_prefix(b"PK\x03\x04").unwrap_or(bytes);
    open_message(&[HEAD, archive].concat());
});
