"""What a machine may lack, such as a server or a browser."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

REQUIRED = "REQUIRE_SERVICES"


def skip_without(what: str) -> NoReturn:
    """
    Skip the test; fail it where the environment says that nothing may be lacking.

    :param what: what is lacking, as a sentence.
    """
    if os.environ.get(REQUIRED):
        pytest.fail(f"{what} The test would be skipped, but {REQUIRED} is set.")
    pytest.skip(what)
