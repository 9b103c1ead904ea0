#!/bin/sh
# How much faster faxes are taken that came before: the same pages in other files (Group 3 for Group 4), so that no byte of
# a file tells it.   tests/again.sh FOLDER CASES
#   FOLDER  TIFF faxes     CASES  their cases.csv     NICUFAXD=FILE  the program (default target/release/nicufaxd)
# Prints both times and their ratio, from start to end of `run --drain`. Fails only when something is not taken.
set -eu
cd "$(dirname "$0")/.."
faxes=$1
cases=$2
nicufaxd=${NICUFAXD:-target/release/nicufaxd}
. tests/one_folder.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir "$work/inbox" "$work/again"
cp "$cases" "$work/cases.csv"
one_folder "$work" inbox
for fax in "$faxes"/*.tif; do
    name=$(basename "$fax")
    # Both come through the same tool: whatever it makes of a damaged row, it makes of it in both.
    if tiffcp -c g4 "$fax" "$work/inbox/$name" 2> /dev/null && tiffcp -c g3:1d "$work/inbox/$name" "$work/again/$name" 2> /dev/null
    then :; else rm -f "$work/inbox/$name" "$work/again/$name"; fi
done
now() { date +%s.%N; }
drain() {
    begin=$(now)
    "$nicufaxd" --config "$work/nicufaxd.toml" run --drain 2> "$work/run.log" || { tail -n 20 "$work/run.log" >&2; exit 1; }
    echo "$begin $(now)" | awk '{ print $2 - $1 }'
}
documents=$(find "$work/inbox" -type f | wc -l)
first=$(drain)
mv "$work"/again/*.tif "$work/inbox/"
again=$(drain)
python3 - "$work/worklist/queue.jsonl" "$documents" "$first" "$again" <<'PYTHON'
import json, sys
queue, documents, first, again = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
items = [json.loads(line) for line in open(queue, encoding="utf-8")]
files = {}
for item in items:
    files.setdefault(item["source_file"], []).append(item)
if len(files) != documents or any(len({item["id"].split("-")[0] for item in of}) != 2 for of in files.values()):
    sys.exit("tests/again.sh: not every fax was taken twice")
pointed = sum(1 for of in files.values() if any(item["duplicate_of"] for item in of))
print(f"{documents} faxes: first {first:.1f} s, again {again:.1f} s; ratio {first / again:.1f} (wanted 20 or more); "
      f"{pointed} of {documents} point to the first")
PYTHON
