"""Ingestion: which file, when, and how it becomes pages."""

from ingest.pipeline import FileResult, Progress, Report, run

__all__ = ["FileResult", "Progress", "Report", "run"]
