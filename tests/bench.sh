#!/bin/sh
# `make bench`: wall time of `run --drain`, against two others that read the same pages on the same machine:
#   1. tesseract alone: two processes, one thread each, engine kept loaded, pages prepared beforehand;
#   2. ocrmypdf --jobs 2 --rotate-pages --deskew --output-type pdfa, all faxes joined into one PDF so that both its
#      jobs are always busy (a file at a time, it is slower).
#   FAXES=N   how many invented faxes (default 100)
# Prints; never fails on a figure: a busy machine is no fault of the change.
set -eu
cd "$(dirname "$0")/.."
nicufaxd=${NICUFAXD:-target/release/nicufaxd}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

cargo run --release --locked --quiet --example make-faxes -- "$work" --demo "${FAXES:-100}"
mkdir "$work/faxes" "$work/pdf" "$work/pages"
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
pdftoppm -r 204 -gray "$work/all.pdf" "$work/pages/page"
pages=$(ls "$work/pages" | wc -l)

cat > "$work/nicufaxd.toml" <<'TOML'
state_dir = "state"

[[intake.folder]]
name = "secure-fax"
path = "faxes"

[cases]
path = "cases.csv"

[export]
dir = "worklist"
TOML

now() { date +%s.%N; }

begin=$(now)
"$nicufaxd" --config "$work/nicufaxd.toml" run --drain 2> "$work/run.log" || { tail -n 20 "$work/run.log" >&2; exit 1; }
drain=$(echo "$begin $(now)" | awk '{ print $2 - $1 }')

ls "$work"/pages/* | awk 'NR % 2 == 1' > "$work/odd.list"
ls "$work"/pages/* | awk 'NR % 2 == 0' > "$work/even.list"
begin=$(now)
OMP_THREAD_LIMIT=1 tesseract "$work/odd.list" "$work/odd" --dpi 204 > /dev/null 2>&1 &
first=$!
OMP_THREAD_LIMIT=1 tesseract "$work/even.list" "$work/even" --dpi 204 > /dev/null 2>&1
wait "$first"
alone=$(echo "$begin $(now)" | awk '{ print $2 - $1 }')

ocrmypdf=none
if command -v ocrmypdf > /dev/null; then
    begin=$(now)
    ocrmypdf --quiet --jobs 2 --rotate-pages --deskew --output-type pdfa "$work/all.pdf" "$work/ocr.pdf" > /dev/null 2>&1 \
        && ocrmypdf=$(echo "$begin $(now)" | awk '{ print $2 - $1 }')
fi

awk -v pages="$pages" -v drain="$drain" -v alone="$alone" -v other="$ocrmypdf" 'BEGIN {
    printf "%d pages on %s\n", pages, "this machine, invented faxes"
    printf "%-28s %8.1f s  %6.2f pages/s\n", "nicufaxd run --drain", drain, pages / drain
    printf "%-28s %8.1f s  ratio %.2f (wanted <= 1.15)\n", "tesseract, 2 processes", alone, drain / alone
    if (other == "none") print "ocrmypdf                     SKIPPED: missing or failed (tests/setup.sh bench installs it)"
    else printf "%-28s %8.1f s  ratio %.2f (wanted < 0.40)\n", "ocrmypdf --jobs 2", other, drain / other
}'
