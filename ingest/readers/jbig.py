"""TIFF pages packed by JBIG, as fax servers do: unpacked by libtiff's own `tiffcp` first.

The libraries in Pillow's and OpenCV's wheels are built without JBIG.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.readers import ReadContext
from mmsearch.errors import LimitExceeded, MissingExtra, UnreadableFile

_COMPRESSION, _JBIG = 259, 34661
_COPY = "unpacked.tif"


def is_jbig(path: Path) -> bool:
    """Whether the first page of a TIFF is packed by JBIG."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
            order = {b"II*\0": "<", b"MM\0*": ">"}.get(head[:4])
            if order is None:
                return False
            file.seek(struct.unpack(f"{order}I", head[4:])[0])
            (count,) = struct.unpack(f"{order}H", file.read(2))
            for _ in range(count):
                tag, _, _, value = struct.unpack(f"{order}HHIH2x", file.read(12))
                if tag == _COMPRESSION:
                    return bool(value == _JBIG)
    except (OSError, struct.error):
        pass
    return False


@contextmanager
def unpacked(path: Path, context: ReadContext) -> Iterator[Path]:
    """A copy of the TIFF that every library reads, made once for all processes that read it.

    Raises:
        MissingExtra: `tiffcp` is not installed.
        LimitExceeded: it took longer than a file may take to open.
        UnreadableFile: the file is damaged.
    """
    if context.scratch:
        yield _copy(path, context.scratch / _COPY, context.settings.open_timeout)
        return
    with tempfile.TemporaryDirectory(prefix="mmsearch-tiff-") as folder:
        yield _copy(path, Path(folder, _COPY), context.settings.open_timeout)


def _copy(path: Path, target: Path, seconds: float) -> Path:
    if target.exists():
        return target
    program = shutil.which("tiffcp")
    if program is None:
        raise MissingExtra(f"{path.name}: packed by JBIG; apt install libtiff-tools")
    with tempfile.TemporaryDirectory(prefix="tiff-", dir=target.parent) as folder:
        given, made = Path(folder, "packed.tif"), Path(folder, _COPY)
        given.symlink_to(path.absolute())  # a comma in its own name would mean a list of pages
        try:
            done = subprocess.run(
                [program, "-c", "lzw", str(given), str(made)],
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise LimitExceeded(
                f"{path.name}: took longer than {seconds:g} s to unpack; export it again"
            ) from error
        # Of pages that cannot be found any more it only complains.
        complaints = [line for line in done.stderr.splitlines() if b"Warning" not in line]
        if done.returncode or complaints or not made.exists():
            raise UnreadableFile(f"{path.name}: damaged JBIG data; copy or export it again")
        made.rename(target)
    return target
