"""The passwords that encrypted files are tried with; they never come from an option."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mmsearch.config import Settings
from mmsearch.errors import InvalidSetting

# What to do about an encrypted file, at the end of its reason.
NO_PASSWORD = "set MMSEARCH_PASSWORDS or password_file, or run: mmsearch retry --ask-password"


def locked(passwords: Collection[str]) -> str:
    """Why an encrypted file is not read, and what to do."""
    tried = f", other than the {len(passwords)} that were tried" if passwords else ""
    return f"encrypted, it needs a password{tried}; {NO_PASSWORD}"


def passwords_of(settings: Settings) -> tuple[str, ...]:
    """Those of the settings: from the environment, then from the file, each once.

    Raises:
        InvalidSetting: the file cannot be read.
    """
    found = settings.passwords.splitlines()
    if settings.password_file:
        file = Path(settings.password_file).expanduser()
        try:
            found += file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            cause = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise InvalidSetting(
                f"setting password_file={settings.password_file!r}: {cause}; check the path"
            ) from error
    return tuple(dict.fromkeys(password for password in found if password))
