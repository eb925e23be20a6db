"""How models of torch are loaded: where to, in which numbers, and without a word from libraries."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Literal

from mmsearch.config import Settings
from mmsearch.errors import InvalidSetting, MMSearchError, UnusableModel


def device(settings: Settings) -> str:
    """Where the model runs: an accelerator where there is one, unless the settings say.

    Raises:
        InvalidSetting: the one that they name is not there.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if settings.device == "auto":
        return next((name for name, found in there.items() if found), "cpu")
    if not there.get(settings.device, True):
        raise InvalidSetting(
            f"setting device={settings.device!r}: torch finds no such device; set it to auto"
        )
    return settings.device


def number_format(settings: Settings, place: str) -> Literal["float32", "bfloat16"]:
    """What weights are held in: bfloat16 on an accelerator, unless the settings say.

    Never float16: Qwen3-VL overflows it.
    """
    if settings.dtype != "auto":
        return settings.dtype
    return "float32" if place == "cpu" else "bfloat16"


@contextmanager
def loading(name: str) -> Iterator[None]:
    """Turn whatever a library raises over a broken model into one line, and keep it quiet."""
    library = import_module("transformers.utils.logging")
    bars = library.is_progress_bar_enabled()
    talkers = [logging.getLogger(n) for n in ("transformers", "sentence_transformers", "peft")]
    levels = [talker.level for talker in talkers]
    library.disable_progress_bar()
    for talker in talkers:
        talker.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except MMSearchError:
        raise
    except Exception as error:  # a model's files are free to be wrong in any way
        cause = " ".join(str(error).split())[:300] or type(error).__name__
        raise UnusableModel(
            f"model {name}: cannot be loaded ({cause}); copy it again, or choose another"
        ) from error
    finally:
        for talker, level in zip(talkers, levels, strict=True):
            talker.setLevel(level)
        if bars:
            library.enable_progress_bar()
