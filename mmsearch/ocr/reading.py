"""Reading a page of unknown turn, skew and script: what is tried, in which order."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from PIL import Image as images

from mmsearch.encoders import languages
from mmsearch.errors import LimitExceeded, MissingExtra
from mmsearch.ocr import ink, merging, rapid, scripts, tesseract, upright
from mmsearch.ocr.layout import Line, page_text
from mmsearch.ocr.upright import Turn
from mmsearch.types import PageText

if TYPE_CHECKING:
    from PIL.Image import Image

logger = logging.getLogger(__name__)

Engine = Literal["auto", "rapidocr", "tesseract", "off"]

# Mean confidences of Tesseract, as measured by `bench.ocr`: pages it reads well score .85 to .96;
# other scripts and pages that lie the wrong way at most .39, whatever language it is given.
_SURE = 0.85
_SOME = 0.5
_ENOUGH_WORDS = 20  # RapidOCR reads less in no time, and better
# Share of what looks like letters in Tesseract's words: .83 to 1 on pages that it reads as a whole,
# .72 where it left a block out, as sure of itself as ever.
_COVERED = 0.8
_MUCH_BETTER = 0.15

# Pixels: letters of less than 12 are enlarged to this for Tesseract. To 20, such a page takes 1.4
# times as long for hardly more words.
_LETTER = 14.0
_SMALL_LETTER = 12.0
_MOST_ENLARGED = 2.5
_MOST_PIXELS = 16_000_000

_SOME_OTHER = 0.6
_TURN_CONFIDENCE = 1.0
_SURE_TURN = 5.0  # of script detection; below, right and wrong are mixed
_SCRIPT_CONFIDENCE = 1.0
_SHARP = 2.0  # how clearly lines must run for a page to be levelled
_EVIDENCE = 12  # letters that have to be read, with some confidence, before a picture is turned
_UNSUPPORTED = "unsupported script"
_LACKING = 0.5  # length of lines that were found and not read, by that of those read
_WRITTEN_DOWN = frozenset({"Han", "Japanese", "Korean"})  # in columns, now and then
_MOST_SCRIPTS = 4  # tried on a page that none of the usual ways reads


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read off a page.

    `image` is the page upright, which the boxes of `text` refer to: it was turned clockwise by
    `turn` and then levelled, by `skew` degrees. `warning` says what could not be read.
    """

    text: PageText
    image: Image
    turn: Turn = 0
    skew: float = 0.0
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """How to read; `languages` are those Tesseract may use, `chosen` by the user or not."""

    engine: Engine
    languages: tuple[str, ...]
    chosen: bool
    timeout: float

    @property
    def uses_tesseract(self) -> bool:
        return self.engine != "rapidocr" and bool(self.languages)

    @property
    def first(self) -> str:
        """What a page is read with before anything is known of it: Latin script."""
        if not self.chosen and "eng" in self.languages:
            return "eng"
        return scripts.codes_for("Latin", self.languages) or self.languages[0]


class _View(NamedTuple):
    """A page as it is after a turn."""

    image: Image
    turn: Turn


class _Found(NamedTuple):
    """What was read off one view; `unread` is the length of text that was seen and not read.

    `script` is the one that it was read in, where that is not the usual one.
    """

    view: _View
    lines: tuple[Line, ...] = ()
    confidence: float = 0.0
    unread: float = 0.0
    script: str = ""

    @property
    def letters(self) -> int:
        return sum(len(line.text) for line in self.lines)

    @property
    def is_sure(self) -> bool:
        words = sum(len(line.words) for line in self.lines)
        return words >= _ENOUGH_WORDS and self.confidence >= _SURE


def options(engine: Engine, languages: str, timeout: float) -> Options:
    """The options, checked against what is installed.

    Raises:
        MissingExtra: the engine, or a language of `engine="tesseract"`, is not.
    """
    installed = tesseract.installed_languages()
    asked = tuple(filter(None, languages.split("+")))
    missing = [code for code in asked if code not in installed]
    if engine == "tesseract" and not tesseract.is_installed():
        raise MissingExtra(
            "Tesseract is not installed; apt install tesseract-ocr, or set ocr=rapidocr"
        )
    if engine == "tesseract" and (missing or not installed):
        name = missing[0] if missing else "eng"
        raise MissingExtra(
            f"OCR: Tesseract has no language {name!r}; apt install tesseract-ocr-"
            f"{name.replace('_', '-')}"
        )
    allowed = tuple(code for code in asked if code in installed) if asked else installed
    return Options(engine, allowed, bool(asked), timeout)


