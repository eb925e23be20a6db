"""What is kept of pages by document id, in a folder or any fsspec location.

ROOT/ab/abcdef.../7.jpg         the page picture that is shown and embedded
ROOT/ab/abcdef.../7.thumb.jpg   made when first asked for
ROOT/ab/abcdef.../7.words.json  [[text, x0, y0, x1, y1, confidence], ...]
ROOT/ab/abcdef.../7.features    local features of the picture, made when first asked for
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmsearch.errors import NotFound
from mmsearch.types import Box, Word

if TYPE_CHECKING:
    from mmsearch.screenshots.features import Features

_UNFINISHED = re.compile(r"\.[0-9a-f]{32}$")


class PageStore:
    """Files of pages. Writes are whole or not at all; deleting twice is fine."""

    def __init__(self, root: str) -> None:
        """`root` is a folder or an fsspec URL such as `s3://bucket/pages`."""
        from fsspec.core import url_to_fs

        self._files, self._root = url_to_fs(root)
        self._local = self._files.protocol in ("file", ("file", "local"))

    def put(self, document: str, number: int, picture: bytes, words: bytes) -> None:
        """Store the picture and the word boxes, as `encode_words` writes them, of a page."""
        if self.has(document, number):
            for made in ("thumb.jpg", "features"):  # of the picture before
                with suppress(FileNotFoundError):
                    self._files.rm(self._path(document, f"{number}.{made}"))
        self._write(self._path(document, f"{number}.words.json"), words)
        self._write(self._path(document, f"{number}.jpg"), picture)

    def picture(self, document: str, number: int) -> bytes:
        """The page picture, as JPEG.

        Raises:
            NotFound: there is none.
        """
        return self._read(document, f"{number}.jpg")

    def thumbnail(self, document: str, number: int) -> bytes:
        """A small JPEG of the page, made on first use."""
        try:
            return self._read(document, f"{number}.thumb.jpg")
        except NotFound:
            from mmsearch.images import thumbnail

            small = thumbnail(self.picture(document, number))
            self._keep(document, number, "thumb.jpg", small)
            return small

    def features(self, document: str, number: int) -> Features:
        """The local features of the page picture, made on first use.

        Raises:
            NotFound: there is no such picture.
            UnreadableFile: it is damaged.
        """
        from mmsearch.screenshots import features

        with suppress(NotFound):
            kept = features.decode(self._read(document, f"{number}.features"))
            if kept:
                return kept
        found = features.features(features.grey_of(self.picture(document, number)))
        self._keep(document, number, "features", features.encode(found))
        return found

    def words(self, document: str, number: int) -> tuple[Word, ...]:
        """The words of a page with their boxes."""
        rows = self.word_rows(document, number)
        return tuple(Word(row[0], Box(*row[1:5]), row[5]) for row in rows)

    def word_rows(self, document: str, number: int) -> list[list[Any]]:
        """The same as stored, in a third of the time: lists of text, x0, y0, x1, y1, confidence.

        Raises:
            NotFound: the page is not stored.
            ValueError: the file is damaged.
        """
        rows: list[list[Any]] = json.loads(self._read(document, f"{number}.words.json"))
        return rows

    def read(self, name: str) -> bytes:
        """What was kept under this name for the whole index.

        Raises:
            NotFound: nothing was.
        """
        try:
            data: bytes = self._files.cat_file(f"{self._root}/{name}")
        except FileNotFoundError as error:
            raise NotFound(f"{name}: is not in the page store {self._root}") from error
        return data

    def write(self, name: str, data: bytes) -> None:
        """Keep something for the whole index: small, and made again where it is missing."""
        self._write(f"{self._root}/{name}", data)

    def has(self, document: str, number: int) -> bool:
        """Whether the page is stored whole; its picture is written last."""
        return bool(self._files.exists(self._path(document, f"{number}.jpg")))

    def clear_unfinished(self, document: str) -> None:
        """Remove what a process that was killed while writing has left of a document."""
        folder = self._path(document)
        if self._local and self._files.exists(folder):
            for path in self._files.ls(folder, detail=False):
                if _UNFINISHED.search(path):
                    with suppress(FileNotFoundError):  # it was being written just now
                        self._files.rm(path)

    def delete(self, document: str) -> None:
        """Remove everything of a document."""
        folder = self._path(document)
        for last in (False, False, True):
            try:
                if self._files.exists(folder):
                    self._files.rm(folder, recursive=True)
                return
            except OSError:  # another process writes or removes there, too
                if last:
                    raise

    def _path(self, document: str, name: str = "") -> str:
        return f"{self._root}/{document[:2]}/{document}/{name}".rstrip("/")

    def _read(self, document: str, name: str) -> bytes:
        path = self._path(document, name)
        try:
            # fsspec takes ten times as long to open a file that is here.
            data: bytes = Path(path).read_bytes() if self._local else self._files.cat_file(path)
        except FileNotFoundError:
            raise NotFound(
                f"document {document[:12]}: {name} is not stored; run: mmsearch ingest PATH"
            ) from None
        return data

    def _keep(self, document: str, number: int, made: str, data: bytes) -> None:
        """Store what was made of a page, if that is possible."""
        with suppress(OSError):  # a full disk, or one that can only be read: made anew next time
            self._write(self._path(document, f"{number}.{made}"), data)
            if not self.has(document, number):  # it was removed meanwhile
                self.delete(document)

    def _write(self, path: str, data: bytes) -> None:
        if not self._local:  # object stores show an object only when it is whole
            self._files.pipe_file(path, data)
            return
        for last in (False, False, True):
            temporary = f"{path}.{uuid.uuid4().hex}"
            try:
                self._files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
                self._files.pipe_file(temporary, data)
                self._files.mv(temporary, path)
                return
            except FileNotFoundError:  # another process removes the document, or clears up
                if last:
                    raise
            except OSError:
                with suppress(OSError):  # what a full disk had room for
                    self._files.rm(temporary)
                raise


def encode_words(words: Sequence[Word]) -> bytes:
    """Words and their boxes as they are stored; coordinates to 1/100,000 of the page."""
    numbers = np.array([[*word.box, word.confidence] for word in words]).round(5).tolist()
    rows = [[word.text, *row] for word, row in zip(words, numbers, strict=True)]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
