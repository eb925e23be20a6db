"""The scripts behind the figures run, and end in one JSON object."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from bench import photos, ui_load
from tests import builders, drawings

ROOT = Path(__file__).parents[1]


def bench(name: str, *arguments: str | Path) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", *map(str, arguments), "--json"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return figures


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A collection of three documents."""
    docs = [
        {"id": "1", "title": "Herons", "text": "A heron stands in the river."},
        {"id": "2", "title": "Otters", "text": "An otter dives below the bridge."},
        {"id": "3", "title": "Pumps", "text": "The pump seal leaks."},
    ]
    queries = [{"id": "a", "text": "heron in a river"}, {"id": "b", "text": "leaking seal"}]
    for name, rows in (("docs", docs), ("queries", queries)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "qrels.tsv").write_text("a\t1\t1\nb\t3\t1\n")
    return tmp_path


@pytest.mark.slow
def test_texts_are_found_clean_and_as_poor_scans(texts: Path) -> None:
    table = bench("quality", texts, "--scans")
    assert [*table] == [texts.name, f"{texts.name}, sample", f"{texts.name}, scans"]
    for figures in table.values():
        assert isinstance(figures, dict)
        assert figures["all"]["hit@1"] == figures["lexical"]["hit@1"] == 1.0
        assert figures["confidence"]["not weak"] == 1.0


@pytest.mark.slow
def test_searches_are_timed() -> None:
    figures = bench("latency", "--pages", "120", "--queries", "4")
    timed = [row for row in figures.values() if isinstance(row, dict)]
    assert len(timed) == 8  # four requests, before and after optimising
    assert all(0 < row["p50"] <= row["p95"] for row in timed)


@pytest.mark.slow
def test_fusions_are_compared(texts: Path) -> None:
    (figures,) = bench("fusion", texts).values()
    assert figures["lexical alone"]["hit@1"] == 1.0  # type: ignore[index]


@pytest.mark.slow
def test_ingestion_is_timed_against_its_rivals(tmp_path: Path) -> None:
    lines = [
        f"line {n} of the harbour ledger names seven ships and one lighthouse" for n in range(44)
    ]
    builders.write_text_pdf(tmp_path / "a.pdf", ["\n".join(lines)] * 2)
    table = bench("ingest", tmp_path / "a.pdf", "--pages", "2")
    assert table.keys() == {"born", "vectors", "scans", "hard"}
    for figures in table.values():
        assert isinstance(figures, dict)
        assert figures["pages/s"] > 0
    assert table["scans"]["recall"] > 0.9  # type: ignore[index]


@pytest.mark.slow
@pytest.mark.parametrize("scans", [False, True])
def test_screenshots_are_cut_and_looked_for(tmp_path: Path, scans: bool) -> None:
    chance = random.Random(1)
    letters = "abcdefghijklmnop   "
    pages = ["\n".join("".join(chance.choices(letters, k=60)) for _ in range(48)) for _ in range(4)]
    builders.write_text_pdf(tmp_path / "book.pdf", pages)
    options = ["--count", "8", *(["--scans", "--ocr", "off"] if scans else [])]
    figures = bench("screenshots", tmp_path, *options)["text"]
    assert figures["n"] > 1  # type: ignore[index]
    assert figures["rank1"] == 1  # type: ignore[index]
    assert figures["iou"] > 0.9  # type: ignore[index]


@pytest.mark.slow
def test_memory_is_compared_over_a_run(tmp_path: Path) -> None:
    figures = bench("soak", "--pages", "600", "--mark", "100", "--folder", tmp_path)
    assert figures["pages"] == 600
    assert 0 < float(str(figures["encoding MB at end"])) < 4000


@pytest.mark.slow
def test_cold_starts_are_timed() -> None:
    figures = bench("cold")
    assert 0 < float(str(figures["--help"])) < float(str(figures["search"]))


