"""An engine that needs no model and no index."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from PIL import Image

from mmsearch.config import Settings
from mmsearch.images import page_picture
from mmsearch.page_store import PageStore, encode_words
from mmsearch.types import Document, DocumentState, Hit, Location, Query


class FakeEngine:
    """Answers with every page it was given, or as `answer` is replaced."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings()
        self.store = PageStore(str(folder))
        self.hits: list[Hit] = []
        self.documents = SimpleNamespace(get=self._documents)

    def add(
        self, title: str, *, path: str = "/a/file.pdf", snippet: str = "", page: int = 1
    ) -> str:
        """A document of one stored page; returns its id."""
        id_ = f"{len(self.hits) + 1:064x}"
        document = Document(
            id_, DocumentState.DONE, title, "pdf", (Location(path, path, 0.0),), page_count=page
        )
        picture, _, _ = page_picture(Image.new("RGB", (320, 448), "white"))
        self.store.put(id_, page, picture, encode_words([]))
        self.hits.append(Hit(len(self.hits) + 1, 0.5, document, page, snippet=snippet))
        return id_

    def query(self, text: str = "", *, image: Any = None) -> Query:
        return Query(text, image)

    def answer(self, query: Query, *, limit: int = 10) -> list[Hit]:
        return self.hits[:limit]

    def status(self) -> dict[str, Any]:
        return {"searchable_pages": len(self.hits)}

    def _documents(self, *ids: str) -> dict[str, Document]:
        return {hit.document.id: hit.document for hit in self.hits if hit.document.id in ids}
