"""Rerankers of page texts: Qwen3-Reranker, or any other CrossEncoder of sentence-transformers.

Source: Zhang et al. 2025, Qwen3 Embedding, arXiv:2506.05176; its prompt is that of the model's
published example.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

from mmsearch import checkpoints
from mmsearch.checkpoints import Checkpoint
from mmsearch.config import Settings
from mmsearch.encoders import PageContent
from mmsearch.encoders.sentence import (
    INSTRUCTION,
    at_least,
    batched,
    loading_options,
    whole,
)
from mmsearch.errors import InvalidSetting, UnusableModel
from mmsearch.loading import device, loading
from mmsearch.qwen3_vl.prompts import escaped
from mmsearch.types import Query

LEAST_TOKENS = 256

# Qwen3-Reranker's words. Its spaces and line ends differ from those of Qwen3-VL-Reranker.
BEFORE = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and "
    'the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n'
    "<|im_start|>user\n"
)
AFTER = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"

_CHARACTERS = 16  # of a token at most, where a text is cut before it is looked at


def create(
    settings: Settings,
    _: int = 0,
    *,
    model: str,
    revision: str = "",
    instruction: str = INSTRUCTION,
    candidates: int = 50,
    max_tokens: int = 8192,
) -> SentenceReranker:
    """The reranker as a profile asks for it.

    Raises:
        InvalidSetting: a value that no model can have.
    """
    return SentenceReranker(
        settings,
        model=model,
        revision=revision,
        instruction=instruction,
        candidates=candidates,
        max_tokens=max_tokens,
    )


class Judge(Protocol):
    """A loaded model that reads a query and a text together."""

    def score(self, query: str, texts: Sequence[str]) -> list[float | None]:
        """One score a text in [0, 1], in order; None where the memory does not suffice."""
        ...


class SentenceReranker:
    """Scores page texts. Loading waits for the first use; calls may come from several threads.

    Args:
        settings: `model_dir`, `device` and `dtype` count.
        model: a folder, or a name on the hub such as `Qwen/Qwen3-Reranker-0.6B`.
        revision: its commit, where it lies in the Hugging Face cache.
        instruction: what a page has to do for a query; only for Qwen3-Reranker.
        candidates: pages that are reranked unless a search says.
        max_tokens: of query, page and prompt together; the model's own limit holds as well. A
            longer page is cut at its end, a query at half of that.

    Raises:
        MissingExtra, MissingModel, UnusableModel: at first use.
        InvalidSetting: a value that no model can have; at first use, that this one cannot.
    """

    reads: Literal["text", "picture"] = "text"

    def __init__(
        self,
        settings: Settings,
        *,
        model: str,
        revision: str = "",
        instruction: str = INSTRUCTION,
        candidates: int = 50,
        max_tokens: int = 8192,
    ) -> None:
        self.candidates = at_least("candidates", candidates, 1)
        self._max_tokens = at_least("max_tokens", max_tokens, LEAST_TOKENS)
        self._settings = settings
        self._model, self._revision = model, revision
        self._instruction = instruction.strip()
        self._lock = threading.Lock()

    @property
    def identity(self) -> str:
        """The model, its revision and everything that changes its scores."""
        parts = [self._checkpoint.identity, str(self._max_tokens)]
        if self._instruction != INSTRUCTION:
            parts.append(" ".join(self._instruction.split()))
        return "/".join(parts)

    def score(self, query: Query, pages: Sequence[PageContent]) -> list[float | None]:
        """One score a page in [0, 1], in order, higher is better.

        None for a page without text, or one that the memory does not suffice for; and for every
        page where the query has no words.
        """
        words = whole(query.text).strip()
        texts = {
            number: text
            for number, text in enumerate(whole(page.text) for page in pages)
            if text.strip() and words
        }
        scores: list[float | None] = [None] * len(pages)
        if texts:
            with self._lock:  # a tokeniser has settings that a second thread would change
                found = self._judge.score(words, list(texts.values()))
            for number, score in zip(texts, found, strict=True):
                scores[number] = score
        return scores

    @cached_property
    def _checkpoint(self) -> Checkpoint:
        return checkpoints.find(
            self._model, revision=self._revision, model_dir=self._settings.model_dir
        )

    @cached_property
    def _judge(self) -> Judge:
        checkpoints.require("torch", "sentence_transformers")
        folder = self._checkpoint.path
        with loading(self._model):
            config = json.loads((folder / "config.json").read_bytes())
            architecture = str((config.get("architectures") or [""])[0])
            place = device(self._settings)
            options = loading_options(self._settings, place)
            if architecture == "Qwen3ForCausalLM" and not _makes_vectors(folder):
                return QwenJudge(folder, options, place, self._instruction, self._max_tokens)
            if self._instruction != INSTRUCTION:
                raise InvalidSetting(
                    f"model {self._model}: it is no Qwen3-Reranker and takes no instruction; "
                    "remove instruction from the profile"
                )
            # Any network would load, with random numbers for the part that scores.
            if not architecture.endswith("ForSequenceClassification"):
                raise UnusableModel(
                    f"model {self._model}: a {architecture or 'network'} scores no pairs; "
                    "give a Qwen3-Reranker or a CrossEncoder"
                )
            return PairJudge(folder, options, place, self._max_tokens)


def _makes_vectors(folder: Path) -> bool:
    """Whether it is an embedding model, which bears the same architecture's name."""
    listed = folder / "modules.json"
    return listed.is_file() and b"Pooling" in listed.read_bytes()


