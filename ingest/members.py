"""Archives that are open: each has ended once every file in it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ingest.finding import Hashed, Walked
from ingest.known import Known, failure, with_place
from ingest.report import FileResult, Report
from mmsearch.documents import Documents
from mmsearch.errors import NeedsPassword
from mmsearch.paths import INSIDE
from mmsearch.types import DocumentState

_NAMED = 5  # files that could not be unpacked, in the record of their archive


@dataclass(slots=True)
class _Archive:
    hashed: Hashed
    waiting: int = 0  # files in it that have not ended yet
    files: int = 0
    refused: list[FileResult] = field(default_factory=list)
    walked: Walked | None = None


class OpenArchives:
    """Counts the files of archives in and out, and keeps the archives' own records."""

    def __init__(
        self,
        documents: Documents,
        known: Known,
        report: Report,
        ended: Callable[[FileResult, int], None],
    ) -> None:
        """`ended` takes the result of an archive and its size in bytes."""
        self._documents = documents
        self._known = known
        self._report = report
        self._ended = ended
        self._open: dict[str, _Archive] = {}

    def open(self, found: Hashed) -> None:
        """Files of this archive follow."""
        source = found.source
        id_ = found.document
        known = self._known.record(id_) or self._known.new_record(id_, source)
        self._documents.put(
            replace(
                with_place(known, source),
                kind="archive",
                title=source.path.stem,
                state=DocumentState.PENDING,
                reason="",
                error="",
            )
        )
        self._open[str(source.path)] = _Archive(found)

    def enter(self, path: str) -> None:
        """A file was found, perhaps in an archive; its result will follow."""
        if archive := self._around(path):
            archive.waiting += 1
            archive.files += 1

    def leave(self, result: FileResult) -> None:
        """A file has ended, perhaps in an archive."""
        if archive := self._around(result.path):
            archive.waiting -= 1
            if result.status == "failed" and not result.document:  # it has no record of its own
                archive.refused.append(result)
            self._close(archive)

    def walked(self, walked: Walked) -> None:
        """All files of an archive have been found."""
        archive = self._open[str(walked.archive.source.path)]
        archive.walked = walked
        self._close(archive)

    def _around(self, path: str) -> _Archive | None:
        # The nearest archive: a folder in one may be called `Look!`.
        while path := path.rpartition(INSIDE)[0]:
            if archive := self._open.get(path):
                return archive
        return None

    def _close(self, archive: _Archive) -> None:
        walked = archive.walked
        if archive.waiting or walked is None:
            return
        source, id_ = archive.hashed.source, archive.hashed.document
        path = str(source.path)
        del self._open[path]
        known = self._known.record(id_)
        if known is None:  # removed meanwhile
            result = FileResult(path, "skipped", 0, id_, "removed from the index while it was read")
        elif walked.reason:
            self._report.unknown.add(path)
            self._documents.put(failure(known, walked.reason, walked.error))
            self._known.forget_old_version(source, id_)
            result = FileResult(path, "failed", 0, id_, walked.reason, walked.error)
        else:
            self._known.forget_missing(path, walked.names)
            reason, error = _refusals(path, archive.refused)
            # Not while a copy of it is open: its files may not all be there.
            copied = any(other.hashed.document == id_ for other in self._open.values())
            state = DocumentState.PENDING if copied else DocumentState.DONE
            tries = known.attempts + bool(error)
            self._documents.put(
                replace(known, state=state, reason=reason, error=error, attempts=tries)
            )
            self._known.forget_old_version(source, id_)
            result = FileResult(path, "done", 0, id_, f"{archive.files} files in it")
        self._ended(result, source.size)


def _refusals(archive: str, refused: list[FileResult]) -> tuple[str, str]:
    """What the record of an archive says of files that never became documents: reason, error."""
    if not refused:
        return "", ""
    named = "; ".join(
        f"{result.path.removeprefix(archive + INSIDE)}: {result.reason}"
        for result in refused[:_NAMED]
    )
    more = f" and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
    errors = [result.error for result in refused]
    locked = NeedsPassword.__name__
    error = locked if locked in errors else errors[0]
    return f"{len(refused)} files in it could not be unpacked: {named}{more}", error
