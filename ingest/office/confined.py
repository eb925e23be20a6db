"""Runs a program that must not be trusted with the network, other files, or other programs.

A script of its own, run as `python -I -S confined.py JSON PROGRAM ARGUMENT...`: it limits itself
for good and then becomes the program. Each layer holds alone where the system has it: an empty
network namespace, Landlock for files, TCP and programs (Linux 5.13, TCP 6.7), resource limits.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import struct
import sys
from pathlib import Path

# Linux: numbers of the kernel's interface, the same on every architecture
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_SET_PARENT_DEATH_SIGNAL, _NO_NEW_PRIVILEGES = 1, 38
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000

_EXECUTE, _WRITE, _READ, _LIST = 1, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE = 1 << 14
_MAKE_SOCKET = 1 << 9
_ANY_FILE = _EXECUTE | _WRITE | _READ | _TRUNCATE
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # how many by version of Landlock, later ones have 16
_TCP = 0b11  # bind and connect

_LIBRARIES = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib64", "/usr/libexec")
_READABLE = (
    "/usr/share", "/usr/local/share/fonts", "/etc/alternatives", "/etc/fonts", "/etc/ld.so.cache",
    "/etc/libreoffice", "/etc/localtime", "/etc/nsswitch.conf", "/etc/papersize", "/etc/paperspecs",
    "/etc/passwd", "/var/cache/fontconfig", "/var/lib/libreoffice", "/var/spool/libreoffice",
    "/dev/urandom", "/dev/zero", "/sys/devices/system/cpu",
)  # fmt: skip


def main() -> None:
    """Limit this process, then become the program."""
    limits = json.loads(sys.argv[1])
    program = sys.argv[2:]
    _limit(resource.RLIMIT_AS, limits["memory"])
    _limit(resource.RLIMIT_FSIZE, limits["file_size"])
    _limit(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != limits["parent"]:  # it ended before this
            sys.exit(1)
        if limits["isolate"]:
            _leave_network(libc)
            reads = (*_READABLE, *limits["reads"])
            runs = (*_LIBRARIES, str(Path(program[0]).parent.parent))
            _leave_files(libc, reads, limits["writes"], runs)
    os.execv(program[0], program)


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _leave_network(libc: ctypes.CDLL) -> None:
    """Move into a network namespace without any interface; needs root or a user namespace."""
    if libc.unshare(_NEW_NETWORK) == 0:
        return
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_NEW_USER | _NEW_NETWORK) == 0:
        with contextlib.suppress(OSError):  # else it runs as nobody, who may read less
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")


def _leave_files(
    libc: ctypes.CDLL, reads: tuple[str, ...], writes: list[str], runs: tuple[str, ...]
) -> None:
    """Give up every file but these, and TCP; nothing happens where the kernel has no Landlock."""
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return
    everything = (1 << _FILE_RIGHTS.get(version, 16)) - 1
    attributes = (
        struct.pack("=QQ", everything, _TCP) if version >= 4 else struct.pack("=Q", everything)
    )
    rules = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        return
    for paths, rights in (
        (reads, _READ | _LIST),
        (runs, _READ | _LIST | _EXECUTE),
        (writes, everything & ~_EXECUTE),
        (("/dev/null",), _READ | _WRITE),
        (("/tmp",), _MAKE_SOCKET),  # where LibreOffice insists on a socket
    ):
        for path in paths:
            _allow(libc, rules, path, rights & everything)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    libc.syscall(_RESTRICT_SELF, rules, 0)
    os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not on this system
    if not Path(path).is_dir():
        rights &= _ANY_FILE
    libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    os.close(place)


if __name__ == "__main__":
    main()
