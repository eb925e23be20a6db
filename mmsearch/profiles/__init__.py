"""Profiles: which views an index has, which encoder makes each, and the reranker after them.

A profile is a TOML file. The shipped ones stand beside this file; any other path is a custom one.
"""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmsearch.config import Settings
from mmsearch.encoders import Encoder
from mmsearch.errors import InvalidSetting, UnknownProfile
from mmsearch.index import View

# encoder name -> module:factory; a factory takes the settings and the view's own options
ENCODERS: Mapping[str, str] = {
    "bm25": "mmsearch.encoders.bm25:create",
    "minilm": "mmsearch.encoders.minilm:create",
}


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """One view of a profile: its encoder, the encoder's options and its weight in the fusion."""

    name: str
    encoder: str
    weight: float
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Profile:
    """The views of an index. `tokens_per_page` bounds the page picture: 32 x 32 pixels a token."""

    name: str
    views: tuple[ViewSpec, ...]
    tokens_per_page: int = 1800

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


def create_encoder(spec: ViewSpec, settings: Settings) -> Encoder:
    """Make the encoder of a view; its weights are loaded at first use."""
    module, factory = ENCODERS[spec.encoder].split(":")
    encoder: Encoder = getattr(importlib.import_module(module), factory)(settings, **spec.options)
    return encoder


def schema_view(name: str, encoder: Encoder) -> View:
    """The index's view for an encoder's vectors."""
    return View(name, encoder.kind, encoder.dimension)


def _profile(name: str, table: Mapping[str, Any]) -> Profile:
    views = []
    for view, entry in table.get("views", {}).items():
        options = dict(entry)
        encoder = options.pop("encoder", None)
        if encoder not in ENCODERS:
            raise InvalidSetting(
                f"profile {name}: view {view!r} names the encoder {encoder!r}; "
                f"known are {', '.join(ENCODERS)}"
            )
        views.append(ViewSpec(view, encoder, float(options.pop("weight", 1.0)), options))
    if not views:
        raise InvalidSetting(f"profile {name}: it has no [views.NAME] table")
    return Profile(name, tuple(views), int(table.get("tokens_per_page", 1800)))
