"""The order of pages for words: the views' lists joined, then the pages around and the wording."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from mmsearch import fusion
from mmsearch.types import PointId

if TYPE_CHECKING:
    from mmsearch.engine import Candidate, Ranked, SearchEngine
    from mmsearch.index import Point

NEIGHBOUR = 0.2  # of the score of the page before or after that a page gets beside its own
PHRASE = 0.4  # what a page gets that holds the query word for word
_SHARPNESS = 4  # most questions share a few pairs of words with many pages: those are worth little
_LOOKED_AT = 20  # best pages whose wording is compared, and
_LOOKED_AT_BY_TERMS = 10  # the best of those that share its words
_MOST_CHARACTERS = 100_000  # of a page
KEYWORDS = 2  # so many words are what has to be on the page
_ALIKE = 5  # first letters by which words are taken for forms of the same
_SURE = 0.9  # OCR confidence of a page that is read well

_LINE_END = re.compile(r"(?<=\w)(?:-\s+|[\x02\u00ad\ufffe]\s*)(?=\w)")  # a hyphen there
# Chinese, Japanese and Korean write no spaces: each character is taken for a word.
WORDS = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+"
)


class Wording(NamedTuple):
    """What a page shares with a query: of the `asked` words that are not function words, and, in
    [0, 1], of the pairs of words that follow each other. `missing` counts the numbers and codes of
    the query that are not on the page.
    """

    shared: int
    asked: int
    pairs: float
    missing: int = 0

    @property
    def words(self) -> float:
        """The share of words, in [0, 1]."""
        return self.shared / self.asked if self.asked else 0.0


def by_words(
    engine: SearchEngine, text: str, ranked: Mapping[str, Ranked], depth: int
) -> list[Candidate]:
    """Join the views' lists for words into one, best first.

    To its fused score a page gets a share of its neighbours', as an answer often runs over pages,
    and more the closer its wording is to the query's. `scores` of the likeliest have the
    shares of their `Wording` as `words` and `phrase`, and how many `numbers missing`.

    Args:
        engine: the index that was asked.
        text: the query.
        ranked: by view, its list.
        depth: how long a list gets.
    """
    words = words_of(text)
    lists = [ranked[view] for view in ranked if _counts_terms(engine, view)]
    likeliest = [point for found in lists for point, _ in found[:_LOOKED_AT_BY_TERMS]]
    wordings = _wordings(engine, words, likeliest)
    payload = ["document", "number", "confidence"]
    points = {id_ for found in ranked.values() for id_, _ in found}
    pages = {page.id: page for page in engine.index.pages.retrieve(list(points), payload=payload)}
    # One word of several, such as the "photo" of "a photo of a dog", says little.
    shared = max((w.shared for w in wordings.values()), default=0)
    telling = max(w.words for w in wordings.values()) if shared == 1 else 1.0
    least = 1.0 if len(words) <= KEYWORDS else 0.0
    join = partial(
        fusion.relative_sum,
        scales={view: getattr(engine.encoders[view], "scale", (0.0, 0.0)) for view in ranked},
        standout={view: least for view in ranked if _counts_terms(engine, view)},
        trust={id_: telling * _reading(page) for id_, page in pages.items()},
        depth=depth,
    )
    fused = engine.fuse(ranked, join)
    scores = _with_neighbours({c.point: c.score for c in fused if c.point in pages}, pages)
    best = sorted(scores, key=lambda point: (-scores[point], point))[:_LOOKED_AT]
    wordings |= _wordings(engine, words, [point for point in best if point not in wordings])
    found = []
    for candidate in fused:
        if candidate.point not in scores:  # removed since it was found
            continue
        score, parts = scores[candidate.point], dict(candidate.scores)
        if wording := wordings.get(candidate.point):
            score += PHRASE * wording.pairs**_SHARPNESS
            parts |= {"words": round(wording.words, 4), "phrase": round(wording.pairs, 4)}
            if wording.missing:
                parts["numbers missing"] = wording.missing
        found.append(replace(candidate, score=score, scores=parts))
    return sorted(found, key=lambda candidate: (-candidate.score, candidate.point))


def words_of(text: str) -> list[str]:
    """The words of a text as its wording is compared by, casefolded."""
    return WORDS.findall(_LINE_END.sub("", text.casefold()))


def compare(words: Sequence[str], text: str) -> Wording:
    """How close a text is to a query of these casefolded words."""
    asked, pairs, codes = _asked(tuple(words))
    there = words_of(text)
    return Wording(
        len(asked.intersection(w[:_ALIKE] for w in there)),
        len(asked),
        len(pairs.intersection(pairwise(there))) / len(pairs) if pairs else 0.0,
        len(codes.difference(there)),
    )


@lru_cache(16)  # one query is compared with thirty pages
def _asked(
    words: tuple[str, ...],
) -> tuple[frozenset[str], frozenset[tuple[str, str]], frozenset[str]]:
    """Of a query: its words without function words, its pairs, its numbers and codes."""
    from mmsearch.encoders.languages import guess, is_stopword

    language = guess(words).language
    telling = {word[:_ALIKE] for word in words if not is_stopword(word, language)}
    codes = frozenset(word for word in words if any(map(str.isdigit, word)))
    return frozenset(telling or words), frozenset(pairwise(words)), codes


def _wordings(
    engine: SearchEngine, words: Sequence[str], points: Iterable[PointId]
) -> dict[PointId, Wording]:
    pages = engine.index.pages.retrieve(list(dict.fromkeys(points)), payload=["text"])
    return {page.id: compare(words, page.payload["text"][:_MOST_CHARACTERS]) for page in pages}


def _counts_terms(engine: SearchEngine, view: str) -> bool:
    return engine.encoders[view].kind == "sparse" and engine.encoders[view].reads == "text"


def _reading(page: Point) -> float:
    """How far the words of a page can be trusted, in [0.5, 1]: what OCR guessed counts less."""
    confidence = page.payload.get("confidence")
    return 1.0 if confidence is None else 0.5 + 0.5 * min(1.0, confidence / _SURE)


def _with_neighbours(
    scores: Mapping[PointId, float], pages: Mapping[PointId, Point]
) -> dict[PointId, float]:
    places = {
        (pages[point].payload["document"], pages[point].payload["number"]): score
        for point, score in scores.items()
    }
    joined = {}
    for (document, number), score in places.items():
        beside = max(places.get((document, number + step), 0.0) for step in (-1, 1))
        joined[document, number] = score + NEIGHBOUR * beside
    return dict(zip(scores, joined.values(), strict=True))
