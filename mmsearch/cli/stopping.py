"""Ctrl-C: the first one asks a run to end well, the second one ends it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType


@dataclass(slots=True)
class Stop:
    """Whether a run was asked to stop; `event` is set then, `exit_code` is what a shell expects."""

    event: threading.Event = field(default_factory=threading.Event)
    exit_code: int = 0


@contextmanager
def stoppable(on_stop: Callable[[], None]) -> Iterator[Stop]:
    """Have SIGINT and SIGTERM set `Stop.event` and call `on_stop`; a second one raises at once.

    `on_stop` runs in a signal handler: it must not wait for a lock.
    """
    stop = Stop()

    def asked(number: int, _: FrameType | None) -> None:
        if stop.exit_code:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            sys.exit(128 + number)
        stop.exit_code = 128 + number
        # In a thread: the lock of an event may be held just here.
        threading.Thread(target=stop.event.set).start()
        on_stop()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, asked) for number in numbers]
    try:
        yield stop
    finally:
        for number, former in zip(numbers, before, strict=True):
            signal.signal(number, former)
