"""Rerankers that run behind HTTP, at vLLM, TEI or DashScope.

Sources: the API references of vLLM (scoring), Text Embeddings Inference, and Alibaba Cloud Model
Studio (DashScope). See `docs/servers.md`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mmsearch.config import Settings
from mmsearch.encoders import PageContent, Reads
from mmsearch.errors import InvalidSetting, UnreadableFile, UnusableModel
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
)
from mmsearch.types import Query

# What Qwen3-Reranker is given unless a profile says else.
TEXT_INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"
CANDIDATES = {"picture": 20, "text": 50}
PAGE_TOKENS = 7000  # of a page's text: with query and prompt less than 8192
QUERY_TOKENS = 800
DASHSCOPE_TOKENS = 4000  # of a page's text there; a longer one is cut
PICTURE_BYTES = 5 << 20  # of a picture there
ROUNDING = 1e-3  # what a score may lie outside of 0 to 1


def create(
    settings: Settings,
    tokens_per_page: int,
    *,
    model: str,
    reads: Reads = "text",
    service: str = "",
    url: str = "",
    revision: str = "",  # of weights on this machine; a server has its own
    instruction: str | None = None,
    candidates: int | None = None,
    concurrency: int = 8,
) -> RemoteReranker:
    """The reranker as a profile asks for it; `service` and `url` default to the settings.

    Raises:
        InvalidSetting: no such service, no address, or a service that takes no pictures.
    """
    return RemoteReranker(
        connect(settings, "reranker", service, url, concurrency),
        model=model,
        reads=reads,
        tokens_per_page=tokens_per_page,
        instruction=instruction,
        candidates=candidates,
    )


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a pair that is scored: words, a JPEG picture, or both."""

    text: str = ""
    picture: bytes = b""


class Wire(Protocol):
    """How one service is asked. `batch` is how many pages a request may hold.

    `body` raises UnreadableFile for a page that the service can't take; `scores` raises
    LookupError, TypeError or ValueError on an answer of another form.
    """

    @property
    def path(self) -> str: ...

    @property
    def batch(self) -> int: ...

    def body(self, query: Side, pages: Sequence[Side], instruction: str) -> dict[str, Any]: ...

    def scores(self, answer: Any, count: int) -> list[float]: ...


class RemoteReranker:
    """Scores pairs of query and page by a service. Calls may come from several threads.

    Args:
        server: the service.
        model: its name there.
        reads: what is shown of a page, `text` or `picture`.
        tokens_per_page: budget of a query's image, 32 x 32 pixels a token.
        instruction: what the pages are judged for; by default what the model was evaluated with.
        candidates: how many pages are reranked; by default 20 pictures or 50 texts.

    Raises:
        InvalidSetting: the service takes no pictures.
    """

    def __init__(
        self,
        server: Server,
        *,
        model: str,
        reads: Reads = "text",
        tokens_per_page: int = 1800,
        instruction: str | None = None,
        candidates: int | None = None,
    ) -> None:
        self.reads: Reads = reads
        self.candidates = candidates or CANDIDATES[reads]
        self._server = server
        self._model = model
        self._tokens_per_page = tokens_per_page
        self._wire = _wire(server.service, model, reads)
        sees = reads == "picture" or "-vl-" in model.lower()
        usual = prompts.PAGE_INSTRUCTION if sees else TEXT_INSTRUCTION
        self._instruction = usual if instruction is None else instruction
        self.identity = f"{model}@{server.service}"
        if self._instruction != usual:
            self.identity += f"/{one_line(self._instruction)}"
        self._checking = threading.Lock()
        self._checked = False

    def score(self, query: Query, pages: Sequence[PageContent]) -> list[float | None]:
        """One score a page in [0, 1], in order; None for a page that holds nothing to judge or
        that the service refuses, and for all where the query holds nothing.

        Raises:
            ModelUnavailable: the service is down, stays busy, or refuses the query.
            InvalidSetting: the key, the address or the model's name is wrong.
            UnusableModel: it answers something else than scores from 0 to 1.
        """
        scores: list[float | None] = [None] * len(pages)
        asked = self._query(query)
        sides = {n: side for n, side in enumerate(map(self._page, pages)) if side is not None}
        if asked is None or not sides:
            return scores
        self._check()
        numbers, size = list(sides), self._wire.batch
        batches = [numbers[start : start + size] for start in range(0, len(numbers), size)]
        scored = self._server.map(
            lambda batch: self._score(asked, [sides[n] for n in batch]), batches
        )
        for batch, made in zip(batches, scored, strict=True):
            for number, score in zip(batch, made, strict=True):
                scores[number] = score
        return scores

    def _query(self, query: Query) -> Side | None:
        text = query.text if query.text.strip() else ""
        if self.reads == "picture" and query.image is not None:
            return Side(text, query_picture(query.image, self._tokens_per_page))
        return Side(text) if text else None

    def _page(self, page: PageContent) -> Side | None:
        if self.reads == "picture":
            return Side(picture=page.picture) if page.picture else None
        return Side(page.text) if page.text.strip() else None

    def _check(self) -> None:
        """At the first use: does the service have the model, and does it score a page?"""
        with self._checking:
            if self._checked:
                return
            self._server.check_model(self._model)
            try:
                self._probe(Side("probe"))
            except Refused as error:
                raise InvalidSetting(str(error)) from error
            self._checked = True

    def _probe(self, query: Side) -> None:
        page = self._page(PageContent("probe", probe_picture()))
        assert page is not None
        self._ask(query, [page])

    def _score(self, query: Side, pages: Sequence[Side]) -> list[float | None]:
        """The scores of one request's pages; each page alone where the request is refused."""
        try:
            return self._ask(query, pages)
        except (Refused, UnreadableFile) as error:
            if isinstance(error, Refused) and not error.is_about_the_input:
                raise
            if len(pages) > 1:
                return [score for page in pages for score in self._score(query, [page])]
            if isinstance(error, Refused):
                self._probe(query)  # or is it the query that is refused?
            return [None]

    def _ask(self, query: Side, pages: Sequence[Side]) -> list[float | None]:
        body = self._wire.body(query, pages, self._instruction)
        answer = self._server.post(self._wire.path, body)
        try:
            scores = [
                math.nan if score is None else float(score)
                for score in self._wire.scores(answer, len(pages))
            ]
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise self._server.nonsense(error) from error
        return [None if math.isnan(score) else self._bounded(score) for score in scores]

    def _bounded(self, score: float) -> float:
        if not -ROUNDING <= score <= 1 + ROUNDING:
            raise UnusableModel(
                f"{self._server.address}: scores {score:.3g}, which is not in 0 to 1; "
                f"is {self._model} served as a reranker? see docs/servers.md"
            )
        return min(max(score, 0.0), 1.0)