@pytest.mark.slow
def test_gpu() -> None:
    pytest.importorskip("dashscope", reason="the tokenizer is made from a data file of it")
    figures = bench("gpu", "--tokens", "256", "--pages", "2", "--close", "4", "--rounds", "1")
    rows = figures["rows"]
    assert isinstance(rows, list)
    assert {row["what"] for row in rows} == {"embedding", "reranking", "closeness"}
    (close,) = [row for row in rows if row["path"] == "fast against exact"]
    assert close["error"] < 0.05
    assert close["kendall"] >= 0.95


@pytest.mark.slow
def test_sizes(tmp_path: Path) -> None:
    builders.write_text_pdf(tmp_path / "a.pdf", ["one", "two", "three"])
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    (row,) = bench("sizes", tmp_path, "--tokens", "256")["rows"]  # type: ignore[misc]
    assert row == {"tokens": 256, "pages": 3, "sizes": 1, "top8": 1.0}


def test_every_class_that_photos_are_asked_for_is_known() -> None:
    asked = photos.everyday()
    assert len(asked) > 100
    assert all(ids for _, ids in asked)
    dogs = dict(asked)["a dog"]
    assert len(dogs) > 100


@pytest.mark.slow
def test_photos_are_found_by_name_and_by_everyday_words(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    drawn = {"n02708093": drawings.clock(), "n04275548": drawings.cobweb()}
    for name, picture in drawn.items():
        picture.save(tmp_path / "images" / f"{name}_told.png")
    queries = {"n02708093": "a photo of an analog clock", "n04275548": "a photo of a spider web"}
    rows = [json.dumps({"id": id_, "text": text}) for id_, text in queries.items()]
    (tmp_path / "queries.jsonl").write_text("\n".join(rows))
    figures = bench("photos", tmp_path, "--unrelated", tmp_path / "queries.jsonl")
    assert figures["with labels"] == 2
    assert figures["labels, labels"] == {"queries": 2, "hit@1": 1.0, "hit@5": 1.0}
    assert figures["everyday words, labels"]["hit@1"] == 1.0  # type: ignore[index]
    assert figures["unrelated, best score"] == figures["labels, best score"]


def test_pages_made_for_visitors_have_text_as_files_and_none_as_scans(tmp_path: Path) -> None:
    import pypdfium2

    ui_load.write_pdfs(tmp_path / "drawn", 7, seed=1)
    ui_load.write_scans(tmp_path / "drawn", tmp_path / "scans")
    for folder, has_text in (("drawn", True), ("scans", False)):
        texts = []
        for file in sorted((tmp_path / folder).iterdir()):
            with pypdfium2.PdfDocument(file) as pdf:
                texts += [page.get_textpage().get_text_bounded() for page in pdf]
        assert len(set(texts)) == (7 if has_text else 1)
        assert len(texts) == 7
        assert all(bool(text) == has_text for text in texts)


def test_what_begins_in_the_warm_up_is_not_counted() -> None:
    log = ui_load.Log()
    log.took["words"] = [(5.0, 9.0)] + [(10.0 + n, n / 100) for n in range(100)]
    log.memory = [(float(at), 100 if at < 60 else 110, 200) for at in range(111)]
    with log.timed("words"):
        raise ValueError("no answer")
    figures = ui_load.measured(log, 10.0, 110.0)
    assert figures["words"] == 100
    assert figures["words p95 ms"] == pytest.approx(950)
    assert figures["words max ms"] == pytest.approx(990)
    assert figures["own MB growth"] == pytest.approx(0.1)
    assert log.failures == ["words: ValueError: no answer"]


@pytest.mark.slow
def test_visitors_of_the_page_are_answered_while_it_reads() -> None:
    options = "--pages 30 --visitors 3 --seconds 15 --warmup 5 --think 1 --screenshots 0.4"
    figures = bench("ui_load", *options.split())
    assert figures["errors"] == 0
    assert figures["found"] == 1
    for kind in ("words", "screenshots", "thumbnails"):
        assert float(str(figures[kind])) > 0
        assert 0 < float(str(figures[f"{kind} p50 ms"])) <= float(str(figures[f"{kind} max ms"]))
