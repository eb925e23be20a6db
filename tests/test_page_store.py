from __future__ import annotations

import io
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mmsearch.errors import NotFound
from mmsearch.page_store import PageStore, encode_words
from mmsearch.types import Box, Word
from tests import builders

DOCUMENT = "ab" + "0" * 62
WORD = Word("Grüße", Box(0.1, 0.2, 0.3, 0.25), 0.875)
PAGE = (3, b"jpeg", encode_words([WORD]))


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> PageStore:
    return PageStore(str(tmp_path / "store") if request.param == "folder" else "memory://pages")


def test_gives_back_what_was_put(store: PageStore) -> None:
    store.put(DOCUMENT, *PAGE)
    assert store.picture(DOCUMENT, 3) == b"jpeg"
    assert store.words(DOCUMENT, 3) == (WORD,)
    assert store.has(DOCUMENT, 3)
    assert not store.has(DOCUMENT, 4)


def test_putting_twice_changes_nothing(store: PageStore) -> None:
    store.put(DOCUMENT, *PAGE)
    store.put(DOCUMENT, *PAGE)
    assert store.picture(DOCUMENT, 3) == b"jpeg"


def test_delete_leaves_nothing_and_may_be_repeated(store: PageStore) -> None:
    store.put(DOCUMENT, *PAGE)
    store.delete(DOCUMENT)
    store.delete(DOCUMENT)
    assert not store.has(DOCUMENT, 3)
    with pytest.raises(NotFound, match=r"3\.jpg is not stored"):
        store.picture(DOCUMENT, 3)


def test_no_half_written_file_is_left(tmp_path: Path) -> None:
    PageStore(str(tmp_path)).put(DOCUMENT, *PAGE)
    names = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert names == ["3.jpg", "3.words.json"]


def test_a_page_without_words_has_none(store: PageStore) -> None:
    store.put(DOCUMENT, 4, b"jpeg", encode_words([]))
    assert store.words(DOCUMENT, 4) == ()


@contextmanager
def full_disk() -> Iterator[None]:
    """Within it nothing can be written to files; root may write where the mode forbids it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_cannot_be_kept_is_made_all_the_same(tmp_path: Path) -> None:
    store = PageStore(str(tmp_path))
    picture = io.BytesIO()
    builders.photo().save(picture, "JPEG")
    store.put(DOCUMENT, 1, picture.getvalue(), encode_words([]))
    before = sorted(tmp_path.rglob("*"))
    with full_disk():
        small = store.thumbnail(DOCUMENT, 1)
        assert store.features(DOCUMENT, 1).words.size
        with pytest.raises(OSError, match="too large"):
            store.put(DOCUMENT, 2, picture.getvalue(), encode_words([]))
    assert sorted(tmp_path.rglob("*")) == before  # not even a part
    assert store.thumbnail(DOCUMENT, 1) == small
    assert {path.name for path in tmp_path.rglob("1.*")} >= {"1.thumb.jpg"}