def read_page(image: Image, how: Options) -> Reading:
    """Read a page, whichever way it lies; see `mmsearch.ocr.read_page`."""
    marks = ink.find(image)
    if not len(marks.pieces):
        return Reading(PageText(), image)
    lines = upright.lines_of(marks)
    clear = lines.sharpness >= _SHARP and abs(lines.skew) >= upright.LEAST_SKEW
    page = _Page(image, marks, lines, lines.skew if clear else 0.0, marks.letter_side)
    if how.uses_tesseract:
        found, warning = _by_tesseract(page, how)
    else:
        found = _by_rapidocr(page, how)
        warning = _warning(found, tesseract.Detected(), how)
    evident = found.letters >= _EVIDENCE and found.confidence >= _SOME
    if found.view.image is not image and not evident and not warning.startswith(_UNSUPPORTED):
        # Too little text to say which way is up: a photo stays as it is.
        return Reading(read_upright(image, how), image, warning=warning)
    text = page_text(found.lines, found.confidence)
    return Reading(text, found.view.image, found.view.turn, page.skew, warning)


def read_upright(image: Image, how: Options) -> PageText:
    """Read an image that is known to be upright and level."""
    found, marks = _Found(_View(image, 0)), ink.find(image)
    if not len(marks.pieces):
        return PageText()
    if how.uses_tesseract:
        found = _tesseract(found.view, how.first, marks.letter_side, how)
    if how.engine != "tesseract" and not found.is_sure:
        found = _completed(found, how)
    return page_text(found.lines, found.confidence)


