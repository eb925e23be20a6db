"""What a long run writes is merged on the way, so that memory does not grow with it."""

from __future__ import annotations

from pathlib import Path

import pytest

import ingest
import mmsearch
from ingest import pipeline
from mmsearch.config import Settings
from tests import builders


@pytest.mark.slow
def test_a_long_run_optimises_while_it_reads_and_encodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "OPTIMISE_AFTER", 64)
    builders.write_text_pdf(tmp_path / "a.pdf", [f"heron {n}" for n in range(70)])
    generations: dict[str, set[str]] = {"reading": set(), "encoding": set()}
    current = tmp_path / "index" / "current"

    def look(progress: ingest.Progress) -> None:
        if progress.phase in generations:
            generations[progress.phase].add(current.resolve().name)

    with mmsearch.open(tmp_path / "index", settings=Settings(workers=1)) as engine:
        report = ingest.run([tmp_path / "a.pdf"], engine, progress=look)
        assert not report.of("failed")
        assert len(generations["reading"]) == len(generations["encoding"]) == 2
        vectors = engine.status()["vectors"]
        assert vectors == {"lexical": 70, "text": 70, "picture": 70}
        assert engine.search("heron 69")[0].page == 70
