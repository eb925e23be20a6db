"""Tesseract: one page in, its lines out; and its guess of script and turn."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mmsearch.errors import LimitExceeded, MissingExtra
from mmsearch.ocr import scripts, tesseract_library
from mmsearch.ocr.layout import Line, clipped, join_words
from mmsearch.ocr.tesseract_library import ReadWord
from mmsearch.types import Box, Word

if TYPE_CHECKING:
    from PIL.Image import Image

_SECONDS = 60.0  # for a list of names
_LONGEST_SIDE = 32_767  # pixels
_OSD_SIDE = 2400  # pixels; more makes script detection slower and no better
_LEAST_CONFIDENCE = 0.3  # words below are noise
_LEAST_PUNCTUATION = 0.6  # of words without a letter or a digit: rules and pictures become those


class Found(NamedTuple):
    """What Tesseract read: lines in its reading order, and its confidence in [0, 1].

    `confidence` is the mean of all words by their length, those too poor to be kept included: a
    page of noise must not look sure of itself.
    """

    lines: tuple[Line, ...] = ()
    confidence: float = 0.0


class Detected(NamedTuple):
    """What script detection says: the script, and the turn clockwise that puts the page upright.

    `script` is '' and `turn_confidence` 0 where it says nothing. Its confidences have no unit; on
    clean pages the one of the turn is 7 and more, on poor ones below 5 right and wrong are mixed.
    """

    script: str = ""
    turn: int = 0
    turn_confidence: float = 0.0
    script_confidence: float = 0.0


@cache
def is_installed() -> bool:
    """Whether the `tesseract` command is there."""
    return shutil.which("tesseract") is not None


@cache
def installed_languages() -> tuple[str, ...]:
    """The languages that Tesseract has models of, English first; without its script detection."""
    codes = [code for code in installed() if code not in ("osd", "equ", "snum")]
    return tuple(sorted(codes, key=lambda code: (code != "eng", code)))


@cache
def detects_scripts() -> bool:
    """Whether Tesseract's model for script detection is installed."""
    return "osd" in installed()


@cache
def installed() -> list[str]:
    """Every model that Tesseract has, `osd` for script detection included."""
    return [line.strip() for line in _listed()[1:] if line.strip()]


@cache
def _models() -> str:
    """The folder of its models; "" where it does not say."""
    named = re.search('"(.+)"', _listed()[0]) if _listed() else None
    return named[1] if named else ""


@cache
def _listed() -> list[str]:
    """What it says of its models: a heading with their folder, and their names."""
    if not is_installed():
        return []
    run = subprocess.run(
        ["tesseract", "--list-langs"], capture_output=True, timeout=_SECONDS, check=False
    )
    return run.stdout.decode(errors="surrogateescape").splitlines()


def read(image: Image, languages: str, timeout: float) -> Found:
    """Read a page image.

    Raises:
        LimitExceeded: it took longer than `timeout` seconds, or the image is too long.
        MemoryError: there is too little memory.
        MissingExtra: a language is not installed.
    """
    if max(image.size) > _LONGEST_SIDE:
        raise LimitExceeded(
            f"OCR: Tesseract reads at most {_LONGEST_SIDE:,} pixels a side; set ocr=rapidocr"
        )
    # A folder whose name is no text cannot be named to the library.
    in_process = tesseract_library.is_installed() and _models() and _models().isprintable()
    try:
        if in_process:
            words = [*tesseract_library.read(image, languages, _models(), timeout)]
        else:
            words = [*_by_command(image, languages, timeout)]
    except (TimeoutError, subprocess.TimeoutExpired) as error:
        raise LimitExceeded(
            f"OCR: Tesseract took longer than {timeout:g} s for a page; set ocr=rapidocr"
        ) from error
    except RuntimeError as error:
        cause = " ".join(str(error).split())[:200]
        raise MissingExtra(
            f"OCR: Tesseract failed on languages {languages!r} ({cause}); "
            "apt install tesseract-ocr-LANGUAGE"
        ) from error
    return _found(words, image.width, image.height)


def _by_command(image: Image, languages: str, timeout: float) -> Iterator[ReadWord]:
    """The words in the TSV output of the command; its order is the reading order.

    Raises:
        RuntimeError: what it complains of.
        subprocess.TimeoutExpired: it took longer than `timeout` seconds.
    """
    run = _run(image, ["-l", languages, "--psm", "3", "tsv"], timeout)
    if run.returncode:
        raise RuntimeError(run.stderr.decode(errors="replace"))
    for row in run.stdout.decode("utf-8", errors="replace").splitlines()[1:]:
        cells = row.split("\t", 11)
        if len(cells) == 12 and cells[0] == "5":
            left, top, wide, high = map(int, cells[6:10])
            place = (left, top, left + wide, top + high)
            yield ReadWord(tuple(cells[1:5]), cells[11], float(cells[10]), *place)


def detect(image: Image, timeout: float) -> Detected:
    """Which script a page is written in and which way it lies; nothing where that is not known."""
    if not detects_scripts():
        return Detected()
    small = image.convert("L")
    small.thumbnail((_OSD_SIDE, _OSD_SIDE), reducing_gap=1.5)
    try:
        run = _run(small, ["-l", "osd", "--psm", "0"], timeout)
    except subprocess.TimeoutExpired:
        return Detected()
    answer = run.stdout.decode(errors="replace")

    def said(name: str) -> str:
        line = re.search(rf"^{name}: (\S+)", answer, re.MULTILINE)
        return line[1] if line else ""

    try:
        return Detected(
            scripts.known_as(said("Script")),
            int(said("Rotate")) % 360 // 90 * 90,
            float(said("Orientation confidence")),
            float(said("Script confidence")),
        )
    except ValueError:  # too few letters: it says so in words
        return Detected()


def _run(image: Image, arguments: list[str], timeout: float) -> subprocess.CompletedProcess[bytes]:
    """Run it on an image given by standard input."""
    buffer = io.BytesIO()
    image.convert("L").save(buffer, "PPM")
    return subprocess.run(
        ["tesseract", "-", "-", *arguments],
        input=buffer.getvalue(),
        capture_output=True,
        timeout=timeout,
        check=False,
        # Its threads fight each other: ten times slower, and pages are read in parallel anyway.
        env={**os.environ, "OMP_THREAD_LIMIT": "1"},
    )


def _found(words: Iterable[ReadWord], width: int, height: int) -> Found:
    """Lines of words, without those that are noise."""
    lines: dict[tuple[str, ...], list[Word]] = {}
    weights = scores = 0.0
    for word in words:
        text = word.text.strip()
        confidence = min(max(word.confidence / 100, 0.0), 1.0)
        solid = any(map(str.isalnum, text))
        if solid:
            weights, scores = weights + len(text), scores + len(text) * confidence
        flat = word.right <= word.left or word.bottom <= word.top
        least = _LEAST_CONFIDENCE if solid else _LEAST_PUNCTUATION
        if not text or flat or confidence < least:
            continue
        place = (word.left / width, word.top / height, word.right / width, word.bottom / height)
        lines.setdefault(word.line, []).append(Word(text, clipped(*place), confidence))
    return Found(tuple(map(_line, lines.values())), scores / max(weights, 1.0))


def _line(words: list[Word]) -> Line:
    sides = list(zip(*(word.box for word in words), strict=True))
    box = Box(min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3]))
    letters = sum(len(word.text) for word in words)
    confidence = sum(len(word.text) * word.confidence for word in words) / letters
    return Line(join_words(word.text for word in words), box, confidence, tuple(words))