@dataclass(frozen=True, slots=True)
class _Page:
    """The page as it came, and what its ink says; `letter` is the size of letters in pixels."""

    image: Image
    marks: ink.Ink
    lines: upright.Lines
    skew: float
    letter: float

    def view(self, turn: int) -> _View:
        way: Turn = (0, 90, 180, 270)[turn % 360 // 90]
        return _View(upright.straightened(self.image, way, self.skew), way)


def _by_tesseract(page: _Page, how: Options) -> tuple[_Found, str]:
    """Tesseract first; what it does not read surely goes to RapidOCR, if `how` allows."""
    view, known = page.view(0), tesseract.Detected()
    if page.lines.vertical:
        known = tesseract.detect(view.image, how.timeout)
        down = known.turn == 0 and known.script in _WRITTEN_DOWN
        view = view if down else page.view(known.turn if known.turn in (90, 270) else 90)
    found = _tesseract(view, how.first, page.letter, how)
    if found.confidence < _SOME:
        known = known if known.script else tesseract.detect(view.image, how.timeout)
        found = _turned_over(page, found, known, how)
    if not found.is_sure:
        found = _other_language(page, found, how)
    if found.confidence < _SOME:
        found = _other_script(page, found, known, how)
    if how.engine == "tesseract":
        return found, _warning(found, known, how) if found.confidence < _SOME else ""
    if found.is_sure and _covers(found, page) >= _COVERED:
        return found, ""
    if found.script and found.script not in scripts.RAPIDOCR:
        return found, ""  # RapidOCR would know none of it
    if found.confidence >= _SOME:
        return _completed(found, how), ""
    turned = known.turn_confidence >= _TURN_CONFIDENCE
    read = _completed(found, how) if turned else _by_rapidocr(page, how, found.view.turn)
    warning = _warning(read, known, how)
    if warning:  # of a script that it lacks, RapidOCR makes letters that it has, and is sure of it
        read = read._replace(confidence=min(read.confidence, found.confidence))
    return read, warning


def _covers(found: _Found, page: _Page) -> float:
    """The share of what looks like letters that stands in words which were read."""
    words = [word.box for line in found.lines for word in line.words]
    image = found.view.image
    marks = page.marks if image is page.image else ink.find(image)
    return marks.covered(words)


def _turned_over(page: _Page, found: _Found, known: tesseract.Detected, how: Options) -> _Found:
    """The page the other way up, where that is read better or script detection is sure of it."""
    turn = found.view.turn
    over = known.turn == (turn + 180) % 360 or (page.lines.vertical and known.turn != turn)
    if not over and known.turn_confidence >= _TURN_CONFIDENCE:
        return found
    if not over and tesseract.detects_scripts():
        return found
    other = _tesseract(page.view(turn + 180), how.first, page.letter, how)
    better = other.confidence > found.confidence + _MUCH_BETTER
    return other if better or (over and known.turn_confidence >= _SURE_TURN) else found


def _other_language(page: _Page, found: _Found, how: Options) -> _Found:
    """The page read in the Latin language that it seems to be in, if there is a model of that."""
    if how.chosen or found.confidence < _SOME:
        return found
    words = (word.text.casefold() for line in found.lines for word in line.words)
    guess = languages.guess(words)
    code = scripts.CODES.get(guess.language, "")
    if not guess.clear or code not in how.languages or code == how.first:
        return found
    other = _tesseract(found.view, code, page.letter, how)
    return max(found, other, key=lambda one: one.confidence)


def _other_script(page: _Page, found: _Found, known: tesseract.Detected, how: Options) -> _Found:
    """The page read in the languages of the script detected, then of the others installed.

    Detection takes some scripts for each other, and abstains where its model is not installed.
    """
    others = [scripts.of_language(code) for code in how.languages]
    if scripts.of_language(how.first.split("+")[0]) == known.script:
        return found  # it is poor, not foreign
    order = dict.fromkeys([known.script, *others])
    for script in [name for name in order if name and name != "Latin"][:_MOST_SCRIPTS]:
        codes = scripts.codes_for(script, how.languages)
        if codes and codes != how.first:
            other = _tesseract(found.view, codes, page.letter, how)
            if other.confidence >= _SOME_OTHER:
                return other._replace(script=script)
    return found


def _tesseract(view: _View, codes: str, letter: float, how: Options) -> _Found:
    """The view read by Tesseract, enlarged where its letters are small; nothing if it fails."""
    image = view.image
    if 0 < letter < _SMALL_LETTER:
        room = math.sqrt(_MOST_PIXELS / (image.width * image.height))
        scale = min(_LETTER / letter, _MOST_ENLARGED, room)
        if scale > 1:
            size = (round(image.width * scale), round(image.height * scale))
            image = image.convert("L").resize(size, images.Resampling.BICUBIC)
    try:
        read = tesseract.read(image, codes, how.timeout)
    except (LimitExceeded, MissingExtra) as error:
        if how.engine == "tesseract":
            raise
        logger.info("%s; RapidOCR reads the page", error)
        return _Found(view)
    return _Found(view, read.lines, read.confidence)


def _completed(found: _Found, how: Options) -> _Found:
    """The sure lines of Tesseract, and by RapidOCR what is not among them."""
    kept = merging.sure(found.lines) if found.confidence >= _SOME else ()
    regions = rapid.find(found.view.image)
    missing = merging.uncovered(regions.boxes, kept)
    read = rapid.read(found.view.image, regions, missing)
    if not kept and not read.lines and found.confidence >= _SOME:
        return found
    lines = merging.ordered((*kept, *read.lines))
    return _Found(found.view, lines, merging.confidence(lines, read.unread), read.unread)


def _by_rapidocr(page: _Page, how: Options, turn: int | None = None) -> _Found:
    """RapidOCR alone, which also finds out which way is up."""
    view = page.view(90 if turn is None and page.lines.vertical else turn or 0)
    regions = rapid.find(view.image)
    if not page.lines.vertical and rapid.stand_on_end(view.image, regions):
        view = page.view(view.turn + 90)
        regions = rapid.find(view.image)
    if rapid.upside_down(view.image, regions):
        view = page.view(view.turn + 180)
        regions = rapid.find(view.image)
    read = rapid.read(view.image, regions)
    lines = merging.ordered(read.lines)
    return _Found(view, lines, merging.confidence(lines, read.unread), read.unread)


def _warning(found: _Found, known: tesseract.Detected, how: Options) -> str:
    """What to install where much was seen and not read, or read as letters that it has not."""
    lost = found.unread > max(_EVIDENCE, _LACKING * found.letters)
    clean = known.turn_confidence >= _SURE_TURN
    foreign = bool(known.script) and known.script not in scripts.RAPIDOCR and clean
    if foreign and (lost or known.script_confidence >= _SCRIPT_CONFIDENCE):
        if scripts.codes_for(known.script, how.languages):
            return f"{known.script} text that could not be read; scan the page again, larger"
        return f"{_UNSUPPORTED} {known.script}; apt install {scripts.package(known.script)}"
    if lost and not tesseract.detects_scripts():
        return "text of an unknown script; apt install tesseract-ocr tesseract-ocr-osd"
    return "text of an unknown script; install its language for Tesseract" if lost else ""
