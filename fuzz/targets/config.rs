//! The configuration: settings within their ranges, or problems, each with a place.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use nicufaxd::config::Config;

fuzz_target!(|text: &str| {
    match Config::parse(text, Path::new("/etc/nicufaxd/nicufaxd.toml")) {
        Ok(config) => {
            assert!((1..=20).contains(&config.reader.attempts) && !config.folders.is_empty());
            assert!(config.state_dir.is_absolute() && config.cases.is_absolute());
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            for problem in problems {
                assert!(!problem.key.is_empty() && !problem.to_string().is_empty());
            }
        }
    }
});
