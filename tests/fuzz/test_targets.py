"""The fuzz targets with the committed corpus and with inputs made of it: the same ones each time, and many nightly."""

from __future__ import annotations

from random import Random

import pytest
from fuzz.mutations import mutate
from fuzz.targets import CORPUS, TARGETS, Target


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


@pytest.mark.parametrize("count", [100, pytest.param(5_000, marks=pytest.mark.nightly)])
def test_what_is_made_of_the_corpus_has_no_findings(target: Target, count: int) -> None:
    corpus = target.corpus
    random = Random(target.name)  # noqa: S311 - no secret
    inputs = [*corpus]
    for _ in range(count):
        data = mutate(random.choice(inputs), random, corpus)
        inputs.append(data)
        try:
            target.check(data)
        except Exception as error:
            error.add_note(f"the input was {data!r}")
            raise
