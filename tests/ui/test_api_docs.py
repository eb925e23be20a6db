"""The examples of docs/api.md are run against a served page."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

import ingest
from tests import builders
from tests.ui.loops import in_thread
from tests.ui.small_archive import open_empty
from ui.doors.tools import TOOLS

DOCS = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:7860"
REPORT = "\n".join(["Revenue by region", *builders.LOREM])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("docs")


@pytest.fixture(scope="module")
def address(folder: Path, serving: Any) -> Iterator[str]:
    """Of a page over an index with a report; `folder` holds what the examples send."""
    report = builders.write_text_pdf(folder / "report.pdf", [REPORT], title="Annual Report 2025")
    builders.write_text_pdf(folder / "minutes.pdf", ["Minutes of a meeting"], title="Minutes")
    with open_empty(folder) as engine:
        assert not ingest.run([report], engine).of("failed")
        id_ = engine.find(str(report))[0].id
        page = Image.open(io.BytesIO(engine.store.picture(id_, 1)))
        width, height = page.size
        page.crop((width // 12, height // 14, width * 4 // 5, height // 3)).save(
            folder / "screenshot.png"
        )
        with serving(engine) as address:
            yield address


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)


def run_python(code: str, address: str) -> None:
    example = compile(code.replace(ADDRESS, address), "docs/api.md", "exec")
    in_thread(exec, example, {})


def run_shell(code: str, address: str, folder: Path) -> str:
    if not shutil.which("curl"):
        pytest.skip("there is no curl")
    code = f"set -euo pipefail\n{code.replace(ADDRESS, address)}"
    done = subprocess.run(
        ["bash", "-c", code], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_search_by_gradio_client_runs(
    address: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    code = examples("python")[0]
    run_python(code, address)
    said = capsys.readouterr().out
    assert "1 Annual Report 2025 page 1 of 1" in said
    assert re.search(r"Annual Report 2025 \[0\.\d+, 0\.\d+, 0\.\d+, 0\.\d+\]", said)
    assert "storm broke two windows" in said
    assert re.search(r"pages/[0-9a-f]{64}/1\.jpg\n", said)
    assert int(said.splitlines()[-1]) >= 1


def test_the_ingestion_by_gradio_client_runs(
    address: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    run_python(examples("python")[1], address)
    assert capsys.readouterr().out == "done 1 []\n"


def test_the_mcp_client_runs(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_python(examples("python")[2], address)
    assert "1. Annual Report 2025, page 1 of 1" in capsys.readouterr().out


def test_the_calls_by_curl_run(address: str, folder: Path) -> None:
    said = run_shell(examples("sh")[0], address, folder).splitlines()
    words, listed, status, image = (json.loads(line)[0] for line in said)
    assert words["hits"][0]["title"] == image["hits"][0]["title"] == "Annual Report 2025"
    assert image["hits"][0]["spot"]
    assert listed["total"] == len(listed["documents"]) >= 1
    assert status["searchable_pages"] >= 1


def test_health_and_metrics_by_curl_run(address: str, folder: Path) -> None:
    said = run_shell(examples("sh")[1], address, folder)
    health, metrics = said.split("}", 1)
    assert health == '{"status":"ok"'
    told = {family.name for family in text_string_to_metric_families(metrics)}
    named = set(re.findall(r"`(mmsearch_\w+?)(?:_total)?(?:\{[^}]*\})?`", DOCS))
    assert named <= {re.sub("_(bucket|sum|count|created|total)$", "", name) for name in told}


def test_every_tool_and_its_parameters_are_documented() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (`.*?) \|", DOCS, re.MULTILINE))
    for name, (_, schema) in TOOLS.items():
        assert set(re.findall(r"`(\w+)`", rows[name])) == set(schema["properties"])
    (config,) = examples("json")
    assert json.loads(config)["mcpServers"]["mmsearch"]["url"] == f"{ADDRESS}/mcp"


def test_every_endpoint_and_parameter_is_documented(address: str) -> None:
    import httpx

    known = httpx.get(f"{address}/gradio_api/info").json()["named_endpoints"]
    for name, endpoint in known.items():
        section = DOCS.split(f"### {name[1:]}\n")[1].split("\n### ")[0]
        for parameter in endpoint["parameters"]:
            assert f"`{parameter['parameter_name']}`" in section, name
