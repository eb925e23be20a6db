"""Which files have stopped changing. Pure: it is told what was seen, and reads no clock or disk."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class _Seen:
    size: int
    mtime: float
    since: float  # when it was first seen so
    last: float  # and when last


class Stability:
    """Files that wait until size and time of change have been the same for `settle` seconds.

    Times of change are only compared with each other, so they may lie in the future; `now` is the
    caller's clock, in seconds, and may jump back.
    """

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._waiting: dict[str, _Seen] = {}

    def __contains__(self, path: str) -> bool:
        return path in self._waiting

    def see(self, path: str, size: int, mtime: float, now: float) -> None:
        """A file was looked at; from now on it waits, from anew if it has changed."""
        seen = self._waiting.get(path)
        if seen is None or (seen.size, seen.mtime) != (size, mtime) or now < seen.since:
            self._waiting[path] = _Seen(size, mtime, now, now)
        else:
            seen.last = now

    def forget(self, path: str) -> None:
        """A file has vanished, or is dealt with otherwise."""
        self._waiting.pop(path, None)

    def due(self, now: float) -> list[str]:
        """Files that have not been seen to change for long enough: look at them once more."""
        return [
            path
            for path, seen in self._waiting.items()
            if now - seen.since >= self._settle or now < seen.since
        ]

    def ripe(self) -> list[str]:
        """Files that were looked at again and had not changed; they wait no longer."""
        found = [p for p, seen in self._waiting.items() if seen.last - seen.since >= self._settle]
        for path in found:
            del self._waiting[path]
        return found
