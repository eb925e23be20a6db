"""Checkpoints: model folders on this machine, found and looked at before anything loads them.

Nothing here downloads, imports a model library or reads a pickle.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from mmsearch import models
from mmsearch.errors import MissingExtra, MissingModel, UnusableModel

_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_WEIGHTS = frozenset({".safetensors", ".onnx"})
_PICKLES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"})
_SETTINGS = ("config.json", "modules.json", "adapter_config.json")  # one is in every model
_WORDS = frozenset({"tokenizer.json", "vocab.json"})  # large, and no settings in them
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model folder on this machine.

    `name` is as in the profile, `revision` its commit on the hub or the SHA-256 of its content.
    """

    name: str
    path: Path
    revision: str

    @property
    def identity(self) -> str:
        """What an index keeps of it: `Qwen3-VL-Embedding-2B@9f2f7e710d6d`."""
        return f"{Path(self.name).name or self.path.name}@{self.revision[:12]}"


def find(model: str, *, revision: str = "", model_dir: str = "", pull: str = "") -> Checkpoint:
    """The checkpoint of a model, complete and checked; nothing is downloaded.

    A hub name is looked for in `model_dir`, mmsearch's cache and the Hugging Face cache.

    Args:
        model: a folder, of an adapter too, or a name on the hub as `Qwen/Qwen3-VL-Embedding-2B`.
        revision: commit, branch or tag wanted of the Hugging Face cache; by default that of `main`,
            or the only one there. Plain folders are taken as they are.
        model_dir: folder searched first: itself where it bears the model's name, else a folder of
            that name in it, with or without the organisation's, or a Hugging Face cache.
        pull: the profile that an error says to pull; by default one that ships with this model.

    Raises:
        MissingModel: it is nowhere, or incomplete; the message says what to run.
        UnusableModel: it would have to run code or read a pickle, or is broken.
    """
    path = locate(model, revision=revision, model_dir=model_dir, pull=pull)
    return Checkpoint(model, path, _revision(path))


def locate(model: str, *, revision: str = "", model_dir: str = "", pull: str = "") -> Path:
    """The folder of `find`, checked, without its revision: that of gigabytes takes seconds."""
    if is_folder(model):
        path = Path(model).expanduser().absolute()
        if fault := _incomplete(path):
            raise MissingModel(f"model {model}: {fault} ({path}); copy the whole model there")
    else:
        path = _search(model, revision, model_dir, pull)
    check(path)
    return path


def check(path: Path) -> None:
    """Refuse a checkpoint, or an adapter, that would have to run code or read a pickle.

    Weights are read from safetensors or ONNX alone. A folder that has pickles beside them passes,
    so loaders must be told `use_safetensors=True`, and `trust_remote_code=False` as ever.

    Raises:
        UnusableModel: with the file and the reason.
    """
    weights = 0
    for part in _parts(path):
        files = sorted(file for file in part.iterdir() if file.is_file())
        safe = [file for file in files if file.suffix in _WEIGHTS]
        weights += len(safe)
        _check_pickles(path, files, safe)
        for file in safe:
            if file.suffix == ".safetensors":
                _check_whole(path, file)
        for file in files:
            if file.suffix == ".json" and file.name not in _WORDS:
                _check_settings(path, file, _json(path, file))
    if not weights:
        raise _unusable(path, "it holds no weights (*.safetensors or *.onnx); copy the whole model")
    if (path / "adapter_config.json").is_file() and (path / "config.json").is_file():
        # The library would load the model that the adapter names, unchecked, in place of this one.
        raise _unusable(path, "it holds an adapter beside a model; part them, and name both")


def require(*modules: str) -> None:
    """See that optional packages are installed, without importing them.

    Raises:
        MissingExtra: one is not; the message holds the install line.
    """
    absent = [module for module in modules if find_spec(module) is None]
    if absent:
        names = ", ".join(name.replace("_", "-") for name in absent)
        verb = "is" if len(absent) == 1 else "are"
        raise MissingExtra(f'{names} {verb} not installed; run: pip install "mmsearch[qwen]"')


# Finding


def is_folder(model: str) -> bool:
    """Whether a model's name is a place on this machine, not a name on the hub."""
    if model.startswith(("~", ".", "/")) or not _HUB_NAME.fullmatch(model):
        return True
    return "/" in model and Path(model).is_dir()


