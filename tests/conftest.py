"""What the whole suite shares: the samples, an engine over them, the time each area took."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

import ingest
import mmsearch
from mmsearch.config import Settings
from mmsearch.engine import SearchEngine

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

AREAS = {
    "encoders": "models",
    "rerankers": "models",
    "qwen3_vl": "models",
    "golden": "models",
    "test_models.py": "models",
    "test_checkpoints.py": "models",
    "test_remote_client.py": "models",
    "test_video.py": "ingestion",
    "ingest": "ingestion",
    "test_ocr.py": "ingestion",
    "test_images.py": "ingestion",
    "ui": "page",
    "notebooks": "notebooks",
}


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see the defaults, whatever the developer's environment says."""
    for name in list(os.environ):
        if name.startswith("MMSEARCH_") and name not in (
            "MMSEARCH_CACHE",
            "MMSEARCH_TEST_QDRANT_URL",
            "MMSEARCH_GOLDEN",
        ):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def sample_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample corpus, built once: `corpus/`, `screenshots/` and `truth.json`."""
    from samples.build import build

    folder = tmp_path_factory.mktemp("samples") / "demo"
    build(folder)
    return folder


@pytest.fixture(scope="session")
def sample_engine(
    sample_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SearchEngine]:
    """An engine over the ingested sample corpus. Tests must not write to it."""
    folder = tmp_path_factory.mktemp("index") / "samples"
    with mmsearch.open(folder, settings=Settings()) as engine:
        report = ingest.run([sample_dir / "corpus"], engine)
        assert not report.of("failed"), report.of("failed")
        yield engine


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Builds tiny Qwen3-VL checkpoints, each once: `tiny("embedding")`, `tiny("reranker")`."""
    if find_spec("dashscope") is None:
        pytest.skip("the full tokenizer is made from a data file of the dashscope package")
    folder = tmp_path_factory.mktemp("checkpoints")

    @cache
    def build(kind: str, *, tied: bool = True, dtype: str = "float32", seed: int = 0) -> Path:
        from tests import tiny_qwen3_vl

        out = folder / f"{kind}-{'tied' if tied else 'untied'}-{dtype}-{seed}"
        tiny_qwen3_vl.build(out, kind, "full", dtype=dtype, seed=seed, tied=tied)
        return out

    return build


_seconds: dict[str, float] = defaultdict(float)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    parts = Path(report.nodeid.split("::")[0]).parts
    _seconds[AREAS.get(parts[1] if len(parts) > 1 else "", "core")] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    areas = ("core", "models", "ingestion", "page", "notebooks")
    spent = ", ".join(f"{area} {_seconds[area]:.1f} s" for area in areas)
    terminalreporter.write_line(f"time by area: {spent}")
