"""Photos without text, from file to hit: found by what they show and by what they are called."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ingest
import mmsearch
from mmsearch import documents, models
from mmsearch.answers import Answer
from mmsearch.config import Settings
from mmsearch.engine import SearchEngine
from mmsearch.errors import MissingModel
from mmsearch.filters import Filter
from mmsearch.types import Document, Kind, Page, PageText
from tests import builders
from tests.drawings import clock, cobweb
from ui import views
from ui.address import Asked

PROSE = " ".join(["The clock on the wall of the town hall was repaired again."] * 5)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchEngine]:
    """Two drawings with names of a camera and a person, a scan whose text lies beside it, a PDF."""
    for model in models.NEEDED["image-labels"]:
        try:
            models.find(model)
        except MissingModel as error:
            pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("photos")
    source = folder / "in"
    source.mkdir()
    clock().save(source / "IMG_0001.png")
    cobweb().save(source / "OldBarn_window3.jpg", quality=95)
    builders.page_image([PROSE[:60]] * 3).save(source / "scan0003.png")
    words = "".join(
        f"<span class='ocrx_word' title='bbox 9 9 99 29'>{w}</span> " for w in PROSE.split()
    )
    (source / "scan0003.hocr").write_text(
        f"<html><body><div class='ocr_page' title='bbox 0 0 200 100'>{words}</div></body></html>"
    )
    builders.write_text_pdf(source / "report.pdf", ["The clock was repaired."])
    settings = Settings(index=str(folder / "index"), profile="lite", ocr="off")
    with mmsearch.open(settings=settings) as opened:
        report = ingest.run([source], opened)
        assert not report.of("failed"), report.of("failed")
        yield opened


def titles(engine: SearchEngine, text: str, *views: str) -> list[str]:
    return [hit.document.title for hit in engine.search(text, views=views or None)]


def test_only_photos_have_labels_and_every_document_is_done(engine: SearchEngine) -> None:
    status = engine.status()
    assert status["documents"] == {"done": 4}
    assert status["vectors"]["labels"] == 2
    points = [point.id for point in engine.index.pages.scroll(Filter())]
    photos = engine.contents(points, "photo")
    assert len(points) == 4
    assert len(photos) == 2
    assert all(content.picture and not content.text for content in photos.values())


def test_a_second_run_has_nothing_left_to_do(engine: SearchEngine) -> None:
    (folder,) = {str(Path(d.paths[0]).parent) for d in engine.documents.all()}
    report = ingest.run([folder], engine)
    assert len(report.of("skipped")) == 4
    assert engine.status()["vectors"]["labels"] == 2


def test_a_photo_is_found_by_words_for_what_it_shows(engine: SearchEngine) -> None:
    best, *others = engine.search("a photo of a timepiece", views=["labels"])
    assert best.document.title == "IMG_0001"
    assert 0.6 < best.scores["labels"] <= 1
    assert [label.name for label in best.labels] == ["analog clock", "wall clock"]
    assert all(hit.scores["labels"] < 0.05 for hit in others)
    assert titles(engine, "spiders", "labels")[0] == "OldBarn_window3"


def test_labels_come_with_the_hits_of_all_views_where_they_helped(engine: SearchEngine) -> None:
    by_title = {hit.document.title: hit for hit in engine.search("a clock")}
    assert by_title["IMG_0001"].labels[0].name == "analog clock"
    assert "labels" in by_title["IMG_0001"].scores
    assert by_title["report"].labels == by_title["scan0003"].labels == ()


def test_an_image_query_does_not_ask_for_labels(engine: SearchEngine) -> None:
    for hits in (engine.search(image=clock()), engine.search("clock", image=clock())):
        assert hits[0].document.title == "IMG_0001"
        assert all("labels" not in hit.scores and not hit.labels for hit in hits)


def test_a_photo_is_found_by_the_words_of_its_name(engine: SearchEngine) -> None:
    assert titles(engine, "old barn", "lexical") == ["OldBarn_window3"]
    assert titles(engine, "img", "lexical") == []
    assert engine.search("old barn", views=["lexical"])[0].snippet == ""


def test_labels_are_shown_on_the_page_and_by_the_command(engine: SearchEngine) -> None:
    query = engine.query("a clock")
    found = Answer(engine.answer(query, views=["labels"]), 2, {}, last=True)
    html = views.results(found, Asked("a clock"), query, seconds=0.1)
    assert "Looks like: analog clock " in html
    assert "knows 1000 things" in html
    command = [sys.executable, "-m", "mmsearch.cli", "search", "timepiece"]
    command += ["--index", engine.index.address]
    shown, as_json = (
        subprocess.run([*command, *more], capture_output=True, text=True, check=True).stdout
        for more in ([], ["--json"])
    )
    assert "     label: analog clock (.6" in shown
    row = json.loads(as_json.splitlines()[0])
    assert row["labels"][0]["name"] == "analog clock"
    assert row["labels"][0]["probability"] == pytest.approx(found.hits[0].labels[0].probability)


@pytest.mark.parametrize(
    ("kind", "text", "caption", "photo"),
    [
        ("image", "", "", True),
        ("image", "12 km/h", "A long caption. " * 30, True),
        ("video", "BREAKING NEWS", "", True),
        ("image", "Dear Sir or Madam, " * 20, "", False),
        ("pdf", "", "", False),
        ("slides", "", "", False),
    ],
)
def test_what_is_taken_for_a_photo(kind: Kind, text: str, caption: str, photo: bool) -> None:
    page = Page(1, b"", 100, 100, PageText(text, "ocr"), caption=caption)
    payload = documents.page_payload(Document("a" * 64, kind=kind), page)
    assert documents.is_photo(payload) == photo
