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
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from mmsearch.config import Settings
from mmsearch.encoders import Encoder
from mmsearch.errors import InvalidSetting, UnknownProfile
from mmsearch.index import View
from mmsearch.rerankers import Reranker

# name -> module:factory. A factory takes the settings, the profile's tokens_per_page, and its own
# options by keyword.
ENCODERS: Mapping[str, str] = {
    "bm25": "mmsearch.encoders.bm25:create",
    "minilm": "mmsearch.encoders.minilm:create",
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


def load(name: str) -> Profile:
    """Read a profile by shipped name or by path; `auto` is the best one that runs here.

    Raises:
        UnknownProfile: no such profile.
        InvalidSetting: the file is no profile.
    """
    if name == "auto":
        name = "lite"
    shipped = Path(__file__).parent / f"{name}.toml"
    path = shipped if name in names() else Path(name)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise UnknownProfile(
            f"profile {name!r}: no such profile; shipped: {', '.join(names())}, or give a TOML file"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSetting(f"profile {name}: not readable as TOML: {error}") from error
    return _profile(path.stem, table)


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
    return View(name, encoder.kind, encoder.dimension)


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
