"""What a page says, whatever the order of its words: a key that is equal where it says the same."""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b
from typing import NamedTuple

LITTLE_TEXT = 20  # characters; fewer are a page number


class Saying(NamedTuple):
    """The key of a text, 24 hexadecimal digits; `little` that it hardly says anything."""

    key: str
    little: bool


def saying(text: str) -> Saying:
    """The key of a text.

    The order of the words is the exporting program's, and where it breaks them: so the letters are
    sorted. Numbers have to be the same ones.
    """
    letters, numbers = letters_of(text)
    says = "".join(sorted(letters)) + " " + " ".join(sorted(numbers))
    digest = blake2b(says.encode(errors="replace"), digest_size=12)
    return Saying(digest.hexdigest(), len(letters) < LITTLE_TEXT)


def letters_of(text: str) -> tuple[str, list[str]]:
    """The letters and digits of a text, one after the other, and its words with digits."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
    return "".join(words), [
        word for word in words if not word.isalpha() and any(map(str.isdigit, word))
    ]
