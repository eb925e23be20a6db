"""When a file that is being written counts as whole; told by numbers, without a disk or a clock."""

from __future__ import annotations

from ingest.watching.stability import Stability


def look(stability: Stability, now: float, size: int = 1, mtime: float = 0.0) -> list[str]:
    """See a file as it is now, as the watch does when it is due; what is ripe then."""
    stability.see("a", size, mtime, now)
    return stability.ripe()


def test_a_file_is_ripe_when_it_was_seen_unchanged_for_long_enough() -> None:
    stability = Stability(5)
    assert look(stability, 100) == []
    assert look(stability, 104.9) == []
    assert look(stability, 105) == ["a"]
    assert look(stability, 105.1) == []  # a later change has it wait again


def test_time_alone_does_not_make_ripe() -> None:
    stability = Stability(5)
    assert look(stability, 100) == []
    assert stability.due(104) == []
    assert stability.due(105) == ["a"]
    assert stability.ripe() == []
    assert look(stability, 105, size=2) == []  # it had grown, and nobody had told
    assert stability.due(109) == []
    assert look(stability, 110, size=2) == ["a"]


def test_a_file_that_grows_slowly_is_never_ripe() -> None:
    stability = Stability(5)
    assert [look(stability, 4.0 * n, size=n) for n in range(50)] == [[]] * 50
    assert look(stability, 4.0 * 49 + 5, size=49) == ["a"]


def test_a_change_of_time_alone_counts() -> None:
    stability = Stability(5)
    assert look(stability, 0, mtime=1) == []
    assert look(stability, 5, mtime=2) == []  # replaced by another of the same size
    assert look(stability, 10, mtime=2) == ["a"]


def test_times_of_change_in_the_future_are_only_times() -> None:
    stability = Stability(5)
    assert look(stability, 0, mtime=4e9) == []
    assert look(stability, 5, mtime=4e9) == ["a"]


def test_a_clock_that_jumps_delays_a_file_once() -> None:
    stability = Stability(5)
    assert look(stability, 1000) == []
    assert stability.due(10) == ["a"]  # back
    assert look(stability, 10) == []
    assert look(stability, 15) == ["a"]


def test_vanished_files_are_dropped() -> None:
    stability = Stability(5)
    look(stability, 0)
    assert "a" in stability
    stability.forget("a")
    stability.forget("never seen")
    assert "a" not in stability
    assert stability.due(100) == []


def test_files_wait_each_for_themselves() -> None:
    stability = Stability(5)
    for now in (0, 3, 5):
        stability.see("old", 1, 0, now)
        if now:
            stability.see("young", 1, 0, now)
    assert stability.ripe() == ["old"]
    stability.see("young", 1, 0, 8)
    assert stability.ripe() == ["young"]


def test_without_a_delay_everything_is_ripe_at_once() -> None:
    assert look(Stability(0), 7) == ["a"]
