"""Encoders that run behind HTTP, at vLLM, TEI, Ollama or DashScope.

Sources: the API references of vLLM (pooling models), Text Embeddings Inference, Ollama, and
Alibaba Cloud Model Studio (DashScope). See `docs/servers.md`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from mmsearch.config import Settings
from mmsearch.encoders import PageContent, Reads
from mmsearch.errors import InvalidSetting, ModelUnavailable, UnreadableFile, UnusableModel
from mmsearch.qwen3_vl import prompts
from mmsearch.remote import (
    Refused,
    Server,
    cleaned,
    connect,
    data_url,
    in_order,
    one_line,
    probe_picture,
    query_picture,
    served_name,
)
from mmsearch.types import Float32, Query, Vector, VectorKind

# What Qwen3-Embedding's queries are given unless a profile says else.
TEXT_INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"
TEXT_TOKENS = 8000  # of a text, where the service does not cut it: below 8192 with the prompt
PICTURE_TOKENS = 1800  # of the largest picture
CUT_TOKENS = 32_768  # where the service cuts it: only to bound the request
PICTURE_BYTES = 5 << 20  # what DashScope takes
REMEMBERED = 64  # query texts


def create(
    settings: Settings,
    tokens_per_page: int,
    *,
    model: str,
    reads: Reads = "text",
    service: str = "",
    url: str = "",
    revision: str = "",  # of weights on this machine; a server has its own
    dimension: int = 1024,
    query_instruction: str | None = None,
    page_instruction: str | None = None,
    concurrency: int = 8,
) -> RemoteEncoder:
    """The encoder as a profile asks for it; `service` and `url` default to the settings.

    Raises:
        InvalidSetting: no such service, no address, or a service that takes no pictures.
    """
    server = connect(settings, "encoder", service, url, concurrency)
    return RemoteEncoder(
        server,
        model=model,
        reads=reads,
        dimension=dimension,
        tokens_per_page=tokens_per_page,
        query_instruction=query_instruction,
        page_instruction=page_instruction,
    )


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to embed: words, a JPEG picture, or both, and what for."""

    text: str = ""
    picture: bytes = b""
    instruction: str = ""
    is_query: bool = False


class Wire(Protocol):
    """How one service is asked. `batch` is how many inputs a request may hold.

    `body` raises UnreadableFile for an input that the service can't take; `vectors` raises
    LookupError, TypeError or ValueError on an answer of another form.
    """

    @property
    def path(self) -> str: ...

    @property
    def batch(self) -> int: ...

    def body(self, inputs: Sequence[Input]) -> dict[str, Any]: ...

    def vectors(self, answer: Any, count: int) -> list[list[float]]: ...


