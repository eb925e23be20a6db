"""Models that run behind HTTP: one small client for all services, and what may go wrong.

The wire formats are in `encoders/remote.py` and `rerankers/remote.py`; this file knows how to ask,
when to ask again, and how to say what went wrong. A key travels in a header alone: it is in no
URL, message, log line or repr.
"""

from __future__ import annotations

import base64
import json
import logging
import random
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlsplit

from mmsearch.config import Settings
from mmsearch.errors import InvalidSetting, ModelUnavailable
from mmsearch.qwen3_vl import prompts

if TYPE_CHECKING:
    import httpx
    from PIL.Image import Image

Role = Literal["encoder", "reranker"]

SERVICES: dict[Role, tuple[str, ...]] = {
    "encoder": ("vllm", "tei", "ollama", "dashscope"),
    "reranker": ("vllm", "tei", "dashscope"),
}
ADDRESSES = {"ollama": "http://127.0.0.1:11434", "dashscope": "https://dashscope.aliyuncs.com"}
EXAMPLES = {"vllm": "http://localhost:8000", "tei": "http://localhost:8080"}
# Often part of the address that a service's own pages show; the paths here begin after it.
_ENDINGS = {"vllm": ("/v1",), "ollama": ("/api",), "dashscope": ("/compatible-mode/v1", "/api/v1")}
# Ollama has its own names for the same models.
_OLLAMA_NAMES = {
    f"Qwen/Qwen3-Embedding-{size}": f"qwen3-embedding:{size.lower()}"
    for size in ("0.6B", "4B", "8B")
}
ANSWER_BYTES = 64 << 20  # of an answer at most
_PASSING = (408, 425, 429)  # and every 5xx: the same request may succeed later
_ALONE = (400, 413, 422)  # what a service answers to an input that it can't take

