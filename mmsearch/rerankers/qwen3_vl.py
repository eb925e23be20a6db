"""Qwen3-VL-Reranker: how well a page, seen as a picture, answers a query, in process."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from mmsearch import checkpoints, config
from mmsearch.config import Settings
from mmsearch.encoders import PageContent, Reads
from mmsearch.errors import InvalidQuery, UnreadableFile
from mmsearch.qwen3_vl import model, pictures, prompts, states
from mmsearch.qwen3_vl.fast import Fast, Prefix, Segment
from mmsearch.qwen3_vl.inputs import Input, Maker
from mmsearch.types import Float32, Query

if TYPE_CHECKING:
    import torch

MAX_TOKENS = 10_240  # of a prompt, as published
CANDIDATES = {"picture": 20, "text": 50}


def create(
    settings: Settings,
    tokens_per_page: int,
    *,
    model: str,
    revision: str = "",
    reads: Reads = "picture",
    instruction: str = prompts.PAGE_INSTRUCTION,
    candidates: int = 0,
    adapter: str = "",
) -> Qwen3VLReranker:
    """The reranker as a profile asks for it.

    Args:
        model: a name on the Hugging Face hub, or a folder.
        reads: what it looks at in a page.
        instruction: what makes a page a good answer.
        candidates: how many pages are reranked; by default 20 pictures, or 50 texts.
        adapter: folder of a LoRA adapter.
    """
    return Qwen3VLReranker(
        model,
        revision=revision,
        reads=reads,
        instruction=instruction,
        candidates=candidates,
        tokens_per_page=tokens_per_page,
        adapter=adapter,
        settings=settings,
    )


class Qwen3VLReranker:
    """Scores in [0, 1]: how much surer the model is of "yes" than of "no", in float32.

    Loading waits for the first use; calls may come from several threads.

    Raises:
        MissingModel: at first use, when the weights are not on this machine.
        UnusableModel: at first use, when the checkpoint is another kind of model or broken.

    Source: Qwen3-VL-Reranker, arXiv:2601.04720, and the scripts published with it.
    """

    def __init__(
        self,
        name: str,
        *,
        revision: str = "",
        reads: Reads = "picture",
        instruction: str = prompts.RERANKING_INSTRUCTION,
        candidates: int = 0,
        tokens_per_page: int = pictures.MAX_TOKENS,
        max_tokens: int = MAX_TOKENS,
        adapter: str = "",
        settings: Settings | None = None,
    ) -> None:
        self.reads: Reads = reads
        self.candidates = candidates or CANDIDATES[reads]
        self._name = name
        self._revision = revision
        self._instruction = instruction
        self._tokens_per_page = tokens_per_page
        self._max_tokens = max_tokens
        self._adapter = adapter
        self._settings = settings or config.load()
        self._loading = threading.Lock()

    @cached_property
    def checkpoint(self) -> checkpoints.Checkpoint:
        """The folder of the weights; raises `MissingModel` or `UnusableModel`."""
        found = checkpoints.find(
            self._name, revision=self._revision, model_dir=self._settings.model_dir
        )
        model.width(found.path)
        return found

    @property
    def identity(self) -> str:
        """Model and revision."""
        return self.checkpoint.identity

    def score(self, query: Query, pages: Sequence[PageContent]) -> list[float | None]:
        """One score a page, in order; None for a page that cannot be read."""
        asked = Input(
            [query.text] if query.text.strip() else [],
            [query.image] if query.image is not None else [],
        )
        if self.reads == "picture" and self._settings.computation == "fast":
            found = self._fast_scores(asked, [page.picture for page in pages])
        else:
            for picture in asked.images:
                _readable(picture)
            found = self.scores(asked, [self._document(page) for page in pages])
        return [None if isinstance(score, UnreadableFile) else score for score in found]

    def scores(self, query: Input, documents: Sequence[Input]) -> list[float | UnreadableFile]:
        """One score a document, in order; in place of one that cannot be read, its error.

        Texts, images and videos may be mixed on both sides. A query without an instruction of its
        own gets the reranker's.
        """
        with self._loading:
            loaded = self._model
        make = self._maker.reranking
        makers = [partial(make, query, document, self._instruction) for document in documents]
        return self._judged(states.of_prompts(loaded, makers))

    def _document(self, page: PageContent) -> Input:
        return Input(images=[page.picture]) if self.reads == "picture" else Input([page.text])

    def _fast_scores(self, query: Input, jpegs: Sequence[bytes]) -> list[float | UnreadableFile]:
        """Scores of pictures. What they have in common is computed once where it has a picture."""
        with self._loading:
            fast = self._fast
        try:
            begun = self._maker.asking(query, self._instruction, self._tokens_per_page)
        except UnreadableFile as error:
            raise InvalidQuery(f"query: {error}") from error
        prefix: Prefix | None = None
        before: Sequence[int] = begun.before
        if begun.media:
            segments: list[Segment] = []
            seen = iter(begun.media)
            start = 0
            for place in begun.pads:
                segments += [before[start:place], fast.see(_pixels(next(seen)))]
                start = place + 1
            prefix = fast.prefix([*segments, before[start:-1]])
            before = before[-1:]
        found = states.of_pictures(
            fast, jpegs, self._tokens_per_page, before, begun.after, prefix=prefix
        )
        return self._judged(found)

    def _judged(self, found: Sequence[Float32 | UnreadableFile]) -> list[float | UnreadableFile]:
        judge = self._judge
        return [
            state if isinstance(state, UnreadableFile) else _sigmoid(float(state @ judge))
            for state in found
        ]

    @cached_property
    def _maker(self) -> Maker:
        return Maker(
            self._model.tokenizer,
            self._tokens_per_page,
            self._max_tokens,
            exact=self._settings.computation == "exact",
        )

    @cached_property
    def _model(self) -> model.Model:
        return model.load(
            self.checkpoint.path, self._settings, reranker=True, adapter=self._adapter
        )

    @cached_property
    def _judge(self) -> Float32:
        assert self._model.judge is not None
        judge: Float32 = self._model.judge.cpu().numpy()
        return judge

    @cached_property
    def _fast(self) -> Fast:
        return Fast(self._model, compile=self._settings.compile == "auto")


def _readable(picture: pictures.Picture) -> None:
    """A query's own image is no fault of the pages; raises `InvalidQuery`."""
    try:
        pictures.size(*pictures.opened(picture).size, pictures.MAX_TOKENS)
    except UnreadableFile as error:
        raise InvalidQuery(f"query: {error}") from error


def _pixels(media: pictures.Media) -> torch.Tensor:
    import torch

    return torch.from_numpy(media.pixels.copy())


def _sigmoid(value: float) -> float:
    return float(1.0 / (1.0 + np.exp(-value, dtype=np.float64)))
