"""`python -m mmsearch.cli` is `mmsearch`."""

from mmsearch.cli import main

main()
