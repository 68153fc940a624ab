"""The JSON on the pages: it has the keys and the types of what the provider really gives."""

from __future__ import annotations

import json
from pathlib import Path

from documentation import shapes
from documentation.blocks import Block, Kind, each_of
from documentation.place import Place

from airflow_provider_smspartner.testing import SMSPartnerDouble


@each_of(Kind.JSON)
def test_it_has_a_real_shape(block: Block, place: Place, double: SMSPartnerDouble, tmp_path: Path) -> None:
    shown = json.loads(block.text)
    samples = shapes.make(double, tmp_path)
    name = block.marks.get("json")
    if name is not None:
        samples = {name: samples[name]}

    differences = {name: shapes.difference(shown, real) for name, real in samples.items()}

    assert None in differences.values(), f"{block.id} is none of these: {differences}"
