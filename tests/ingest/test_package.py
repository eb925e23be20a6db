"""The package's public names are what they say, whatever was imported before."""

from __future__ import annotations

import importlib

import ingest


def test_public_names_stay_what_they_are() -> None:
    for module in set(ingest._HOMES.values()):
        importlib.import_module(module)
    for name in ingest.__all__:
        assert callable(getattr(ingest, name)), name
