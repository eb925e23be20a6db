"""The exact prompts of Qwen3-VL-Embedding and Qwen3-VL-Reranker.

Media stand in a prompt as `IMAGE`, or a video's `video(...)`, and are widened to one pad token for
each 32 x 32 pixels when the prompt is cut into tokens.

Source: the scripts of QwenLM/Qwen3-VL-Embedding; their report's own template differs from them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

EMBEDDING_INSTRUCTION = "Represent the user's input."
RERANKING_INSTRUCTION = "Given a search query, retrieve relevant candidates that answer the query."
# What both models were evaluated with on page images (ViDoRe, VisRAG).
PAGE_INSTRUCTION = "Find a document image that matches the given query."

IMAGE_PAD = "<|image_pad|>"
VIDEO_PAD = "<|video_pad|>"
IMAGE = f"<|vision_start|>{IMAGE_PAD}<|vision_end|>"
END = "<|endoftext|>"  # its hidden state is the embedding
NOTHING = "NULL"  # what stands for an input without any content

_JUDGE = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct "
    'provided. Note that the answer can only be "yes" or "no".'
)
_SPECIAL = re.compile(r"<\|(?=\w+\|>)")


def escaped(text: str) -> str:
    """Text of a user, in which `<|...|>` is no longer a token of the model's own."""
    return _SPECIAL.sub("< |", text)


def normalised(instruction: str) -> str:
    """An instruction of the embedder as it was trained: stripped, with a full stop at the end."""
    instruction = instruction.strip()
    if instruction and not unicodedata.category(instruction[-1]).startswith("P"):
        return instruction + "."
    return instruction


def video(seconds: Sequence[float]) -> str:
    """The place of a video: a time and a picture for each pair of frames.

    Args:
        seconds: the time of each frame; an odd one at the end stands for a pair.
    """
    padded = [*seconds, seconds[-1]] if len(seconds) % 2 else list(seconds)
    times = [(a + b) / 2 for a, b in zip(padded[::2], padded[1::2], strict=True)]
    return "".join(
        f"<{time:.1f} seconds><|vision_start|>{VIDEO_PAD}<|vision_end|>" for time in times
    )


def embedding(instruction: str) -> tuple[str, str]:
    """What stands before and after the content that is embedded."""
    before = f"<|im_start|>system\n{escaped(normalised(instruction))}<|im_end|>\n<|im_start|>user\n"
    return before, f"<|im_end|>\n<|im_start|>assistant\n{END}"


def reranking(instruction: str) -> tuple[str, str, str]:
    """What stands before a query, between it and the document, and after that."""
    before = (
        f"<|im_start|>system\n{_JUDGE}<|im_end|>\n"
        f"<|im_start|>user\n<Instruct>: {escaped(instruction)}<Query>:"
    )
    return before, "\n<Document>:", "<|im_end|>\n<|im_start|>assistant\n"
