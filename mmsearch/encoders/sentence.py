"""Text views by sentence-transformers: Qwen3-Embedding, or any other model folder of that library.

Qwen3-Embedding reads a page of up to 8192 tokens whole; a query carries an instruction, a page
does not. A longer page is cut into windows, of which the best counts. Models that read 512 tokens
or less see passages, as MiniLM does, and every other model its own prompts.

Source: Zhang et al. 2025, Qwen3 Embedding, arXiv:2506.05176.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np

from mmsearch import checkpoints
from mmsearch.checkpoints import Checkpoint
from mmsearch.config import Settings
from mmsearch.encoders import PageContent, passages
from mmsearch.errors import InvalidSetting, LimitExceeded, UnusableModel
from mmsearch.loading import device, loading, number_format
from mmsearch.qwen3_vl.batches import by_length, halving
from mmsearch.qwen3_vl.prompts import END, escaped
from mmsearch.types import Float32, Query, Vector, VectorKind

INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"
LEAST_DIMENSION = 32  # that Qwen3-Embedding was trained for
LEAST_TOKENS = 64
BATCH_TOKENS = 16_384  # computed at once, padding included
QUERIES = 64  # whose vectors are remembered
SHORT = 512  # tokens; a model that reads no more than these sees passages
MOST = 8  # windows of a page: what comes after them is left out, unread
SCHEME = f"windows-{MOST}+{passages.SCHEME}"
"""Part of the identity: pages cut otherwise are other vectors."""

_CHARACTERS = 16  # of a token at most, where a text is cut before it is looked at
_SEAM = 8  # tokens that a window may gain when it is cut into tokens anew

R = TypeVar("R")


def create(
    settings: Settings,
    _: int = 0,
    *,
    model: str,
    revision: str = "",
    dimension: int = 1024,
    query_instruction: str = INSTRUCTION,
    adapter: str = "",
    max_tokens: int = 8192,
) -> SentenceEncoder:
    """The encoder as a profile asks for it.

    Raises:
        InvalidSetting: a value that no model can have.
    """
    return SentenceEncoder(
        settings,
        model=model,
        revision=revision,
        dimension=dimension,
        query_instruction=query_instruction,
        adapter=adapter,
        max_tokens=max_tokens,
    )


class Piece(NamedTuple):
    """A stretch of a page's text and its length in tokens."""

    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A model and what is known of it: its prompts, and the tokens that it has for a text."""

    model: Any  # sentence_transformers.SentenceTransformer
    query_prompt: str
    page_prompt: str
    room: int
    is_qwen: bool


class SentenceEncoder:
    """A page as one vector, or one for each window or passage of it; the best counts.

    Vectors are (windows, dimension) float32 with unit rows, a query's is (dimension,). They are
    cut to `dimension` before they are brought to unit length: Qwen3-Embedding was trained for
    that, from 32 up; for a model that was not, give its own. Loading waits for the first use;
    calls may come from several threads.

    Args:
        settings: `model_dir`, `device` and `dtype` count.
        model: a folder, or a name on the hub such as `Qwen/Qwen3-Embedding-0.6B`.
        revision: its commit, where it lies in the Hugging Face cache.
        dimension: numbers of a vector.
        query_instruction: the task that goes before a query; only for Qwen3-Embedding.
        adapter: folder of a LoRA (PEFT) adapter in safetensors.
        max_tokens: the longest text that is encoded whole; the model's own limit holds as well.

    Raises:
        MissingExtra, MissingModel, UnusableModel: at first use.
        InvalidSetting: a value that no model can have; at first use, that this one cannot.
    """

    kind: VectorKind = "multi"
    reads: Literal["text", "picture"] = "text"

    def __init__(
        self,
        settings: Settings,
        *,
        model: str,
        revision: str = "",
        dimension: int = 1024,
        query_instruction: str = INSTRUCTION,
        adapter: str = "",
        max_tokens: int = 8192,
    ) -> None:
        self.dimension: int | None = at_least("dimension", dimension, LEAST_DIMENSION)
        self._max_tokens = at_least("max_tokens", max_tokens, LEAST_TOKENS)
        self._settings = settings
        self._model, self._revision = model, revision
        self._instruction = " ".join(query_instruction.split())
        self._adapter = adapter
        self._lock = threading.RLock()
        self._remembered = lru_cache(QUERIES)(self._query_vector)

    @property
    def identity(self) -> str:
        """The model, its revision and everything that changes its vectors."""
        name = self._checkpoint.identity
        if self._adapter:
            name += f"+{checkpoints.find(self._adapter).identity}"
        parts = [name, str(self.dimension), f"{self._max_tokens}-{SCHEME}"]
        if self._instruction != INSTRUCTION:
            parts.append(self._instruction)
        return "/".join(parts)

    @property
    def leaves_cpu(self) -> bool:
        """Whether the model runs on an accelerator; loads it."""
        return bool(self._loaded.model.device.type != "cpu")

    def encode_pages(self, pages: Sequence[PageContent]) -> list[Vector | LimitExceeded | None]:
        """One array of vectors a page, in order; None for a page without text.

        A page that the memory does not suffice for has its error in place of them.
        """
        texts = [whole(page.text) for page in pages]
        cut = [self._pieces(text) if text.strip() else [] for text in texts]
        flat = [piece for pieces in cut for piece in pieces]

        def encode(numbers: list[int]) -> list[Float32]:
            loaded = self._loaded
            chosen = [flat[number].text for number in numbers]
            return self._vectors(loaded.model.encode_document, chosen, loaded.page_prompt)

        rows = batched(encode, [piece.tokens for piece in flat])
        bounds = pairwise(accumulate((len(pieces) for pieces in cut), initial=0))
        return [_stacked(rows[first:last]) for first, last in bounds]

    def encode_query(self, query: Query) -> Vector | None:
        """The vector of the query's words, under the instruction; None without any.

        Raises:
            LimitExceeded: the memory does not suffice.
        """
        text = whole(query.text).strip()
        return self._remembered(text) if text else None

    def _query_vector(self, text: str) -> Float32:
        loaded = self._loaded
        text = text[: loaded.room * _CHARACTERS]
        if loaded.is_qwen:
            text = escaped(text)

        def encode(numbers: list[int]) -> list[Float32]:
            return self._vectors(loaded.model.encode_query, [text], loaded.query_prompt)

        (row,) = batched(encode, [1])
        if row is None:
            raise _too_long("query")
        row.setflags(write=False)  # it is handed out again
        return row

    def _vectors(self, encode: Callable[..., Any], texts: list[str], prompt: str) -> list[Float32]:
        with self._lock:  # a tokeniser has settings that a second thread would change
            rows = encode(
                texts,
                prompt=prompt,
                batch_size=len(texts),
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        cut = np.asarray(rows, np.float32)[:, : self.dimension]
        lengths = np.linalg.norm(cut, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise UnusableModel(
                f"model {self._model}: its vectors are no numbers; "
                "set dtype to float32, or copy the model again"
            )
        return list((cut / lengths).astype(np.float32))

    def _pieces(self, text: str) -> list[Piece]:
        """What the model sees of a page: all of it in one, where it fits."""
        loaded = self._loaded
        tokenizer = loaded.model.tokenizer
        if loaded.is_qwen:
            text = escaped(text)
        if loaded.room <= SHORT or not getattr(tokenizer, "is_fast", False):
            size = min(passages.SIZE, loaded.room * 4 // 5)
            cut = passages.split(text, size=size, overlap=size // 5)
            return [Piece(passage.text, min(len(passage.text), loaded.room)) for passage in cut]
        text = text[: MOST * loaded.room * _CHARACTERS]
        with self._lock:
            cut_up = tokenizer(
                text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
            )
        return windows(text, cut_up["offset_mapping"], loaded.room)

    @property
    def _loaded(self) -> _Loaded:
        with self._lock:
            return self._model_and_prompts

    @cached_property
    def _checkpoint(self) -> Checkpoint:
        return checkpoints.find(
            self._model, revision=self._revision, model_dir=self._settings.model_dir
        )

    @cached_property
    def _model_and_prompts(self) -> _Loaded:
        checkpoints.require("torch", "sentence_transformers")
        folder = self._checkpoint.path
        if not (folder / "modules.json").is_file():
            raise UnusableModel(
                f"model {self._model}: it has no modules.json, so how it makes vectors is unknown; "
                "give an embedding model, saved by sentence-transformers"
            )
        with loading(self._model):
            from sentence_transformers import SentenceTransformer

            place = device(self._settings)
            model = SentenceTransformer(
                str(folder), device=place, **loading_options(self._settings, place)
            )
            network = model.transformers_model
        is_qwen = getattr(getattr(network, "config", None), "model_type", "") == "qwen3"
        if is_qwen:
            _check_complete(self._model, folder, network)
            _append_end(model)
        if self._adapter:
            checkpoints.require("peft")
            with loading(self._adapter):
                adapt(network, checkpoints.locate(self._adapter))
        self._check_dimension(model.get_embedding_dimension())
        return self._measured(model, is_qwen)

    def _measured(self, model: Any, is_qwen: bool) -> _Loaded:
        limit = int(min(model.max_seq_length or self._max_tokens, self._max_tokens))
        if model.transformers_model is not None:
            model.max_seq_length = limit
        page_prompt = _prompt(model, "document", "passage", "corpus")
        taken = 0
        if hasattr(model.tokenizer, "num_special_tokens_to_add"):
            taken = model.tokenizer.num_special_tokens_to_add()
            taken += len(model.tokenizer(page_prompt, add_special_tokens=False)["input_ids"])
        room = max(limit - taken, LEAST_TOKENS // 2)
        return _Loaded(model, self._query_prompt(model, is_qwen), page_prompt, room, is_qwen)

    def _query_prompt(self, model: Any, is_qwen: bool) -> str:
        own = _prompt(model, "query")
        if self._instruction == INSTRUCTION and (own or not is_qwen):
            return own
        if not is_qwen:
            raise InvalidSetting(
                f"model {self._model}: it is no Qwen3-Embedding and takes no instruction; "
                "remove query_instruction from the profile"
            )
        return f"Instruct: {escaped(self._instruction)}\nQuery:"

    def _check_dimension(self, own: int | None) -> None:
        if own is not None and self.dimension is not None and own < self.dimension:
            raise InvalidSetting(
                f"model {self._model}: its vectors have {own} dimensions, the profile asks for "
                f"{self.dimension}; set dimension to {own} or less"
            )


def windows(text: str, spans: Sequence[tuple[int, int]], room: int) -> list[Piece]:
    """Cut a text by its tokens into the fewest overlapping windows of equal length.

    Args:
        text: a page's text.
        spans: where each of its tokens begins and ends, in characters.
        room: tokens of the longest window.

    Returns:
        The whole text where it fits, else at most `MOST` windows in reading order.
    """
    if len(spans) <= room:
        return [Piece(text, len(spans))]
    room -= _SEAM
    overlap = room // 16
    step = room - overlap
    spans = spans[: overlap + MOST * step]
    count = -(-(len(spans) - overlap) // step)
    length = -(-(len(spans) + (count - 1) * overlap) // count)
    firsts = [number * (len(spans) - length) // max(1, count - 1) for number in range(count)]
    return [Piece(text[spans[first][0] : spans[first + length - 1][1]], length) for first in firsts]


def _stacked(rows: Sequence[Float32 | None]) -> Vector | LimitExceeded | None:
    if not rows:
        return None
    there = [row for row in rows if row is not None]
    return np.stack(there) if len(there) == len(rows) else _too_long("page text")


def _too_long(thing: str) -> LimitExceeded:
    return LimitExceeded(f"{thing}: needs more memory than there is; lower max_tokens")


def _prompt(model: Any, *names: str) -> str:
    """The first prompt of these names that a model was saved with."""
    return next((str(model.prompts[name]) for name in names if model.prompts.get(name)), "")


def _append_end(model: Any) -> None:
    """See that <|endoftext|> ends each text: its state is the vector, and copies that were saved
    anew may have lost it.
    """
    from tokenizers import processors

    tokenizer = model.tokenizer
    pooled = any(getattr(module, "pooling_mode", "") == "lasttoken" for module in model)
    if not pooled or tokenizer.num_special_tokens_to_add():
        return
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}",
        pair=f"$A $B {END}",
        special_tokens=[(END, tokenizer.convert_tokens_to_ids(END))],
    )


def _check_complete(name: str, folder: Path, network: Any) -> None:
    """Refuse weights with a gap: the library would fill it with random numbers."""
    from safetensors import safe_open

    saved: set[str] = set()
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "np") as tensors:
            saved |= {key.removeprefix("model.") for key in tensors.keys()}  # noqa: SIM118
    if absent := sorted(set(network.state_dict()) - saved):
        raise UnusableModel(
            f"model {name}: {len(absent)} weights are missing ({absent[0]}, ...); copy it again"
        )


# What the reranker of the same family shares


def whole(text: str) -> str:
    """A text without lone surrogates, as damaged PDFs yield them; a tokeniser refuses them."""
    return text.encode("utf-8", "replace").decode()


def at_least(name: str, value: int, least: int) -> int:
    """A whole number of a profile.

    Raises:
        InvalidSetting: it is none, or too small.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    raise InvalidSetting(f"{name}={value!r}: it has to be a whole number from {least}")