def _wire(service: str, model: str, reads: Reads) -> Wire:
    match service:
        case "vllm":
            return Vllm(model)
        case "dashscope":
            return DashScope(model, reads == "picture" or "-vl-" in model.lower())
        case _ if reads == "picture":
            raise InvalidSetting(
                f"setting reranker_service={service!r}: {service} runs no model that sees "
                f"pictures, such as {model}; use vllm or dashscope, or run it here"
            )
    return Tei()


@dataclass(frozen=True, slots=True)
class Vllm:
    """Qwen3-VL-Reranker and Qwen3-Reranker by vLLM, started with the score template of each."""

    model: str
    path: str = "/v1/rerank"
    batch: int = 20

    def body(self, query: Side, pages: Sequence[Side], instruction: str) -> dict[str, Any]:
        return {
            "model": self.model,
            "query": self._side(query, QUERY_TOKENS),
            "documents": [self._side(page, PAGE_TOKENS) for page in pages],
            "instruction": prompts.escaped(instruction),
            "top_n": len(pages),
        }

    def _side(self, side: Side, tokens: int) -> str | dict[str, Any]:
        # Cut here: a prompt that the server cuts loses its end, and with it the question.
        text = cleaned(side.text, tokens)
        if not side.picture:
            return text
        parts: list[dict[str, Any]] = [
            {"type": "image_url", "image_url": {"url": data_url(side.picture)}}
        ]
        if text:
            parts.append({"type": "text", "text": text})
        return {"content": parts}

    def scores(self, answer: Any, count: int) -> list[float]:
        return in_order(
            ((item["index"], item["relevance_score"]) for item in answer["results"]), count
        )


@dataclass(frozen=True, slots=True)
class Tei:
    """A cross-encoder by Text Embeddings Inference, which serves just one, without instruction."""

    path: str = "/rerank"
    batch: int = 32

    def body(self, query: Side, pages: Sequence[Side], instruction: str) -> dict[str, Any]:
        return {
            "query": cleaned(query.text, QUERY_TOKENS),
            "texts": [cleaned(page.text, PAGE_TOKENS) for page in pages],
            "raw_scores": False,
            "return_text": False,
            "truncate": True,
        }

    def scores(self, answer: Any, count: int) -> list[float]:
        return in_order(((item["index"], item["score"]) for item in answer), count)


@dataclass(frozen=True, slots=True)
class DashScope:
    """qwen3-vl-rerank, which takes pictures, and qwen3-rerank and gte-rerank-v2, which don't."""

    model: str
    sees: bool
    path: str = "/api/v1/services/rerank/text-rerank/text-rerank"

    @property
    def batch(self) -> int:
        """Pages a request: 40 pictures at most; of texts so many that their tokens fit."""
        if self.sees:
            return 20
        return 6 if "gte" in self.model else 20

    def body(self, query: Side, pages: Sequence[Side], instruction: str) -> dict[str, Any]:
        parameters: dict[str, Any] = {"top_n": len(pages), "return_documents": False}
        if "qwen3" in self.model:
            parameters["instruct"] = instruction
        return {
            "model": self.model,
            "input": {
                "query": self._side(query, QUERY_TOKENS),
                "documents": [self._side(page, DASHSCOPE_TOKENS) for page in pages],
            },
            "parameters": parameters,
        }

    def _side(self, side: Side, tokens: int) -> str | dict[str, str]:
        text = cleaned(side.text, tokens)
        if not self.sees:
            return text
        if len(side.picture) > PICTURE_BYTES:
            raise UnreadableFile(f"page picture: {len(side.picture)} bytes are too many to send")
        made = {"image": data_url(side.picture)} if side.picture else {}
        return made | {"text": text} if text else made

    def scores(self, answer: Any, count: int) -> list[float]:
        results = answer["output"]["results"]
        return in_order(((item["index"], item["relevance_score"]) for item in results), count)