class QwenJudge:
    """Qwen3-Reranker: a language model asked for "yes" or "no".

    The score is the probability of "yes" where only these two can be said, computed in float32
    from the last hidden state: in bfloat16 many pages would have the same.
    """

    def __init__(
        self, folder: Path, options: dict[str, Any], place: str, instruction: str, max_tokens: int
    ) -> None:
        import transformers

        self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
        loader: Any = transformers.AutoModelForCausalLM
        model, report = loader.from_pretrained(
            folder,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            **options["model_kwargs"],
        )
        if absent := sorted(report["missing_keys"]):  # the library makes random numbers of them
            raise UnusableModel(
                f"model {folder}: {len(absent)} weights are missing ({absent[0]}, ...); "
                "copy it again"
            )
        model.to(place).eval().requires_grad_(False)
        head = model.get_output_embeddings().weight
        yes, no = (head[self._tokenizer.convert_tokens_to_ids(word)] for word in ("yes", "no"))
        self._direction = yes.float() - no.float()
        self._network = model.base_model
        self._place = place
        self._instruction = escaped(instruction)
        self._before, self._after = self._ids(BEFORE), self._ids(AFTER)
        limit = min(max_tokens, int(model.config.max_position_embeddings))
        self._room = limit - len(self._before) - len(self._after)

    def score(self, query: str, texts: Sequence[str]) -> list[float | None]:
        """One score a text in [0, 1], in order; None where the memory does not suffice."""
        query = self._cut(escaped(query), self._room // 2)
        prompts = [self.prompt(query, text) for text in texts]
        return batched(
            lambda numbers: self._scores([prompts[number] for number in numbers]),
            [len(prompt) for prompt in prompts],
        )

    def prompt(self, query: str, text: str) -> list[int]:
        """The token ids of a pair; a long text is cut at its end, what follows it is not."""
        text = escaped(text[: self._room * _CHARACTERS])
        pair = f"<Instruct>: {self._instruction}\n<Query>: {query}\n<Document>: {text}"
        return self._before + self._ids(pair)[: self._room] + self._after

    def _scores(self, prompts: list[list[int]]) -> list[float]:
        """Of one batch, padded on the right, where a causal model does not see it."""
        import torch

        longest = max(len(prompt) for prompt in prompts)
        padding = [[0] * (longest - len(prompt)) for prompt in prompts]
        ids = [prompt + pad for prompt, pad in zip(prompts, padding, strict=True)]
        mask = [[1] * len(prompt) + pad for prompt, pad in zip(prompts, padding, strict=True)]
        with torch.inference_mode():
            states = self._network(
                input_ids=torch.tensor(ids, device=self._place),
                attention_mask=torch.tensor(mask, device=self._place),
                use_cache=False,
            ).last_hidden_state
            last = torch.tensor([len(prompt) - 1 for prompt in prompts], device=self._place)
            rows = torch.arange(len(prompts), device=self._place)
            odds = states[rows, last].float() @ self._direction
            return [float(score) for score in torch.sigmoid(odds).cpu()]

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _cut(self, text: str, tokens: int) -> str:
        text = text[: tokens * _CHARACTERS]
        spans = self._tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )["offset_mapping"]
        return text if len(spans) <= tokens else text[: spans[tokens][0]]


class PairJudge:
    """Any CrossEncoder with one label, or with two of which the second means a match."""

    def __init__(self, folder: Path, options: dict[str, Any], place: str, max_tokens: int) -> None:
        from sentence_transformers import CrossEncoder

        self._model: Any = CrossEncoder(str(folder), device=place, **options)
        self._labels = int(self._model.num_labels)
        if self._labels > 2:
            raise UnusableModel(
                f"model {folder}: it tells {self._labels} classes apart and ranks nothing; "
                "give a CrossEncoder with one label"
            )
        self._limit = int(min(self._model.max_seq_length or max_tokens, max_tokens))
        self._model.max_seq_length = self._limit

    def score(self, query: str, texts: Sequence[str]) -> list[float | None]:
        """One score a text in [0, 1], in order; None where the memory does not suffice."""
        pairs = [(query, text[: self._limit * _CHARACTERS]) for text in texts]
        # Letters in place of tokens: near enough for models that read a few hundred of them.
        lengths = [min(self._limit, len(query) + len(text)) for _, text in pairs]
        return batched(lambda numbers: self._scores([pairs[n] for n in numbers]), lengths)

    def _scores(self, pairs: list[tuple[str, str]]) -> list[float]:
        import torch

        logits = self._model.predict(
            pairs,
            batch_size=len(pairs),
            show_progress_bar=False,
            activation_fn=torch.nn.Identity(),
            convert_to_tensor=True,
        ).float()
        scores = torch.sigmoid(logits) if self._labels == 1 else logits.softmax(-1)[:, 1]
        return [float(score) for score in scores.cpu()]
