#!/bin/sh
# How soon a burst of faxes is told apart: `tests/burst.sh FOLDER CASES`, part of `make bench`.
#   FOLDER   faxes that arrive all at once
#   CASES    a snapshot of the open cases
# Prints when each document's type and lane were what they are in the end, as a part of the time that reading all of
# them to the end takes (wanted: all of them within 0.40, half of the transfers and discharges within 0.25).
set -eu
program=$(realpath "${NICUFAXD:-$(dirname "$0")/../target/release/nicufaxd}")
. "$(dirname "$0")/one_folder.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir "$work/inbox" "$work/worklist"
cp "$1"/* "$work/inbox/"
cp "$2" "$work/cases.csv"
one_folder "$work" inbox
printf '[log]\nformat = "json"\n' >> "$work/nicufaxd.toml"
"$program" --config "$work/nicufaxd.toml" run --drain 2> "$work/log"
python3 - "$work/log" <<'PYTHON'
import json, statistics, sys
from datetime import datetime
triaged, final, kind, begun = {}, {}, {}, None
for line in open(sys.argv[1], encoding="utf-8"):
    try:
        line = json.loads(line)
    except ValueError:
        continue  # the last line is for people
    document, stage = line.get("document"), line.get("stage")
    at = datetime.fromisoformat(line["timestamp"].replace("Z", "+00:00"))
    if line["message"] == "document stored":
        begun = begun or at
    elif stage == "triage":
        triaged[document] = (at, line["type"], line["lane"])
    elif stage == "understand":
        kind.setdefault(document, []).append(line["type"])
    elif line["message"] == "queued":
        final[document] = (at, line["lane"])
whole = (max(at for at, _ in final.values()) - begun).total_seconds()
told, urgent, changed = [], [], 0
for document, (at, lane) in final.items():
    first = kind[document][0]
    early = triaged.get(document)
    if early and early[1:] == (first, lane) and len(kind[document]) == 1:
        at = early[0]
    elif early:
        changed += 1
    part = (at - begun).total_seconds() / whole
    told.append(part)
    if {"transfer", "discharge"} & set(kind[document]):
        urgent.append(part)
told.sort()
late = sum(1 for part in told if part > 0.40)
print(f"{len(final)} documents in {whole:.1f} s, {len(triaged)} of them shown before they were read to their end")
print(f"type and lane final: the last document at {told[-1]:.2f} of the time, the 99th of a hundred at "
      f"{told[int(len(told) * 0.99) - 1]:.2f}, the median at {statistics.median(told):.2f}; {late} later than 0.40")
if urgent:
    print(f"transfers and discharges ({len(urgent)}): median {statistics.median(urgent):.2f}")
print(f"documents that came out otherwise when read to their end: {changed}")
PYTHON
