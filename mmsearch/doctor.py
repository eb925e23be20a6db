"""What mmsearch needs to work here, checked one by one, each failure with its fix."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmsearch.config import Settings
from mmsearch.errors import MMSearchError, NotFound

PACKAGES = (
    "numpy", "pillow", "pypdfium2", "pdf2image", "rapidocr", "opencv-python-headless",
    "onnxruntime", "tokenizers", "qdrant-edge-py", "qdrant-client", "gradio",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. An optional one may fail without harm."""

    name: str
    ok: bool
    found: str
    fix: str = ""
    optional: bool = False


def examine(settings: Settings) -> list[Check]:
    """Check Python, packages, programs, models, folders and the index."""
    return [
        _python(),
        *map(_package, PACKAGES),
        _program("pdftoppm", "apt-get install poppler-utils", "second opinion on damaged PDFs"),
        _program("tesseract", "apt-get install tesseract-ocr", "fast OCR of clean scans"),
        _model("text model", _text_model),
        _folder("temporary folder", Path(tempfile.gettempdir())),
        _index(settings),
    ]


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info >= (3, 11)
    return Check("python", ok, found, "" if ok else "install Python 3.11 or later")


def _package(name: str) -> Check:
    try:
        return Check(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False, "not installed", f"pip install {name}")


def _program(name: str, install: str, use: str) -> Check:
    path = shutil.which(name)
    if path:
        return Check(name, True, path, optional=True)
    return Check(name, False, f"not installed ({use})", install, optional=True)


def _model(name: str, load: Callable[[], str]) -> Check:
    try:
        return Check(name, True, load())
    except MMSearchError as error:
        return Check(name, False, str(error), "mmsearch models pull lite")


def _text_model() -> str:
    from mmsearch.config import load
    from mmsearch.encoders.minilm import create
    from mmsearch.types import Query

    encoder = create(load())
    vector = encoder.encode_query(Query("ready"))
    return f"{encoder.identity}, answers" if vector is not None else "gives no vector"


def _folder(name: str, folder: Path) -> Check:
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free >> 20
    except OSError as error:
        return Check(name, False, f"{folder}: {error.strerror}", "set TMPDIR to a writable folder")
    low = free < 1024
    return Check(name, not low, f"{folder}, {free} MiB free", "free some disk" if low else "")


def _index(settings: Settings) -> Check:
    from mmsearch.engine import open as open_
    from mmsearch.engine import without_password

    shown = without_password(settings.index)
    try:
        with open_(settings=settings, create=False) as engine:
            known = engine.status()
    except NotFound:
        make = f"mmsearch ingest PATH --index {shown}"
        return Check("index", False, f"{shown}: none yet", make, optional=True)
    except MMSearchError as error:
        return Check("index", False, str(error))
    if "://" not in settings.index and not os.access(settings.index, os.W_OK):
        return Check("index", False, f"{settings.index}: not writable", "check its permissions")
    documents = ", ".join(f"{count} {state}" for state, count in known["documents"].items())
    return Check(
        "index",
        True,
        f"{shown}: {known['searchable_pages']} pages, documents: {documents or 'none'}",
    )