class RemoteEncoder:
    """One dense vector a page, made by a service.

    Vectors are (dimension,) float32 of unit length. The first use asks the service which model it
    serves and for one small page, so that a wrong model fails at once and not page by page; later
    a page that the service refuses fails alone. Calls may come from several threads.

    Args:
        server: the service.
        model: its name in the profile.
        reads: what is shown of a page, `text` or `picture`.
        dimension: of the vectors; the model has to know it.
        tokens_per_page: budget of a query's image, 32 x 32 pixels a token.
        query_instruction: what a query with words is for; by default what the model was
            evaluated with.
        page_instruction: what a page, and an image without words, is for.

    Raises:
        InvalidSetting: the service takes no pictures.
    """

    kind: VectorKind = "dense"
    leaves_cpu = True

    def __init__(
        self,
        server: Server,
        *,
        model: str,
        reads: Reads = "text",
        dimension: int = 1024,
        tokens_per_page: int = 1800,
        query_instruction: str | None = None,
        page_instruction: str | None = None,
    ) -> None:
        self.reads: Reads = reads
        self.dimension: int | None = dimension
        self._server = server
        self._model = served_name(server.service, model)
        self._tokens_per_page = tokens_per_page
        self._wire = _wire(server.service, self._model, reads, dimension)
        for_query, for_page = _default_instructions(model, reads)
        self._for_query = for_query if query_instruction is None else query_instruction
        self._for_page = for_page if page_instruction is None else page_instruction
        self.identity = f"{model}@{server.service}/{dimension}"
        if self._for_query != for_query:
            self.identity += f"/query: {one_line(self._for_query)}"
        if self._for_page != for_page:
            self.identity += f"/page: {one_line(self._for_page)}"
        self._checking = threading.Lock()
        self._checked = False
        self._remembered = lru_cache(REMEMBERED)(self._encode_query)

    def encode_pages(self, pages: Sequence[PageContent]) -> list[Vector | UnreadableFile | None]:
        """One vector a page, in order; None for a page without text or picture.

        Raises:
            ModelUnavailable: the service is down or stays busy.
            InvalidSetting: the key, the address or the model's name is wrong.
            UnusableModel: the vectors have another dimension.
        """
        inputs = {n: page for n, page in enumerate(map(self._page, pages)) if page is not None}
        vectors: list[Vector | UnreadableFile | None] = [None] * len(pages)
        if inputs:
            self._check()
        size = self._wire.batch
        numbers = list(inputs)
        batches = [numbers[start : start + size] for start in range(0, len(numbers), size)]
        encoded = self._server.map(lambda batch: self._encode([inputs[n] for n in batch]), batches)
        for batch, made in zip(batches, encoded, strict=True):
            for number, vector in zip(batch, made, strict=True):
                vectors[number] = vector
        return vectors

    def encode_query(self, query: Query) -> Vector | None:
        """The query's vector; None where it holds nothing that this view can look for.

        Raises:
            ModelUnavailable: the service is down, stays busy, or refuses the query.
        """
        has_words = bool(query.text.strip())
        if self.reads == "text" or query.image is None:
            return self._remembered(query.text) if has_words else None
        self._check()
        instruction = self._for_query if has_words else self._for_page
        picture = query_picture(query.image, self._tokens_per_page)
        text = query.text if has_words else ""
        return self._one(Input(text, picture, instruction, is_query=True))

    def _encode_query(self, text: str) -> Float32:
        self._check()
        vector = self._one(Input(text, instruction=self._for_query, is_query=True))
        vector.setflags(write=False)  # since it is handed out again
        return vector

    def _page(self, page: PageContent) -> Input | None:
        if self.reads == "picture":
            return Input(picture=page.picture, instruction=self._for_page) if page.picture else None
        return Input(page.text, instruction=self._for_page) if page.text.strip() else None

    def _check(self) -> None:
        """At the first use: does the service have the model, and does it take a page?"""
        with self._checking:
            if not self._checked:
                self._server.check_model(self._model)
                try:
                    self._probe()
                except Refused as error:
                    raise InvalidSetting(str(error)) from error
                self._checked = True

    def _probe(self) -> None:
        probe = PageContent("probe", probe_picture() if self.reads == "picture" else b"")
        page = self._page(probe)
        assert page is not None
        self._one(page)

    def _encode(self, inputs: Sequence[Input]) -> list[Float32 | UnreadableFile]:
        """The vectors of one request's inputs; each input alone where it is refused."""
        try:
            return self._ask(inputs)
        except UnreadableFile as error:
            return [error]
        except Refused as error:
            if not error.is_about_the_input:
                raise
            if len(inputs) > 1:
                return [vector for input_ in inputs for vector in self._encode([input_])]
            self._probe()  # or is every page refused by now, as when an account is empty?
            return [
                UnreadableFile(
                    f"page {self.reads}: {self._server.address} refuses it ({error.reason}); "
                    "see the server's log"
                )
            ]

    def _one(self, input_: Input) -> Float32:
        (vector,) = self._ask([input_])
        if isinstance(vector, UnreadableFile):
            raise ModelUnavailable(f"{self._server.address}: {vector}")
        return vector

    def _ask(self, inputs: Sequence[Input]) -> list[Float32 | UnreadableFile]:
        answer = self._server.post(self._wire.path, self._wire.body(inputs))
        try:
            rows = [np.asarray(row, np.float64) for row in self._wire.vectors(answer, len(inputs))]
            if any(row.ndim != 1 for row in rows):
                raise ValueError("a vector that is no list of numbers")
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise self._server.nonsense(error) from error
        return [self._unit(row) for row in rows]

    def _unit(self, row: np.ndarray[Any, np.dtype[np.float64]]) -> Float32 | UnreadableFile:
        """A row as a unit vector; an error in its place where it has no direction."""
        if len(row) != self.dimension:
            raise UnusableModel(
                f"{self._server.address}: the server answers {len(row)} dimensions, the index has "
                f"{self.dimension}; give the profile a dimension that {self._model} has, "
                "or start the server so that it takes `dimensions`"
            )
        with np.errstate(over="ignore"):
            length = np.linalg.norm(row)
        if not np.isfinite(length) or not length:
            return UnreadableFile(
                f"page {self.reads}: {self._model} made a vector of no length or no number; "
                "run it in bfloat16 or float32"
            )
        unit: Float32 = (row / length).astype(np.float32)
        return unit


