"""The page within another application, as docs/serving.md shows it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import mmsearch
from mmsearch.config import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "serving.md").read_text(encoding="utf-8")
WORDS = '[views.lexical]\nencoder = "bm25"\n'  # a profile without a model


def test_the_example_of_an_application_around_the_page_runs(
    tmp_path: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = re.findall(r"```python\n(from fastapi .*?)```", PAGE, re.DOTALL)
    (tmp_path / "words.toml").write_text(WORDS)
    monkeypatch.chdir(tmp_path)
    mmsearch.open("reports", settings=Settings(profile="words.toml")).close()
    names: dict[str, Any] = {"__name__": "example"}
    exec(example, names)
    with names["engine"], TestClient(names["application"], "http://localhost") as client:
        closed = ["/search/", "/search/gradio_api/info", "/search/mcp/", "/search/metrics"]
        assert [client.get(path).status_code for path in closed] == [401] * 4
        client.cookies["token"] = next(iter(names["TOKENS"]))
        page = client.get("/search/")
        assert page.status_code == 200
        assert "<gradio-app" in page.text
        assert client.get("/search/gradio_api/info").status_code == 200
        assert client.get("/search/metrics").status_code == 200
