"""mmsearch: find the page by words or by a screenshot."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmsearch.engine import SearchEngine
    from mmsearch.errors import MMSearchError
    from mmsearch.filters import Filter
    from mmsearch.opening import open
    from mmsearch.types import Box, Document, Hit, Query

__version__ = "0.1.0"
__all__ = ["Box", "Document", "Filter", "Hit", "MMSearchError", "Query", "SearchEngine", "open"]

_HOMES = {
    "SearchEngine": "engine",
    "open": "opening",
    "MMSearchError": "errors",
    "Filter": "filters",
    "Box": "types",
    "Document": "types",
    "Hit": "types",
    "Query": "types",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `mmsearch --help` answers at once."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mmsearch' has no attribute {name!r}")
    return getattr(importlib.import_module(f"mmsearch.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
