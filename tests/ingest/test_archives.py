"""Archives give their files one at a time, whatever they call them and whatever they hide."""

from __future__ import annotations

import gzip
import io
import os
import random
import shutil
import signal
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from ingest import archives
from ingest.archives import Entry, PassedEntry
from ingest.containers.names import decode, on_disk, plain, unlike
from mmsearch.config import Settings
from mmsearch.errors import LimitExceeded, MMSearchError, NeedsPassword, UnreadableFile
from mmsearch.paths import is_archive
from tests import builders

SETTINGS = Settings(open_timeout=20)
FILES = {"inner/a.pdf": b"%PDF-1.4 a" * 500, "b.PNG": b"png", "c.txt": b"", "deep/er/a.pdf": b"2"}
NOISE = random.Random(1).randbytes(40_000)


def wanted(name: str) -> bool:
    return name.lower().endswith((".pdf", ".png", ".txt", ".tif", ".zip"))


class Unpacked:
    """All that came of an archive: contents and reasons by name, and the error at the end."""

    def __init__(self, path: Path, passwords: tuple[str, ...], settings: Settings) -> None:
        self.contents: dict[str, bytes] = {}
        self.sidecars: dict[str, bytes] = {}
        self.entries: list[Entry] = []
        self.passed: dict[str, str] = {}
        self.failed: set[str] = set()
        self.error: MMSearchError | None = None
        spool = path.parent / "spool"
        spool.mkdir(exist_ok=True)
        found = archives.entries(path, settings, passwords=passwords, spool=spool, wanted=wanted)
        try:
            for entry in found:
                self._take(entry, spool)
        except MMSearchError as error:
            self.error = error
        self.left = sorted(str(file.relative_to(spool)) for file in spool.rglob("*"))

    def _take(self, entry: Entry | PassedEntry, spool: Path) -> None:
        assert "\n" not in entry.name
        entry.name.encode()
        assert entry.name not in self.contents and entry.name not in self.passed
        if isinstance(entry, PassedEntry):
            assert "\n" not in entry.reason
            self.passed[entry.name] = entry.reason
            if entry.failed:
                self.failed.add(entry.name)
            return
        assert entry.path.resolve().is_relative_to(spool.resolve())
        assert len(entry.path.name.encode()) <= 150
        # One at a time: nothing else is unpacked meanwhile, but sidecars that wait.
        others = {entry.path, entry.sidecar}
        waiting = [p for p in spool.rglob("*") if p.is_file() and p not in others]
        assert all(p.parent.name == "texts" for p in waiting)
        self.entries.append(entry)
        self.contents[entry.name] = entry.path.read_bytes()
        assert entry.size == len(self.contents[entry.name])
        if entry.sidecar:
            self.sidecars[entry.name] = entry.sidecar.read_bytes()
        shutil.rmtree(entry.path.parent)


def unpack(path: Path, *passwords: str, settings: Settings = SETTINGS, **limits: Any) -> Unpacked:
    return Unpacked(path, passwords, replace(settings, **limits))


def write_mixed_zip(path: Path, files: dict[str, bytes]) -> Path:
    methods = (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    with zipfile.ZipFile(path, "w") as archive:
        for number, (name, content) in enumerate(files.items()):
            archive.writestr(name, content, methods[number % 4])
    return path


def write_zstd_tar(path: Path, files: dict[str, bytes]) -> Path:
    from backports import zstd

    builders.write_tar(path, files)
    path.write_bytes(zstd.compress(path.read_bytes()))
    return path


KINDS = {
    "a.cbz": write_mixed_zip,
    "a.tar": builders.write_tar,
    "a.tgz": lambda path, files: builders.write_tar(path, files, "w:gz"),
    "a.tar.bz2": lambda path, files: builders.write_tar(path, files, "w:bz2"),
    "a.txz": lambda path, files: builders.write_tar(path, files, "w:xz"),
    "a.tar.zst": write_zstd_tar,
    "a.7z": builders.write_7z,
    "a.cbr": builders.write_rar,
}


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.slow] if name in ("a.tar.bz2", "a.txz") else [])
        for name in KINDS
    ]
)
def kind(request: pytest.FixtureRequest) -> Any:
    if request.param == "a.cbr":
        pytest.importorskip("libarchive", exc_type=ImportError)
    return request.param, KINDS[request.param]


