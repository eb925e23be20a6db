"""Low priority that counts: Linux shares the CPU among sessions before it looks at niceness."""

from __future__ import annotations

import os
import random
import time
from contextlib import suppress
from pathlib import Path

BESIDE_SEARCHES = 10  # enough of the CPU is left for time limits
_TRIES, _PAUSE = 30, 0.2  # the system changes one session in a tenth of a second


def lower(process: int, niceness: int) -> None:
    """Have a process, the first of its session, and all it starts leave the CPU to others.

    Args:
        process: its number.
        niceness: 0 to 19, see nice(1). Where the system does not allow that, nothing changes.
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process, niceness)
    session = Path(f"/proc/{process}/autogroup")
    for _ in range(_TRIES):
        try:
            session.write_text(f"{niceness}\n")
        except BlockingIOError:
            time.sleep(random.uniform(0, _PAUSE))
        except OSError:  # no such system, or no such process any more
            return
        else:
            return


def keep(least: int = 0) -> None:
    """Give this process's niceness, or `least`, to its session, where that is one of its own."""
    niceness = max(os.getpriority(os.PRIO_PROCESS, 0), min(least, 19))
    if niceness > 0 and os.getsid(0) == os.getpid():
        lower(os.getpid(), niceness)
