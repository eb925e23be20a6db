"""Passwords of the page: hashed by scrypt, written as one word that names its own parameters.

A hash holds no comma, quote, dollar sign or space, so that it goes unquoted into a shell, a `.env`
file, a Compose file and a list. A user's line is `NAME:scrypt:N:R:P:SALT:KEY`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import unicodedata
from dataclasses import dataclass

from mmsearch.errors import InvalidSetting

MIN_LENGTH = 8  # characters of a new password
MAX_LENGTH = 256  # characters of a password and of a name
_MAX_MEMORY = 256 << 20  # bytes that a hash in the settings may ask for
_MAX_WORK = 1 << 22  # N * r * p: about a second and a half
_HASH = re.compile(
    r"scrypt:([0-9]{1,8}):([0-9]{1,2}):([0-9]{1,2}):([\w-]{22,86}):([\w-]{43})", re.A
)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Hash:
    """A hashed password; the defaults take 32 MiB and a quarter of a second."""

    salt: bytes
    key: bytes
    n: int = 1 << 15
    r: int = 8
    p: int = 3

    def __repr__(self) -> str:
        return "Hash(...)"  # in no log

    def __str__(self) -> str:
        salt, key = (
            base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (self.salt, self.key)
        )
        return f"scrypt:{self.n}:{self.r}:{self.p}:{salt}:{key}"


def new_hash(password: str) -> Hash:
    """Hash a new password.

    Raises:
        InvalidSetting: it is shorter or longer than allowed.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise InvalidSetting(
            f"the password has {len(password)} characters; "
            f"choose one of {MIN_LENGTH} to {MAX_LENGTH}"
        )
    empty = Hash(os.urandom(16), b"")
    return Hash(empty.salt, _key(password, empty))


def matches(password: str, wanted: Hash) -> bool:
    """Whether this is the password; takes as long whether or not it is."""
    return hmac.compare_digest(_key(password[:MAX_LENGTH], wanted), wanted.key)


def name(text: str) -> str:
    """A user's name, in the one spelling that is compared.

    Raises:
        InvalidSetting: it cannot stand in the setting `users`.
    """
    text = unicodedata.normalize("NFC", text.strip())
    if not 0 < len(text) <= MAX_LENGTH or set(text) & set(":,") or _CONTROLS.search(text):
        raise InvalidSetting(
            f"user {text[:40]!r}: a name has 1 to {MAX_LENGTH} characters, "
            "none of them a colon, a comma or a control character; choose another"
        )
    return text


def users(setting: str) -> dict[str, Hash]:
    """The setting `users`: lines of `NAME:HASH`, or the same joined by commas.

    Raises:
        InvalidSetting: a line is broken; the message holds its name, never its hash.
    """
    found: dict[str, Hash] = {}
    for number, line in enumerate(filter(str.strip, re.split(r"[\n,]", setting)), 1):
        before, colon, after = line.strip().partition(":")
        if not colon:  # the whole line may be a hash or a password: none of it is shown
            raise InvalidSetting(
                f"setting users: entry {number} is not NAME:HASH; make it with: mmsearch password"
            )
        user = name(before)
        if user in found:
            raise InvalidSetting(f"setting users: {user!r} is there twice; remove one of them")
        found[user] = _hash(user, after)
    if setting and not found:  # a secret that was not filled in must not open the page
        raise InvalidSetting(
            "setting users is blank; write NAME:HASH, as mmsearch password prints it, or unset it"
        )
    return found


def _hash(user: str, text: str) -> Hash:
    parts = _HASH.fullmatch(text.strip())
    try:
        if parts:
            n, r, p = (int(number) for number in parts.groups()[:3])
            salt, key = (base64.urlsafe_b64decode(part + "==") for part in parts.groups()[3:])
            allowed = n > 1 and n & (n - 1) == 0 and r > 0 and p > 0
            if allowed and 128 * n * r <= _MAX_MEMORY and n * r * p <= _MAX_WORK:
                return Hash(salt, key, n, r, p)
    except binascii.Error:
        pass
    raise InvalidSetting(
        f"setting users: the hash of {user!r} is broken; make it again: mmsearch password {user}"
    )


def _key(password: str, like: Hash) -> bytes:
    """Source: Percival & Josefsson 2016, scrypt, RFC 7914."""
    typed = unicodedata.normalize("NFC", password).encode(errors="surrogatepass")
    return hashlib.scrypt(
        typed, salt=like.salt, n=like.n, r=like.r, p=like.p, maxmem=2 * _MAX_MEMORY, dklen=32
    )
