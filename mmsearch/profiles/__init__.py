"""Profiles: which views an index has, which encoder makes each, and the reranker after them.

A profile is a TOML file. The shipped ones stand beside this file; any other path is a custom one.

    tokens_per_page = 1280           # of the page picture, 32 x 32 pixels each

    [views.visual]
    encoder = "qwen3-vl"             # a name of ENCODERS; the other keys are its options
    model = "Qwen/Qwen3-VL-Embedding-2B"
    dimension = 1024
    weight = 1.0                     # in the fusion

    [reranker]
    reranker = "qwen3-vl"            # a name of RERANKERS; the other keys are its options
    model = "Qwen/Qwen3-VL-Reranker-2B"
"""

from __future__ import annotations

import importlib
import platform
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Any

from mmsearch import models
from mmsearch.config import Settings
from mmsearch.encoders import Encoder
from mmsearch.errors import InvalidSetting, MissingModel, UnknownProfile, UnusableModel
from mmsearch.index import View
from mmsearch.rerankers import Reranker

# name -> module:factory. A factory takes the settings, the profile's tokens_per_page, and its own
# options by keyword.
ENCODERS: Mapping[str, str] = {
    "bm25": "mmsearch.encoders.bm25:create",
    "visual-words": "mmsearch.encoders.visual_words:create",
    "minilm": "mmsearch.encoders.minilm:create",
    "image-labels": "mmsearch.encoders.image_labels:create",
    "qwen3-vl": "mmsearch.encoders.qwen3_vl:create",
    "sentence": "mmsearch.encoders.sentence:create",
    "remote": "mmsearch.encoders.remote:create",
}
RERANKERS: Mapping[str, str] = {
    "qwen3-vl": "mmsearch.rerankers.qwen3_vl:create",
    "sentence": "mmsearch.rerankers.sentence:create",
    "remote": "mmsearch.rerankers.remote:create",
}
# Models that a service can run in place of this machine, and what it is shown of a page.
_SERVABLE = {"qwen3-vl": "picture", "sentence": "text"}
TOKENS_PER_PAGE = range(256, 1801)
# What `auto` takes: the first with an accelerator and its weights, else the second.
MAIN, FALLBACK = "qwen3-vl-2b", "lite"
# Of NVIDIA's driver, of AMD's, and of Windows' Linux: where one is, there may be an accelerator.
_DEVICE_FILES = ("/dev/nvidia0", "/proc/driver/nvidia", "/dev/kfd", "/dev/dxg")


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """One view of a profile: its encoder, the encoder's options and its weight in the fusion."""

    name: str
    encoder: str
    weight: float
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RerankerSpec:
    """The reranker of a profile and its options."""

    reranker: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Profile:
    """The views of an index. `tokens_per_page` bounds the page picture: 32 x 32 pixels a token."""

    name: str
    views: tuple[ViewSpec, ...]
    reranker: RerankerSpec | None = None
    tokens_per_page: int = 1800

    @property
    def picture_pixels(self) -> int:
        """The most pixels that a page picture may have."""
        return self.tokens_per_page * 32 * 32

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each view in the fusion."""
        return {view.name: view.weight for view in self.views}


def names() -> list[str]:
    """The shipped profiles."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.toml"))


def full_name(name: str) -> str:
    """The name by which an index finds its profile from any current folder."""
    return name if name == "auto" or name in names() else str(Path(name).expanduser().absolute())


