"""The fuzz targets, with the committed corpus and inputs made of it: the same ones each time."""

from __future__ import annotations

import sys
from random import Random

import pytest
from fuzz.mutations import mutate
from fuzz.targets import TARGETS, Target

INPUTS = 10_000
"""For all targets together."""


@pytest.fixture(params=TARGETS, ids=[target.name for target in TARGETS])
def target(request: pytest.FixtureRequest) -> Target:
    found: Target = request.param
    if found.name == "file_parquet":
        pytest.importorskip("pyarrow")
    return found


def test_the_corpus_and_what_is_made_of_it_have_no_findings(target: Target) -> None:
    corpus = target.corpus
    assert corpus
    random = Random(target.name)  # noqa: S311 - no secret
    inputs = [*corpus]
    for _ in range(INPUTS * target.share // 100):
        inputs.append(mutate(random.choice(inputs), random, corpus))
    for data in inputs:
        try:
            target.run(data)
        except Exception:
            sys.stderr.write(f"{target.name}: {data!r}\n")
            raise


def test_all_inputs_are_shared_out() -> None:
    assert sum(target.share for target in TARGETS) == 100
