"""Visual words as sparse vectors: what finds the page of a screenshot without a large model."""

from __future__ import annotations

from collections.abc import Sequence

from mmsearch.config import Settings
from mmsearch.encoders import PageContent, Reads
from mmsearch.errors import UnreadableFile
from mmsearch.types import Query, Vector, VectorKind


class VisualWordsEncoder:
    """The distinct visual words of a page picture; the index weighs them by their rarity."""

    kind: VectorKind = "sparse"
    reads: Reads = "features"
    dimension: int | None = None
    leaves_cpu = False

    @property
    def identity(self) -> str:
        from mmsearch.screenshots import features

        return features.identity()

    def encode_pages(
        self, pages: Sequence[PageContent]
    ) -> Sequence[Vector | UnreadableFile | None]:
        """One sparse vector a page; None for a page without features."""
        return [self._page(page) for page in pages]

    def encode_query(self, query: Query) -> Vector | None:
        """The words of the query's image; None for one that has no image."""
        from mmsearch.screenshots import finding

        return finding.sides(query.image)[0].vector if query.image is not None else None

    def _page(self, page: PageContent) -> Vector | UnreadableFile | None:
        from mmsearch.screenshots import features

        if page.features:
            return features.sparse(page.features)
        try:
            return features.sparse(features.features(features.grey_of(page.picture)))
        except UnreadableFile as error:
            return error


def create(_: Settings, __: int = 0) -> VisualWordsEncoder:
    """The encoder of a profile's view."""
    return VisualWordsEncoder()
