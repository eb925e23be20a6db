"""The recognising process: reads the text of renderings that reading processes made.

Started by `crew.py` as `python -P -m ingest.ocr_worker FD PARENT`; speaks `frames.py` over that
socket. It lives as long as the run, for its models are slow to load.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from ingest import scans
from ingest.frames import (
    frame_to_page,
    page_to_frame,
    receive,
    send,
    unread_of_frame,
    words_of_frame,
)
from ingest.process import begin, is_hungry, told
from mmsearch.looks import with_look
from mmsearch.types import Page


def main() -> None:
    """Finish pages until the parent hangs up."""
    link, settings, start = begin()
    send(link, {"ready": True})
    while (frame := receive(link)) is not None:
        try:
            page = with_look(scans.finished(_unread_page(*frame), settings, start["pixels"]))
            del frame  # its pixels are many
            header, blobs = page_to_frame(page)
            send(link, header, *blobs)
        except Exception as error:  # of the engine; the page does without its text
            if is_hungry(error):
                sys.exit(1)  # a fresh process may have enough
            send(link, {"failed": True} | told(error, settings))


def _unread_page(header: dict[str, Any], blobs: list[bytes]) -> Page:
    picture, words, pixels = blobs
    page = frame_to_page(header, picture)
    text = replace(page.text, words=words_of_frame(words))
    return replace(page, text=text, unread=unread_of_frame(header, pixels))


if __name__ == "__main__":
    main()