def _default_instructions(model: str, reads: Reads) -> tuple[str, str]:
    """What queries and pages are for, where a profile does not say."""
    if _sees(model, reads):
        return prompts.PAGE_INSTRUCTION, prompts.EMBEDDING_INSTRUCTION
    knows = "qwen3-embedding" in model.lower() or "text-embedding-v4" in model.lower()
    return (TEXT_INSTRUCTION if knows else ""), ""


def _sees(model: str, reads: Reads) -> bool:
    """Whether it is a model for pictures, even where it is shown words alone."""
    name = model.lower()
    return reads == "picture" or "-vl-" in name or "vision" in name or "multimodal" in name


def _wire(service: str, model: str, reads: Reads, dimension: int) -> Wire:
    sees = _sees(model, reads)
    match service:
        case "vllm":
            return VllmChat(model, dimension) if sees else VllmText(model, dimension)
        case "dashscope":
            return DashScopePictures(model, dimension) if sees else DashScopeText(model, dimension)
        case _ if sees:
            raise InvalidSetting(
                f"setting encoder_service={service!r}: {service} runs no model that sees "
                f"pictures, such as {model}; use vllm or dashscope, or run it here"
            )
        case "tei":
            return Tei(dimension)
    return Ollama(model, dimension)


@dataclass(frozen=True, slots=True)
class VllmChat:
    """Qwen3-VL-Embedding by vLLM: a conversation that renders to the model's own prompt.

    The empty last turn, continued, is the generation prompt; `add_special_tokens` appends the
    token that is pooled.
    """

    model: str
    dimension: int
    path: str = "/v1/embeddings"
    batch: int = 1  # a request is one conversation

    def body(self, inputs: Sequence[Input]) -> dict[str, Any]:
        (input_,) = inputs
        instruction = prompts.escaped(prompts.normalised(input_.instruction))
        return {
            "model": self.model,
            "encoding_format": "float",
            "dimensions": self.dimension,
            "messages": [
                {"role": "system", "content": [{"type": "text", "text": instruction}]},
                {"role": "user", "content": self._content(input_)},
                {"role": "assistant", "content": [{"type": "text", "text": ""}]},
            ],
            "continue_final_message": True,
            "add_special_tokens": True,
        }

    def _content(self, input_: Input) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = []
        if input_.picture:
            parts.append({"type": "image_url", "image_url": {"url": data_url(input_.picture)}})
        if input_.text or not parts:
            # Cut here: a prompt that the server cuts loses its end, and with it the meaning.
            room = TEXT_TOKENS - (PICTURE_TOKENS if parts else 0)
            text = cleaned(input_.text, room) or prompts.NOTHING
            parts.append({"type": "text", "text": text})
        return parts

    def vectors(self, answer: Any, count: int) -> list[list[float]]:
        return _openai_vectors(answer, count)


@dataclass(frozen=True, slots=True)
class VllmText:
    """A text model by vLLM. Cut by the server, a text keeps the token that is pooled."""

    model: str
    dimension: int
    path: str = "/v1/embeddings"
    batch: int = 8

    def body(self, inputs: Sequence[Input]) -> dict[str, Any]:
        return {
            "model": self.model,
            "encoding_format": "float",
            "dimensions": self.dimension,
            "input": [_instructed(input_) for input_ in inputs],
            "truncate_prompt_tokens": -1,
        }

    def vectors(self, answer: Any, count: int) -> list[list[float]]:
        return _openai_vectors(answer, count)


