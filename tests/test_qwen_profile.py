"""A profile of pictures and a reranker, the whole way: files in, words or an image, ranked pages.

The checkpoints are tiny and random: what is found means nothing, how it is found does.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ingest
import mmsearch
from mmsearch import cli, filters
from mmsearch.config import Settings
from mmsearch.encoders import PageContent
from mmsearch.engine import SearchEngine
from mmsearch.errors import MissingModel, ProfileMismatch
from mmsearch.filters import Filter, HasVector
from mmsearch.types import Query
from tests import builders
from tests.model_server import ModelServer

ROOT = Path(__file__).parents[1]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
TOKENS = 256
PROFILE = """tokens_per_page = {tokens}
[views.visual]
encoder = "qwen3-vl"
model = "{embedding}"
dimension = {dimension}
[views.lexical]
encoder = "bm25"
weight = 0.5
[reranker]
reranker = "qwen3-vl"
model = "{reranker}"
"""
FILES = (
    "invoices/brightwater-INV-2024-0013.pdf",
    "pictures/lighthouse.jpg",
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "mmsearch.cli", *map(str, arguments)]


def run(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The same in this process, which has loaded torch already."""

    def run_(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        words = [*map(str, arguments)]
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["mmsearch", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return subprocess.CompletedProcess(words, ended.value.code or 0, told.out, told.err)  # type: ignore[arg-type]

    return run_


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done
    (line,) = done.stderr.splitlines()
    assert line.startswith("mmsearch: ")
    return line


@pytest.fixture(scope="module")
def place(
    tiny: Callable[..., Path], sample_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> SimpleNamespace:
    """A folder with files, checkpoints of its own, a profile, and an index by the command line."""
    folder = tmp_path_factory.mktemp("qwen")
    corpus = folder / "corpus"
    corpus.mkdir()
    for name in FILES:
        shutil.copy2(sample_dir / "corpus" / name, corpus)
    builders.write_text_pdf(corpus / "boats.pdf", ["a red boat", "a blue boat", "an oar"])
    shutil.copytree(tiny("embedding"), folder / "eyes")
    profile = folder / "tiny.toml"
    text = {
        "tokens": TOKENS,
        "embedding": "eyes",
        "dimension": 64,
        "reranker": tiny("reranker"),
    }
    profile.write_text(PROFILE.format(**text))
    done = run(folder, "ingest", corpus, "--profile", profile, "--index", "index", "--json")
    assert {row["status"] for row in rows(done) if row["event"] == "file"} == {"done"}
    return SimpleNamespace(
        folder=folder,
        corpus=corpus,
        profile=profile,
        index=folder / "index",
        text=text,
        shot=sample_dir / "screenshots" / "slide-6.jpg",
    )


@pytest.fixture(scope="module")
def engine(place: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A copy of that index, open in this process."""
    copy = tmp_path_factory.mktemp("copy") / "index"
    shutil.copytree(place.index, copy, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))
    with mmsearch.open(copy, profile=str(place.profile), settings=Settings()) as engine:
        yield engine


def keys(found: list[Any]) -> list[str]:
    return [candidate.point for candidate in found]


# By the command line


def test_words_are_found_by_both_views_and_reranked(place: SimpleNamespace) -> None:
    found = rows(run(place.folder, "search", "boat", "--index", "index", "--json"))
    assert any(row["scores"].keys() >= {"visual", "lexical", "rerank"} for row in found)
    assert all("rerank" in row["scores"] for row in found)
    scores = [row["scores"]["rerank"] for row in found]
    assert scores == sorted(scores, reverse=True)
    assert [row["score"] for row in found] == scores


def test_an_image_with_words_is_found_and_only_the_candidates_are_reranked(
    place: SimpleNamespace, inside: Run
) -> None:
    asked = ("search", "boat", "--image", place.shot, "--index", "index", "--json")
    found = rows(inside(place.folder, *asked, "--candidates", "2"))
    assert ["rerank" in row["scores"] for row in found] == [True] * 2 + [False] * (len(found) - 2)
    assert all("visual" in row["scores"] for row in found)
    assert [row["score"] for row in found] == sorted((r["score"] for r in found), reverse=True)


def test_status_names_the_models_with_their_revisions(place: SimpleNamespace, inside: Run) -> None:
    (known,) = rows(inside(place.folder, "status", "--index", "index", "--json"))
    assert known["profile"] == "tiny"
    name, revision = known["models"]["visual"].split("@")
    assert name == "eyes"
    assert len(revision.removesuffix("/64")) == 12
    assert "@" in known["models"]["rerank"]
    assert known["vectors"]["visual"] == known["pages"] == known["searchable_pages"]


def test_the_profiles_models_pass_the_check(place: SimpleNamespace, inside: Run) -> None:
    done = inside(place.folder, "models", "check", place.profile)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": fine, ") == 2


def test_a_second_ingest_skips_every_file(place: SimpleNamespace, inside: Run) -> None:
    done = rows(inside(place.folder, "ingest", place.corpus, "--index", "index", "--json"))
    done = [row for row in done if row["event"] == "file"]
    assert {row["status"] for row in done} == {"skipped"}
    assert {row["reason"] for row in done} == {"unchanged"}


def test_without_the_checkpoint_only_searching_fails(
    place: SimpleNamespace, tmp_path: Path, inside: Run
) -> None:
    copy = tmp_path / "index"
    shutil.copytree(place.index, copy, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))
    (place.folder / "eyes").rename(place.folder / "away")
    try:
        assert "eyes" in one_line(inside(tmp_path, "search", "boat", "--index", copy))
        with mmsearch.open(copy, settings=Settings()) as engine:
            with pytest.raises(MissingModel):
                engine.search("boat")
            with pytest.raises(MissingModel):
                ingest.run([place.corpus], engine)
            assert engine.status()["models"]["visual"].startswith("eyes@")
        assert len(rows(inside(tmp_path, "list", "--index", copy, "--json"))) == len(FILES) + 1
        assert rows(inside(tmp_path, "status", "--index", copy, "--json"))
        assert rows(
            inside(tmp_path, "remove", place.corpus / "boats.pdf", "--index", copy, "--json")
        )
    finally:
        (place.folder / "away").rename(place.folder / "eyes")


@pytest.mark.parametrize("changed", ["tokens", "instruction", "checkpoint"])
def test_another_model_or_budget_is_refused_in_one_line(
    place: SimpleNamespace, changed: str
) -> None:
    config = place.folder / "eyes" / "config.json"
    before, settings = place.profile.read_text(), config.read_text()
    try:
        match changed:
            case "tokens":
                place.profile.write_text(PROFILE.format(**place.text | {"tokens": 300}))
            case "instruction":
                place.profile.write_text(
                    before.replace("[views.lex", 'page_instruction="x"\n[views.lex')
                )
            case _:
                config.write_text(settings + "\n")
        with pytest.raises(ProfileMismatch) as refused:
            mmsearch.open(place.index, settings=Settings())
        assert "\n" not in str(refused.value)
        assert "--index NEW" in str(refused.value)
    finally:
        place.profile.write_text(before)
        config.write_text(settings)


def test_an_ingestion_that_was_killed_is_finished_by_the_next(
    place: SimpleNamespace, tmp_path: Path
) -> None:
    index = tmp_path / "index"
    process = subprocess.Popen(
        command("ingest", place.corpus, "--profile", place.profile, "--index", index),
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 100
    while not list(index.glob("store/*/*/*.jpg")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    with mmsearch.open(index, settings=Settings()) as engine:
        pages = engine.index.pages
        assert ingest.run([place.corpus], engine).of("failed") == []
        assert pages.count(Filter()) >= 5
        assert pages.count(Filter(must=(HasVector("visual"),))) == pages.count(Filter())


# From Python


def test_stored_pictures_keep_to_the_budget(engine: SearchEngine) -> None:
    for point in engine.index.pages.scroll(Filter(), payload=["document", "number"]):
        jpeg = engine.store.picture(point.payload["document"], point.payload["number"])
        with Image.open(io.BytesIO(jpeg)) as picture:
            assert picture.width * picture.height <= TOKENS * 1024


def test_the_steps_of_a_search_make_the_search(engine: SearchEngine) -> None:
    query = engine.query("boat")
    found = engine.candidates(query)
    by_steps = engine.hits(query, engine.rerank(query, found)[:3])
    at_once = engine.search("boat", limit=3)
    assert [(hit.document.id, hit.page) for hit in by_steps] == [
        (hit.document.id, hit.page) for hit in at_once
    ]
    plain = engine.hits(query, found[:3])
    assert plain == engine.search("boat", limit=3, rerank=False)
    assert not any("rerank" in hit.scores for hit in plain)


def test_a_screenshot_is_found_with_its_spot_without_a_view_for_it(engine: SearchEngine) -> None:
    (invoice,) = [d for d in engine.documents.all() if "brightwater" in d.paths[0]]
    page = Image.open(io.BytesIO(engine.store.picture(invoice.id, 1)))
    box = (0.1, 0.1, 0.9, 0.5)
    edges = [part * side for part, side in zip(box, page.size * 2, strict=True)]
    best = engine.search(image=page.crop(tuple(map(round, edges))), limit=1)[0]
    assert (best.document.id, best.page) == (invoice.id, 1)
    assert best.match and best.box
    assert all(abs(ours - true) < 0.02 for ours, true in zip(best.box, box, strict=True))


def test_pages_that_are_not_reranked_follow_with_lower_scores(engine: SearchEngine) -> None:
    found = engine.candidates(engine.query("boat"))
    ranked = engine.rerank(engine.query("boat"), found, 2)
    assert set(keys(ranked[:2])) == set(keys(found[:2]))
    assert keys(ranked[2:]) == keys(found[2:])
    scores = [candidate.score for candidate in ranked]
    assert scores == sorted(scores, reverse=True)
    assert scores[1] > scores[2]
    assert len(engine.search("boat", limit=5, rerank=1)) == 5


class Even:
    """Finds every page as good as the other."""

    reads = "text"
    candidates = 20
    identity = "even"

    def score(self, query: object, pages: list[Any]) -> list[float | None]:
        return [0.5] * len(pages)


def test_pages_of_equal_scores_keep_their_order(engine: SearchEngine) -> None:
    even = SearchEngine(
        engine.index, engine.profile, engine.encoders, engine.store, engine.settings, Even()
    )
    found = even.candidates(even.query("boat"))
    assert keys(even.rerank(even.query("boat"), found)) == keys(found)


def test_one_view_alone_and_a_filter_narrow_the_search(engine: SearchEngine) -> None:
    hits = engine.search("boat", views=["visual"])
    assert all({"visual", "rerank"} <= hit.scores.keys() for hit in hits)
    assert not any("lexical" in hit.scores for hit in hits)
    document = next(hit.document for hit in hits if hit.document.title)
    only = engine.search("boat", where=filters.equals("document", document.id))
    assert only
    assert {hit.document.id for hit in only} == {document.id}


def test_words_and_an_image_are_one_input_or_with_a_weight_two_lists(engine: SearchEngine) -> None:
    image, views = Image.new("RGB", (64, 64), "red"), ["visual"]

    def seen(query: Query, view: str = "visual") -> dict[str, float]:
        found = engine.candidates(query, views=views)
        return {candidate.point: candidate.scores[view] for candidate in found}

    words, alone = Query("boat"), Query(image=image)
    apart = Query("boat", image, image_weight=0.25)
    assert seen(apart) == seen(words)
    assert seen(apart, "visual.image") == seen(alone)
    joint = seen(Query("boat", image))
    assert joint.keys() == seen(words).keys()
    assert all(joint[point] not in (seen(words)[point], seen(alone)[point]) for point in joint)


def test_with_a_weight_the_reranker_judges_words_and_image_apart(engine: SearchEngine) -> None:
    image = Image.new("RGB", (64, 64), "red")
    asked = engine.query("boat", image=image, image_weight=0.25, repair=False)
    hits = engine.answer(asked, views=["visual"], rerank=2)
    pages = [
        PageContent(picture=engine.store.picture(hit.document.id, hit.page)) for hit in hits[:2]
    ]
    assert engine.reranker
    words, alone = (
        np.array(engine.reranker.score(query, pages)) for query in (Query("boat"), Query("", image))
    )
    assert not np.allclose(words, alone)
    assert [hit.score for hit in hits[:2]] == pytest.approx(0.75 * words + 0.25 * alone)
    assert ["rerank" in hit.scores for hit in hits] == [True] * 2 + [False] * (len(hits) - 2)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.browser
def test_the_page_answers_words_and_a_screenshot(
    engine: SearchEngine,
    place: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from fastapi.testclient import TestClient

    from ui.site import create_site

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with TestClient(create_site(engine), base_url="http://127.0.0.1:7860") as client:

        def search(text: str, image: object = None) -> list[Any]:
            asked = {"text": text, "image": image}
            called = client.post("/gradio_api/call/v2/search", json=asked)
            told = client.get(f"/gradio_api/call/search/{called.json()['event_id']}").text
            found = json.loads(told.rsplit("data: ", 1)[1])[0]
            return list(found["hits"])

        assert search("boat")
        sent = client.post(
            "/gradio_api/upload", files={"files": ("shot.jpg", place.shot.read_bytes())}
        )
        image = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
        assert search("", image)


# It changes the copy, so it comes last of those that use it.


def test_a_document_that_is_removed_meanwhile_is_left_out(
    engine: SearchEngine, place: SimpleNamespace
) -> None:
    query = engine.query("boat")
    found = engine.candidates(query)
    (gone,) = engine.remove(str(place.corpus / "boats.pdf"))
    hits = engine.hits(query, engine.rerank(query, found))
    assert hits
    assert gone.id not in {hit.document.id for hit in hits}
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


# With the models elsewhere


def test_the_main_profile_works_with_its_models_at_services(
    sample_dir: Path, tmp_path: Path
) -> None:
    builders.write_text_pdf(tmp_path / "boats.pdf", ["a red boat", "a blue boat"])
    with (
        ModelServer("vllm", "Qwen/Qwen3-VL-Embedding-2B") as eyes,
        ModelServer("vllm", "Qwen/Qwen3-VL-Reranker-2B") as judge,
    ):
        settings = Settings(
            encoder_service="vllm",
            encoder_url=eyes.url,
            reranker_service="vllm",
            reranker_url=judge.url,
        )
        with mmsearch.open(tmp_path / "index", profile="qwen3-vl-2b", settings=settings) as engine:
            assert ingest.run([tmp_path / "boats.pdf"], engine).of("failed") == []
            assert engine.status()["vectors"]["visual"] == 2
            hits = engine.search("red boat")
            assert all({"visual", "lexical", "rerank"} <= hit.scores.keys() for hit in hits)
            assert len(hits) == 2
            stored = [engine.store.picture(hit.document.id, hit.page) for hit in hits]
            shown = engine.search(image=stored[1], rerank=True)
            assert {"visual", "rerank"} <= set(shown[0].scores)
            assert "rerank" not in engine.search(image=stored[1])[0].scores
    assert judge.requests
