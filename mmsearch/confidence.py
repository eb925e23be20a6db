"""How sure it is that a page is what was asked for: strong, possible or weak.

There is no score above which a page is right: it depends on the archive. So each index is asked
what it has nothing for, and what comes of that is its background: questions on everyday matters,
and stretches of its own pages while these are hidden. What stands out from it is
`possible`, what stands out far is `strong`; where the best page is `weak`, the archive does not
hold what was asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Literal

import numpy as np

from mmsearch import filters
from mmsearch.documents import READY
from mmsearch.errors import InvalidQuery, NotFound, UnreadableFile
from mmsearch.filters import Filter
from mmsearch.ranking import KEYWORDS, WORDS, words_of
from mmsearch.types import Confidence

if TYPE_CHECKING:
    from mmsearch.engine import Candidate, SearchEngine

Level = Literal["possible", "strong"]
LEAST_PAGES = 50  # fewer say little about what an index has nothing for
_STRETCHES = 60  # of the index's own pages
_STRETCH = 8  # words
_FAIRLY, _FAR = 90, 99  # percentiles of the background
_CHANGED = 1.5  # times more or fewer pages: the background is measured again
# Words and pairs of words shared, each in [0, 1], added up: copies of a page may be in the archive.
_SHARED: Mapping[Level, tuple[float, float]] = {"possible": (1.1, 1.75), "strong": (1.5, 1.9)}
_ANSWERING: Mapping[Level, float] = {"possible": 0.5, "strong": 0.95}  # share of words
_LABELS: Mapping[Level, float] = {"possible": 0.15, "strong": 0.5}  # unrelated words reach .14
_MOST_CHARACTERS = 20_000  # of a page
_SURELY = 0.15  # above what is good
_NAME = "background.json"
_QUESTION = re.compile(
    r"[?？؟]|か。?$|^(who|what|which|when|where|why|how|do|does|did|can|could|should)\b",
    re.IGNORECASE,
)
QUESTIONS = (
    "how long should sourdough rise before baking?",
    "what is the best way to train a puppy?",
    "who won the chess tournament last summer?",
    "how do I remove a red wine stain from a carpet?",
    "which tyres are good for a mountain bike?",
    "when do cherry trees blossom?",
    "what should I pack for a week in the Alps?",
    "how are violins tuned?",
    "why do cats purr?",
    "what is the recipe for tomato soup?",
    "how many players are in a volleyball team?",
    "where can I go surfing in winter?",
    "how is cheese made from goat milk?",
    "what are the rules of badminton?",
    "how do bees find their way home?",
    "which paint is best for a wooden fence?",
    "what did the dragon say to the knight?",
    "how do I knit a scarf?",
    "what causes the northern lights?",
    "how often should orchids be watered?",
    "who played the guitar at the wedding?",
    "what is the fastest swimming style?",
    "how do I fold a paper crane?",
    "which mushrooms are safe to eat?",
    "why is the sea salty?",
    "how do penguins keep warm?",
    "what is a good bedtime story for toddlers?",
    "how do I fix a squeaking door?",
    "where do swallows spend the winter?",
    "what is the capital of Mongolia?",
)


@dataclass(frozen=True, slots=True)
class Background:
    """What an index of so many `pages` answers where it has nothing: the scores from which a page
    is possible, and strong. `shared` is of words and pairs of words added up, in [0, 2]; the others
    are raw scores by view, for questions and for any other words.
    """

    pages: int = 0
    shared: Mapping[Level, float] = field(default_factory=lambda: {"possible": 1.2, "strong": 1.7})
    questions: Mapping[str, Mapping[Level, float]] = field(default_factory=dict)
    stretches: Mapping[str, Mapping[Level, float]] = field(default_factory=dict)


def background(engine: SearchEngine) -> Background:
    """That of an index; measured where it is new or has grown, and kept in its page store."""
    pages = engine.index.pages.count(READY)
    if pages < LEAST_PAGES:
        return _usual(engine, pages)
    with suppress(NotFound, UnreadableFile, ValueError, TypeError, KeyError):
        known = Background(**json.loads(engine.store.read(_NAME)))
        if pages / _CHANGED < known.pages < pages * _CHANGED and {*known.shared} == {*_SHARED}:
            return known
    measured = _measured(engine, pages)
    with suppress(OSError):  # a full or read-only disk: it is measured again
        engine.store.write(_NAME, json.dumps(asdict(measured)).encode())
    return measured


def confidence(text: str, scores: Mapping[str, float], known: Background) -> Confidence:
    """How sure a page with these scores is what the words ask for.

    Args:
        text: the query.
        scores: of the page, by view and stage, see `ranking`.
        known: the background of the index.
    """
    for level in ("strong", "possible"):
        if _reaches(level, text, scores, known):
            return level
    return "weak"


def _reaches(level: Level, text: str, scores: Mapping[str, float], known: Background) -> bool:
    words, phrase = scores.get("words", 0.0), scores.get("phrase", 0.0)
    if scores.get("labels", 0.0) >= _LABELS[level]:
        return True
    if len(words_of(text)) <= KEYWORDS and words == 1.0:
        return True
    if words + phrase >= known.shared[level] and "numbers missing" not in scores:
        return True
    asks = _QUESTION.search(text) is not None
    if "numbers missing" in scores and not asks:  # another invoice, however alike
        return False
    limits = known.questions if asks else known.stretches
    if not any(view in scores for view in limits):  # no model knows the language
        return words >= _ANSWERING[level]
    by_meaning = any(scores.get(view, 0.0) > limit[level] for view, limit in limits.items())
    return by_meaning and (level == "possible" or words >= 0.5)


def _usual(engine: SearchEngine, pages: int) -> Background:
    """For an index that is too small to be asked: what its models usually score."""
    scales = {view: getattr(e, "scale", None) for view, e in engine.encoders.items()}
    limits: dict[str, Mapping[Level, float]] = {
        view: {"possible": scale[1], "strong": scale[1] + _SURELY}
        for view, scale in scales.items()
        if scale and engine.encoders[view].kind != "sparse"
    }
    return Background(pages, questions=limits, stretches=limits)


def _measured(engine: SearchEngine, pages: int) -> Background:
    views = [name for name, encoder in engine.encoders.items() if encoder.kind != "sparse"]
    questions = [_candidates(engine, question) for question in QUESTIONS]
    stretches = [
        _candidates(engine, stretch, Filter(must_not=filters.ids([point]).must))
        for point, stretch in islice(_stretches(engine), _STRETCHES)
    ]
    shared = [
        found[0].scores.get("words", 0.0) + found[0].scores.get("phrase", 0.0)
        for found in stretches
        if found and "numbers missing" not in found[0].scores
    ]
    limits = _limits(shared)
    return Background(
        pages,
        {level: float(np.clip(limits[level], *_SHARED[level])) for level in limits},
        {view: _limits(_best(questions, view)) for view in views},
        {view: _limits(_best(stretches, view)) for view in views},
    )


def _best(lists: Sequence[Sequence[Candidate]], view: str) -> list[float]:
    """The view's raw score of the first of each list."""
    return [found[0].scores.get(view, 0.0) for found in lists if found]


def _limits(scores: Sequence[float]) -> dict[Level, float]:
    percentiles: Mapping[Level, float] = {"possible": _FAIRLY, "strong": _FAR}
    return {
        level: round(float(np.percentile(scores or [0.0], at)), 4)
        for level, at in percentiles.items()
    }


def _candidates(engine: SearchEngine, text: str, where: Filter | None = None) -> list[Candidate]:
    with suppress(InvalidQuery):
        return engine.candidates(engine.query(text), where=where)
    return []


def _stretches(engine: SearchEngine) -> Iterator[tuple[str, str]]:
    """Pages and words in a row of each; ids are as good as drawn by chance."""
    readable = READY & Filter(must_not=filters.equals("text_source", "none").must)
    for page in engine.index.pages.scroll(readable, payload=["text"]):
        text = page.payload["text"][:_MOST_CHARACTERS]
        words = list(WORDS.finditer(text))
        if len(words) >= 3 * _STRETCH:
            first = len(words) // 2
            yield page.id, text[words[first].start() : words[first + _STRETCH - 1].end()]
