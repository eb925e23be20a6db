"""What narrows a search: conditions on the payload that every backend understands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The field, or one element of it when it is a list, equals one of `values`.

    Flags are the integers 0 and 1: True is refused, as Qdrant Edge's binding would read it as 1.
    """

    field: str
    values: tuple[str, ...] | tuple[int, ...]

    def __post_init__(self) -> None:
        if any(isinstance(value, bool) for value in self.values):
            raise ValueError(f"filter on {self.field!r}: flags are 0 and 1, not booleans")


@dataclass(frozen=True, slots=True)
class Between:
    """The field is a number in [low, high]; None leaves that side open."""

    field: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Ids:
    """The point's own id is one of `ids`."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HasVector:
    """The point has a vector in the view `view`."""

    view: str


Condition = AnyOf | Between | Ids | HasVector


@dataclass(frozen=True, slots=True)
class Filter:
    """Every condition of `must` holds and none of `must_not`; an empty filter matches all."""

    must: tuple[Condition, ...] = ()
    must_not: tuple[Condition, ...] = ()

    def __and__(self, other: Filter) -> Filter:
        return Filter(self.must + other.must, self.must_not + other.must_not)


def equals(field: str, *values: str | int) -> Filter:
    """Shorthand for the commonest filter: `field` equals one of `values`."""
    return Filter(must=(AnyOf(field, tuple(values)),))  # type: ignore[arg-type]


def ids(points: Sequence[str]) -> Filter:
    """The points with these ids."""
    return Filter(must=(Ids(tuple(points)),))
