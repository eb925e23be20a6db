"""What is given to the model: texts, images and videos, made into token ids and pixels."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from mmsearch.errors import UnreadableFile, UnusableModel
from mmsearch.qwen3_vl import pictures, prompts
from mmsearch.qwen3_vl.pictures import Media, Picture

if TYPE_CHECKING:
    from tokenizers import Encoding
    from tokenizers import Tokenizer as FastTokenizer

LEAST_TEXT = 64  # tokens that many images must leave to the words


@dataclass(frozen=True, slots=True)
class Video:
    """Frames and the time of each in seconds; by default two frames a second."""

    frames: Sequence[Picture]
    seconds: Sequence[float] | None = None


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to be embedded, or one side of a pair to be scored.

    The model sees videos first, then images, then texts, whatever the order here. A path or bytes
    among the videos is a video file. Nothing at all is what the model knows as `NULL`.
    """

    texts: Sequence[str] = ()
    images: Sequence[Picture] = ()
    videos: Sequence[Video | Path | str | bytes] = ()
    instruction: str | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """Token ids before and after the picture that is judged, one pad for each other picture.

    `pads` is where in `before` those of the query's own images stand.
    """

    before: list[int]
    after: list[int]
    pads: tuple[int, ...]
    media: tuple[Media, ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids, the pads of media among them, and the media in the order of their pads."""

    ids: list[int]
    media: tuple[Media, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)


class Tokenizer:
    """The checkpoint's own tokenizer.

    Args:
        folder: the checkpoint's.

    Raises:
        UnusableModel: it has no tokenizer, or one without Qwen3-VL's tokens.
    """

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer as FastTokenizer

        path = folder / "tokenizer.json"
        try:
            self._tokenizer: FastTokenizer = FastTokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing more exact
            raise UnusableModel(
                f"{path}: cannot be read ({error}); fetch the model again"
            ) from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.image_pad = self._id(prompts.IMAGE_PAD, folder)
        self.video_pad = self._id(prompts.VIDEO_PAD, folder)
        self.end = self._id(prompts.END, folder)
        self.yes, self.no = self._id("yes", folder), self._id("no", folder)
        self._check(folder)

    def ids(self, text: str) -> list[int]:
        """The tokens of a whole prompt, nothing added: `<|endoftext|>` is written in it."""
        return list(self._encoded(text).ids)

    def cut(self, text: str, tokens: int) -> str:
        """The beginning of a text that takes at most so many tokens."""
        encoded = self._encoded(text)
        if len(encoded.ids) <= tokens:
            return text
        return text[: encoded.offsets[tokens][0]] if tokens > 0 else ""

    def _encoded(self, text: str) -> Encoding:
        # A lone surrogate, as damaged PDFs yield them, is no character and would be refused.
        whole = text.encode("utf-8", "replace").decode()
        return self._tokenizer.encode(whole, add_special_tokens=False)

    def _id(self, token: str, folder: Path) -> int:
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise UnusableModel(f"{folder}: its tokenizer has no {token}; it is no Qwen3-VL model")
        return int(found)

    def _check(self, folder: Path) -> None:
        # The vector is read off the last token: were it cut in pieces, every vector would be wrong.
        before, after = prompts.embedding(prompts.EMBEDDING_INSTRUCTION)
        if self.ids(before + prompts.NOTHING + after)[-1] != self.end:
            raise UnusableModel(f"{folder}: its tokenizer cuts {prompts.END} in pieces")
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        for name, ours in (("image_token_id", self.image_pad), ("video_token_id", self.video_pad)):
            if config.get(name, ours) != ours:
                raise UnusableModel(
                    f"{folder}: config.json says {name} {config[name]}, its tokenizer {ours}; "
                    "fetch the model again"
                )


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes prompts: opens and sizes media, writes the string, and keeps it within the budget.

    `tokens_per_page` bounds an image, `max_tokens` a prompt. Media are never cut: where there are
    too many, each gets smaller. Text is cut so that the end of the prompt stays. `exact` takes
    lists of frames through the detours of the published scripts.
    """

    tokenizer: Tokenizer
    tokens_per_page: int
    max_tokens: int
    exact: bool = False

    def embedding(self, given: Input, instruction: str) -> Prompt:
        """The prompt of something to be embedded; `instruction` where it has none of its own."""
        before, after = prompts.embedding(given.instruction or instruction)
        media = self._media([given], len(self.tokenizer.ids(before + after)))
        places, text = _content(given, media)
        return self._fitted(lambda cut: before + places + cut[0] + after, [text], media)

    def reranking(self, query: Input, document: Input, instruction: str) -> Prompt:
        """The prompt of a pair; `instruction` where the query has none of its own."""
        before, between, after = prompts.reranking(query.instruction or instruction)
        spent = len(self.tokenizer.ids(before + between + after))
        media = self._media([query, document], spent)
        split = len(query.videos) + len(query.images)
        asked, question = _content(query, media[:split])
        shown, text = _content(document, media[split:])
        return self._fitted(
            lambda cut: before + asked + cut[0] + between + shown + cut[1] + after,
            [question, text],
            media,
        )

    def asking(self, query: Input, instruction: str, tokens: int) -> Asking:
        """What all pairs of a query with one image each have in common.

        Args:
            tokens: the most that the image may take.
        """
        before, between, after = prompts.reranking(query.instruction or instruction)
        rest = between + prompts.IMAGE + after
        media = self._media([query], len(self.tokenizer.ids(before + rest)) + tokens)
        asked, question = _content(query, media)
        room = replace(self, max_tokens=self.max_tokens - tokens)
        whole = room._fitted(
            lambda cut: before + asked + cut[0] + rest, [question], media, widen=False
        ).ids
        *pads, last = [n for n, token in enumerate(whole) if token == self.tokenizer.image_pad]
        return Asking(whole[:last], whole[last + 1 :], tuple(pads), tuple(media))

    def _media(self, inputs: Sequence[Input], spent: int) -> list[Media]:
        """Every input's videos, then its images, small enough to leave room for words."""
        count = sum(len(given.images) + len(given.videos) for given in inputs)
        if not count:
            return []
        room = max(self.max_tokens - spent - LEAST_TEXT, pictures.MIN_TOKENS)
        share = max(room // count - 16, pictures.MIN_TOKENS)  # 16: the marks around each
        made: list[Media] = []
        for given in inputs:
            made += [self._video(video, share) for video in given.videos]
            made += [
                pictures.image(picture, min(self.tokens_per_page, share))
                for picture in given.images
            ]
        return made

    def _video(self, video: Video | Path | str | bytes, share: int) -> Media:
        # A pair of frames is marked with its time, in about 10 tokens.
        tokens = min(pictures.VIDEO_TOKENS, share - 10 * pictures.FRAMES // 2)
        tokens = max(tokens, pictures.MIN_TOKENS * pictures.FRAMES // 2)
        if not isinstance(video, Video):
            return pictures.video(video, tokens=tokens)
        if self.exact and video.seconds is None:
            return pictures.published_frames(video.frames)
        return pictures.frames(video.frames, video.seconds, tokens=tokens)

    def _fitted(
        self,
        written: Callable[[Sequence[str]], str],
        texts: list[str],
        media: Sequence[Media],
        *,
        widen: bool = True,
    ) -> Prompt:
        """Write the prompt, with as much of the texts as the budget allows."""
        widening = sum(sum(_pads(item)) - len(_pads(item)) for item in media)
        ids = self.tokenizer.ids(written(texts))
        if len(ids) + widening > self.max_tokens:
            empty = len(self.tokenizer.ids(written([""] * len(texts))))
            room = self.max_tokens - widening - empty
            if room < 0:
                raise UnreadableFile(
                    f"input: its images and videos take more than {self.max_tokens} tokens; "
                    "give fewer"
                )
            # Cut alone, a text may take a token more or less than within the prompt.
            while len(ids) + widening > self.max_tokens:
                texts = self._cut(texts, room)
                ids = self.tokenizer.ids(written(texts))
                room -= 1
        return Prompt(self._widened(ids, media) if widen else ids, tuple(media))

    def _cut(self, texts: Sequence[str], room: int) -> list[str]:
        """The texts within so many tokens: a question gives way only beyond half of them."""
        *questions, last = texts
        cut = []
        for question in questions:
            wanted = len(self.tokenizer.ids(last))
            cut.append(self.tokenizer.cut(question, max(room // 2, room - wanted)))
            room -= len(self.tokenizer.ids(cut[-1]))
        return [*cut, self.tokenizer.cut(last, room)]

    def _widened(self, ids: list[int], media: Sequence[Media]) -> list[int]:
        """Every pad as often as its picture takes tokens."""
        pads = {self.tokenizer.image_pad, self.tokenizer.video_pad}
        lengths = iter(list(chain.from_iterable(_pads(item) for item in media)))
        return list(
            chain.from_iterable(
                [token] * next(lengths) if token in pads else [token] for token in ids
            )
        )


def _content(given: Input, media: Sequence[Media]) -> tuple[str, str]:
    """The places of the media, and the text after them."""
    if not given.texts and not media:
        return "", prompts.NOTHING
    places = "".join(
        prompts.video(item.seconds) if item.seconds else prompts.IMAGE for item in media
    )
    # Joined first: two harmless halves could make a token of the model's own.
    return places, prompts.escaped("".join(given.texts))


def _pads(media: Media) -> list[int]:
    """The tokens at each of a picture's places: one for an image, one a pair of frames."""
    time, height, width = media.grid
    return [height * width // pictures.MERGE**2] * time
