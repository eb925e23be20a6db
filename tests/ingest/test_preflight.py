"""A forecast opens everything, touches nothing, and is near what the run then is."""

from __future__ import annotations

import threading
import zipfile
from pathlib import Path

import pytest

import ingest
import mmsearch
from ingest.forecast import preflight
from ingest.forecast.estimates import shares, total
from ingest.forecast.samples import Sample
from ingest.sources import Source
from mmsearch.config import Settings
from mmsearch.engine import SearchEngine
from mmsearch.errors import ProfileMismatch
from mmsearch.filters import Filter
from tests import builders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of several kinds, some in an archive, some that cannot be read."""
    folder = tmp_path / "files"
    folder.mkdir()
    builders.write_text_pdf(folder / "long.pdf", ["a heron stands in the river"] * 40)
    builders.write_text_pdf(folder / "short.pdf", ["a kingfisher dives"])
    builders.page_image(builders.LOREM[:2], dpi=72).save(folder / "photo.png")
    builders.write_text_pdf(tmp_path / "inner.pdf", ["an owl", "a hawk"])
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.write(tmp_path / "inner.pdf", "inner.pdf")
        archive.write(folder / "short.pdf", "again.pdf")
        archive.writestr("notes.xyz", "not for us")
    (folder / "empty.pdf").touch()
    return folder


def test_everything_is_counted_and_nothing_made(folder: Path, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    found = preflight([folder], settings)
    assert dict(found.files) == {"pdf": 3, "image": 1}
    assert dict(found.pages) == {"pdf": 43, "image": 1}
    assert found.archives == 1
    assert [Path(result.path).name for result in found.of("failed")] == ["empty.pdf"]
    reasons = sorted(result.reason for result in found.of("skipped"))
    assert reasons == ["same content", "unsupported type .xyz"]
    assert 30 <= found.sampled <= 44
    assert found.sample_failed == 0
    assert 0 < found.seconds.low <= found.seconds.value <= found.seconds.high
    assert found.seconds_opening < found.seconds.value
    assert found.disk.value > 44 * 5_000
    assert not (tmp_path / "index").exists()


def test_what_is_known_is_not_forecast_and_stays_as_it_is(folder: Path, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, words_only=True)
    (folder / "long.pdf").unlink()
    with mmsearch.open(settings.index, settings=settings) as engine:
        ingest.run([folder], engine)
        before = contents(engine)
    builders.write_text_pdf(folder / "new.pdf", ["a tern"])
    found = preflight([folder], settings)
    assert dict(found.files) == {"pdf": 1}
    assert [r.reason for r in found.of("skipped")].count("unchanged") == 3
    assert found.of("failed")[0].reason.startswith("failed before (")
    with mmsearch.open(settings.index, settings=settings) as engine:
        assert contents(engine) == before
    with pytest.raises(ProfileMismatch):
        preflight([folder], settings, profile="lite")


def settings_of(folder: Path, *, words_only: bool = False) -> Settings:
    profile, workers = "lite", 2
    if words_only:
        workers = 1
        (folder / "words.toml").write_text('[views.lexical]\nencoder = "bm25"\n')
        profile = str(folder / "words.toml")
    return Settings(index=str(folder / "index"), profile=profile, workers=workers, ocr="off")


def contents(engine: SearchEngine) -> tuple[object, ...]:
    """Everything that an index holds, and the folder of its page pictures."""
    pages = sorted((p.id, p.payload) for p in engine.index.pages.scroll(Filter()))
    documents = sorted(engine.documents.all(), key=lambda document: document.id)
    pictures = sorted(Path(engine.index.address, "store").rglob("*"))
    return pages, documents, pictures


def test_a_forecast_that_is_stopped_says_so(folder: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    found = preflight([folder], settings_of(tmp_path, words_only=True), stop=stop)
    assert found.stopped
    assert not found.files
    assert found.sampled == 0


def test_pages_of_all_files_are_as_likely_and_the_same_each_time() -> None:
    def drawn() -> tuple[list[int], int, Sample]:
        sample = Sample(30)
        released = 0
        for number in range(200):
            pages = 700 if number == 100 else 1
            source = Source(Path(f"/{number}.pdf"), str(number), 1, 0.0)
            released += len(sample.offer(source, "pdf", pages))
        for number in range(3):
            sample.offer(Source(Path(f"/{number}.png"), str(number), 1, 0.0), "image", 1)
        return [place.number for place in sample.places()], released, sample

    numbers, released, sample = drawn()
    places = sample.places()
    assert drawn()[0] == numbers
    assert sum(1 for place in places if place.kind == "image") == 2
    of_the_book = [place for place in places if place.source.name == "100"]
    assert 15 <= len(of_the_book) <= 29  # 700 of 899 pages
    assert len({place.number for place in of_the_book}) == len(of_the_book)
    kept = {place.source for place in places}
    assert released <= 200 - len({source for source in kept if source.path.suffix == ".pdf"})


def test_files_of_archives_are_given_up_before_they_fill_the_disk() -> None:
    sample = Sample(30)
    large = [Source(Path(f"/a!/{n}"), str(n), 200 << 20, 0.0, Path(f"/t/{n}")) for n in range(9)]
    released = [source for each in large for source in sample.offer(each, "video", 3)]
    kept = {place.source for place in sample.places()}
    assert kept | set(released) == set(large)
    assert sum(source.size for source in kept) <= 512 << 20


def test_totals_come_with_their_bounds() -> None:
    sure = total({"pdf": [2.0, 2.0, 2.0]}, {"pdf": 300})
    assert (sure.low, sure.value, sure.high) == (600, 600, 600)
    all_seen = total({"pdf": [1.0, 5.0]}, {"pdf": 2})
    assert (all_seen.low, all_seen.value, all_seen.high) == (6, 6, 6)
    # n = 4, mean 2.5, s² = 5/3: 2 · 100 · sqrt(5/12 · .96) around 250
    unsure = total({"pdf": [1.0, 2.0, 3.0, 4.0]}, {"pdf": 100})
    assert unsure.value == 250
    assert unsure.high - 250 == pytest.approx(126.5, abs=0.1)
    assert 250 - unsure.low == pytest.approx(126.5, abs=0.1)
    assert total({"pdf": [0.1, 9.0], "image": []}, {"pdf": 50}).low >= 9.1
    assert shares({"pdf": 9_000, "image": 10, "video": 1}, 30) == {
        "pdf": 30,
        "image": 2,
        "video": 1,
    }
