//! Some mutants of good faxes and emails through the built program; `benches/hostile.rs` goes on for thousands.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod generator;
mod mutants;
mod run;

use std::path::Path;

#[test]
fn mutants_of_good_faxes_and_emails_neither_end_the_daemon_nor_get_lost_nor_find_another_baby() {
    let figures = mutants::run(150, 20_261_122, &Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile"));
    assert_eq!(figures.files, 150);
    assert!(figures.linked > 20 && figures.held > 10, "{} linked, {} held", figures.linked, figures.held);
}