def load(name: str, settings: Settings | None = None) -> Profile:
    """Read a profile by shipped name or by path; `auto` is the best one that runs here.

    A model or adapter that is a folder may be given relative to the profile's own.

    Raises:
        UnknownProfile: no such profile.
        InvalidSetting: the file is no profile.
    """
    name = resolve(name, settings)
    shipped = Path(__file__).parent / f"{name}.toml"
    path = shipped if name in names() else Path(name).expanduser()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise UnknownProfile(
            f"profile {name!r}: no such profile; shipped: {', '.join(names())}, or give a TOML file"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSetting(f"profile {name}: not readable as TOML: {error}") from error
    profile = _profile(path.stem, table)
    return profile if path == shipped else _with_folders(profile, path.absolute().parent)


def resolve(name: str, settings: Settings | None = None) -> str:
    """The name of the profile that `auto` stands for here; any other name as it is.

    `qwen3-vl-2b` where its weights and packages and an accelerator are, else `lite`. Nothing is
    downloaded, and torch is only imported where everything else is there.
    """
    if name != "auto":
        return name
    settings = settings or Settings()
    ready = accelerator(settings) and has_models(MAIN, settings) and _is_torch_ready(settings)
    return MAIN if ready else FALLBACK


def accelerator(settings: Settings) -> str:
    """The kind of accelerator that this machine seems to have: `cuda`, `mps` or none.

    Told from device files, without importing torch, which may yet find it unusable.
    """
    if settings.device != "cpu":
        if any(Path(file).exists() for file in _DEVICE_FILES):
            return "cuda"
        if platform.system() == "Darwin" and platform.machine() == "arm64":
            return "mps"
    return ""


def has_models(name: str, settings: Settings) -> bool:
    """Whether every model of a profile is on this machine, complete and fit to be loaded."""
    try:
        for need in models.needs(load(name)):
            models.locate(need, settings.model_dir)
    except (MissingModel, UnusableModel):
        return False
    return True


def _is_torch_ready(settings: Settings) -> bool:
    if not all(find_spec(module) for module in ("torch", "transformers")):
        return False
    try:
        import torch
    except (ImportError, OSError):  # installed, and broken
        return False
    if accelerator(settings) == "mps":
        return bool(torch.backends.mps.is_available())
    return bool(torch.cuda.is_available())


def create_encoder(spec: ViewSpec, profile: Profile, settings: Settings) -> Encoder:
    """Make the encoder of a view; its weights are loaded at first use.

    Raises:
        InvalidSetting: an option that this encoder does not have, or a value that is not allowed.
    """
    name, options = spec.encoder, dict(spec.options)
    if settings.encoder_service and name in _SERVABLE:
        name, options = "remote", {"reads": _SERVABLE[name]} | options
    encoder: Encoder = _create(ENCODERS[name], f"view {spec.name!r}", profile, settings, options)
    return encoder


def create_reranker(profile: Profile, settings: Settings) -> Reranker | None:
    """Make the reranker of a profile, where it has one; its weights are loaded at first use.

    Raises:
        InvalidSetting: an option that this reranker does not have, or a value that is not allowed.
    """
    if profile.reranker is None:
        return None
    name, options = profile.reranker.reranker, dict(profile.reranker.options)
    if settings.reranker_service and name in _SERVABLE:
        name, options = "remote", {"reads": _SERVABLE[name]} | options
    reranker: Reranker = _create(RERANKERS[name], "the reranker", profile, settings, options)
    return reranker


def _create(
    path: str, thing: str, profile: Profile, settings: Settings, options: Mapping[str, Any]
) -> Any:
    module, name = path.split(":")
    factory = getattr(importlib.import_module(module), name)
    known = list(signature(factory).parameters)[2:]
    for option in options:
        if option not in known:
            raise InvalidSetting(
                f"profile {profile.name}: {thing} has no option {option!r}; "
                f"known are {', '.join(known) or 'none'}"
            )
    try:
        return factory(settings, profile.tokens_per_page, **options)
    except TypeError as error:  # an option is missing
        raise InvalidSetting(f"profile {profile.name}: {thing}: {error}") from error


def schema_view(name: str, encoder: Encoder) -> View:
    """The index's view for an encoder's vectors."""
    return View(name, encoder.kind, encoder.dimension, idf=getattr(encoder, "idf", True))


def _profile(name: str, table: Mapping[str, Any]) -> Profile:
    views = []
    for view, entry in _table(name, "views", table).items():
        options = dict(_table(name, view, {view: entry}))
        encoder = _known(name, f"view {view!r}", "encoder", options, ENCODERS)
        weight = _number(name, f"the weight of view {view!r}", options.pop("weight", 1.0))
        views.append(ViewSpec(view, encoder, weight, options))
    if not views:
        raise InvalidSetting(f"profile {name}: it has no [views.NAME] table")
    reranker = None
    if "reranker" in table:
        options = dict(_table(name, "reranker", table))
        chosen = _known(name, "the reranker", "reranker", options, RERANKERS)
        reranker = RerankerSpec(chosen, options)
    tokens = table.get("tokens_per_page", 1800)
    if tokens not in TOKENS_PER_PAGE:
        raise InvalidSetting(
            f"profile {name}: tokens_per_page is {tokens!r}; "
            f"allowed are {TOKENS_PER_PAGE[0]} to {TOKENS_PER_PAGE[-1]}"
        )
    return Profile(name, tuple(views), reranker, tokens)


def _with_folders(profile: Profile, folder: Path) -> Profile:
    """The profile with the models that are folders below its own by their full path."""

    def placed(options: Mapping[str, Any]) -> Mapping[str, Any]:
        given = {key: options.get(key) for key in ("model", "adapter")}
        return {**options} | {
            key: str(folder / name)
            for key, name in given.items()
            if isinstance(name, str) and name and (folder / name).is_dir()
        }

    views = tuple(replace(view, options=placed(view.options)) for view in profile.views)
    reranker = profile.reranker
    if reranker:
        reranker = replace(reranker, options=placed(reranker.options))
    return replace(profile, views=views, reranker=reranker)


def _table(profile: str, name: str, table: Mapping[str, Any]) -> Mapping[str, Any]:
    value = table.get(name, {})
    if not isinstance(value, dict):
        raise InvalidSetting(f"profile {profile}: {name} is {value!r}; it has to be a table")
    return value


def _known(
    profile: str, thing: str, key: str, options: dict[str, Any], known: Mapping[str, str]
) -> str:
    name = options.pop(key, None)
    if name not in known:
        raise InvalidSetting(
            f"profile {profile}: {thing} names the {key} {name!r}; known are {', '.join(known)}"
        )
    return str(name)


def _number(profile: str, thing: str, value: Any) -> float:
    if isinstance(value, int | float) and 0 <= value < float("inf"):
        return float(value)
    raise InvalidSetting(f"profile {profile}: {thing} is {value!r}; it has to be a number from 0")
