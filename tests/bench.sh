#!/bin/sh
# `make bench`: the speed figures, each beside its baseline in one run.
#   accepting   storing documents, against the bare cost of the syncs
#   opening     an archive of 100,000 items opened, and its index made again
#   linking     one document against 100,000 open cases
#   mailbox     ten thousand messages of a mail server: memory, what is fetched twice, how soon a new one is taken
#   reading     the whole of `run --drain`, against bare Tesseract engines on the same pages, the memory it takes, and
#               what sealing costs
#   burst       how soon the type and lane of every fax are known when all come at once
#   again       how much faster faxes are taken that came before, in other files
#   ocrmypdf    the whole of `run --drain`, against `ocrmypdf --jobs 2 --rotate-pages --deskew --output-type pdfa` on the
#               same faxes joined into one PDF, so that both its jobs are always busy (a file at a time, it is slower)
#   FAXES=N     how many invented faxes (default 60)
# Prints; never fails on a figure: a busy machine is no fault of the change.
set -eu
cd "$(dirname "$0")/.."
nicufaxd=${NICUFAXD:-target/release/nicufaxd}
. tests/one_folder.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

cargo run --release --locked --quiet --example make-faxes -- "$work" --demo "${FAXES:-60}"
mkdir "$work/faxes" "$work/pdf"
# Only pages that are pictures: text pages would make ocrmypdf refuse, or cost the others nothing.
python3 - "$work" <<'PYTHON'
import json, os, sys
work = sys.argv[1]
for line in open(work + "/truth.jsonl", encoding="utf-8"):
    truth = json.loads(line)
    if truth["format"] in ("tiff", "pdf_img"):
        os.rename(f"{work}/inbox/{truth['file']}", f"{work}/faxes/{truth['file']}")
PYTHON
for fax in "$work"/faxes/*; do
    pdf="$work/pdf/$(basename "$fax").pdf"
    case "$fax" in
        # Group 4 first: tiff2pdf hands on Group 3 as it is, and PDF readers stumble over it.
        *.tif)
            { tiffcp -c g4 -f msb2lsb "$fax" "$work/g4.tif" && tiff2pdf -o "$pdf" "$work/g4.tif"; } 2> /dev/null \
                || rm -f "$fax" "$pdf"
            ;;
        *) cp "$fax" "$pdf" ;;
    esac
done
pdfunite "$work"/pdf/*.pdf "$work/all.pdf"
pages=$(pdfinfo "$work/all.pdf" | awk '$1 == "Pages:" { print $2 }')

echo "== accepting"
cargo bench --locked --quiet --bench accepting || echo "(a figure was missed)"
echo "== opening"
cargo bench --locked --quiet --bench opening || echo "(a figure was missed)"
echo "== linking"
cargo bench --locked --quiet --bench linking || echo "(a figure was missed)"
echo "== mailbox"
cargo bench --locked --quiet --bench mailbox
echo "== reading"
cargo bench --locked --quiet --bench reading -- "$work/faxes" 1000 4

echo "== burst"
tests/burst.sh "$work/faxes" "$work/cases.csv"

echo "== again"
tests/again.sh "$work/faxes" "$work/cases.csv"

echo "== ocrmypdf"
if ! command -v ocrmypdf > /dev/null; then
    echo "SKIPPED: ocrmypdf is missing (tests/setup.sh bench installs it)"
    exit 0
fi
one_folder "$work" faxes

now() { date +%s.%N; }
begin=$(now)
"$nicufaxd" --config "$work/nicufaxd.toml" run --drain 2> "$work/run.log" || { tail -n 20 "$work/run.log" >&2; exit 1; }
drain=$(echo "$begin $(now)" | awk '{ print $2 - $1 }')
begin=$(now)
ocrmypdf --quiet --jobs 2 --rotate-pages --deskew --output-type pdfa "$work/all.pdf" "$work/ocr.pdf" > /dev/null 2>&1
ocrmypdf=$(echo "$begin $(now)" | awk '{ print $2 - $1 }')
awk -v pages="$pages" -v drain="$drain" -v other="$ocrmypdf" 'BEGIN {
    printf "%d pages: run --drain %.1f s (%.2f pages/s), ocrmypdf %.1f s; ratio %.2f (wanted below 0.40)\n",
        pages, drain, pages / drain, other, drain / other
}'
