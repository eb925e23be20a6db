"""Who has signed in with a password: sessions, HTTP Basic, and what guessing costs.

All of it is in the memory of this process: who changes `users` restarts it, and everybody signs in
again. Of a session only the hash of its token is kept.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import logging
import secrets
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ui.access import passwords
from ui.access.limits import Clock, Failures

SESSION_SECONDS = 7 * 24 * 3600
BASIC_SECONDS = 300  # that a password sent along with each request is not hashed again
SESSIONS_PER_USER = 100
WINDOW = 600.0  # seconds in which failures count
FAILURES_PER_USER = 5  # of one address
FAILURES_PER_ADDRESS = 20
HASHED_AT_ONCE = 2
HASHES_WAITING = 32

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refused:
    """No user: a wrong name or password, or, where `wait` is set, none was looked at."""

    wait: float = 0.0  # seconds


class Logins:
    """The users of the settings, and who of them is signed in."""

    def __init__(self, users: Mapping[str, passwords.Hash], *, clock: Clock = time.monotonic):
        self._users = users
        # Compared for a name that does not exist, and as costly as the others.
        self._nobody = replace(next(iter(users.values())), key=secrets.token_bytes(32))
        self._failures = Failures(window=WINDOW, clock=clock)
        self._sessions: _Expiring = _Expiring(SESSIONS_PER_USER, clock)
        self._basic: _Expiring = _Expiring(SESSIONS_PER_USER, clock)
        self._pending: dict[bytes, asyncio.Task[str | Refused]] = {}
        self._threads = ThreadPoolExecutor(HASHED_AT_ONCE, thread_name_prefix="mmsearch-login")
        self._secret = secrets.token_bytes(32)

    async def check(self, name: str, password: str, address: str) -> str | Refused:
        """The user with this password, or that there is none.

        Args:
            address: of the client, as `limits.address` gives it; failures count for it.
        """
        name = unicodedata.normalize("NFC", name.strip())[: passwords.MAX_LENGTH]
        # One client that sends the same password many times at once has tried it once.
        attempt = self._digest(name, password, address)
        task = self._pending.get(attempt)
        if task is None:
            wait = max(
                self._failures.wait(address, FAILURES_PER_ADDRESS),
                self._failures.wait((address, name), FAILURES_PER_USER),
            )
            if wait or len(self._pending) >= HASHES_WAITING:
                return Refused(wait or 1.0)
            # Counted before it is known, so that many at once are not free.
            self._failures.add(address, FAILURES_PER_ADDRESS)
            self._failures.add((address, name), FAILURES_PER_USER)
            task = asyncio.ensure_future(self._compare(name, password, address))
            self._pending[attempt] = task
            task.add_done_callback(lambda _: self._pending.pop(attempt, None))
        return await asyncio.shield(task)

    async def basic(self, header: str, address: str) -> str | Refused:
        """The user of an `Authorization: Basic` header."""
        scheme, _, encoded = header.partition(" ")
        try:
            pair = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return Refused()
        name, colon, password = pair.partition(":")
        if scheme.lower() != "basic" or not colon:
            return Refused()
        digest = self._digest(name, password)
        user = self._basic.get(digest)
        if user is not None:
            return user
        answer = await self.check(name, password, address)
        if isinstance(answer, str):
            self._basic.put(digest, answer, BASIC_SECONDS)
        return answer

    def open_session(self, user: str) -> str:
        """A new token, of 256 random bits."""
        token = secrets.token_urlsafe(32)
        self._sessions.put(_hashed(token), user, SESSION_SECONDS)
        return token

    def user(self, token: str) -> str | None:
        """Whose session this is."""
        return self._sessions.get(_hashed(token))

    def close_session(self, token: str) -> None:
        self._sessions.drop(_hashed(token))

    async def _compare(self, name: str, password: str, address: str) -> str | Refused:
        wanted = self._users.get(name, self._nobody)
        hashed = self._threads.submit(passwords.matches, password, wanted)
        if not await asyncio.wrap_future(hashed) or name not in self._users:
            _log.warning("sign-in refused: user %r from %s", name, address or "an unknown address")
            return Refused()
        self._failures.take_back(address)
        self._failures.forget((address, name))
        return name

    def _digest(self, *parts: str) -> bytes:
        keyed = hashlib.blake2b(key=self._secret)
        for part in parts:
            keyed.update(f"{len(part)}:{part}".encode(errors="surrogatepass"))
        return keyed.digest()


class _Expiring:
    """Users by key, for a time; of each user the latest few."""

    def __init__(self, per_user: int, clock: Clock):
        self._per_user = per_user
        self._clock = clock
        self._users: dict[bytes, tuple[str, float]] = {}
        self._keys: dict[str, OrderedDict[bytes, None]] = {}

    def put(self, key: bytes, user: str, seconds: float) -> None:
        self._users[key] = user, self._clock() + seconds
        keys = self._keys.setdefault(user, OrderedDict())
        keys[key] = None
        while len(keys) > self._per_user:
            self.drop(next(iter(keys)))

    def get(self, key: bytes) -> str | None:
        user, end = self._users.get(key, (None, 0.0))
        if user is not None and self._clock() >= end:
            self.drop(key)
            return None
        return user

    def drop(self, key: bytes) -> None:
        user, _ = self._users.pop(key, ("", 0.0))
        self._keys.get(user, OrderedDict()).pop(key, None)


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
