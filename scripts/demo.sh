#!/usr/bin/env bash
# The demo: build the sample corpus, ingest it, three searches, then the web page.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
index=demo/index
run() {
    local line
    printf -v line '%q ' "$bin/mmsearch" "$@" --index "$index"
    printf '\n$ %s\n' "$line"
    "$bin/mmsearch" "$@" --index "$index"
}

echo "building the sample corpus in demo/ ..."
"$bin/python" samples/build.py demo
run ingest demo/corpus
run search "revenue by region" --limit 3
run search "INV-2024/0013" --limit 3
run search --image "$(ls demo/screenshots/*.jpg | head -1)" --limit 3
printf '\ntry your own: %s search WORDS --index %s\n' "$bin/mmsearch" "$index"
[ "${SERVE:-1}" = 0 ] || run serve --port "${PORT:-7860}"
