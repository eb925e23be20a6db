"""What programs send, checked: whoever calls may send anything that is JSON.

Every check answers with the value, or raises an InvalidSetting of one line that names the
parameter.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any

from mmsearch.documents import is_id
from mmsearch.errors import InvalidSetting, MMSearchError

MAX_OFFSET = 100_000
_BROKEN = re.compile(r"[\0\ud800-\udfff]")  # half of a character: JSON can hold that
_URL = re.compile(r"\s*[a-z][a-z0-9+.-]*://|\s*data:", re.IGNORECASE)


def text(name: str, value: Any, most: int) -> str:
    """A text of at most so many characters; None is the empty one."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidSetting(f"{name}: is {_kind(value)}, expected a text")
    if len(value) > most:
        raise InvalidSetting(f"{name}: has {len(value):,} characters, at most {most:,} are allowed")
    if _BROKEN.search(value):
        raise InvalidSetting(f"{name}: holds a NUL or a broken character; leave it out")
    return value.strip()


def whole(name: str, value: Any, low: int, high: int) -> int:
    """A whole number in [low, high]; JSON knows no difference between 3 and 3.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidSetting(f"{name}: is {_kind(value)}, expected a whole number")
    if not low <= value <= high:
        raise InvalidSetting(f"{name}: allowed are {low:,} to {high:,}")
    return value


def share(name: str, value: Any) -> float | None:
    """A number in [0, 1], or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidSetting(f"{name}: is {_kind(value)}, expected a number from 0 to 1")
    if not 0 <= value <= 1:
        raise InvalidSetting(f"{name}: allowed are 0 to 1")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise InvalidSetting(f"{name}: is {_kind(value)}, expected true or false")
    return value


def maybe(name: str, value: Any) -> bool | None:
    """True, False or None."""
    return None if value is None else flag(name, value)


def texts(name: str, value: Any, most: int, characters: int) -> list[str]:
    """At most so many texts, each of at most so many characters; None is none."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidSetting(f"{name}: is {_kind(value)}, expected a list of texts")
    if len(value) > most:
        raise InvalidSetting(f"{name}: has {len(value):,} entries, at most {most:,} are allowed")
    return [text(name, item, characters) for item in value]


def document_id(name: str, value: Any) -> str:
    """The id of a document, as hits have it: 64 hexadecimal digits."""
    given = text(name, value, 1000).lower()
    if not is_id(given):
        raise InvalidSetting(f"{name}: is no document id; take that of a hit, 64 digits 0-9 a-f")
    return given


def uploaded(name: str, value: Any) -> Path:
    """The file that was uploaded to Gradio before, and is named as Gradio describes it."""
    from gradio.utils import get_upload_folder

    path = value.get("path") if isinstance(value, dict) else None
    if not isinstance(path, str) or not path or _BROKEN.search(path):
        raise InvalidSetting(f"{name}: is no uploaded file; upload one to gradio_api/upload first")
    if is_url(path):
        raise InvalidSetting(f"{name}: is fetched from no URL; upload the file itself")
    # As it is written, and where it leads: neither may be outside, and nothing there is a link.
    folder = Path(get_upload_folder()).resolve()
    spelled = Path(os.path.abspath(path))  # noqa: PTH100
    real = spelled.resolve()
    if spelled.is_symlink() or not real.is_relative_to(folder) or not real.is_file():
        raise InvalidSetting(f"{name}: was not uploaded, or too long ago; upload it again")
    return real


def patience(seconds: float) -> None:
    """Refuse who asks too often.

    Args:
        seconds: that have to pass first.
    """
    if seconds > 0:
        raise MMSearchError(f"too many requests; ask again in {math.ceil(seconds)} s")


def is_url(value: str) -> bool:
    """Whether a text names a file somewhere else, which is never fetched for a visitor."""
    return bool(_URL.match(value))


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text"}
    names |= {list: "a list", dict: "an object", type(None): "null"}
    return names.get(type(value), "something else")
