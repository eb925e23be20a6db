"""What is counted about visitors, in bounded memory: failed logins and searches.

A visitor's address is an IPv4 address or an IPv6 network of 64 bits: who has one address of such a
network has them all.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

MAX_VISITORS = 10_000
Clock = Callable[[], float]


def address(host: str | None) -> str:
    """What a client's address is counted as; "" where the server knows none that is one."""
    try:
        parsed = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return ""  # a proxy can pass on anything
    if isinstance(parsed, ipaddress.IPv6Address):
        if not parsed.ipv4_mapped:
            return str(ipaddress.ip_network((parsed, 64), strict=False))
        parsed = parsed.ipv4_mapped
    return str(parsed)


class Failures:
    """Attempts per key within a window; the oldest keys are forgotten where there are too many."""

    def __init__(self, *, window: float, clock: Clock = time.monotonic) -> None:
        """
        Args:
            window: seconds that an attempt counts.
        """
        self._window = window
        self._clock = clock
        self._times: OrderedDict[Hashable, list[float]] = OrderedDict()

    def wait(self, key: Hashable, most: int) -> float:
        """Seconds until fewer than `most` attempts count; 0 if that is now."""
        start = self._clock() - self._window
        times = [moment for moment in self._times.get(key, ()) if moment > start]
        return times[-most] - start if len(times) >= most else 0.0

    def add(self, key: Hashable, most: int) -> None:
        """Count an attempt; no more than `most` of a key are kept."""
        times = [*self._times.pop(key, ()), self._clock()]
        self._times[key] = times[-most:]
        if len(self._times) > MAX_VISITORS:
            self._times.popitem(last=False)

    def take_back(self, key: Hashable) -> None:
        """Forget the latest attempt: it was none."""
        times = self._times.get(key)
        if times and len(times) > 1:
            times.pop()
        else:
            self._times.pop(key, None)

    def forget(self, key: Hashable) -> None:
        self._times.pop(key, None)


class Rate:
    """A token bucket per visitor: a minute's worth at once, then evenly. Safe between threads."""

    def __init__(self, per_minute: int, *, clock: Clock = time.monotonic) -> None:
        """
        Args:
            per_minute: 0 for any number.
        """
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, visitor: str) -> float:
        """Take one: 0.0 if there was one, else the seconds until there is one."""
        if not self._per_minute:
            return 0.0
        with self._lock:
            now = self._clock()
            left, since = self._buckets.pop(visitor, (float(self._per_minute), now))
            left = min(self._per_minute, left + (now - since) * self._per_minute / 60)
            taken = 1 if left >= 1 else 0
            self._buckets[visitor] = (left - taken, now)
            if len(self._buckets) > MAX_VISITORS:
                self._buckets.popitem(last=False)
            return 0.0 if taken else (1 - left) * 60 / self._per_minute
