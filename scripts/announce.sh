#!/usr/bin/env bash
# Says what a first run downloads and how long that takes.
cat <<'TEXT'
mmsearch: the first run downloads about 370 MB of Python packages (100 MB of it the two models)
and up to 150 MB of system packages, and takes 2 to 5 minutes on a usual connection.
After that nothing is downloaded any more.
TEXT
