"""Tiny random checkpoints of Qwen3-Embedding and Qwen3-Reranker, laid out as they are published.

The network's parts, the 151,643 tokens and the files are those of the real ones; the weights are
random, so vectors and scores carry no meaning. Without the `dashscope` package's list of tokens
there is none of this.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_qwen3_vl import CHAT_TEMPLATE, build_tokenizer, find_tiktoken, tokenizer_config

HIDDEN = 64
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {
        "idx": 2,
        "name": "2",
        "path": "2_Normalize",
        "type": "sentence_transformers.models.Normalize",
    },
]
POOLING = {
    "word_embedding_dimension": HIDDEN,
    "pooling_mode_cls_token": False,
    "pooling_mode_mean_tokens": False,
    "pooling_mode_max_tokens": False,
    "pooling_mode_mean_sqrt_len_tokens": False,
    "pooling_mode_weightedmean_tokens": False,
    "pooling_mode_lasttoken": True,
    "include_prompt": True,
}
PROMPTS = {
    "prompts": {
        "query": "Instruct: Given a web search query, retrieve relevant passages that answer the "
        "query\nQuery:",
        "document": "",
    },
    "default_prompt_name": None,
    "similarity_fn_name": "cosine",
}
CONFIG = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 151643,
    "eos_token_id": 151643,
    "head_dim": 16,
    "hidden_act": "silu",
    "hidden_size": HIDDEN,
    "initializer_range": 0.02,
    "intermediate_size": 128,
    "max_position_embeddings": 32768,
    "max_window_layers": 2,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "sliding_window": None,
    "tie_word_embeddings": True,
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 151936,
}


def embedding(folder: Path) -> Path:
    """Write a tiny Qwen3-Embedding: its tokenizer appends <|endoftext|>, the base model's names."""
    from transformers import AutoModel

    _model(folder, AutoModel, seed=0)
    _write(folder / "tokenizer.json", _tokenizer("embedding"))
    _write(folder / "modules.json", MODULES)
    _write(folder / "config_sentence_transformers.json", PROMPTS)
    _write(folder / "1_Pooling" / "config.json", POOLING)
    return folder


def reranker(folder: Path) -> Path:
    """Write a tiny Qwen3-Reranker: a language model, of which only `yes` and `no` are asked."""
    from transformers import AutoModelForCausalLM

    _model(folder, AutoModelForCausalLM, seed=1)
    _write(folder / "tokenizer.json", _tokenizer("reranker"))
    return folder


@pytest.fixture(scope="session")
def tiny_embedding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a tiny Qwen3-Embedding. Tests must not write to it."""
    _need_tokens()
    yield embedding(tmp_path_factory.mktemp("models") / "Qwen3-Embedding-tiny")


@pytest.fixture(scope="session")
def tiny_reranker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a tiny Qwen3-Reranker. Tests must not write to it."""
    _need_tokens()
    yield reranker(tmp_path_factory.mktemp("models") / "Qwen3-Reranker-tiny")


def _need_tokens() -> None:
    for module in ("torch", "transformers", "sentence_transformers"):
        pytest.importorskip(module)
    if find_tiktoken(None) is None:
        pytest.skip("qwen.tiktoken is not here; run: pip install --no-deps dashscope")


def _model(folder: Path, kind: Any, *, seed: int) -> None:
    import torch
    from transformers import Qwen3Config

    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    model = kind.from_config(Qwen3Config(**CONFIG))
    # The usual 0.02 leaves all hidden states nearly equal: wider, so that texts can be told apart.
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.normal_(0.0, 0.2)
    model.save_pretrained(folder)
    # The files as published, whatever this version of the library writes.
    _write(folder / "config.json", CONFIG)
    _write(folder / "tokenizer_config.json", tokenizer_config() | {"model_max_length": 131072})
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")


def _tokenizer(kind: str) -> Any:
    tokenizer = json.loads(_appending_tokenizer())
    if kind == "reranker":  # the same one, but for the token that is appended
        tokenizer["post_processor"] = tokenizer["post_processor"]["processors"][0]
    return tokenizer


@cache
def _appending_tokenizer() -> str:
    tokenizer, _ = build_tokenizer("embedding", "full", None)
    return str(tokenizer.to_str())


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