def test_every_kind_gives_its_files_and_leaves_nothing_behind(kind: Any, tmp_path: Path) -> None:
    name, write = kind
    assert is_archive(name)
    files = FILES | {"scans/1.tif": b"tif", "scans/alto/1.xml": b"<alto/>", "x.exe": b"MZ"}
    result = unpack(write(tmp_path / name, files))
    assert result.error is None
    assert result.contents == FILES | {"scans/1.tif": b"tif"}
    assert result.sidecars == {"scans/1.tif": b"<alto/>"}
    assert result.passed == {"x.exe": "unsupported type .exe"}
    assert not result.failed
    assert all(entry.mtime == round(entry.mtime, 3) > 1e9 for entry in result.entries)
    assert result.left == []


def test_only_names_decide_what_is_an_archive() -> None:
    assert all(map(is_archive, ("a.zip", "A.ZIP", "b.tar.gz", Path("x/c.cb7"), "d.tzst")))
    documents = ("a.docx", "a.odt", "a.epub", "a.jar", "a.gz", "a.xml.gz", "zip", "a.pdf")
    assert not any(map(is_archive, documents))


def test_content_decides_how_an_archive_is_opened(tmp_path: Path) -> None:
    assert unpack(builders.write_tar(tmp_path / "a.zip", FILES, "w:gz")).contents == FILES


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"hello" * 100, "not an archive"), (b"PK\x03\x04" + NOISE, "damaged")],
)
def test_what_is_no_archive_says_so(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.7z"
    path.write_bytes(content)
    error = unpack(path).error
    assert type(error) is UnreadableFile
    assert said in str(error)


# Names


def test_no_name_leads_out_of_the_spool_or_hides_another(tmp_path: Path) -> None:
    given = [
        ("../out.pdf", b"1"),
        ("x/../../../tmp/out.pdf", b"2"),
        ("..\\win.pdf", b"3"),
        ("/etc/absolute.pdf", b"4"),
        ("C:\\users\\drive.pdf", b"5"),
        ("same.pdf", b"6"),
        ("same.pdf", b"7"),
        ("SAME.pdf", b"8"),
        ("./same.pdf", b"9"),
        ("line\nend\x1b[31m.pdf", b"10"),
        ("turned\u202efdp.pdf", b"11"),
        ("dir//double.pdf", b"12"),
        (".hidden.pdf", b"13"),
        ("__MACOSX/a.pdf", b"14"),
        ("pictures/Thumbs.db", b"15"),
        (".git/a.pdf", b"16"),
        ("folder/", b""),
        ("n" * 300 + ".pdf", b"17"),
        ("d/" * 3000 + "deep.pdf", b"18"),
    ]
    result = unpack(builders.write_zip(tmp_path / "a.zip", given))
    assert result.contents == {
        "etc/absolute.pdf": b"4",
        "users/drive.pdf": b"5",
        "same.pdf": b"6",
        "same (2).pdf": b"7",
        "SAME.pdf": b"8",
        "same (3).pdf": b"9",
        "line_end_[31m.pdf": b"10",
        "turned_fdp.pdf": b"11",
        "dir/double.pdf": b"12",
        "n" * 251 + ".pdf": b"17",
    }
    assert set(result.passed) >= {"../out.pdf", "x/../../../tmp/out.pdf", "../win.pdf"}
    assert all(reason.startswith("unsafe") for reason in result.passed.values())
    assert len(result.passed) == len(result.failed) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "spool"]
    assert result.left == []


