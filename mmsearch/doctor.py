"""What mmsearch needs to work here, checked one by one, each failure with its fix."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mmsearch import model_check, models, profiles
from mmsearch.config import Settings
from mmsearch.errors import MMSearchError, NotFound
from mmsearch.profiles import Profile

PACKAGES = (
    "numpy", "pillow", "pypdfium2", "pdf2image", "rapidocr", "opencv-python-headless",
    "onnxruntime", "tokenizers", "qdrant-edge-py", "qdrant-client", "gradio",
)  # fmt: skip


# Only the profiles of Qwen need these.
OPTIONAL = ("torch", "transformers", "sentence-transformers", "qwen-vl-utils")
_OFFICE = (
    "apt-get install libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui"
)


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
    index, profile = _index(settings)
    return [*machine(settings, profile), index]


def machine(settings: Settings, profile: Profile | None) -> list[Check]:
    """The same without the index, which is open already, say.

    Args:
        settings: where models are looked for, and run.
        profile: the index's; None takes that of a new one.
    """
    return [
        _python(),
        *map(_package, PACKAGES),
        *map(_optional, OPTIONAL),
        _program("pdftoppm", "apt-get install poppler-utils", "second opinion on damaged PDFs"),
        _program("tesseract", "apt-get install tesseract-ocr", "fast OCR of clean scans"),
        _program("soffice", _OFFICE, "pages of office files"),
        _accelerator(settings),
        _model("text model", _text_model),
        *_models(settings, profile),
        _folder("temporary folder", Path(tempfile.gettempdir())),
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


def _optional(name: str) -> Check:
    found = _package(name)
    fix = "" if found.ok else 'pip install "mmsearch[qwen]"'
    return replace(found, fix=fix, optional=True)


def _accelerator(settings: Settings) -> Check:
    """The accelerator as torch sees it; torch takes seconds, so only where there may be one."""
    seems = profiles.accelerator(settings)
    if not seems:
        why = "device is set to cpu" if settings.device == "cpu" else "none found"
        return Check("accelerator", False, why, optional=True)
    try:
        import torch
    except (ImportError, OSError):
        found = f"{seems}, but torch is not installed or broken"
        return Check("accelerator", False, found, 'pip install "mmsearch[qwen]"', optional=True)
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        found = f"{torch.cuda.get_device_name(0)}, {memory:.0f} GiB"
        return Check("accelerator", True, found, optional=True)
    if torch.backends.mps.is_available():
        return Check("accelerator", True, "Apple silicon (mps)", optional=True)
    found = f"{seems}, but torch {torch.__version__} cannot use it"
    return Check("accelerator", False, found, "install torch for it: pytorch.org", optional=True)


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


def _models(settings: Settings, profile: Profile | None) -> list[Check]:
    """The models of the index's profile, or of the one that a new index would have."""
    try:
        profile = profile or profiles.load(settings.profile, settings)
    except MMSearchError as error:
        return [Check("profile", False, str(error))]
    checks = []
    for need in models.needs(profile):
        service = settings.reranker_service if need.use == "reranker" else settings.encoder_service
        if need.loader == "minilm" or service:
            continue  # it has answered already, or runs elsewhere
        wrong = model_check.faults(need, settings.model_dir)
        found = "; ".join(wrong) or str(models.locate(need, settings.model_dir))
        checks.append(Check(f"{need.use} model", not wrong, found))
    return checks


def _folder(name: str, folder: Path) -> Check:
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free >> 20
    except OSError as error:
        return Check(name, False, f"{folder}: {error.strerror}", "set TMPDIR to a writable folder")
    low = free < 1024
    return Check(name, not low, f"{folder}, {free} MiB free", "free some disk" if low else "")


def _index(settings: Settings) -> tuple[Check, Profile | None]:
    """The index and its profile, where there is one that can be opened."""
    from mmsearch.opening import open as open_
    from mmsearch.opening import without_password

    shown = without_password(settings.index)
    try:
        with open_(settings=settings, create=False) as engine:
            known, profile = engine.status(), engine.profile
    except NotFound:
        make = f"mmsearch ingest PATH --index {shown}"
        return Check("index", False, f"{shown}: none yet", make, optional=True), None
    except MMSearchError as error:
        return Check("index", False, str(error)), None
    if "://" not in settings.index and not os.access(settings.index, os.W_OK):
        found = f"{settings.index}: not writable"
        return Check("index", False, found, "check its permissions"), profile
    documents = ", ".join(f"{count} {state}" for state, count in known["documents"].items())
    found = f"{shown}: {known['searchable_pages']} pages, documents: {documents or 'none'}"
    return Check("index", True, found), profile
