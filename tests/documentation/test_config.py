"""The configuration on the pages: it can be read, and its options are those of Airflow."""

from __future__ import annotations

import tomllib
from configparser import ConfigParser
from typing import Any

import yaml
from airflow.configuration import conf
from documentation.blocks import Block, Kind, each_of


@each_of(Kind.CONFIG)
def test_it_can_be_read(block: Block) -> None:
    block.skip_unless_possible()
    if block.language == "ini":
        read_airflow_cfg(block.text)
    else:
        read: dict[str, Any] = {"toml": tomllib.loads, "yaml": yaml.safe_load}
        assert read[block.language](block.text)


def read_airflow_cfg(text: str) -> None:
    """Read options of Airflow: no other file of this format is shown."""
    parser = ConfigParser(interpolation=None)
    parser.read_string(text)
    named = {(section, option) for section in parser.sections() for option in parser[section]}
    known = {
        (section, option)
        for section, described in conf.configuration_description.items()
        for option in described["options"]
    }
    assert named
    assert named - known == set()
