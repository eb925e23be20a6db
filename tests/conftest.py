"""What the whole suite shares: the samples, an engine over them, the time each area took."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run of the suite share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def sample_dir(run_dir: Path) -> Path:
    """The sample corpus, built once: `corpus/`, `screenshots/` and `truth.json`."""
    from samples.build import build

    folder = run_dir / "samples"
    with _alone(run_dir / "samples.lock"):
        if not folder.exists():
            build(folder.with_suffix(".new"))
            folder.with_suffix(".new").rename(folder)
    return folder


@pytest.fixture(scope="session")
def sample_engine(
    run_dir: Path, sample_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SearchEngine]:
    """An engine over the ingested sample corpus. Tests must not write to it."""
    made = run_dir / "samples-index"
    with _alone(run_dir / "samples-index.lock"):
        if not made.exists():
            new = made.with_suffix(".new")
            with mmsearch.open(new, settings=Settings()) as engine:
                report = ingest.run([sample_dir / "corpus"], engine)
                assert not report.of("failed"), report.of("failed")
            new.rename(made)
    own = tmp_path_factory.mktemp("index") / "samples"  # an index belongs to one process
    shutil.copytree(made, own)
    with mmsearch.open(own, settings=Settings()) as engine:
        yield engine


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process of the suite at a time: what it makes, the others find."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
