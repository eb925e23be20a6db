"""Ingestion: which file, when, and how it becomes pages."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingest.pipeline import run
    from ingest.report import FileResult, Progress, Report
    from ingest.syncing import retry, sync
    from ingest.watching import watch

__all__ = ["FileResult", "Progress", "Report", "retry", "run", "sync", "watch"]

# The processes that read files import this package too, and need none of these.
_HOMES = {
    "run": "ingest.pipeline",
    "FileResult": "ingest.report",
    "Progress": "ingest.report",
    "Report": "ingest.report",
    "retry": "ingest.syncing",
    "sync": "ingest.syncing",
    "watch": "ingest.watching",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
