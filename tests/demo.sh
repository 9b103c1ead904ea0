#!/bin/sh
# `make demo`: drops the sample faxes into a folder, lets the daemon take them, and shows the work queue.
# Run again, it drops the same files again: each stays one document, with another arrival noted.
set -eu
cd "$(dirname "$0")/.."
nicufaxd=${NICUFAXD:-target/release/nicufaxd}
config=demo/nicufaxd.toml

mkdir -p demo/inbox/fax
cp demo/samples/cases.csv demo/cases.csv
if [ ! -f "$config" ]; then
    cat > "$config" <<'TOML'
# The demonstration's own daemon; everything stays in this folder.
state_dir = "state"

[[intake.folder]]
name = "secure-fax"
path = "inbox/fax"

[cases]
path = "cases.csv"

[export]
dir = "worklist"
TOML
fi
# Sidecars first, so that each is there when its document is found.
cp demo/samples/inbox/*.json demo/inbox/fax/
find demo/samples/inbox -type f ! -name '*.json' -exec cp {} demo/inbox/fax/ \;

"$nicufaxd" --config "$config" run --drain
echo
"$nicufaxd" --config "$config" queue list
cat <<'TEXT'

The same queue, as other programs and people read it:
  demo/worklist/queue.jsonl   demo/worklist/queue.csv   demo/worklist/index.html
  demo/worklist/items/ID/document.pdf   (each paper, searchable)

Now drop a fax of your own. Start the daemon:
  target/release/nicufaxd --config demo/nicufaxd.toml run
and, in another terminal, put a TIFF or PDF into its folder; it is in the queue some seconds later:
  cp YOUR.tif demo/inbox/fax/
  target/release/nicufaxd --config demo/nicufaxd.toml queue list
More invented faxes:  cargo run --release --example make-faxes -- demo/more --all
TEXT
