"""Every error mmsearch raises on purpose.

Callers choose to skip, retry or stop by class alone; the message is one line that names the
thing, the cause and the next command.

    MMSearchError
    ├── InvalidQuery            nothing to search for, or a query image that is no image
    ├── InvalidSetting          a setting, filter or option with a value that is not allowed
    │   └── UnknownProfile
    ├── UnreadableFile          skip the file and record why
    │   ├── NeedsPassword
    │   └── LimitExceeded       too large, too slow or too hungry: also skip and record
    ├── MissingExtra            (also ImportError) holds the install line
    ├── MissingModel            weights are neither on disk nor allowed to be fetched
    ├── UnusableModel           a checkpoint that is broken, of another kind, or wants to run code
    ├── ModelUnavailable        a model server is down, busy or refuses: retry
    ├── NotFound                no such document, page or index
    ├── IndexUnusable             the index cannot be used as it is
    │   ├── ProfileMismatch     made with another profile
    │   ├── FormatMismatch      made by an older or newer mmsearch
    │   └── IndexLocked         another process holds it and does not answer
    └── IndexUnavailable        the server is down or busy: retry
"""

from __future__ import annotations


class MMSearchError(Exception):
    """Base class of every error that mmsearch raises on purpose."""


class InvalidQuery(MMSearchError):
    """The query holds nothing to search for, or its image is no image."""


class InvalidSetting(MMSearchError):
    """A setting, filter or option has a value that is not allowed."""


class UnknownProfile(InvalidSetting):
    """No profile of this name is shipped and no such TOML file exists."""


class UnreadableFile(MMSearchError):
    """A file cannot become pages: skip it and record why."""


class NeedsPassword(UnreadableFile):
    """The file is encrypted and no given password opens it."""


class LimitExceeded(UnreadableFile):
    """The file asks for more pixels, memory or time than it may have."""


class MissingExtra(MMSearchError, ImportError):
    """An optional package is not installed; the message holds the install line."""


class MissingModel(MMSearchError):
    """Model weights are neither on disk nor allowed to be fetched."""


class UnusableModel(MMSearchError):
    """A checkpoint is broken, of another kind than wanted, or wants to run code of its own."""


class ModelUnavailable(MMSearchError):
    """A model's server is down, busy, or refuses the request."""


class NotFound(MMSearchError):
    """There is no such document, page or index."""


class IndexUnusable(MMSearchError):
    """The index cannot be used as it is."""


class ProfileMismatch(IndexUnusable):
    """The index was made with another profile."""


class FormatMismatch(IndexUnusable):
    """The index was made by an older or newer mmsearch, or is no index at all."""


class IndexLocked(IndexUnusable):
    """Another process holds the index and does not answer."""


class IndexUnavailable(MMSearchError):
    """The index's server is down, busy or unreachable: try again later."""
