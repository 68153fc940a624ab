"""What a task has read and written, for Airflow's lineage collector and for OpenLineage."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.openlineage.extractors import OperatorLineage

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Lineage:
    """
    What one execution has read and written, by URI.

    :param inputs: URIs of what was read, in order; the values mean nothing.
    :param outputs: how many rows went into each URI that was written.
    """

    inputs: dict[str, None] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)


class Task(Protocol):
    """What has a lineage."""

    _lineage: Lineage | None


def report_input(task: Task, uri: str) -> None:
    """
    Report what a task has read. What goes wrong with that never fails the task.

    :param task: the operator or sensor.
    :param uri: a path or URI, also with ``conn_id@``, which is left out: it is no part of what the data is.
    """
    uri = _plain(uri)
    _of(task).inputs[uri] = None
    _collect("add_input_asset", task, uri)


def report_output(task: Task, uri: str, *, rows: int) -> None:
    """
    Report what a task has written, once it is there to stay. What goes wrong with that never fails the task.

    :param task: the operator or sensor.
    :param uri: as for `report_input`; of a table, as its database's provider has it, such as
        ``postgres://host:port/database/schema/table``.
    :param rows: how many were written.
    """
    uri = _plain(uri)
    _of(task).outputs[uri] = rows
    _collect("add_output_asset", task, uri)


def openlineage_of(task: Any) -> OperatorLineage[Any, Any] | None:
    """
    Return what a task has read and written, with its inlets and outlets, or None if that is nothing.

    :param task: the operator or sensor, after its execution.
    """
    # Only OpenLineage calls this: then its provider is installed.
    from airflow.providers.common.compat.openlineage.facet import (
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )
    from airflow.providers.common.compat.sdk import Asset
    from airflow.providers.openlineage.extractors import OperatorLineage

    lineage = _of(task)
    inputs = [_dataset(uri) for uri in lineage.inputs]
    outputs: list[Dataset] = []
    for uri, rows in lineage.outputs.items():
        named = _dataset(uri)
        statistics = OutputStatisticsOutputDatasetFacet(rowCount=rows)
        outputs.append(
            OutputDataset(
                namespace=named.namespace, name=named.name, outputFacets={"outputStatistics": statistics}
            )
        )
    # OpenLineage looks at inlets and outlets itself only if nothing else is reported.
    inputs += [_dataset(each.uri) for each in task.inlets if isinstance(each, Asset)]
    outputs += [_dataset(each.uri) for each in task.outlets if isinstance(each, Asset)]
    return OperatorLineage(inputs=inputs, outputs=outputs) if inputs or outputs else None


def convert_asset_to_openlineage(asset: Any, lineage_context: Any) -> Dataset:  # noqa: ARG001 - Airflow's signature
    """
    Return what OpenLineage calls an asset with a URI ``smspartner://…``.

    :param asset: Airflow's asset.
    :param lineage_context: where it was met.
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset

    parts = urlsplit(asset.uri)
    return Dataset(namespace="smspartner", name=f"{parts.netloc}{parts.path}".rstrip("/"))


def _of(task: Task) -> Lineage:
    if task._lineage is None:  # noqa: SLF001  # each task keeps its own
        task._lineage = Lineage()  # noqa: SLF001
    return task._lineage  # noqa: SLF001


def _collect(method: str, task: Task, uri: str) -> None:
    try:
        from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

        getattr(get_hook_lineage_collector(), method)(context=task, uri=uri)
    except Exception as error:  # noqa: BLE001 - lineage is never worth a failed task
        log.debug("The lineage of %s was not reported (%s).", uri, type(error).__name__)


def _plain(uri: str) -> str:
    """Return a URI without connection or credentials; a path gets the scheme ``file``."""
    scheme, found, rest = uri.partition("://")
    if not found:
        return f"file://{os.path.abspath(uri)}"  # noqa: PTH100 - pathlib would not resolve `..`
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _dataset(uri: str) -> Dataset:
    """Return what OpenLineage calls the data of a URI: as its provider says, or storage and path."""
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.common.compat.sdk import Asset
    from airflow.providers.openlineage.utils.utils import translate_airflow_asset

    named: Dataset | None = translate_airflow_asset(Asset(uri=uri), None)
    if named is not None:
        return named
    parts = urlsplit(uri)
    return Dataset(namespace=f"{parts.scheme}://{parts.netloc}", name=parts.path.lstrip("/"))