def test_links_and_devices_in_a_tar_are_passed(tmp_path: Path) -> None:
    def special(kind: bytes, target: str = "") -> tarfile.TarInfo:
        header = tarfile.TarInfo()
        header.type, header.linkname = kind, target
        return header

    files: dict[str, Any] = {
        "a.pdf": b"a",
        "soft.pdf": special(tarfile.SYMTYPE, "/etc/passwd"),
        "hard.pdf": special(tarfile.LNKTYPE, "a.pdf"),
        "device.pdf": special(tarfile.CHRTYPE),
        "pipe.pdf": special(tarfile.FIFOTYPE),
        "folder.pdf": special(tarfile.DIRTYPE),
        "x" * 100_000 + ".pdf": b"long",
        "soft.pdf/b.pdf": b"through the link",
    }
    result = unpack(builders.write_tar(tmp_path / "a.tar", files))
    assert result.contents == {
        "a.pdf": b"a",
        "x" * 251 + ".pdf": b"long",
        "soft.pdf/b.pdf": b"through the link",
    }
    assert result.passed == {
        "soft.pdf": "a link, not a file",
        "hard.pdf": "a link, not a file",
        "device.pdf": "not a regular file",
        "pipe.pdf": "not a regular file",
    }
    assert not result.failed


def test_a_link_in_a_zip_is_passed(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link.pdf")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("a.pdf", b"a")
    result = unpack(path)
    assert result.contents == {"a.pdf": b"a"}
    assert result.passed == {"link.pdf": "a link, not a file"}


def test_names_in_old_encodings_are_read(tmp_path: Path) -> None:
    raw = {
        "請求書.pdf".encode("cp932"): b"1",
        "テスト/ファイル.pdf".encode("cp932"): b"2",
        "Größe Übung.pdf".encode("cp437"): b"3",
        "plain-ünï.pdf".encode(): b"4",
        b"nul\x00byte.pdf": b"5",
    }
    result = unpack(builders.write_raw_zip(tmp_path / "a.zip", raw))
    assert result.contents == {
        "請求書.pdf": b"1",
        "テスト/ファイル.pdf": b"2",
        "Größe Übung.pdf": b"3",
        "plain-ünï.pdf": b"4",
        "nul_byte.pdf": b"5",
    }


def test_names_that_claim_to_be_utf8_and_are_not_are_read(tmp_path: Path) -> None:
    names = {b"bad\xff.pdf": b"1", b"good.pdf": b"2"}
    result = unpack(builders.write_raw_zip(tmp_path / "a.zip", names, flags=0x800))
    assert result.contents == {"bad\ufffd.pdf": b"1", "good.pdf": b"2"}


def test_names_of_a_tar_may_be_any_bytes(tmp_path: Path) -> None:
    path = builders.write_tar(tmp_path / "a.tar", {"gr\udcfc\udcdfe.pdf": b"1"})
    assert unpack(path).contents == {"grüße.pdf": b"1"}


@pytest.mark.parametrize("name", ["a" * 400 + ".pdf", "..", "", "/", ".pdf", "é" * 200, "x/ü.tif"])
def test_names_on_disk_are_short_and_plain(name: str) -> None:
    safe = on_disk(plain(name))
    assert 0 < len(safe.encode()) <= 150
    assert not safe.startswith(".") and "/" not in safe
    assert Path(safe).suffix == Path(name).suffix


def test_many_entries_of_one_name_are_numbered_quickly() -> None:
    seen: dict[str, int] = {}
    names = [unlike("a.pdf", seen) for _ in range(50_000)]
    assert len(set(names)) == 50_000
    assert names[:3] == ["a.pdf", "a (2).pdf", "a (3).pdf"]
    assert unlike("a (2).pdf", seen) == "a (2) (2).pdf"


def test_european_names_are_not_taken_for_japanese() -> None:
    for name in ("Änderung.pdf", "Müller Straße", "été à Nîmes", "señor", "Ångström"):
        assert decode(name.encode("cp437"), "cp437") == name


# Sidecars


def test_sidecars_come_with_their_scan_whatever_the_order(tmp_path: Path) -> None:
    files = {"p/1.tif": b"1", "p/1.xml": b"<one/>", "p/2.hocr": b"<two/>", "p/2.tif": b"2"}
    files |= {"p/3.tif": b"3", "notes.xml": b"<alone/>", "p/1.png": b"also 1"}
    for path in (
        builders.write_zip(tmp_path / "a.zip", files),
        builders.write_tar(tmp_path / "a.tgz", files, "w:gz"),
    ):
        result = unpack(path)
        assert set(result.contents) == {"p/1.tif", "p/2.tif", "p/3.tif", "p/1.png"}
        text = {"p/1.tif": b"<one/>", "p/2.tif": b"<two/>", "p/1.png": b"<one/>"}
        assert result.sidecars == text
        assert result.passed == {"notes.xml": "unsupported type .xml"}
        assert result.left == []


# Passwords


def write_aes_zip(path: Path, files: dict[str, bytes]) -> Path:
    import pyzipper

    with pyzipper.AESZipFile(path, "w", compression=8, encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(b"secret")
        for name, content in files.items():
            archive.writestr(name, content)
    with pyzipper.AESZipFile(path, "a") as archive:
        archive.writestr("open.pdf", b"not encrypted")
    return path


def test_encrypted_entries_need_one_of_the_passwords(tmp_path: Path) -> None:
    path = write_aes_zip(tmp_path / "a.zip", FILES)
    assert unpack(path, "wrong", "secret").contents == FILES | {"open.pdf": b"not encrypted"}
    result = unpack(path, "wrong")
    assert result.contents == {"open.pdf": b"not encrypted"}
    assert result.failed == set(FILES)
    assert all(r.startswith("encrypted, it needs a password;") for r in result.passed.values())
    assert result.error is None


def test_an_encrypted_7z_needs_one_of_the_passwords(tmp_path: Path) -> None:
    path = builders.write_7z(tmp_path / "a.7z", FILES, password="secret")
    assert unpack(path, "wrong", "secret").contents == FILES
    without = unpack(path, "wrong")
    assert without.failed == set(FILES)
    assert all("needs a password" in without.passed[name] for name in without.failed)


def test_a_7z_that_hides_its_names_needs_a_password_at_once(tmp_path: Path) -> None:
    path = builders.write_7z(tmp_path / "a.7z", FILES, password="secret", names_too=True)
    assert unpack(path, "secret").contents == FILES
    assert isinstance(unpack(path).error, NeedsPassword)


# Damage


def test_a_cut_archive_gives_what_it_has_and_then_fails(tmp_path: Path) -> None:
    files = {f"{n}.pdf": NOISE + bytes([n]) for n in range(6)}
    streamed = io.BytesIO()
    with zipfile.ZipFile(_Unseekable(streamed), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():  # sizes stand behind the entries
            archive.writestr(name, content)
    (tmp_path / "streamed.zip").write_bytes(streamed.getvalue())
    for path in (
        builders.write_tar(tmp_path / "a.tgz", files, "w:gz"),
        builders.write_tar(tmp_path / "a.tar", files),
        builders.write_zip(tmp_path / "a.zip", files),
        tmp_path / "streamed.zip",
    ):
        result = unpack(builders.cut_short(path, 0.6))
        assert list(result.contents.items()) == list(files.items())[:3], path.name
        assert type(result.error) is UnreadableFile
        assert "cut short" in str(result.error)
        assert result.left == []


class _Unseekable(io.RawIOBase):
    def __init__(self, target: io.BytesIO) -> None:
        self._target = target

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._target.write(data)


def test_a_damaged_entry_costs_itself_alone(tmp_path: Path) -> None:
    files = {f"{n}.pdf": NOISE + bytes([n]) for n in range(4)}
    path = builders.write_zip(tmp_path / "a.zip", files)
    damaged = bytearray(path.read_bytes())
    damaged[50_000] ^= 255
    path.write_bytes(damaged)
    result = unpack(path)
    assert list(result.contents) == ["0.pdf", "2.pdf", "3.pdf"]
    assert result.failed == {"1.pdf"}
    assert "damaged" in result.passed["1.pdf"]
    assert result.error is None
    assert result.left == []


def test_a_damaged_header_of_a_tar_is_not_its_end(tmp_path: Path) -> None:
    path = builders.write_tar(tmp_path / "a.tar", {"a.pdf": b"a", "b.pdf": b"b"})
    damaged = bytearray(path.read_bytes())
    damaged[1024:1124] = b"!" * 100
    path.write_bytes(damaged)
    result = unpack(path)
    assert result.contents == {"a.pdf": b"a"}
    assert "damaged" in str(result.error)


def test_a_damaged_block_of_a_7z_leaves_what_came_before(tmp_path: Path) -> None:
    path = builders.write_7z(tmp_path / "a.7z", {f"{n}.pdf": NOISE for n in range(3)})
    damaged = bytearray(path.read_bytes())
    damaged[30_000] ^= 255
    path.write_bytes(damaged)
    result = unpack(path)
    assert result.failed | set(result.contents) == {"0.pdf", "1.pdf", "2.pdf"}
    assert "0.pdf" in result.failed
    assert all("damaged" in reason for reason in result.passed.values())


# Bombs and limits


def test_a_directory_that_lies_about_sizes_is_not_believed(tmp_path: Path) -> None:
    path = builders.write_zip(tmp_path / "a.zip", {"a.pdf": bytes(100_000), "b.pdf": b"b"})
    lying = path.read_bytes()
    at = lying.index(b"PK\x01\x02") + 24
    path.write_bytes(lying[:at] + struct.pack("<L", 10) + lying[at + 4 :])
    result = unpack(path)
    assert result.failed == {"a.pdf"}
    assert result.contents == {"b.pdf": b"b"}
    path.write_bytes(lying[:at] + struct.pack("<L", 200_000) + lying[at + 4 :])
    assert unpack(path).failed == {"a.pdf"}


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    path = builders.write_zip(tmp_path / "a.zip", {"a.pdf": NOISE, "b.pdf": NOISE})
    whole = bytearray(path.read_bytes())
    second = whole.index(b"PK\x01\x02", whole.index(b"PK\x01\x02") + 1)
    whole[second + 42 : second + 46] = struct.pack("<L", 0)
    path.write_bytes(whole)
    result = unpack(path)
    assert result.contents == {}
    assert "overlap" in str(result.error)


def test_a_bomb_is_stopped_by_what_really_comes_out(tmp_path: Path) -> None:
    path = builders.write_tar(tmp_path / "a.tar", {"a.pdf": b"a", "b.exe": bytes(110 << 20)})
    path.write_bytes(gzip.compress(path.read_bytes(), 1))
    result = unpack(path, archive_ratio=5)
    assert result.contents == {"a.pdf": b"a"}
    assert isinstance(result.error, LimitExceeded)
    assert "archive_ratio" in str(result.error)


@pytest.mark.parametrize("name", ["a.cbz", "a.tgz", "a.7z"])
def test_the_bytes_of_an_archive_are_limited(tmp_path: Path, name: str) -> None:
    files = {f"{n}.pdf": bytes(400_000) for n in range(4)}
    result = unpack(KINDS[name](tmp_path / name, files), archive_bytes=1_100_000)
    assert list(result.contents) == ["0.pdf", "1.pdf"]
    assert isinstance(result.error, LimitExceeded)
    assert "archive_bytes" in str(result.error)


def test_holes_in_a_file_count(tmp_path: Path) -> None:
    sparse = tmp_path / "sparse.pdf"
    with sparse.open("wb") as file:
        file.truncate(300 << 20)
        file.seek(0)
        file.write(b"%PDF")
    path = tmp_path / "a.tar"
    command = ["tar", "--sparse", "-cf", str(path), "-C", str(tmp_path), sparse.name]
    assert subprocess.run(command, check=False).returncode == 0
    assert path.stat().st_size < 100_000
    result = unpack(path)
    assert isinstance(result.error, LimitExceeded)
    assert result.contents == {} and result.left == []


def test_a_large_entry_is_passed_and_the_others_come(tmp_path: Path) -> None:
    files = {"a.pdf": b"a", "large.pdf": bytes(3 << 20), "b.pdf": b"b"}
    result = unpack(builders.write_zip(tmp_path / "a.zip", files), max_file_bytes=1 << 20)
    assert list(result.contents) == ["a.pdf", "b.pdf"]
    assert result.passed == {
        "large.pdf": "3 MiB, over the limit of 1 MiB; raise the setting max_file_bytes"
    }
    assert result.failed == {"large.pdf"}


def test_an_entry_that_asks_for_too_much_memory_fails_alone(tmp_path: Path) -> None:
    files = {"a.pdf": NOISE, "b.pdf": b"b"}
    path = builders.write_zip(tmp_path / "a.zip", files, zipfile.ZIP_LZMA)
    hungry = bytearray(path.read_bytes())
    dictionary = 30 + len("a.pdf") + 5  # its size, in the properties of LZMA
    hungry[dictionary : dictionary + 4] = b"\xff\xff\xff\xee"
    path.write_bytes(hungry)
    result = unpack(path, worker_memory=1 << 30)
    assert result.contents == {"b.pdf": b"b"}
    assert "raise the setting worker_memory" in result.passed["a.pdf"]


def test_the_files_of_an_archive_are_limited(tmp_path: Path) -> None:
    files = {f"{n}.pdf": b"a" for n in range(8)} | {"a.exe": b""}
    result = unpack(builders.write_zip(tmp_path / "a.zip", files), archive_entries=5)
    assert len(result.contents) == 5
    assert isinstance(result.error, LimitExceeded)
    assert "archive_entries" in str(result.error)


def test_an_archive_within_is_a_file_and_its_depth_the_callers(tmp_path: Path) -> None:
    inner = builders.write_zip(tmp_path / "inner.zip", {"a.pdf": b"a"})
    outer = builders.write_zip(tmp_path / "outer.zip", {"x/inner.zip": inner.read_bytes()})
    result = unpack(outer, max_file_bytes=10)
    assert result.contents == {"x/inner.zip": inner.read_bytes()}


# The process


@pytest.fixture
def three(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    path = builders.write_zip(tmp_path / "a.zip", {f"{n}.pdf": NOISE for n in range(3)})
    settings = replace(SETTINGS, open_timeout=getattr(request, "param", 20.0))
    found = archives.entries(path, settings, passwords=(), spool=tmp_path, wanted=wanted)
    first = next(found)
    (child,) = [c for c in psutil.Process().children() if "ingest.unpack" in c.cmdline()]
    yield found, first, child
    found.close()


def test_a_generator_closed_early_ends_its_process(three: Any, tmp_path: Path) -> None:
    found, first, child = three
    found.close()
    assert not child.is_running()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == ["0.pdf", "a.zip"]
    assert first.path in files  # it was handed on: whoever has it removes it


def test_a_process_that_dies_fails_the_archive(three: Any) -> None:
    found, first, child = three
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(UnreadableFile, match=r"a\.zip: the reader crashed \(SIGKILL\)"):
        next(found)
    assert first.path.read_bytes() == NOISE


@pytest.mark.parametrize("three", [4.0], indirect=True)
def test_a_process_that_hangs_fails_the_archive(three: Any) -> None:
    found, _, child = three
    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(LimitExceeded, match="took longer than 4 s; raise the setting open_timeout"):
        next(found)
    assert not child.is_running()


def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    path = builders.write_zip(tmp_path / "a.zip", {"a.pdf": b"a", "b.pdf": bytes(3 << 20)})
    spool = tmp_path / "spool"
    spool.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(spool)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small file system can only be mounted by root")
    try:
        result = unpack(path)
    finally:
        subprocess.run(["umount", str(spool)], check=True)
    assert result.contents == {"a.pdf": b"a"}
    assert "no space left; free some space there" in str(result.error)
    assert result.left == []
