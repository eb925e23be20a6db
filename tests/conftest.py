"""What the whole suite shares: the samples, an engine over them, the time each area took."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
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
    "test_models.py": "models",
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


_seconds: dict[str, float] = defaultdict(float)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    parts = Path(report.nodeid.split("::")[0]).parts
    _seconds[AREAS.get(parts[1] if len(parts) > 1 else "", "core")] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    areas = ("core", "models", "ingestion", "page", "notebooks")
    spent = ", ".join(f"{area} {_seconds[area]:.1f} s" for area in areas)
    terminalreporter.write_line(f"time by area: {spent}")
