#!/bin/sh
# Writes the first inputs of every fuzz target to fuzz/corpus/TARGET, by the project's own generator.
set -eu
cd "$(dirname "$0")/.."
exec cargo run --locked --quiet --example make-faxes -- fuzz/corpus --fuzz
