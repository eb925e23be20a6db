"""Words find pages in the order that people expect, and what is not there is called so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import ingest
import mmsearch
from mmsearch import filters
from mmsearch.confidence import Background, background, confidence
from mmsearch.config import Settings
from mmsearch.engine import SearchEngine
from mmsearch.filters import Filter
from mmsearch.ranking import compare, words_of
from tests import builders

WORDS_ALONE = """
[views.text]
encoder = "minilm"
weight = 0.8
[views.lexical]
encoder = "bm25"
"""
SUBJECTS = (
    "pump", "valve", "rotor", "boiler", "bridge", "tunnel", "harbour", "engine", "cable", "sensor",
)  # fmt: skip
STATES = ("new", "worn", "clean", "broken", "painted", "rusty")


def report(subject: str, state: str, number: int) -> str:
    """The lines of a page of its own kind, with a number that no other has."""
    lines = [
        f"Inspection of the {state} {subject} on the northern site.",
        f"The {subject} was found {state} and its housing had to be measured again.",
        f"Order {4000 + 7 * number} was written for the {subject} in the third week.",
        f"Nobody had looked at a {state} {subject} since the year before.",
        "All parts were returned to the store after the work had ended.",
    ]
    return "\n".join(lines)


PAGES = [
    report(subject, state, number)
    for number, (subject, state) in enumerate((s, t) for s in SUBJECTS for t in STATES)
]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchEngine]:
    """Sixty pages in ten files, of which neighbours differ in little."""
    folder = tmp_path_factory.mktemp("reports")
    for number in range(0, len(PAGES), 6):
        pages = PAGES[number : number + 6]
        builders.write_text_pdf(folder / f"{SUBJECTS[number // 6]}.pdf", pages)
    profile = folder / "words.toml"
    profile.write_text(WORDS_ALONE, encoding="utf-8")
    settings = Settings(ocr="off", profile=str(profile))
    with mmsearch.open(folder / "index", settings=settings) as engine:
        ingest.run([folder], engine)
        yield engine


def first(engine: SearchEngine, text: str) -> tuple[str, int]:
    hit = engine.search(text, limit=1)[0]
    return Path(hit.document.paths[0]).stem, hit.page


def test_a_number_finds_its_page(reports: SearchEngine) -> None:
    for number in (0, 23, 59):
        assert first(reports, f"order {4000 + 7 * number}") == (
            SUBJECTS[number // 6], number % 6 + 1,
        )  # fmt: skip


def test_a_line_of_a_page_finds_that_page_before_its_like(reports: SearchEngine) -> None:
    assert first(reports, "looked at a rusty harbour since the year before") == ("harbour", 6)


def test_hits_keep_the_scores_of_every_stage(reports: SearchEngine) -> None:
    hit = reports.search("inspection of the worn cable on the northern site", limit=1)[0]
    assert {"text", "lexical", "words", "phrase"} <= hit.scores.keys()
    assert hit.scores["words"] == hit.scores["phrase"] == 1.0


def test_what_is_there_is_sure_and_what_is_not_is_weak(reports: SearchEngine) -> None:
    line = "Nobody had looked at a broken bridge since the year before."
    there = reports.search(line, limit=1)[0]
    assert there.confidence == "strong"
    assert reports.search("order 4168", limit=1)[0].confidence == "strong"
    assert reports.search("order 9999", limit=1)[0].confidence == "weak"
    for nonsense in ("medieval falconry in Burgundy", "zxqv brontide", "how do otters sleep?"):
        assert reports.search(nonsense, limit=1)[0].confidence == "weak"


def test_lines_of_pages_that_are_taken_out_are_weak(reports: SearchEngine) -> None:
    weak = 0
    for number in range(0, 60, 5):
        line = PAGES[number].splitlines()[2]  # its number is on no other page
        point = reports.candidates(reports.query(line))[0].point
        assert reports.search(line, limit=1)[0].confidence == "strong"
        hidden = Filter(must_not=filters.ids([point]).must)
        weak += reports.search(line, limit=1, where=hidden)[0].confidence == "weak"
    assert weak == 12


def test_the_background_is_kept_and_measured_again_when_the_index_grows(
    reports: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = background(reports)
    assert known.pages == 60
    assert known.questions["text"]["possible"] <= known.questions["text"]["strong"]
    monkeypatch.setattr(mmsearch.confidence, "QUESTIONS", ())  # it would show
    assert background(reports) == known
    reports.store.write("background.json", b'{"pages": 20}')
    assert background(reports).questions["text"] == {"possible": 0.0, "strong": 0.0}
    reports.store.write("background.json", b"damaged")
    assert background(reports).pages == 60


@pytest.mark.parametrize(
    ("query", "text", "words", "pairs"),
    [
        ("the red valve", "a red valve", 1.0, 0.5),
        ("hydroplane testing", "hydro-\nplane testing", 1.0, 1.0),
        ("東京都の水道", "東京都の水道局", 1.0, 1.0),
        ("nothing alike", "", 0.0, 0.0),
    ],
)
def test_wording_is_compared_by_words_and_pairs(
    query: str, text: str, words: float, pairs: float
) -> None:
    found = compare(words_of(query), text)
    assert (found.words, found.pairs) == (words, pairs)


def test_a_missing_number_is_counted() -> None:
    assert compare(words_of("invoice INV-2024/0013"), "Invoice INV-2024/0014").missing == 1


def test_two_words_are_sure_as_they_stand_or_by_their_meaning() -> None:
    known = Background(100, stretches={"text": {"possible": 0.5, "strong": 0.7}})
    assert confidence("leaking seal", {"text": 0.3, "words": 1.0}, known) == "strong"
    assert confidence("leaking seal", {"text": 0.6, "words": 0.5}, known) == "possible"
    assert confidence("leaking seal", {"text": 0.3, "words": 0.5}, known) == "weak"


def test_a_query_for_another_number_is_weak_however_alike() -> None:
    known = Background(100, stretches={"text": {"possible": 0.5, "strong": 0.7}})
    scores = {"text": 0.9, "words": 1.0, "phrase": 0.9}
    assert confidence("Certified weight 2000 lbs", scores, known) == "strong"
    missing = {**scores, "numbers missing": 1.0}
    assert confidence("Certified weight 2000 lbs", missing, known) == "weak"
