# make demo    a dozen invented faxes through the daemon, and their work queue
# make test    format, lints, tests
# make score   the accuracy figures on the shared corpus, where it is present
# make bench   the speed figures
# make kill    a thousand deaths of the daemon (CYCLES=N), each with nothing lost and nothing twice
# make hostile thousands of mutants of good faxes and emails (FILES=N, SEED=S) through the daemon: none lost or wrongly linked
# make simulate   a hundred thousand invented papers against 20,000 cases: linked, left to a person, wrong (DOCUMENTS=N)
# make fuzz    each parser of foreign bytes against a fuzzer, for a minute (SECONDS=N)
# Where the packages come from elsewhere (no Debian): make SETUP=true TARGET

SETUP ?= tests/setup.sh
# The code that misbehaves for tests is in no build that is delivered.
TESTED = --locked --features faults

DOCUMENTS ?= 100000
simulate: setup
	cargo bench --locked --bench simulator -- $(DOCUMENTS)

.PHONY: setup release demo test lint score bench simulate kill hostile fuzz

setup:
	@$(SETUP)

release: setup
	cargo build --release --locked

demo: release
	cargo run --release --locked --quiet --example make-faxes -- demo/samples --demo 12
	tests/demo.sh

lint: setup
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy $(TESTED) --all-targets -- -D warnings

test: lint
	@if cargo nextest --version >/dev/null 2>&1; then \
	    echo cargo nextest run $(TESTED); cargo nextest run $(TESTED) && cargo test $(TESTED) --doc --quiet; \
	else \
	    echo cargo test $(TESTED); cargo test $(TESTED); \
	fi

score: release
	CLEANING=$${CLEANING:-90} tests/score.sh

bench: release
	@if [ "$(SETUP)" = tests/setup.sh ]; then tests/setup.sh bench; fi
	cargo build --release --locked --example make-faxes
	tests/bench.sh

# In a folder of its own: a build that dies on demand must not be taken for the one to install.
kill: setup
	cargo bench $(TESTED) --target-dir target/faults --bench killing -- $(CYCLES)

FILES ?= 5000
SEED ?= 1
hostile: setup
	cargo bench --locked --bench hostile -- $(FILES) $(SEED)

# cargo-fuzz asks for nightly features, which the compiler at hand has too. What it finds lies in fuzz/artifacts.
SECONDS ?= 60
FUZZ = RUSTC_BOOTSTRAP=1 PATH="$(CURDIR)/target/fuzz-tools/bin:$$PATH" cargo fuzz
fuzz: setup
	@test -x target/fuzz-tools/bin/cargo-fuzz || cargo install --locked --root target/fuzz-tools cargo-fuzz
	fuzz/seeds.sh
	$(FUZZ) build --target-dir target/fuzz
	@set -e; for target in $(basename $(notdir $(wildcard fuzz/targets/*.rs))); do \
	    echo "fuzz: $$target, $(SECONDS) s"; \
	    $(FUZZ) run --target-dir target/fuzz $$target -- \
	        -max_total_time=$(SECONDS) -timeout=20 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1; \
	done
