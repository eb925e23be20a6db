"""A loaded Qwen3-VL checkpoint, and its exact forward: as the library computes it."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsearch import checkpoints
from mmsearch.config import Settings
from mmsearch.errors import UnusableModel
from mmsearch.loading import device, loading, number_format
from mmsearch.qwen3_vl import pictures
from mmsearch.qwen3_vl.inputs import Prompt, Tokenizer

if TYPE_CHECKING:
    import torch
    from torch import nn

_TEXT, _IMAGE, _VIDEO = 0, 1, 2  # the library's names for kinds of token


@dataclass(slots=True)
class Model:
    """The network without its head, its tokenizer, and for a reranker what scores a pair.

    `judge` is (hidden,) float32, the row of "yes" less that of "no" in the head; None for an
    embedder. `lock` is held over a forward: the library keeps state on the module.
    """

    network: Any  # transformers' Qwen3VLModel
    tokenizer: Tokenizer
    device: torch.device
    judge: torch.Tensor | None
    lock: threading.Lock

    @property
    def width(self) -> int:
        """The length of a hidden state."""
        return int(self.network.config.text_config.hidden_size)

    @property
    def batch_tokens(self) -> int:
        """How many tokens are computed at once, as long as the memory takes them."""
        return 4096 if self.device.type == "cpu" else 16_384

    def last_states(self, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The last hidden state of each prompt, in one batch, as the library computes it.

        Returns:
            (n, width) float32, after the final norm, on the model's device.
        """
        import torch

        batch = _batch(prompts, self.tokenizer, self.device)
        with self.lock, torch.inference_mode():
            states = self.network(**batch, use_cache=False).last_hidden_state
        last = torch.tensor([len(prompt) - 1 for prompt in prompts], device=self.device)
        rows = torch.arange(len(prompts), device=self.device)
        read: torch.Tensor = states[rows, last].float()
        return read


def width(folder: Path) -> int:
    """The length of the hidden state, by the checkpoint's config.json.

    Raises:
        UnusableModel: it is no Qwen3-VL checkpoint.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        found = int(config["text_config"]["hidden_size"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnusableModel(f"{folder}: it is no Qwen3-VL model ({error!r})") from error
    if config.get("model_type") != "qwen3_vl":
        raise UnusableModel(
            f"{folder}: a model of the type {config.get('model_type')!r}, wanted is 'qwen3_vl'"
        )
    return found


def load(folder: Path, settings: Settings, *, reranker: bool = False, adapter: str = "") -> Model:
    """Load a checkpoint that `checkpoints.find` has found and checked.

    Args:
        folder: the checkpoint's.
        settings: `device` and `dtype` count.
        reranker: whether its head is wanted.
        adapter: folder of a LoRA adapter, which is merged into the weights.

    Raises:
        MissingExtra: torch or transformers is not installed.
        UnusableModel: it is another kind of model, or lacks weights.
        InvalidSetting: there is no such device here.
    """
    checkpoints.require("torch", "torchvision", "transformers", "qwen_vl_utils")
    import torch
    import transformers

    width(folder)
    place = device(settings)
    tokenizer = Tokenizer(folder)
    kind: Any = (
        transformers.Qwen3VLForConditionalGeneration if reranker else transformers.Qwen3VLModel
    )
    with loading(str(folder)):
        loaded, report = kind.from_pretrained(
            folder,
            dtype=number_format(settings, place),
            attn_implementation="sdpa",
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
        if absent := sorted(report["missing_keys"]):
            # The library would fill them with random numbers.
            raise UnusableModel(
                f"model {folder}: {len(absent)} weights are missing ({absent[0]}, ...); "
                "copy it again"
            )
    if adapter:
        loaded = _merged(loaded, checkpoints.locate(adapter))
    loaded = loaded.to(place).eval().requires_grad_(False)
    judge = None
    if reranker:
        head = loaded.get_output_embeddings().weight
        judge = head[tokenizer.yes].float() - head[tokenizer.no].float()
    network = loaded.model if reranker else loaded
    return Model(network, tokenizer, torch.device(place), judge, threading.Lock())


def _batch(
    prompts: Sequence[Prompt], tokenizer: Tokenizer, place: torch.device
) -> dict[str, torch.Tensor]:
    """The library's arguments: padded on the right, where a causal model does not see it."""
    import torch

    length = max(len(prompt) for prompt in prompts)
    ids = torch.full((len(prompts), length), tokenizer.end)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt)] = torch.tensor(prompt.ids)
        mask[row, : len(prompt)] = 1
    kinds = torch.zeros_like(ids)
    kinds[ids == tokenizer.image_pad] = _IMAGE
    kinds[ids == tokenizer.video_pad] = _VIDEO
    batch = {"input_ids": ids, "attention_mask": mask, "mm_token_type_ids": kinds}
    media = [item for prompt in prompts for item in prompt.media]
    for name, chosen in (
        ("image", [item for item in media if not item.seconds]),
        ("video", [item for item in media if item.seconds]),
    ):
        if chosen:
            suffix = "_videos" if name == "video" else ""
            rows = [
                pictures.patches(torch.from_numpy(item.pixels.copy()).permute(0, 3, 1, 2)[None])[0]
                for item in chosen
            ]
            batch["pixel_values" + suffix] = torch.cat(rows)
            batch[f"{name}_grid_thw"] = torch.tensor([item.grid for item in chosen])
    return {name: value.to(place) for name, value in batch.items()}


def _merged(loaded: Any, folder: Path) -> Any:
    """The network with a LoRA adapter added to its weights.

    Raises:
        UnusableModel: the adapter is not one of this network.
    """
    checkpoints.require("peft")
    import torch
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors.torch import load_file

    with loading(f"adapter {folder}"):
        wanted = set(load_file(folder / "adapter_model.safetensors"))
    shell: Any = loaded
    if not hasattr(loaded, "lm_head") and any(".model.model." in name for name in wanted):
        # Trained on the network within a wrapper, as the published class for embeddings is one.
        shell = torch.nn.Module()
        shell.model, shell.config = loaded, loaded.config
    with loading(f"adapter {folder}"):
        adapted = PeftModel.from_pretrained(shell, str(folder))
    if unused := sorted(wanted - set(get_peft_model_state_dict(adapted))):
        raise UnusableModel(
            f"adapter {folder}: the model has no place for {unused[0]}; it was made for another"
        )
    merged: nn.Module = adapted.merge_and_unload()
    return merged if merged is loaded or shell is loaded else loaded
