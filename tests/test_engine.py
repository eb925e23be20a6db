"""Searching the sample corpus through the real models and the real index."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

import ingest
import mmsearch
from mmsearch.config import Settings
from mmsearch.engine import DEPTH, SearchEngine
from mmsearch.errors import InvalidQuery, InvalidSetting, NotFound, ProfileMismatch
from mmsearch.filters import Filter, equals
from mmsearch.opening import without_password
from tests import builders


def truth(sample_dir: Path) -> dict[str, list[dict[str, object]]]:
    content: dict[str, list[dict[str, object]]] = json.loads(
        (sample_dir / "truth.json").read_text()
    )
    return content


def test_every_question_about_words_is_answered_first(
    sample_engine: SearchEngine, sample_dir: Path
) -> None:
    missed = []
    asked = [row for row in truth(sample_dir)["queries"] if row["needs"] != "picture"]
    for row in asked:
        hit = sample_engine.search(str(row["text"]), limit=1)[0]
        if not (hit.document.paths[0].endswith(str(row["path"])) and hit.page == row["page"]):
            missed.append((row["text"], hit.document.title, hit.page))
    assert len(missed) <= 1, missed


def test_a_screenshot_finds_its_page(sample_engine: SearchEngine, sample_dir: Path) -> None:
    for row in truth(sample_dir)["screenshots"]:
        path = sample_dir / "screenshots" / str(row["file"])
        by_path, by_bytes = (
            sample_engine.search(image=given, limit=3) for given in (path, path.read_bytes())
        )
        assert by_path[0].document.paths[0].endswith(str(row["path"]))
        assert by_path[0].page == row["page"]
        assert [hit.page for hit in by_bytes] == [hit.page for hit in by_path]


def test_words_and_image_together_are_one_ranking(
    sample_engine: SearchEngine, sample_dir: Path
) -> None:
    shot = sample_dir / "screenshots" / str(truth(sample_dir)["screenshots"][0]["file"])
    hits = sample_engine.search("revenue", image=shot)
    labels = {label for hit in hits for label in hit.scores}
    assert labels == {"text", "lexical", "picture", "inliers"}  # it was found without reading it


def test_hits_are_ranked_and_keep_raw_scores(sample_engine: SearchEngine) -> None:
    hits = sample_engine.search("pump seal", limit=20)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(-1 <= hit.scores["text"] <= 1 for hit in hits if "text" in hit.scores)
    assert sample_engine.search("pump seal", limit=20) == hits


def test_words_are_marked_where_they_stand_on_a_scan(sample_engine: SearchEngine) -> None:
    hits = sample_engine.search("harbour dues", limit=5)
    ledger = next(hit for hit in hits if hit.document.paths[0].endswith("ledger.tif"))
    assert any(ledger.snippet[a:b].casefold() == "harbour dues" for a, b in ledger.snippet_marks)
    heading = ledger.marks[0]  # both words in one box, above the table
    assert 0.2 < heading.x0 < heading.x1 < 0.6
    assert 0.04 < heading.y0 < heading.y1 < 0.13
    picture = sample_engine.store.picture(ledger.document.id, ledger.page)
    page = Image.open(io.BytesIO(picture)).convert("L")
    edges = [side * share for side, share in zip(page.size * 2, heading, strict=True)]
    assert page.crop(tuple(map(round, edges))).getextrema()[0] < 100  # there is ink


def test_a_page_found_by_meaning_shows_the_passage(sample_engine: SearchEngine) -> None:
    hits = sample_engine.search("electrocution", limit=20)
    manual = next(
        h for h in hits if h.document.paths[0].endswith("pump-manual.pdf") and h.page == 5
    )
    assert "Only a qualified electrician" in manual.snippet
    assert manual.snippet_marks == manual.marks == ()
    by_words = sample_engine.search("electrician", limit=20, views=["lexical"])
    assert any(hit.marks for hit in by_words)


def test_a_smaller_limit_cuts_the_same_list(sample_engine: SearchEngine) -> None:
    assert sample_engine.search("invoice", limit=3) == sample_engine.search("invoice", limit=9)[:3]


def test_a_filter_narrows(sample_engine: SearchEngine) -> None:
    hits = sample_engine.search("the", where=equals("kind", "image"), limit=DEPTH)
    assert {hit.document.kind for hit in hits} == {"image"}


@pytest.mark.parametrize("number", ["0013", "INV-2024/0013", "1,234.56", "1234.56"])
def test_numbers_and_codes_are_found(sample_engine: SearchEngine, number: str) -> None:
    hit = sample_engine.search(number, limit=1)[0]
    assert hit.document.paths[0].endswith("brightwater-INV-2024-0013.pdf")


def test_what_cannot_be_searched_for_is_said(sample_engine: SearchEngine) -> None:
    with pytest.raises(InvalidQuery, match="the query is empty"):
        sample_engine.search("  ")
    with pytest.raises(InvalidQuery, match="holds no word"):
        sample_engine.search("…?!")
    with pytest.raises(InvalidQuery, match="query image"):
        sample_engine.search(image=b"no image")
    with pytest.raises(InvalidQuery, match=r"query image .*absent\.png"):
        sample_engine.search(image="absent.png")
    with pytest.raises(InvalidQuery, match="holds no word"):
        sample_engine.search(image=Image.new("RGB", (200, 200), "white"))
    with pytest.raises(InvalidSetting, match="no such view; it has text, lexical"):
        sample_engine.search("x", views=["visual"])


def test_nothing_is_created_by_looking(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        mmsearch.open(tmp_path / "none", create=False, settings=Settings())
    assert list(tmp_path.iterdir()) == []


def test_another_model_is_refused(tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text('[views.lexical]\nencoder = "bm25"\n')
    settings = Settings(profile=str(profile))
    mmsearch.open(tmp_path / "index", settings=settings).close()
    profile.write_text('[views.lexical]\nencoder = "bm25"\nb = 0.9\n')
    with pytest.raises(ProfileMismatch, match="ingest again into another folder"):
        mmsearch.open(tmp_path / "index", settings=settings)


def test_remove_by_path_folder_and_id(tmp_path: Path) -> None:
    for name in ("a/one.pdf", "a/two.pdf", "b/three.pdf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        builders.write_text_pdf(tmp_path / name, [f"heron {name}"])
    with mmsearch.open(tmp_path / "index", settings=Settings()) as engine:
        ingest.run([tmp_path / "a", tmp_path / "b"], engine)
        assert len(engine.search("heron")) == 3
        engine.remove(str(tmp_path / "b" / "three.pdf"))
        assert len(engine.search("heron")) == 2
        (document,) = [d for d in engine.documents.all() if d.paths[0].endswith("two.pdf")]
        engine.remove(document.id[:12])
        assert [hit.document.title for hit in engine.search("heron")] == ["one"]
        engine.remove(str(tmp_path / "a"))
        assert engine.index.pages.count(Filter()) == 0
        assert list(engine.documents.all()) == []
        assert not list((tmp_path / "index" / "store").rglob("*.jpg"))
        with pytest.raises(NotFound, match="no such document"):
            engine.remove(str(tmp_path / "a"))


def test_every_public_name_can_be_imported() -> None:
    for name in mmsearch.__all__:
        assert getattr(mmsearch, name).__module__.startswith("mmsearch.")
    assert set(mmsearch._HOMES) == set(mmsearch.__all__)
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        _ = mmsearch.absent


def test_a_password_in_a_url_is_not_shown() -> None:
    address = "http://me:secret@127.0.0.1:9/qdrant"
    assert without_password(address) == "http://127.0.0.1:9/qdrant"
    assert without_password("a folder/me@home") == "a folder/me@home"


def test_an_index_that_another_process_made_meanwhile_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, weight in (("one", 0.5), ("two", 0.9)):
        (tmp_path / f"{name}.toml").write_text(f'[views.lexical]\nencoder = "bm25"\nb = {weight}\n')
    settings = Settings(profile=str(tmp_path / "one.toml"))
    with mmsearch.open(tmp_path / "index", settings=settings):
        monkeypatch.setattr("mmsearch.opening._known_info", lambda *_, **__: None)
        with pytest.raises(ProfileMismatch):
            mmsearch.open(tmp_path / "index", profile=str(tmp_path / "two.toml"), settings=settings)