@dataclass(frozen=True, slots=True)
class Tei:
    """A text model by Text Embeddings Inference, which serves just one."""

    dimension: int
    path: str = "/embed"
    batch: int = 8

    def body(self, inputs: Sequence[Input]) -> dict[str, Any]:
        return {
            "inputs": [_instructed(input_) for input_ in inputs],
            "normalize": True,
            "truncate": True,
            "dimensions": self.dimension,
        }

    def vectors(self, answer: Any, count: int) -> list[list[float]]:
        return in_order(enumerate(answer), count)


@dataclass(frozen=True, slots=True)
class Ollama:
    """A text model by Ollama."""

    model: str
    dimension: int
    path: str = "/api/embed"
    batch: int = 4  # often on a CPU, where a request of many long pages takes minutes

    def body(self, inputs: Sequence[Input]) -> dict[str, Any]:
        return {
            "model": self.model,
            "input": [_instructed(input_) for input_ in inputs],
            "truncate": True,
            "dimensions": self.dimension,
        }

    def vectors(self, answer: Any, count: int) -> list[list[float]]:
        return in_order(enumerate(answer["embeddings"]), count)


@dataclass(frozen=True, slots=True)
class DashScopeText:
    """text-embedding-v4 and its like, which are told apart what a query and what a page is."""

    model: str
    dimension: int
    path: str = "/api/v1/services/embeddings/text-embedding/text-embedding"
    batch: int = 10  # texts a request, of 8192 tokens each

    def body(self, inputs: Sequence[Input]) -> dict[str, Any]:
        first = inputs[0]
        parameters: dict[str, Any] = {
            "dimension": self.dimension,
            "text_type": "query" if first.is_query else "document",
            "output_type": "dense",
        }
        if first.instruction:
            parameters["instruct"] = first.instruction
        texts = [cleaned(input_.text, TEXT_TOKENS) for input_ in inputs]
        return {"model": self.model, "input": {"texts": texts}, "parameters": parameters}

    def vectors(self, answer: Any, count: int) -> list[list[float]]:
        return _dashscope_vectors(answer, count)


@dataclass(frozen=True, slots=True)
class DashScopePictures:
    """qwen3-vl-embedding and its like. A query's words and image are fused into one vector."""

    model: str
    dimension: int
    path: str = "/api/v1/services/embeddings/multimodal-embedding/multimodal-embedding"
    batch: int = 1

    def body(self, inputs: Sequence[Input]) -> dict[str, Any]:
        (input_,) = inputs
        contents: list[dict[str, str]] = []
        if len(input_.picture) > PICTURE_BYTES:
            raise UnreadableFile(
                f"page picture: {len(input_.picture)} bytes are more than the {PICTURE_BYTES} "
                "that DashScope takes; give the profile fewer tokens_per_page"
            )
        if input_.picture:
            contents.append({"image": data_url(input_.picture)})
        if input_.text or not contents:
            contents.append({"text": cleaned(input_.text, TEXT_TOKENS) or prompts.NOTHING})
        parameters: dict[str, Any] = {"dimension": self.dimension}
        if len(contents) > 1:
            parameters["enable_fusion"] = True
        if input_.instruction != prompts.EMBEDDING_INSTRUCTION:  # its own default
            parameters["instruct"] = input_.instruction
        return {"model": self.model, "input": {"contents": contents}, "parameters": parameters}

    def vectors(self, answer: Any, count: int) -> list[list[float]]:
        return _dashscope_vectors(answer, count)


def _instructed(input_: Input) -> str:
    """A text as Qwen3-Embedding was trained: no blank after `Query:`, pages without anything."""
    text = cleaned(input_.text, CUT_TOKENS)
    if not input_.instruction:
        return text
    return f"Instruct: {prompts.escaped(input_.instruction)}\nQuery:{text}"


def _openai_vectors(answer: Any, count: int) -> list[list[float]]:
    return in_order(((item["index"], item["embedding"]) for item in answer["data"]), count)


def _dashscope_vectors(answer: Any, count: int) -> list[list[float]]:
    found: Iterable[dict[str, Any]] = answer["output"]["embeddings"]
    pairs = (
        (item.get("text_index", item.get("index", place)), item["embedding"])
        for place, item in enumerate(found)
    )
    return in_order(pairs, count)
