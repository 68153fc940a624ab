"""What Airflow makes of the provider's description."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest
from airflow.providers.common.compat.sdk import Asset
from airflow.providers_manager import ProvidersManager
from commands import environment_of_a_user, output_of, run_python
from packaging.utils import canonicalize_name

from airflow_provider_smspartner import __version__
from airflow_provider_smspartner.provider_info import get_provider_info

INFO = get_provider_info()
KINDS = ("hooks", "operators", "sensors", "triggers")
MODULES = [
    *(name for kind in KINDS for of in INFO[kind] for name in of["python-modules"]),
    *(of["python-module"] for of in INFO["transfers"]),
]


def airflow_schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((Path(airflow.__file__).parent / name).read_text())
    return schema


def test_airflow_accepts_it() -> None:
    jsonschema.validate(INFO, airflow_schema("provider_info.schema.json"))


def test_airflow_accepts_the_description_of_the_form() -> None:
    schema = airflow_schema("provider.yaml.schema.json")["properties"]["connection-types"]
    if "conn-fields" not in schema["items"]["properties"]:
        pytest.skip("this Airflow builds the form from the hook, not from metadata")
    jsonschema.validate(INFO["connection-types"], schema)


# Airflow 2 imports Flask for it, which warns of itself.
@pytest.mark.filterwarnings("default")
def test_airflow_has_the_form() -> None:
    # Up to 3.1 it makes the form of the hook's widgets, and drops the whole connection type if it does not know the
    # class of one of them. Without what its web server has, 3.0 and 3.1 show no widgets at all.
    if tuple(map(int, airflow.__version__.split(".")[:2])) < (3, 2):
        pytest.importorskip(
            "flask_appbuilder", reason="of Airflow's web server up to 3.1, which makes the form"
        )
    manager = ProvidersManager()

    widgets = [name for name in manager.connection_form_widgets if name.startswith("extra__smspartner__")]
    assert widgets == [f"extra__smspartner__{name}" for name in INFO["connection-types"][0]["conn-fields"]]
    assert "smspartner" in manager.field_behaviours


def test_it_bears_the_name_of_the_distribution() -> None:
    # With any other name Airflow drops all providers, not just this one.
    assert INFO["package-name"] == canonicalize_name(metadata("airflow-provider-smspartner")["Name"])


def test_everything_it_names_is_there() -> None:
    for module in MODULES:
        import_module(module)
    for path in (
        INFO["connection-types"][0]["hook-class-name"],
        *INFO["extra-links"],
        *INFO["notifications"],
    ):
        module, _, name = path.rpartition(".")
        assert isinstance(getattr(import_module(module), name), type), path


@pytest.mark.nightly
def test_the_airflow_command_shows_the_installed_wheel(installed: Path, tmp_path: Path) -> None:
    env = environment_of_a_user(tmp_path, python_path=installed)
    command = ("-m", "airflow", "providers", "get", INFO["package-name"], "--output", "json")
    shown = output_of(run_python(*command, env=env, cwd=tmp_path))
    (provider,) = json.loads(shown[shown.index("[{") :])
    assert provider == {"Provider": "airflow-provider-smspartner", "Version": __version__}


def test_airflow_knows_the_scheme_of_its_assets(caplog: pytest.LogCaptureFixture) -> None:
    # Without a handler of the scheme Airflow warns, and any warning fails a test here.
    assert Asset("smspartner://spring").uri == "smspartner://spring/"
    uri = "smspartner://Shop-2/Black_Friday?year=2026"
    assert Asset(uri).uri == uri
    assert [record.message for record in caplog.records if record.levelname != "INFO"] == []
