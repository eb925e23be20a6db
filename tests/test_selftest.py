"""Screenshots that are cut from an index's own pages, and what is said of how they are found."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ingest
import mmsearch
from mmsearch import documents, filters
from mmsearch.config import Settings
from mmsearch.engine import SearchEngine
from mmsearch.errors import NotFound
from mmsearch.filters import Filter
from mmsearch.index import Point
from mmsearch.screenshots.cuts import HEIGHT, MOST_A_PAGE, WIDTH, cuts
from mmsearch.screenshots.selftest import Outcome, figures, outcomes, verdict
from mmsearch.types import Box, DocumentState, Hit, Match
from tests import builders

LOOKS = '[views.picture]\nencoder = "visual-words"\n'  # a profile without a model


def page(seed: int) -> Image.Image:
    """A page of text that no other is like."""
    random = np.random.default_rng(seed)
    words = " ".join(builders.LOREM).split()
    return builders.page_image([" ".join(random.choice(words, 9)) for _ in range(30)], dpi=64)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    profile = tmp_path_factory.mktemp("profile") / "looks.toml"
    profile.write_text(LOOKS)
    return Settings(workers=1, ocr="off", profile=str(profile))


@pytest.fixture(scope="module")
def made(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of three pages of text, one of them twice, and two with nothing on them."""
    folder = tmp_path_factory.mktemp("made")
    sheet = Image.new("RGB", page(1).size, "white")
    black = Image.new("RGB", page(1).size, (20, 20, 20))
    builders.write_scan_pdf(folder / "one.pdf", [page(1), page(2), sheet], dpi=64)
    builders.write_scan_pdf(folder / "two.pdf", [page(3), page(2), black], dpi=64)
    with mmsearch.open(folder / "index", settings=settings) as engine:
        report = ingest.run([folder], engine)
        assert len(report.of("done")) == 2
    return folder / "index"


@pytest.fixture(scope="module")
def engine(made: Path, settings: Settings) -> Iterator[SearchEngine]:
    with mmsearch.open(made, settings=settings) as engine:
        yield engine


@pytest.fixture(scope="module")
def tried(engine: SearchEngine) -> list[Outcome]:
    return list(outcomes(engine, 5))


@pytest.fixture
def own(made: Path, settings: Settings, tmp_path: Path) -> Iterator[SearchEngine]:
    """A copy of the index, to be changed."""
    copy = tmp_path / "index"
    shutil.copytree(made, copy, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))
    with mmsearch.open(copy, settings=settings) as engine:
        yield engine


class Liar:
    """An engine that takes every screenshot for a part of another page."""

    def __init__(self, engine: SearchEngine) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def search(
        self, *, image: Image.Image, where: Filter | None = None, views: Sequence[str] = ()
    ) -> list[Hit]:
        hits = self._engine.search(image=image, views=views)
        texts = [hit for hit in hits if not hit.match]
        box = Box(0.1, 0.1, 0.5, 0.3)
        return [replace(texts[0], rank=1, box=box, match=Match(box, 30, 0.9))]


def test_cuts_are_parts_of_pages_that_show_something(engine: SearchEngine) -> None:
    taken = list(cuts(engine, 40))
    by_page = {(cut.document, cut.page) for cut in taken}
    assert {number for _, number in by_page} == {1, 2}  # not the blank ones, not the black one
    assert len(taken) == MOST_A_PAGE * len(by_page) == MOST_A_PAGE * 4
    for cut in taken:
        assert WIDTH[0] <= cut.box.x1 - cut.box.x0 <= WIDTH[1]
        assert HEIGHT[0] <= cut.box.y1 - cut.box.y0 <= HEIGHT[1]
        with Image.open(io.BytesIO(engine.store.picture(cut.document, cut.page))) as whole:
            wide = (cut.box.x1 - cut.box.x0) * whole.width
            assert whole.width * whole.height == cut.pixels
        assert 0.34 * wide <= cut.image.width <= wide + 1


def test_the_same_seed_cuts_the_same(engine: SearchEngine) -> None:
    first, again, other = (
        [(cut.document, cut.page, cut.box) for cut in cuts(engine, 4, seed)] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_pages_that_are_found_make_a_good_verdict(
    engine: SearchEngine, tried: list[Outcome]
) -> None:
    found = figures(tried)
    assert found["screenshots"] == 5
    assert found["rank1"] == found["rank10"] == 1.0
    assert found["iou"] > 0.9
    assert found["wrong"] == 0
    assert 0 < found["p50"] <= found["p95"]
    assert verdict(engine, tried) == "Good: 5 of 5 screenshots have their page first."


def test_a_page_that_shows_the_very_same_is_no_mistake(
    engine: SearchEngine, tried: list[Outcome]
) -> None:
    twice = [outcome for outcome in tried if outcome.cut.page == 2]
    assert twice
    assert all(outcome.first for outcome in twice)
    for outcome in twice:  # its copy is taken for it, and shows it
        ids = [documents.point_id(outcome.cut.document, outcome.cut.page)]
        where = Filter(must_not=filters.ids(ids).must)
        (copy, *_) = engine.search(image=outcome.cut.image, where=where)
        assert copy.match
        assert not outcome.hidden_wrong


def test_pages_that_are_mistaken_are_counted(engine: SearchEngine) -> None:
    liar: Any = Liar(engine)
    fooled = list(outcomes(liar, 2))
    found = figures(fooled)
    assert found["wrong"] == found["hidden_wrong"] == found["verified"] == 1.0
    assert found["rank1"] == 0.0
    assert {outcome.fault for outcome in fooled} == {"mistaken"}
    assert "but 2 were taken for a page that does not show them" in verdict(liar, fooled)


def test_pages_that_are_not_found_make_a_bad_verdict(
    engine: SearchEngine, tried: list[Outcome]
) -> None:
    lost = [replace(outcome, rank=None, first=False) for outcome in tried]
    assert {outcome.fault for outcome in lost} == {"missed"}
    assert verdict(engine, lost).startswith("Bad: 0 of 5 screenshots have their page first; ")
    tiny = [replace(outcome, cut=replace(outcome.cut, pixels=90_000)) for outcome in lost]
    assert "ingest sharper scans" in verdict(engine, tiny)
    assert "ingest sharper scans" not in verdict(engine, lost)


def test_pages_without_vectors_are_said(own: SearchEngine, tried: list[Outcome]) -> None:
    document = next(iter(own.documents.all()))
    own.documents.put(replace(document, state=DocumentState.PENDING))
    points = list(own.index.pages.scroll(documents.of_document(document.id)))
    own.index.pages.upsert([Point(point.id, point.payload) for point in points])
    said = verdict(own, tried)
    assert said.startswith("Bad: 3 pages have no vectors of their picture yet")
    assert said.endswith("run again: mmsearch ingest PATH")


def test_an_empty_index_is_one_line(own: SearchEngine) -> None:
    for document in list(own.documents.all()):
        own.remove(document.id)
    with pytest.raises(NotFound, match="is empty; add files: mmsearch ingest PATH"):
        list(outcomes(own, 3))
