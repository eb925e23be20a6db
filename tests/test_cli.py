"""The command line as a person runs it: a process of its own, exit code, stdout, stderr."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ingest
import mmsearch
from mmsearch.config import Settings
from mmsearch.engine import SearchEngine
from tests import builders

ROOT = Path(__file__).parents[1]
WORDS = '[views.lexical]\nencoder = "bm25"\n'  # a profile without a model
HEAVY = {"torch", "transformers", "sentence_transformers", "qdrant_client", "gradio"}

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `mmsearch ARGUMENTS` in an empty folder."""

    def run_(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mmsearch.cli", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run_


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def files(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What became of each file of a run."""
    return [row for row in rows(done) if row["event"] == "file"]


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The only line of stderr of a command that failed in a way that is explained."""
    assert done.returncode == 1, done
    (line,) = done.stderr.splitlines()
    assert line.startswith("mmsearch: ")
    return line


@pytest.fixture
def index(sample_engine: SearchEngine) -> str:
    """The sample index, held by this process: commands reach it through its socket."""
    return sample_engine.index.address


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of one page by words alone, which nobody holds."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "words.toml").write_text(WORDS)
    settings = Settings(profile=str(folder / "words.toml"), workers=1)
    with mmsearch.open(folder / "index", settings=settings) as engine:
        ingest.run([builders.write_text_pdf(folder / "a.pdf", ["words"])], engine)
    return folder / "index"


@pytest.fixture
def own_index(made: Path, tmp_path: Path) -> Path:
    """A copy of it where commands look for an index that is not named."""
    return shutil.copytree(made, tmp_path / "mmsearch-index", symlinks=True)


def test_search_prints_one_json_object_a_hit(run: Run, index: str) -> None:
    done = run("search", "INV-2024/0013", "--index", index, "--limit", "3", "--json")
    assert done.returncode == 0, done.stderr
    first = rows(done)[0]
    assert first.keys() >= {
        "rank", "score", "document", "title", "paths", "page", "kind", "snippet", "box",
    }  # fmt: skip
    assert first["rank"] == 1
    assert first["box"] is None
    assert "0013" in first["snippet"]


def test_search_by_screenshot(run: Run, index: str, sample_dir: Path) -> None:
    truth = json.loads((sample_dir / "truth.json").read_text())["screenshots"]
    for shot in truth:
        done = run(
            "search",
            "--image",
            sample_dir / "screenshots" / shot["file"],
            "--index",
            index,
            "--json",
        )
        hit = rows(done)[0]
        assert hit["paths"][0].endswith(shot["path"])
        assert hit["page"] == shot["page"]


def test_search_by_words_and_several_screenshots(run: Run, index: str, sample_dir: Path) -> None:
    shots = json.loads((sample_dir / "truth.json").read_text())["screenshots"][:2]
    files = [sample_dir / "screenshots" / shot["file"] for shot in shots]
    asked = ("search", "pump seal", "--image", files[0], "--image", files[1], "--index", index)
    for weight, first in (("0.2", {(s["path"], s["page"]) for s in shots}), ("0", set())):
        found = rows(run(*asked, "--image-weight", weight, "--json"))
        very = {("/".join(Path(r["paths"][0]).parts[-2:]), r["page"]) for r in found if r["match"]}
        assert very == first
        assert all(row["match"] for row in found[: len(first)])


def test_results_on_stdout_for_people(run: Run, index: str) -> None:
    done = run("search", "revenue by region", "--index", index)
    assert done.returncode == 0
    assert "page" in done.stdout.splitlines()[0]
    assert done.stderr == ""


def test_list_and_status_from_a_second_process(run: Run, index: str) -> None:
    listed = rows(run("list", "--index", index, "--json"))
    assert {row["state"] for row in listed} == {"done"}
    (known,) = rows(run("status", "--index", index, "--json"))
    assert known["documents"] == {"done": len(listed)}
    assert known["pages"] == known["searchable_pages"] == sum(row["pages"] for row in listed)


def test_ingest_reports_every_file(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    builders.write_text_pdf(folder / "good.pdf", ["the quick brown fox"])
    (folder / "empty.pdf").touch()
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    (folder / "notes.xyz").write_text("not for us")
    done = run("ingest", folder, tmp_path / "absent.pdf", "--json")
    assert done.returncode == 1
    by_name = {Path(row["path"]).name: row for row in files(done)}
    assert by_name["good.pdf"]["status"] == "done"
    assert by_name["good.pdf"]["pages"] == 1
    assert by_name["good.pdf"]["reason"] is None
    assert by_name["empty.pdf"]["status"] == by_name["broken.pdf"]["status"] == "failed"
    assert "is empty" in by_name["empty.pdf"]["reason"]
    assert "no such file" in by_name["absent.pdf"]["reason"]
    assert by_name["notes.xyz"] == {
        "event": "file",
        "path": str(folder / "notes.xyz"),
        "status": "skipped",
        "pages": 0,
        "document": None,
        "reason": "unsupported type .xyz",
    }
    hits = rows(run("search", "brown fox", "--json"))
    assert [Path(hit["paths"][0]).name for hit in hits] == ["good.pdf"]
    again = run("ingest", folder / "good.pdf", "--json")
    assert again.returncode == 0
    assert files(again)[0]["reason"] == "unchanged"


def test_removed_and_compacted_leaves_no_word_behind(run: Run, tmp_path: Path) -> None:
    marker = "xylophonezebra"
    folder = tmp_path / "files"
    folder.mkdir()
    builders.write_text_pdf(folder / "secret.pdf", [f"the {marker} is here"])
    builders.write_text_pdf(folder / "other.pdf", ["something else that stays"])
    (tmp_path / "words.toml").write_text(WORDS)
    assert run("ingest", folder, "--profile", "words.toml").returncode == 0
    assert rows(run("search", marker, "--json"))[0]["paths"] == [str(folder / "secret.pdf")]
    assert run("remove", folder / "secret.pdf").returncode == 0
    assert run("compact").returncode == 0
    files = [path for path in (tmp_path / "mmsearch-index").rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if marker.encode() in path.read_bytes()] == []
    assert [Path(r["paths"][0]).name for r in rows(run("list", "--json"))] == ["other.pdf"]
    assert not any(marker in hit["snippet"] for hit in rows(run("search", marker, "--json")))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "  "], "the query is empty"),
        (["search", "?!"], "holds no word"),
        (["search", "--image", "README.md"], "query image"),
        (["search", "x", "--index", "nowhere"], "nowhere: there is no index; make one"),
        (["search", "x", "--index", "http://127.0.0.1:9"], "127.0.0.1:9"),
        (["search", "x", "--where", "kind=word"], "kind is one of pdf, image, slides"),
        (["list", "--where", "page=3"], "fields are kind, path"),
        (["list", "--state", "odd"], "allowed are pending, done, failed, skipped"),
        (["ingest", "x", "--profile", "magic", "--index", "new"], "no such profile; shipped: lite"),
        (["remove", "nothing.pdf"], "no such document"),
        (["eval", "--queries", "none", "--qrels", "none"], "none: cannot be read"),
    ],
)
def test_bad_input_is_one_clear_line(
    run: Run, index: str, arguments: list[str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "README.md").write_text("no image")
    if "--index" not in arguments:
        arguments = [*arguments, "--index", index]
    assert said in one_line(run(*arguments))


def test_search_is_narrowed_grouped_and_turned_over(run: Run, index: str) -> None:
    asked = ("search", "the", "--index", index, "--json", "--where", "kind=pdf", "--limit", "4")
    first, second = rows(run(*asked)), rows(run(*asked, "--page", "2"))
    assert [hit["rank"] for hit in first + second] == list(range(1, 9))
    assert {hit["kind"] for hit in first + second} == {"pdf"}
    assert len({(hit["document"], hit["page"]) for hit in first + second}) == 8
    groups = rows(run(*asked, "--group"))
    assert len({hit["document"] for hit in groups}) == 4
    assert max(hit["more"] for hit in groups) == max(len(hit["more_pages"]) for hit in groups) > 0
    shown = run("search", "revenue", "--index", index, "--group", "--limit", "1").stdout
    assert "7 more pages: " in shown
    behind = run("search", "the", "--index", index, "--page", "99")
    assert (behind.returncode, behind.stdout) == (0, "")
    assert "nothing more" in behind.stderr


def test_facets_are_counted(run: Run, index: str) -> None:
    counted = rows(run("facets", "--where", "folder=reports", "--index", index, "--json"))
    assert {"facet": "kind", "value": "pdf", "pages": 8} in counted
    assert {row["value"] for row in counted if row["facet"] == "folder"} == {"reports"}
    shown = run("facets", "revenue", "--index", index).stdout.splitlines()
    assert "kind" in shown
    assert any(line.split()[1:] == ["pdf"] for line in shown)


def test_tags_are_set_while_another_process_holds_the_index(run: Run, own_index: Path) -> None:
    with mmsearch.open(own_index, settings=Settings()) as engine:
        (tagged,) = rows(
            run("tag", own_index.parents[1], "--add", "to pay", "--add", "b", "--json")
        )
        assert tagged["tags"] == ["b", "to pay"]
        assert len(engine.search("words", where="tag='to pay' path=a.pdf")) == 1
        shown = run("tag", tagged["document"][:8], "--remove", "b").stdout
        assert shown.endswith("a.pdf: to pay\n")
        assert engine.search("words", where="tag=b") == []
        (listed,) = rows(run("list", "--where", "tag!=b", "--json"))
        assert listed["tags"] == ["to pay"]


def test_words_need_no_quotes(run: Run, index: str) -> None:
    quoted = rows(run("search", "revenue by region", "--index", index, "--json"))
    assert rows(run("search", "revenue", "by", "region", "--index", index, "--json")) == quoted


def test_an_ocr_language_that_is_not_installed_is_named(run: Run, tmp_path: Path) -> None:
    if shutil.which("tesseract") is None:
        pytest.skip("Tesseract is not installed")
    builders.write_scan_pdf(tmp_path / "scan.pdf", [builders.page_image(["words on a scan"])])
    settings = {"MMSEARCH_OCR": "tesseract", "MMSEARCH_OCR_LANGUAGES": "xyz"}
    done = run("ingest", "scan.pdf", "--json", **settings)
    assert done.returncode == 0
    assert "apt install tesseract-ocr-xyz" in files(done)[0]["failed_pages"]["1"]


def test_usage_errors_exit_2(run: Run) -> None:
    assert run("search", "--no-such-option").returncode == 2
    assert run("nonsense").returncode == 2


def test_a_traceback_only_with_debug(run: Run, index: str) -> None:
    assert "Traceback" in run("--debug", "search", "", "--index", index).stderr
    assert "Traceback" not in run("search", "", "--index", index).stderr


def test_another_profile_is_refused(run: Run, index: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(WORDS)
    line = one_line(run("ingest", "x", "--profile", "mine.toml", "--index", index))
    assert "made with profile 'lite', not '" in line


def test_an_index_of_another_format_is_refused(run: Run, own_index: Path) -> None:
    path = own_index / "current" / "format.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    assert "index format 99, this mmsearch reads 4" in one_line(run("search", "words"))


def test_a_foreign_folder_is_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    line = one_line(run("ingest", "x.pdf", "--index", "mine"))
    assert "mine: not an index, and not empty (thesis.txt)" in line
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


def test_a_stale_lock_and_socket_do_not_matter(run: Run, own_index: Path) -> None:
    (own_index / "index.lock").write_text("999999\n")
    (own_index / "index.sock").touch()
    assert len(rows(run("search", "words", "--json"))) == 1


def test_a_foreign_lock_is_named(run: Run, own_index: Path) -> None:
    import fcntl

    with (own_index / "index.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("4242\n")
        held.flush()
        assert "in use by another process (pid 4242)" in one_line(run("search", "words"))


def test_eval_prints_the_figures_and_writes_run_and_report(
    run: Run, index: str, sample_dir: Path, tmp_path: Path
) -> None:
    truth = json.loads((sample_dir / "truth.json").read_text())["queries"]
    queries = [{"id": str(n), "text": row["text"]} for n, row in enumerate(truth)]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    judged = (f"{n}\t{row['path']}#{row['page']}\t1\n" for n, row in enumerate(truth))
    (tmp_path / "r.tsv").write_text("".join(judged))
    done = run(
        "eval", "--queries", "q.jsonl", "--qrels", "r.tsv", "--run", "run.tsv",
        "--report", "out.html", "--index", index, "--json",
    )  # fmt: skip
    (figures,) = rows(done)
    assert figures["queries"] == len(truth)
    assert figures["hit@1"] >= 0.9
    assert figures["ms/query"] > 0
    assert len((tmp_path / "run.tsv").read_text().splitlines()) > len(truth)
    assert done.stderr.splitlines() == ["report: out.html"]
    html = (tmp_path / "out.html").read_text()
    assert f"<td>{figures['nDCG@10']:.4f}</td>" in html  # as it is printed
    assert html.count("<article>") == len(truth)
    assert html.count("<img") == 6 * len(truth)  # an expected page and five that were found
    missing = run(
        "eval", "--queries", "x", "--qrels", "x", "--report", "x/o.html", "--index", index
    )
    assert "--report x/o.html: cannot be written" in one_line(missing)  # and not that of `x`


@pytest.mark.parametrize("command", ["help", "search", "ingest"])
def test_no_heavy_package_is_imported(command: str, index: str, tmp_path: Path) -> None:
    builders.write_text_pdf(tmp_path / "a.pdf", ["words"])
    arguments = {
        "help": ["--help"],
        "search": ["search", "revenue", "--index", index],
        "ingest": ["ingest", "a.pdf"],
    }[command]
    code = (
        "import sys; sys.argv[0] = 'mmsearch'; from mmsearch.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end\n"
        "print('\\n' + ' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(done.stdout.splitlines()[-1].split())
    assert "mmsearch.cli" in imported
    assert not imported & HEAVY
    if command == "help":
        assert not imported & {"numpy", "PIL", "onnxruntime", "fsspec"}