def _search(model: str, revision: str, model_dir: str, pull: str) -> Path:
    faults = []
    for folder in _folders(model, model_dir):
        if not any((folder / name).is_file() for name in _SETTINGS):
            continue
        fault = _incomplete(folder) or _misfit(folder, model)
        if not fault:
            return folder
        faults.append(f"{folder}: {fault}")
    hubs = [Path(model_dir).expanduser(), models.hub_cache()] if model_dir else [models.hub_cache()]
    for hub in hubs:
        snapshots = hub / f"models--{model.replace('/', '--')}" / "snapshots"
        if not snapshots.is_dir():
            continue
        chosen, fault = _snapshot(snapshots, revision)
        fault = fault or _incomplete(chosen) or _misfit(chosen, model)
        if not fault:
            return chosen
        faults.append(f"{chosen}: {fault}")
    places = [model_dir, str(models.cache_dir() / "models"), str(models.hub_cache())]
    why = "; ".join(faults) or f"looked in {', '.join(place for place in places if place)}"
    raise MissingModel(
        f"model {model}: its weights are not on this machine ({why}); run: {_fetching(model, pull)}"
    )


def _folders(model: str, model_dir: str) -> Iterator[Path]:
    name = model.rpartition("/")[2]
    if model_dir:
        given = Path(model_dir).expanduser().absolute()
        # Two models of a profile cannot both be the folder: it is the one whose name it bears.
        if given.name == name or f"models--{model.replace('/', '--')}" in given.parts:
            yield given
        yield given / name
        yield given / model
    yield models.cache_dir() / "models" / name


def _snapshot(snapshots: Path, revision: str) -> tuple[Path, str]:
    """The snapshot of a revision and, where that cannot be told or is not there, why."""
    present = sorted(folder.name for folder in snapshots.iterdir() if folder.is_dir())
    reference = snapshots.parent / "refs" / (revision or "main")
    commit = revision
    if reference.is_file():
        commit = reference.read_text(encoding="utf-8", errors="replace").strip()
    elif not revision and len(present) == 1:
        commit = present[0]
    if commit in present:
        return snapshots / commit, ""
    others = ", ".join(name[:12] for name in present) or "none"
    if not commit:
        return snapshots, f"which revision to take of {others} is open; set revision in the profile"
    return snapshots, (
        f"revision {commit[:12]} is not there, {others} is; "
        f"to use that one, set revision in a profile of your own"
    )


def _incomplete(folder: Path) -> str:
    """What is missing of a checkpoint; empty where nothing is."""
    if not folder.is_dir():
        return "there is no such folder"
    if not any((folder / name).is_file() for name in _SETTINGS):
        return "config.json is missing"
    weights = False
    for part in _parts(folder):
        for file in sorted(part.iterdir()):
            if file.is_symlink() and not file.exists():
                return f"{file.relative_to(folder)} is missing"
            weights |= file.suffix in _WEIGHTS | _PICKLES
            if file.name.endswith(".safetensors.index.json"):
                for shard in _shards(folder, file):
                    if not (part / shard).is_file():
                        return f"{(part / shard).relative_to(folder)} is missing"
    return "" if weights else "model.safetensors is missing"


def _shards(folder: Path, index: Path) -> list[str]:
    placed = _table(folder, index).get("weight_map")
    if not isinstance(placed, dict) or not all(isinstance(name, str) for name in placed.values()):
        raise _unusable(folder, f"{index.name} has no weight_map; copy the whole model again")
    shards = sorted(set(placed.values()))
    for shard in shards:
        _inside(folder, index, shard)
    return shards


def _misfit(folder: Path, model: str) -> str:
    """Why a folder of a known model's name is another model; empty where it may be the one."""
    known = models.HUB.get(model)
    config = folder / "config.json"
    if known is None or not config.is_file():
        return ""
    found = _table(folder, config).get("model_type")
    if found == known.model_type:
        return ""
    return f"config.json is of model_type {found!r}, not {known.model_type!r}"


def _fetching(model: str, pull: str) -> str:
    if not pull:
        from mmsearch import profiles

        shipped = (profiles.load(name) for name in profiles.names())
        using = (p.name for p in shipped if model in [need.name for need in models.needs(p)])
        pull = next(using, "")
    return f"mmsearch models pull {pull}" if pull else f"hf download {model}"


def _revision(path: Path) -> str:
    """The commit of a Hugging Face snapshot, else the SHA-256 of what the model computes with."""
    if path.parent.name == "snapshots" and path.parents[1].name.startswith("models--"):
        return path.name
    content = hashlib.sha256()
    for part in _parts(path):
        for file in sorted(part.iterdir()):
            named = file.name in {*_SETTINGS, "tokenizer.json"}
            if file.is_file() and (named or file.suffix in _WEIGHTS):
                line = f"{file.relative_to(path).as_posix()} {models.sha256(file)}\n"
                content.update(line.encode())
    return content.hexdigest()


# Checking


def _parts(root: Path) -> list[Path]:
    """The folder and those of its modules, where it is made of several."""
    parts = [root]
    for part in parts:
        for file, kind, place in _modules(root, part):
            if not kind.startswith("sentence_transformers."):
                raise _unusable(root, f"{file.name} wants to run code of its own: {kind}")
            _inside(root, file, place)
            folder = part / place
            if folder.is_symlink():
                raise _unusable(root, f"{place} is a link to another folder; copy it there")
            if folder not in parts and folder.is_dir():
                parts.append(folder)
    return parts


