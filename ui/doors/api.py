"""The page's endpoints for programs: `search`, `documents`, `page`, `ingest` and `status`.

Gradio serves them, and makes their description from the functions' types and docstrings; so these
are evaluated here, not kept as text. Gradio checks nothing of what it is sent.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from mmsearch.errors import InvalidSetting, MMSearchError
from mmsearch.narrowing import MAX_CHARACTERS
from mmsearch.types import DocumentState
from ui.access.guard import user_of
from ui.address import MAX_TEXT
from ui.doors import answers, given
from ui.doors.ingesting import start
from ui.query_images import opened

if TYPE_CHECKING:
    from mmsearch.engine import SearchEngine
    from ui.doors.metrics import Kind, Metrics
    from ui.library.jobs import Jobs

MAX_LIMIT = 100  # hits or documents at a time
SEARCHES_AT_ONCE = 2
_OTHERS_AT_ONCE = 4
_log = logging.getLogger(__name__)


def create_api(
    engine: "SearchEngine",
    jobs: "Jobs",
    allow: Callable[[Any], float],
    metrics: "Metrics | None" = None,
) -> None:
    """Add the endpoints to the `gr.Blocks` that is being made.

    Args:
        engine: what is searched.
        jobs: what ingests.
        allow: says of a request how many seconds its sender has to wait, 0 for none.
        metrics: counts the searches.
    """
    import gradio as gr
    from gradio import FileData
    from gradio.events import api

    def search(
        request: gr.Request,
        text: str = "",
        image: FileData | None = None,
        where: str = "",
        limit: int = 10,
        offset: int = 0,
        group: bool = False,
        image_weight: float | None = None,
        rerank: bool | None = None,
    ) -> dict[str, Any]:
        """Find the pages that match words, an image that was uploaded, or both.

        Args:
            text: words or a question, at most 1000 characters.
            image: a screenshot or photo, at most 20 MB and 50 megapixels.
            where: narrows the search, such as "kind=pdf tag=draft date>=2020".
            limit: how many hits, 1 to 100.
            offset: how many to pass over.
            group: only the best page of each document.
            image_weight: how much the image counts beside words, 0 to 1; by default both are taken
                together.
            rerank: whether the model that looks closer reorders the best; by default for words.

        Returns:
            Hits, best first, and what was repaired of the image.
        """
        with _one_line(gr.Error, "search"):
            words = given.text("text", text, MAX_TEXT)
            options: dict[str, Any] = {
                "limit": given.whole("limit", limit, 1, MAX_LIMIT),
                "offset": given.whole("offset", offset, 0, given.MAX_OFFSET),
                "where": given.text("where", where, MAX_CHARACTERS),
                "group": given.flag("group", group),
                "rerank": given.maybe("rerank", rerank),
            }
            weight = given.share("image_weight", image_weight)
            given.patience(allow(request))
            kind: Kind = "both" if words and image else "image" if image else "words"
            with metrics.search(kind) if metrics else nullcontext():
                path = given.uploaded("image", image) if image else None
                pixels = engine.settings.max_pixels
                picture = opened(path, "image", pixels) if path else None
                query = engine.query(words, image=picture, image_weight=weight)
                return answers.found(query, engine.answer(query, **options))

    def documents(
        request: gr.Request,
        text: str = "",
        state: str = "",
        tag: str = "",
        limit: int = 50,
        offset: int = 0,
    ) -> dict[str, Any]:
        """List the documents of the index, in order of their paths.

        Args:
            text: stands in the title or in a path, in capitals or not.
            state: pending, done, failed or skipped.
            tag: that they have.
            limit: how many, 1 to 100.
            offset: how many to pass over.

        Returns:
            The documents, and how many there are in all.
        """
        with _one_line(gr.Error, "list of documents"):
            wanted = given.text("state", state, 20)
            if wanted and wanted not in list(DocumentState):
                raise InvalidSetting(f"state: allowed are {', '.join(DocumentState)}")
            options: dict[str, Any] = {
                "text": given.text("text", text, MAX_TEXT),
                "tag": given.text("tag", tag, MAX_TEXT),
                "limit": given.whole("limit", limit, 1, MAX_LIMIT),
                "offset": given.whole("offset", offset, 0, given.MAX_OFFSET),
            }
            given.patience(allow(request))
            return answers.documents(engine, state=wanted, **options)

    def page(document: str, number: int) -> dict[str, Any]:
        """Give one page: its text, and the address of its picture.

        Args:
            document: the id of its document, as hits have it.
            number: of the page, from 1.

        Returns:
            Title, place, paths and text of the page, how many pages there are, and the addresses of
            its picture, relative to the address of the server.
        """
        with _one_line(gr.Error, "page"):
            id_ = given.document_id("document", document)
            return answers.page_row(engine, id_, given.whole("number", number, 1, 10**9))

    def ingest(
        request: gr.Request,
        files: list[FileData] | None = None,
        path: str = "",
        tags: list[str] | None = None,
    ) -> dict[str, Any]:
        """Start to ingest files that were uploaded, or that lie on the server.

        Args:
            files: uploaded before; their bytes are kept.
            path: of a file or folder on the server instead, in one that the server opens to this.
            tags: put on the documents.

        Returns:
            The job; ask `status` for it by its id.
        """
        with _one_line(gr.Error, "ingestion"):
            by = user_of(request.request)
            job = start(engine, jobs, files=files, path=path, tags=tags, by=by)
            return answers.job_row(job)

    def status(job: str = "") -> dict[str, Any]:
        """Say what the index holds, and how far ingestion is.

        Args:
            job: the id of a job that all is to be told of; by default, the newest jobs in short.

        Returns:
            Profile, models, counts of documents, pages and vectors, and the jobs, newest first.
        """
        with _one_line(gr.Error, "status"):
            id_ = given.text("job", job, 100)
            if id_:
                told = [answers.job_row(jobs.get(id_))]
            else:
                told = [answers.brief_job_row(known) for known in jobs.all()]
            return {**answers.status(engine), "jobs": told}

    one = {"concurrency_limit": SEARCHES_AT_ONCE, "concurrency_id": "search"}
    other = {"concurrency_limit": _OTHERS_AT_ONCE, "concurrency_id": "api"}
    api(search, api_name="search", **one)
    for endpoint in (ingest, documents, page, status):
        api(endpoint, api_name=endpoint.__name__, **other)


@contextmanager
def _one_line(error_class: type[Exception], what: str) -> Iterator[None]:
    """Errors as Gradio passes them on: ours in one line, of any other only that it happened."""
    try:
        yield
    except MMSearchError as error:
        line = " ".join(str(error).split())
        raise error_class(line, print_exception=False) from None  # type: ignore[call-arg]
    except Exception:
        _log.exception("%s failed", what)
        line = f"the {what} failed; the log of the server says why"
        raise error_class(line, print_exception=False) from None  # type: ignore[call-arg]