T = TypeVar("T")
R = TypeVar("R")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a service may take: everything in seconds.

    A request waits `timeout` for its answer and is made up to `attempts` times, with pauses that
    double from `first_pause`; no repeat starts after `total`. A service that asks for a pause
    gets it, up to `longest_pause`.
    """

    timeout: float = 300.0
    attempts: int = 5
    total: float = 600.0
    first_pause: float = 0.5
    longest_pause: float = 60.0


class Refused(ModelUnavailable):
    """The service understood a request and refused it; repeating would not help."""

    def __init__(self, message: str, status: int, reason: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    @property
    def is_about_the_input(self) -> bool:
        """Whether another input may well be taken."""
        return self.status in _ALONE


class Server:
    """A service at an address, asked by up to `concurrency` requests at once.

    Args:
        service: one of `SERVICES[role]`.
        url: its address; what might be a password before the @ is left out.
        key: its API key, sent as a bearer token; none where empty.
        role: whose settings an error should name.

    Raises:
        InvalidSetting: the address is no URL of a server, or the key no key.
    """

    def __init__(
        self,
        service: str,
        url: str,
        key: str = "",
        *,
        role: Role = "encoder",
        concurrency: int = 8,
        patience: Patience | None = None,
    ) -> None:
        self.service = service
        self.role: Role = role
        self.address = _address(service, url, role)
        self._key = _checked_key(key, role)
        self._concurrency = max(1, concurrency)
        self._patience = patience or Patience()
        self._opening = threading.Lock()
        host = urlsplit(self.address).hostname
        if key and self.address.startswith("http:") and host not in ("localhost", "127.0.0.1"):
            logger.warning("%s: the API key travels unencrypted; use https", self.address)

    def __repr__(self) -> str:
        return f"<{self.service} at {self.address}>"

    def get(self, path: str) -> Any:
        """The JSON that the service has at `path`; raises what `post` does."""
        return self._ask("GET", path)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON that the service answers.

        Raises:
            ModelUnavailable: it is down, stays busy, or answers nonsense.
            Refused: it refuses this request, and would again.
            InvalidSetting: the key or the address is wrong.
        """
        return self._ask("POST", path, json.dumps(body).encode())

    def map(self, call: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """`call` of each item, in order, several at once; the first error ends the rest."""
        if len(items) < 2:
            return [call(item) for item in items]
        pool = ThreadPoolExecutor(min(self._concurrency, len(items)))
        try:
            return list(pool.map(call, items))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def check_model(self, model: str) -> None:
        """Make sure that the service has this model, where it tells.

        Raises:
            InvalidSetting: it has others.
        """
        names = self._models()
        if names and not any(_same(model, name) for name in names):
            raise InvalidSetting(
                f"{self.address}: serves {', '.join(names)[:200]}, but the profile asks for "
                f"{model}; {self._advice(model)}"
            )

    def nonsense(self, cause: object) -> ModelUnavailable:
        """The error for an answer that isn't of this service's form."""
        return ModelUnavailable(
            f"{self.address}: answers, but not as {self.service} does ({one_line(cause)[:120]}); "
            f"check {self.role}_url and {self.role}_service"
        )

    def _models(self) -> list[str]:
        try:
            match self.service:
                case "vllm":
                    return [str(model["id"]) for model in self.get("/v1/models")["data"]]
                case "tei":
                    name = str(self.get("/info")["model_id"])
                    return [] if name.startswith("/") else [name]  # a folder there tells nothing
                case "ollama":
                    return [str(model["name"]) for model in self.get("/api/tags")["models"]]
        except Refused:  # behind a gate that lets only the model through
            return []
        except (LookupError, TypeError) as error:
            raise self.nonsense(error) from error
        return []

    def _advice(self, model: str) -> str:
        if self.service == "ollama":
            return f"run: ollama pull {model}"
        return "start the server with that model, or name the server's in the profile"

    def _ask(self, method: str, path: str, body: bytes = b"") -> Any:
        patience = self._patience
        deadline = time.monotonic() + patience.total
        attempt = 1
        while True:
            try:
                return self._once(method, path, body)
            except _Passing as fault:
                pause = fault.pause
                if pause is None:
                    pause = patience.first_pause * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
                pause = min(pause, patience.longest_pause)
                if attempt >= patience.attempts or time.monotonic() + pause > deadline:
                    raise ModelUnavailable(
                        f"{self.service} at {self.address}: {fault} ({attempt} attempts); "
                        f"{fault.advice}"
                    ) from None
                logger.info("%s: %s; again in %.1f s", self.address, fault, pause)
            time.sleep(pause)
            attempt += 1

    def _once(self, method: str, path: str, body: bytes) -> Any:
        import httpx

        try:
            with self._client.stream(
                method,
                self.address + path,
                content=body or None,
                headers={"Content-Type": "application/json"} if body else None,
            ) as response:
                content = self._content(response)
        except httpx.TimeoutException:
            raise _Passing(f"no answer within {self._patience.timeout:g} s") from None
        except httpx.TransportError as error:
            cause = self._safe(error) or type(error).__name__
            raise _Passing(cause, advice="is the server running?") from None
        except httpx.InvalidURL:
            raise _no_address(self.service, self.role) from None
        except httpx.HTTPError as error:  # an answer that can't be decoded
            raise self.nonsense(self._safe(error)) from None
        if response.status_code != 200:
            raise self._fault(response, content)
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self.nonsense("no JSON") from error

    def _content(self, response: httpx.Response) -> bytes:
        """The body, as long as it comes in time and is of a sane size."""
        end = time.monotonic() + self._patience.timeout
        content = bytearray()
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > ANSWER_BYTES:
                raise self.nonsense(f"more than {ANSWER_BYTES >> 20} MiB")
            if time.monotonic() > end:
                raise _Passing(f"no whole answer within {self._patience.timeout:g} s")
        return bytes(content)

    def _fault(self, response: httpx.Response, content: bytes) -> Exception:
        """The error for an answer other than 200."""
        status, reason = response.status_code, self._safe(_reason(content))
        said = f"{status}: {reason}" if reason else str(status)
        if status in _PASSING or status >= 500:
            return _Passing(f"the server is busy or fails ({said})", pause=_retry_after(response))
        if status in (401, 403):
            return InvalidSetting(
                f"{self.address}: refuses the API key ({said}); "
                f"set MMSEARCH_{self.role.upper()}_KEY to one that may use the model"
            )
        if 300 <= status < 400:  # not followed: a key must not travel to another host
            return InvalidSetting(
                f"{self.address}: redirects elsewhere ({status}); "
                f"set {self.role}_url to the final address"
            )
        advice = "check the profile's model and options, and the server's log"
        if status in (404, 405):
            advice = f"check {self.role}_url, {self.role}_service and the profile's model"
        return Refused(
            f"{self.service} at {self.address}: refuses the request ({said}); {advice}",
            status,
            said,
        )

    def _safe(self, text: object) -> str:
        """One short line in which no key stands, even where a server repeats it."""
        line = str(text)
        if self._key:
            line = line.replace(self._key, "***")
        return one_line(line)[:300]

    @property
    def _client(self) -> httpx.Client:
        with self._opening:
            return self._one_client

    @cached_property
    def _one_client(self) -> httpx.Client:
        import httpx

        # Unpacked answers can be larger than what came in, so none are packed.
        headers = {"User-Agent": "mmsearch", "Accept-Encoding": "identity"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        client = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(self._patience.timeout, connect=10.0, pool=None),
            limits=httpx.Limits(max_connections=self._concurrency),
            follow_redirects=False,
        )
        weakref.finalize(self, client.close)  # encoders have no close of their own
        return client


class _Passing(Exception):
    """A failure that a repeat may mend; `pause` is what the server asks for, in seconds."""

    def __init__(
        self, cause: str, *, pause: float | None = None, advice: str = "try again later"
    ) -> None:
        super().__init__(cause)
        self.pause = pause
        self.advice = advice


def connect(
    settings: Settings, role: Role, service: str = "", url: str = "", concurrency: int = 8
) -> Server:
    """The service of a profile's view or reranker; what is empty there is in the settings.

    Raises:
        InvalidSetting: no such service, or none at a known address.
    """
    encoding = role == "encoder"
    service = service or (settings.encoder_service if encoding else settings.reranker_service)
    if service not in SERVICES[role]:
        raise InvalidSetting(
            f"setting {role}_service={service!r}: a remote {role} needs one of "
            f"{', '.join(SERVICES[role])}"
        )
    url = url or (settings.encoder_url if encoding else settings.reranker_url)
    url = url or ADDRESSES.get(service, "")
    if not url:
        raise InvalidSetting(
            f"setting {role}_url: not set, and {service} has no usual address; "
            f"set it, such as {EXAMPLES[service]}"
        )
    key = settings.encoder_key if encoding else settings.reranker_key
    return Server(service, url, key, role=role, concurrency=concurrency)


def served_name(service: str, model: str) -> str:
    """What a service calls a model of a shipped profile."""
    return _OLLAMA_NAMES.get(model, model) if service == "ollama" else model


def in_order(pairs: Iterable[tuple[Any, T]], count: int) -> list[T]:
    """The values of (index, value) pairs in the order of their indices.

    Raises:
        ValueError: the indices are not 0 to `count` - 1, each once.
    """
    placed = dict(found := list(pairs))
    if len(found) != count or any(number not in placed for number in range(count)):
        raise ValueError(f"{len(found)} results for {count} inputs")
    return [placed[number] for number in range(count)]


def cleaned(text: str, tokens: int) -> str:
    """Text of a page or user as it may be sent: without tokens of the model's own, and cut.

    A lone surrogate, as damaged PDFs yield them, is no character and would be refused.
    """
    whole = text.encode("utf-8", "replace").decode()
    return prompts.escaped(cut(whole, tokens))


_PIECE = re.compile(r" ?[A-Z]?[a-z]{1,4}| ?[A-Z]{1,2}|\s+|.", re.DOTALL)


def cut(text: str, tokens: int) -> str:
    """The beginning of a text, of about so many tokens.

    Counted without the model's tokenizer, generously: four letters of a Latin word, two of a
    word in capitals, any other character, or a stretch of blanks are one token each.
    """
    if len(text) <= tokens:
        return text
    for number, piece in enumerate(_PIECE.finditer(text)):
        if number == tokens:
            return text[: piece.start()]
    return text


def data_url(jpeg: bytes) -> str:
    """A JPEG picture as a URL that holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def query_picture(image: Image, tokens_per_page: int) -> bytes:
    """A query's image as a JPEG within the budget of a page: 32 x 32 pixels a token."""
    from mmsearch.images import page_picture

    return page_picture(image.convert("RGB"), tokens_per_page * 32 * 32)[0]


def probe_picture() -> bytes:
    """The smallest picture that the models take: 64 x 64 pixels of grey, as a JPEG."""
    from PIL import Image

    from mmsearch.images import encode_picture

    return encode_picture(Image.new("RGB", (64, 64), "grey"))


def one_line(text: object) -> str:
    """Anything as a single line."""
    return " ".join(str(text).split())


def _address(service: str, url: str, role: Role) -> str:
    with suppress(ValueError):  # a port that is no number, a bracket that doesn't close
        parts = urlsplit(url.strip())
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        # A query may hold a key, and addresses are shown and logged.
        if valid and not parts.query and not parts.fragment:
            path = parts.path.rstrip("/")
            for ending in _ENDINGS.get(service, ()):
                path = path.removesuffix(ending)
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"
    raise _no_address(service, role)


def _no_address(service: str, role: Role) -> InvalidSetting:
    # Without the address: what is no URL may be a key in the wrong place.
    example = ADDRESSES.get(service) or EXAMPLES.get(service, "http://localhost:8000")
    return InvalidSetting(f"setting {role}_url: no address of a server; set it, such as {example}")


def _checked_key(key: str, role: Role) -> str:
    key = key.strip()
    if not key.isascii() or not key.isprintable():
        raise InvalidSetting(
            f"setting {role}_key: holds characters that no key has; "
            f"copy it again into MMSEARCH_{role.upper()}_KEY"
        )
    return key


def _same(model: str, served: str) -> bool:
    """Whether a served name means this model; Ollama adds a tag where none was given."""
    return model.lower() in (served.lower(), served.lower().removesuffix(":latest"))


def _reason(content: bytes) -> str:
    """What a service says of a failure, wherever its form has it; else the beginning of it."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        text = content[:2000].decode(errors="replace")
        return re.sub(r"<[^>]*>", " ", text)  # a gate's page
    return next(_said(said), "")


def _said(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _said(item)
    elif isinstance(value, dict):
        for name in ("message", "error", "detail", "msg"):
            if name in value:
                yield from _said(value[name])


def _retry_after(response: httpx.Response) -> float | None:
    """The pause that a server asks for, in seconds: a number or a date."""
    value = response.headers.get("Retry-After", "")
    with suppress(ValueError, TypeError, OverflowError):
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return float(value)
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    return None