def batched(compute: Callable[[list[int]], list[R]], lengths: Sequence[int]) -> list[R | None]:
    """Compute numbered inputs in batches, the longest first.

    Args:
        compute: a result for each number that it is given.
        lengths: the tokens of each input.

    Returns:
        The results in order; None for an input that alone is more than the memory takes.
    """
    results: list[R | None] = [None] * len(lengths)
    for batch in by_length(lengths, BATCH_TOKENS):
        computed = halving(compute, batch)
        for number, result in zip(batch, computed, strict=True):
            results[number] = None if isinstance(result, LimitExceeded) else result
    return results


def loading_options(settings: Settings, place: str) -> dict[str, Any]:
    """How sentence-transformers loads a folder: no code, no pickles, no network."""
    return {
        "trust_remote_code": False,
        "local_files_only": True,
        "model_kwargs": {"use_safetensors": True, "dtype": number_format(settings, place)},
    }


def adapt(network: Any, folder: Path) -> None:
    """Add an adapter, found and checked as checkpoints are, to a network of transformers.

    Raises:
        UnusableModel: it is one of another network.
    """
    report = network.load_adapter(
        str(folder), use_safetensors=True, adapter_kwargs={"local_files_only": True}
    )
    strange = sorted(report.unexpected_keys) or sorted(report.missing_keys)
    if strange or report.mismatched_keys:
        raise UnusableModel(
            f"adapter {folder}: it was made for another model ({(strange or ['sizes'])[0]} does "
            "not fit); give one of this model"
        )
