#!/bin/sh
# `make score`: one run of the release binary over a corpus of faxes and mails, scored against its truth.
#   CORPUS=DIR   where truth.jsonl, cases.csv, score.py and inbox/ are (default ../shared/corpus)
#   SCORER=FILE  another corpus's scorer, for a corpus without one (make-faxes writes such)
#   CLEANING=N   also tells what each step of the cleaning is worth, on about N pages whose printed words are known
#                (five recognitions of each page, some 2 s of two cores; default 0, not at all)
#   FILES=N      documents whose words' confidences are compared with their text (default 16)
#   UNCALIBRATED=1 leaves that out
#   KEEP=DIR     work there and keep everything; otherwise a temporary folder that goes away
# Fails when a fax was lost, linked to the wrong baby, or `verify` complains; the other figures are only printed.
set -eu
cd "$(dirname "$0")/.."
corpus=${CORPUS:-../shared/corpus}
scorer=${SCORER:-$corpus/score.py}
nicufaxd=${NICUFAXD:-target/release/nicufaxd}

if [ ! -f "$corpus/truth.jsonl" ]; then
    echo "**********************************************************************" >&2
    echo "*** SKIPPED: no corpus at $corpus; nothing was scored. (CORPUS=DIR)" >&2
    echo "**********************************************************************" >&2
    exit 0
fi

if [ -n "${KEEP:-}" ]; then
    work=$KEEP
    mkdir -p "$work"
    if [ -e "$work/state" ]; then
        echo "tests/score.sh: $work holds an earlier run; give an empty folder" >&2
        exit 64
    fi
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM
fi
mkdir -p "$work/inbox"
find "$corpus/inbox" -maxdepth 1 -type f \( -iname '*.tif' -o -iname '*.tiff' -o -iname '*.pdf' \
    -o -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' \) -exec cp -p {} "$work/inbox/" \;
cp "$corpus/cases.csv" "$work/cases.csv"
cat > "$work/nicufaxd.toml" <<'TOML'
state_dir = "state"

[[intake.folder]]
name = "secure-fax"
path = "inbox"

[[intake.mailbox]]
name = "um"
maildir = "um"

[[intake.mailbox]]
name = "cm"
maildir = "cm"

[cases]
path = "cases.csv"

[export]
dir = "worklist"
TOML
# Mails lie in the mailbox that they were sent to.
mkdir -p "$work/um/new" "$work/um/cur" "$work/cm/new" "$work/cm/cur"
cp "$corpus/truth.jsonl" "$work/truth.jsonl"
python3 - "$corpus" "$work" <<'PYTHON'
import json, shutil, sys
corpus, work = sys.argv[1:]
for line in open(corpus + "/truth.jsonl", encoding="utf-8"):
    truth = json.loads(line) if line.strip() else {}
    if truth.get("source") == "email":
        mailbox = "cm" if "-cm@" in truth["mailbox"] else "um"
        shutil.copy2(f"{corpus}/inbox/{truth['file']}", f"{work}/{mailbox}/new/{truth['file']}")
PYTHON

started=$(date +%s.%N)
drain=0
"$nicufaxd" --config "$work/nicufaxd.toml" run --drain 2> "$work/run.log" || drain=$?
ended=$(date +%s.%N)
if [ "$drain" -ne 0 ]; then
    echo "tests/score.sh: run --drain ended with $drain; the end of its log:" >&2
    tail -n 20 "$work/run.log" >&2
fi
verify=0
"$nicufaxd" --config "$work/nicufaxd.toml" verify || verify=$?

if [ ! -f "$work/worklist/queue.jsonl" ]; then
    echo "tests/score.sh: no queue was exported" >&2
    exit 1
fi
if [ "${CLEANING:-0}" -gt 0 ]; then
    cargo bench --locked --quiet --bench cleaning -- "$(realpath "$corpus")" "$CLEANING"
fi
python3 "$scorer" --truth "$work/truth.jsonl" --export "$work/worklist/queue.jsonl"
python3 "$scorer" --truth "$work/truth.jsonl" --export "$work/worklist/queue.jsonl" --json > "$work/score.json"
# The same figures for what came by mail and by fax, each alone.
for source in email fax; do
    python3 - "$work" "$source" <<'PYTHON'
import json, sys
work, source = sys.argv[1:]
with open(f"{work}/truth.jsonl", encoding="utf-8") as truths, open(f"{work}/{source}.jsonl", "w", encoding="utf-8") as out:
    for line in truths:
        if line.strip() and (json.loads(line).get("source") == "email") == (source == "email"):
            out.write(line)
PYTHON
    if [ -s "$work/$source.jsonl" ]; then
        python3 "$scorer" --truth "$work/$source.jsonl" --export "$work/worklist/queue.jsonl" --json > "$work/$source.json"
        python3 - "$work/$source.json" "$source" <<'PYTHON'
import json, sys
score = json.load(open(sys.argv[1], encoding="utf-8"))
linked = score["metrics"].get("match_auto_correct") or {}
print(f"{sys.argv[2]} alone: links {100 * (linked.get('rate') or 0.0):.1f} % "
      f"({linked.get('right', 0)} of {linked.get('of', 0)}), "
      f"wrong links {score['wrong_auto_match_count']}, lost {score['lost_count']}")
PYTHON
    fi
done
if [ -z "${UNCALIBRATED:-}" ]; then
    python3 tests/calibrate.py --corpus "$corpus" --config "$work/nicufaxd.toml" --nicufaxd "$nicufaxd" \
        --queue "$work/worklist/queue.jsonl" --files "${FILES:-16}"
fi
python3 - "$work" "$started" "$ended" "$drain" "$verify" <<'PYTHON'
import json, sys
work, started, ended, drain, verify = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
score = json.load(open(work + "/score.json", encoding="utf-8"))
pages = sum(json.loads(line)["pages"] for line in open(work + "/truth.jsonl", encoding="utf-8"))
rate = lambda name: (score["metrics"].get(name) or {}).get("rate") or 0.0
wall = ended - started
print(f"\nwall time {wall:.1f} s, {pages} pages, {pages / wall:.2f} pages/s\n")
figures = [
    ("documents lost", score["lost_count"], score["lost_count"] == 0, "0", True),
    ("wrong links", score["wrong_auto_match_count"], score["wrong_auto_match_count"] == 0, "0", True),
    ("run --drain exit", drain, drain == 0, "0", True),
    ("verify exit", verify, verify == 0, "0", True),
    ("document type", f"{100 * rate('type'):.1f} %", rate("type") >= 0.90, ">= 90 %", False),
    ("automatic links", f"{100 * rate('match_auto_correct'):.1f} %", rate("match_auto_correct") >= 0.85, ">= 85 %", False),
]
for name, got, reached, wanted, _ in figures:
    print(f"{name:<18} {got!s:>8}   wanted {wanted:<8} {'reached' if reached else 'NOT REACHED'}")
sys.exit(any(hard and not reached for _, _, reached, _, hard in figures))
PYTHON
