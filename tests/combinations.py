"""Parametrize by a few telling combinations, where the parameters do not depend on each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from allpairspy import AllPairs

Values = Mapping[str, object] | Iterable[object]
"""The values of a parameter; a mapping names them."""


def pairs(**parameters: Values) -> pytest.MarkDecorator:
    """
    Let each two values of different parameters meet in a case: a covering array of strength two.

    Of two parameters this gives all combinations: see `in_turn`.
    """
    return _parametrize(parameters, AllPairs([_named(values) for values in parameters.values()]))


def in_turn(**parameters: Values) -> pytest.MarkDecorator:
    """Let each value be in a case: the longest list once, beside the values of the others in turn."""
    columns = [_named(values) for values in parameters.values()]
    longest = max(map(len, columns))
    return _parametrize(parameters, ([column[n % len(column)] for column in columns] for n in range(longest)))


def _named(values: Values) -> list[tuple[str, object]]:
    return list(values.items()) if isinstance(values, Mapping) else [(str(value), value) for value in values]


def _parametrize(
    parameters: Mapping[str, Values], cases: Iterable[list[tuple[str, object]]]
) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ",".join(parameters),
        [
            pytest.param(*(value for _, value in case), id="-".join(name for name, _ in case))
            for case in cases
        ],
    )
