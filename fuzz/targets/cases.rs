//! `cases.csv`: a snapshot is taken whole or refused whole, and a refusal repeats no cell.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nicufaxd::link::Registry;
use nicufaxd_fuzz::CASES;

fuzz_target!(|bytes: &[u8]| {
    // Rows under the good heading, and whole files.
    let (heading, _) = CASES.split_once('\n').expect("a heading");
    for snapshot in [bytes, &[heading.as_bytes(), b"\n", bytes].concat()] {
        match Registry::parse(snapshot) {
            Ok(registry) => {
                for case in registry.cases() {
                    assert_eq!(registry.get(&case.case_id), Some(case));
                    assert_eq!(case.unknown.len(), registry.unknown_columns().len());
                }
            }
            Err(error) => assert!(error.to_string().starts_with("cases.csv") && error.to_string().len() < 200),
        }
    }
});
