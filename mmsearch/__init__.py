"""mmsearch: find the page by words or by a screenshot."""

from mmsearch.engine import SearchEngine, open
from mmsearch.errors import MMSearchError
from mmsearch.filters import Filter
from mmsearch.types import Box, Document, Hit, Query

__version__ = "0.1.0"
__all__ = ["Box", "Document", "Filter", "Hit", "MMSearchError", "Query", "SearchEngine", "open"]
