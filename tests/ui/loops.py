"""Coroutines in tests: in a thread, for a browser of the same process leaves its loop running."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """What it returns in a thread that no event loop runs in."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """What it returns, as `asyncio.run`."""
    return in_thread(asyncio.run, coroutine)
