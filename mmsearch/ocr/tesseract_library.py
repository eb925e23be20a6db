"""Tesseract within this process: a fifth faster than its command.

That starts anew for every page, and for its tables looks for the paragraph of every word.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from PIL.Image import Image

_KEPT = 2  # sets of languages that a thread has open, of some 40 MB each
_thread = threading.local()


class ReadWord(NamedTuple):
    """A word: `line` is the same for those of one line, `confidence` in [0, 100], box in pixels."""

    line: tuple[str, ...]
    text: str
    confidence: float
    left: int
    top: int
    right: int
    bottom: int


@cache
def is_installed() -> bool:
    """Whether the package tesserocr is there and works."""
    try:
        import tesserocr  # noqa: F401
    except ImportError:
        return False
    return True


def read(image: Image, languages: str, models: str, timeout: float) -> Iterator[ReadWord]:
    """The words of a page image in reading order.

    Args:
        image: the page.
        languages: codes with + between.
        models: the folder of their models.
        timeout: seconds that recognition may take; finding the lines is not interrupted.

    Raises:
        TimeoutError: it took longer.
        MemoryError: there is too little memory.
        RuntimeError: a model is not there, or broken.
    """
    grey = image.convert("L")
    api = _opened(languages, models)
    try:
        api.SetImageBytes(grey.tobytes(), grey.width, grey.height, 1, grey.width)
        began = time.monotonic()
        if not api.Recognize(max(1, round(1000 * timeout))):
            late = time.monotonic() - began >= timeout
            raise TimeoutError if late else MemoryError
        yield from _words(api.GetIterator())
    finally:
        api.Clear()


def _words(found: Any) -> Iterator[ReadWord]:
    from tesserocr import RIL, iterate_level

    line, letters, word = 0, "", None
    # By letters: the text of a whole word is in order from left to right, Arabic ones too.
    for letter in iterate_level(found, RIL.SYMBOL) if found else ():
        if letter.IsAtBeginningOf(RIL.WORD):
            if word:
                yield word._replace(text=letters)
            line += letter.IsAtBeginningOf(RIL.TEXTLINE)
            place = letter.BoundingBox(RIL.WORD) or (0, 0, 0, 0)
            word = ReadWord((str(line),), "", letter.Confidence(RIL.WORD), *place)
            letters = ""
        if not letter.Empty(RIL.SYMBOL):
            letters += letter.GetUTF8Text(RIL.SYMBOL)
    if word:
        yield word._replace(text=letters)


def _opened(languages: str, models: str) -> Any:
    """Tesseract with these languages, kept: its models take a fifth of a second to load."""
    from tesserocr import PSM, PyTessBaseAPI

    kept: dict[str, Any] = _thread.__dict__.setdefault("kept", {})
    api = kept.pop(languages, None)
    while api is None and len(kept) >= _KEPT:
        kept.pop(next(iter(kept))).End()
    if api is None:
        said = {"debug_file": "/dev/null"}  # else it warns on standard error
        api = PyTessBaseAPI(path=models, lang=languages, psm=PSM.AUTO, variables=said)
    kept[languages] = api  # as the last one used
    return api
