"""Qwen3-VL-Embedding: texts, images and videos as dense vectors of one space, in process."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from functools import cached_property, partial

import numpy as np

from mmsearch import checkpoints, config
from mmsearch.config import Settings
from mmsearch.encoders import PageContent, Reads
from mmsearch.errors import InvalidQuery, InvalidSetting, UnreadableFile
from mmsearch.qwen3_vl import model, pictures, prompts, states
from mmsearch.qwen3_vl.fast import Fast
from mmsearch.qwen3_vl.inputs import Input, Maker
from mmsearch.types import Float32, Query, Vector, VectorKind

MAX_TOKENS = 8192  # of a prompt, as published
LEAST_DIMENSION = 64  # below it the model was not trained to be cut
_KEPT_QUERIES = 64  # by their words: a page is turned, a filter set, and the words are the same


def create(
    settings: Settings,
    tokens_per_page: int,
    *,
    model: str,
    revision: str = "",
    dimension: int = 1024,
    query_instruction: str = prompts.PAGE_INSTRUCTION,
    page_instruction: str = prompts.EMBEDDING_INSTRUCTION,
    adapter: str = "",
) -> Qwen3VLEncoder:
    """The encoder as a profile asks for it.

    Args:
        model: a name on the Hugging Face hub, or a folder.
        dimension: of the vectors; the first numbers of a vector are a shorter vector.
        query_instruction: what a text query, or a text and an image, asks for.
        page_instruction: what is said of pages, and of an image that is a query.
        adapter: folder of a LoRA adapter.
    """
    return Qwen3VLEncoder(
        model,
        revision=revision,
        dimension=dimension,
        tokens_per_page=tokens_per_page,
        query_instruction=query_instruction,
        page_instruction=page_instruction,
        adapter=adapter,
        settings=settings,
    )


class Qwen3VLEncoder:
    """A page as one vector of its picture; a query as one of its words, its image, or both.

    Vectors are (dimension,) float32 of length 1: cut to the dimension, then normalised. Loading
    waits for the first use; calls may come from several threads.

    Raises:
        MissingModel: at first use, when the weights are not on this machine.
        UnusableModel: at first use, when the checkpoint is another kind of model or broken.
        InvalidSetting: a dimension that the model does not have.

    Source: Qwen3-VL-Embedding, arXiv:2601.04720, and the scripts published with it.
    """

    kind: VectorKind = "dense"
    reads: Reads = "picture"

    def __init__(
        self,
        name: str,
        *,
        revision: str = "",
        dimension: int = 1024,
        tokens_per_page: int = pictures.MAX_TOKENS,
        max_tokens: int = MAX_TOKENS,
        query_instruction: str = prompts.PAGE_INSTRUCTION,
        page_instruction: str = prompts.EMBEDDING_INSTRUCTION,
        adapter: str = "",
        settings: Settings | None = None,
    ) -> None:
        self.dimension: int | None = dimension
        self._dimension = dimension
        self._name = name
        self._revision = revision
        self._tokens_per_page = tokens_per_page
        self._max_tokens = max_tokens
        self._query_instruction = query_instruction
        self._page_instruction = page_instruction
        self._adapter = adapter
        self._settings = settings or config.load()
        self._loading = threading.Lock()
        self._queries: dict[str, Float32] = {}

    @cached_property
    def checkpoint(self) -> checkpoints.Checkpoint:
        """The folder of the weights.

        Raises:
            MissingModel: they are not on this machine.
            UnusableModel: it is another kind of model, or one that wants to run code.
            InvalidSetting: a dimension that the model does not have.
        """
        found = checkpoints.find(
            self._name, revision=self._revision, model_dir=self._settings.model_dir
        )
        full = model.width(found.path)
        if not LEAST_DIMENSION <= self._dimension <= full:
            raise InvalidSetting(
                f"dimension {self._dimension}: {self._name} has {LEAST_DIMENSION} to {full}; "
                "change it in the profile"
            )
        return found

    @property
    def identity(self) -> str:
        """Model, revision, adapter, dimension, and what it is told where that is its own."""
        name = self.checkpoint.identity
        if self._adapter:
            name += "+" + checkpoints.find(self._adapter).identity
        told = [
            given
            for given, usual in (
                (self._query_instruction, prompts.PAGE_INSTRUCTION),
                (self._page_instruction, prompts.EMBEDDING_INSTRUCTION),
            )
            if given != usual
        ]
        return "/".join([name, str(self._dimension), *told])

    @property
    def leaves_cpu(self) -> bool:
        """Whether the model runs on an accelerator; loads it."""
        with self._loading:
            return bool(self._model.device.type != "cpu")

    def encode_pages(self, pages: Sequence[PageContent]) -> list[Vector | UnreadableFile | None]:
        """One vector a page of its picture, in order; the error of one that cannot be read."""
        if self._settings.computation == "exact":
            return [*self.encode(Input(images=[page.picture]) for page in pages)]
        with self._loading:
            loaded, fast = self._model, self._fast
        before, after = prompts.embedding(self._page_instruction)
        ids = loaded.tokenizer.ids(before + prompts.IMAGE + after)
        pad = ids.index(loaded.tokenizer.image_pad)
        found = states.of_pictures(
            fast,
            [page.picture for page in pages],
            self._tokens_per_page,
            ids[:pad],
            ids[pad + 1 :],
        )
        return [*self._vectors(found)]

    def encode_query(self, query: Query) -> Vector | None:
        """The vector of a query's words and image together; None for an empty one.

        Raises:
            InvalidQuery: its image cannot be read.
        """
        if not query.text.strip():
            if query.image is None:
                return None
            return self._query(Input(images=[query.image], instruction=self._page_instruction))
        if query.image is not None:
            given = Input([query.text], [query.image], instruction=self._query_instruction)
            return self._query(given)
        vector = self._queries.get(query.text)
        if vector is None:
            vector = self._query(Input([query.text], instruction=self._query_instruction))
            self._queries[query.text] = vector
            for oldest in [*self._queries][:-_KEPT_QUERIES]:
                self._queries.pop(oldest, None)
        return vector

    def encode(self, inputs: Iterable[Input]) -> list[Float32 | UnreadableFile]:
        """The vector of each input, in order; in place of one that cannot be read, its error.

        Inputs without an instruction of their own get the one for pages.
        """
        with self._loading:
            loaded = self._model
        make = Maker(
            loaded.tokenizer,
            self._tokens_per_page,
            self._max_tokens,
            exact=self._settings.computation == "exact",
        ).embedding
        makers = [partial(make, given, self._page_instruction) for given in inputs]
        return self._vectors(states.of_prompts(loaded, makers))

    def _query(self, given: Input) -> Float32:
        (vector,) = self.encode([given])
        if isinstance(vector, UnreadableFile):
            raise InvalidQuery(f"query: {vector}") from vector
        return vector

    def _vectors(self, found: Sequence[Float32 | UnreadableFile]) -> list[Float32 | UnreadableFile]:
        """States cut to the dimension, then normalised."""
        vectors: list[Float32 | UnreadableFile] = []
        for state in found:
            if not isinstance(state, UnreadableFile):
                state = state[: self.dimension]
                state = state / max(float(np.linalg.norm(state)), 1e-12)
            vectors.append(state)
        return vectors

    @cached_property
    def _model(self) -> model.Model:
        return model.load(self.checkpoint.path, self._settings, adapter=self._adapter)

    @cached_property
    def _fast(self) -> Fast:
        return Fast(self._model, compile=self._settings.compile == "auto")
