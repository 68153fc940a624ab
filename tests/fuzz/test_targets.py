"""The fuzz targets with the committed corpus and, nightly, inputs made of it: the same ones each time."""

from __future__ import annotations

from random import Random

import pytest
from fuzz.mutations import mutate
from fuzz.targets import CORPUS, TARGETS, Target

INPUTS = 20_000
"""For all targets together."""


@pytest.fixture(params=TARGETS, ids=[target.name for target in TARGETS])
def target(request: pytest.FixtureRequest) -> Target:
    found: Target = request.param
    if found.name == "file_parquet":
        pytest.importorskip("pyarrow")
    return found


def test_the_corpus_has_no_findings(target: Target, subtests: pytest.Subtests) -> None:
    paths = sorted((CORPUS / target.name).iterdir())

    assert paths
    for path in paths:
        with subtests.test(path.name):
            target.check(path.read_bytes())


@pytest.mark.nightly
def test_what_is_made_of_the_corpus_has_no_findings(target: Target) -> None:
    corpus = target.corpus
    random = Random(target.name)  # noqa: S311 - no secret
    inputs = [*corpus]
    for _ in range(INPUTS * target.share // 100):
        data = mutate(random.choice(inputs), random, corpus)
        inputs.append(data)
        try:
            target.check(data)
        except Exception as error:
            error.add_note(f"the input was {data!r}")
            raise


def test_all_inputs_are_shared_out() -> None:
    assert sum(target.share for target in TARGETS) == 100