def _modules(root: Path, part: Path) -> Iterator[tuple[Path, str, str]]:
    """Each module that a part names: the file that does, its class and its folder."""
    listed = part / "modules.json"
    if listed.is_file():
        modules = _json(root, listed)
        if not isinstance(modules, list) or not all(isinstance(one, dict) for one in modules):
            raise _unusable(root, "modules.json is no list of modules; copy the whole model again")
        for module in modules:
            yield listed, str(module.get("type")), str(module.get("path", ""))
    for name in ("router_config.json", "config.json"):
        routed = part / name
        types = _table(root, routed).get("types") if routed.is_file() else None
        if isinstance(types, dict):
            for place, kind in types.items():
                yield routed, str(kind), place


def _check_pickles(root: Path, files: list[Path], safe: list[Path]) -> None:
    """Each part has safe weights, or none; an adapter has its own."""
    for file in files:
        adapter = file.name.startswith("adapter_model.")
        same = [other for other in safe if other.name.startswith("adapter_model.") == adapter]
        if file.suffix in _PICKLES and not same:
            raise _unusable(
                root,
                f"its weights are a pickle, which can run code: {file.relative_to(root)}; "
                f"convert it to safetensors where you trust it: model.save_pretrained(FOLDER)",
            )


def _check_settings(root: Path, file: Path, value: Any) -> None:
    """No file of settings may name code, or talk a loader out of its safety."""
    if isinstance(value, list):
        for entry in value:
            _check_settings(root, file, entry)
    if not isinstance(value, dict):
        return
    name = file.relative_to(root)
    for key, entry in value.items():
        if key == "auto_map" and entry:
            raise _unusable(root, f"it wants to run code of its own: {_module(entry)} ({name})")
        if key == "megatron_config" and entry:  # an adapter's, which imports what it names
            raise _unusable(root, f"{name} wants to run code of its own: megatron")
        if key == "trust_remote_code" and entry:
            raise _unusable(root, f"{name} asks for trust_remote_code; it is never given")
        if key in ("use_safetensors", "weights_only") and entry is False:
            raise _unusable(root, f"{name} asks for pickles ({key} = false); they are never read")
        if "attn_implementation" in key and isinstance(entry, str) and "/" in entry:
            raise _unusable(root, f"{name} wants to run code of its own: {entry}")
        if key in ("activation_function", "activation_fn") and not _is_torch(entry):
            raise _unusable(root, f"{name} wants to run code of its own: {entry}")
        _check_settings(root, file, entry)


def _is_torch(name: Any) -> bool:
    """Whether an activation is a word that a library knows, or a class of torch."""
    return not isinstance(name, str) or "." not in name or name.startswith("torch.nn.")


def _module(entry: Any) -> str:
    """The file that an `auto_map` names first, such as `modeling_x.py`."""
    while isinstance(entry, dict | list):
        values = list(entry.values()) if isinstance(entry, dict) else entry
        entry = next((value for value in values if value), "")
    return f"{str(entry).rpartition('.')[0] or entry}.py"


def _check_whole(root: Path, file: Path) -> None:
    """The file is as long as its header says: no part of a download, no Git LFS pointer."""
    size = file.stat().st_size
    with file.open("rb") as content:
        length = int.from_bytes(content.read(8), "little")
        header = content.read(length) if length <= min(size, 100 * _MIB) else b""
    try:
        tensors = [entry for name, entry in json.loads(header).items() if name != "__metadata__"]
        expected = 8 + length + max((entry["data_offsets"][1] for entry in tensors), default=0)
    except (ValueError, AttributeError, LookupError, TypeError, RecursionError):
        expected = -1
    if size != expected:
        raise _unusable(root, f"{file.relative_to(root)} is not whole; copy or pull it again")


def _inside(root: Path, file: Path, place: str) -> None:
    # By its letters: in the Hugging Face cache every file is a link to a place outside.
    if PurePosixPath(place).is_absolute() or ".." in PurePosixPath(place).parts or "\\" in place:
        raise _unusable(root, f"{file.name} names a place outside the model's folder: {place}")


def _table(root: Path, file: Path) -> dict[str, Any]:
    value = _json(root, file)
    if isinstance(value, dict):
        return value
    raise _unusable(root, f"{file.relative_to(root)} holds no JSON object; copy it again")


def _json(root: Path, file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        name = file.relative_to(root)
        raise _unusable(root, f"{name} is not readable as JSON; copy it again") from None


def _unusable(root: Path, reason: str) -> UnusableModel:
    return UnusableModel(f"model {root}: {reason}")
