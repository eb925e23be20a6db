"""The connection to a Qdrant server: repeats what fails for a moment, words what fails for good."""

from __future__ import annotations

import itertools
import json
import logging
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from mmsearch.errors import (
    IndexUnavailable,
    IndexUnusable,
    InvalidSetting,
)

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

OLDEST_SERVER = (1, 13)  # the first that filters on HasVector
INFO_POINT = "00000000-0000-0000-0000-000000000000"
RETRIED = {408, 429, 502, 503, 504}
START_LINE = "is the server running? docker run -p 6333:6333 qdrant/qdrant"

T = TypeVar("T")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server may take: everything in seconds.

    A request waits `timeout` for an answer (whole seconds) and is repeated up to `attempts`
    times, with pauses that double from `first_pause`; no repeat starts after `total`.
    `creation` is the wait for another process that is making the same index.
    """

    timeout: int = 60
    attempts: int = 6
    total: float = 120.0
    first_pause: float = 0.25
    longest_pause: float = 10.0
    creation: float = 10.0


class Refused(IndexUnusable):
    """The server understood a request and refused it; repeating would not help."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Connection:
    """The connection: it repeats what failed for a moment and words what failed for good."""

    def __init__(self, url: str, api_key: str, patience: Patience) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidSetting(f"index {url!r}: no URL of a server, like http://localhost:6333")
        # Without what might be a password before the @, since the address is shown.
        self.address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
        if api_key and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1"):
            logger.warning("%s: the API key travels unencrypted; use https", self.address)
        self._patience = patience
        self._client = _client(self.address, api_key, patience.timeout)

    def check(self) -> None:
        """Make sure that a Qdrant server answers, new enough."""
        try:
            answer = self.ask(lambda client: client.info())
        except Refused as error:
            if error.status != 404:
                raise
            raise IndexUnusable(
                f"{self.address}: answers, but is no Qdrant server; check the URL"
            ) from error
        version = tuple(map(int, re.findall(r"\d+", answer.version)[:2]))
        if version < OLDEST_SERVER:
            raise IndexUnusable(
                f"{self.address}: Qdrant {answer.version} is too old, mmsearch needs "
                f"{'.'.join(map(str, OLDEST_SERVER))} or newer; run: docker pull qdrant/qdrant"
            )

    def read_info(self, prefix: str) -> dict[str, object] | None:
        """The info of the index, None where there is no index or it is not finished."""
        name = f"{prefix}-documents"
        if not self.ask(lambda client: client.collection_exists(name)):
            return None
        for record in self.ask(lambda client: client.retrieve(name, [INFO_POINT])):
            return dict(json.loads((record.payload or {})["info"]))
        return None

    def await_info(self, prefix: str) -> dict[str, object] | None:
        """The info that another process is about to write; None where it does not come."""
        deadline = time.monotonic() + self._patience.creation
        while (info := self.read_info(prefix)) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        return info

    def write_info(self, prefix: str, info: Mapping[str, object]) -> None:
        from qdrant_client import models

        point = models.PointStruct(
            id=INFO_POINT, vector={}, payload={"info": json.dumps(dict(info), sort_keys=True)}
        )
        self.ask(lambda client: client.upsert(f"{prefix}-documents", [point], wait=True))

    def ask(self, call: Callable[[QdrantClient], T]) -> T:
        """Make one request, again where that may help.

        Raises:
            IndexUnavailable: the server is down or stays busy.
            IndexUnusable: it refuses the request.
        """
        patience = self._patience
        deadline = time.monotonic() + patience.total
        for attempt in itertools.count(1):
            try:
                return call(self._client)
            except Exception as error:
                fault = self._fault(error)
                if fault is None:
                    raise
            pause = fault.pause
            if pause is None:
                doubled = patience.first_pause * 2 ** (attempt - 1)
                pause = min(doubled, patience.longest_pause) * random.uniform(0.5, 1.0)
            if attempt >= patience.attempts or time.monotonic() + pause > deadline:
                raise IndexUnavailable(
                    f"{self.address}: {fault.cause} ({attempt} attempts); {fault.advice}"
                )
            logger.info("%s: %s; again in %.1f s", self.address, fault.cause, pause)
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _fault(self, error: Exception) -> _Fault | None:
        """What a repeat may mend; None for an error that is not the server's.

        Raises:
            IndexUnusable: the server refuses, and would again.
            IndexUnavailable: the server fails, and would again.
        """
        import httpx
        from qdrant_client.common.client_exceptions import (
            QdrantException,
            ResourceExhaustedResponse,
        )
        from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

        match error:
            case ResourceExhaustedResponse():
                return _Fault("the server is busy (429)", pause=max(0.0, error.retry_after_s))
            case QdrantException():  # a Retry-After that is no number of seconds
                return _Fault("the server is busy (429)")
            case UnexpectedResponse(status_code=int(status)) if status in RETRIED:
                return _Fault(f"the server is busy ({status})")
            case UnexpectedResponse():
                raise self._refusal(error.status_code or 0, error.content) from error
            case ResponseHandlingException(source=httpx.TimeoutException()):
                return _Fault(f"no answer within {self._patience.timeout} s", advice=START_LINE)
            case ResponseHandlingException(source=httpx.TransportError() as source):
                return _Fault(_line(str(source)) or type(source).__name__, advice=START_LINE)
            case ResponseHandlingException() | json.JSONDecodeError() | UnicodeDecodeError():
                raise IndexUnusable(
                    f"{self.address}: answers, but not as a Qdrant server does; check the URL"
                ) from error
        return None

    def _refusal(self, status: int, content: bytes) -> IndexUnusable | IndexUnavailable:
        reason = _reason(content)
        if status in (401, 403):
            return Refused(
                f"{self.address}: the server refuses the API key ({status}: {reason}); "
                f"set MMSEARCH_API_KEY to one that may read and write",
                status,
            )
        if status >= 500:
            return IndexUnavailable(
                f"{self.address}: the server fails ({status}: {reason}); see its log"
            )
        advice = "see the server's log"
        if status == 404:
            advice = f"was the index deleted? run: mmsearch ingest PATH --index {self.address}"
        return Refused(f"{self.address}: the server refuses ({status}: {reason}); {advice}", status)

    def close(self) -> None:
        self._client.close()


@dataclass(frozen=True, slots=True)
class _Fault:
    """A passing failure: its cause, the pause in seconds that the server asks for, what to do."""

    cause: str
    pause: float | None = None
    advice: str = "try again later"


def _client(address: str, api_key: str, timeout: int) -> QdrantClient:
    from qdrant_client import QdrantClient

    return QdrantClient(
        url=address,
        # As a header, since the client's own `api_key` warns about http even on this machine.
        headers={"api-key": api_key} if api_key else None,
        timeout=timeout,
        check_compatibility=False,  # ours asks only for what `OLDEST_SERVER` has
    )


def _reason(content: bytes) -> str:
    """What the server says of a refusal, as one line."""
    try:
        return _line(json.loads(content)["status"]["error"])
    except (ValueError, KeyError, TypeError):
        return _line(content.decode(errors="replace"))


def _line(text: object) -> str:
    return " ".join(str(text).split())[:300]
