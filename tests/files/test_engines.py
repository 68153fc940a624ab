"""The files are read by DuckDB, pandas and Polars: the same rows and the same types by all three."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from files.rows import NASTY, row

from airflow_provider_smspartner._files.output import Output

pa = pytest.importorskip("pyarrow")
duckdb = pytest.importorskip("duckdb")
pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

SCHEMA = pa.schema(
    {
        "phone_number": pa.string(),
        "message_id": pa.string(),
        "status": pa.string(),
        "raw_status": pa.string(),
        "date": pa.timestamp("us", tz="UTC"),
        "stop_sms": pa.bool_(),
        "is_spam": pa.bool_(),
        "code": pa.int32(),
    }
)

# Text has no types of its own: these are declared, as docs tell users to do. Parquet is read as it is.
IN_DUCKDB = {
    name: "TIMESTAMPTZ"
    if name == "date"
    else {"bool": "BOOLEAN", "int32": "INTEGER"}.get(str(kind), "VARCHAR")
    for name, kind in zip(SCHEMA.names, SCHEMA.types, strict=True)
}
IN_PANDAS = {
    name: {"bool": "boolean", "int32": "Int32"}.get(str(kind), "string")
    for name, kind in zip(SCHEMA.names, SCHEMA.types, strict=True)
}
IN_POLARS = {
    name: {"bool": pl.Boolean, "int32": pl.Int32}.get(str(kind), pl.String)
    for name, kind in zip(SCHEMA.names, SCHEMA.types, strict=True)
}

# With an older pyarrow, pandas reads a column of dates in a way that it deprecates itself.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")


def by_duckdb(path: str) -> Any:
    source = {
        "ndjson": f"read_json('{path}', format='newline_delimited', columns={IN_DUCKDB})",
        "csv": f"read_csv('{path}', header=true, quote='\"', escape='\"', delim=',', columns={IN_DUCKDB})",
        "parquet": f"read_parquet('{path}')",
    }[kind_of(path)]
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.sql(f"FROM {source}").to_arrow_table()


def by_pandas(path: str) -> Any:
    if kind_of(path) == "parquet":
        return pa.Table.from_pandas(
            pd.read_parquet(path, dtype_backend="numpy_nullable"), preserve_index=False
        )
    if kind_of(path) == "csv":
        frame = pd.read_csv(path, dtype=IN_PANDAS, keep_default_na=False, na_values=[""])
    else:
        frame = pd.read_json(path, lines=True, dtype=False).astype(IN_PANDAS)
    frame["date"] = pd.to_datetime(frame["date"], utc=True, format="ISO8601").dt.as_unit("us")
    return pa.Table.from_pandas(frame, preserve_index=False)


def by_polars(path: str) -> Any:
    if kind_of(path) == "parquet":
        return pl.read_parquet(path).to_arrow()
    frame = (pl.read_csv if kind_of(path) == "csv" else pl.read_ndjson)(path, schema=IN_POLARS)
    date = pl.col("date").str.to_datetime("%+", time_unit="us", time_zone="UTC")
    return frame.with_columns(date).to_arrow()


ENGINES: list[Callable[[str], Any]] = [by_duckdb, by_pandas, by_polars]


def kind_of(path: str) -> str:
    return path.removesuffix(".gz").rpartition(".")[2]


def plain(table: Any) -> Any:
    """Return a table without what differs between engines and means nothing: how texts and categories are held."""
    texts = [pa.types.is_dictionary, pa.types.is_large_string, pa.types.is_string_view]
    fields = [
        pa.field(f.name, pa.string()) if any(test(f.type) for test in texts) else pa.field(f.name, f.type)
        for f in table.schema
    ]
    return table.cast(pa.schema(fields)).replace_schema_metadata(None)


def expected(rows: list[Any]) -> list[dict[str, Any]]:
    return [{**r, "date": r["date"] and datetime.fromisoformat(r["date"])} for r in rows]


@pytest.mark.parametrize("ending", [".ndjson", ".csv.gz", ".parquet"])
def test_rows_are_read_alike(tmp_path: Path, ending: str) -> None:
    nulls = dict.fromkeys(("message_id", "raw_status", "date", "stop_sms", "is_spam", "code"))
    texts = (NASTY, "a,b", 'say "no"', "two\nlines", "two\r\nlines", "\r", "null", "NA", "true", "1", " ")
    rows = [
        *(row(n, raw_status=text) for n, text in enumerate(texts)),
        row(11, **nulls),
        row(12, is_spam=True, code=-(2**31), date="2030-01-01T00:00:00.000001+00:00"),
        *(row(n) for n in range(13, 5_000)),
    ]
    Output.of(str(path := tmp_path / f"rows{ending}")).write(rows)
    for engine in ENGINES:
        table = plain(engine(str(path)))
        assert table.to_pylist() == expected(rows), engine.__name__
        assert [(f.name, f.type) for f in table.schema] == [(f.name, f.type) for f in SCHEMA], engine.__name__


def test_parquet_holds_categories_and_instants(tmp_path: Path) -> None:
    Output.of(str(path := tmp_path / "rows.parquet")).write([row(1), row(20), row(2, raw_status=None)])
    category = pa.dictionary(pa.int32(), pa.string())
    schema = pa.parquet.read_schema(path)
    assert schema.field("status").type == schema.field("raw_status").type == category
    assert schema.field("date").type == pa.timestamp("us", tz="UTC")
    assert pd.read_parquet(path)["status"].dtype == "category"
    assert pl.read_parquet(path).schema["status"] == pl.Categorical


def test_an_empty_file_has_its_columns(tmp_path: Path) -> None:
    for ending in (".csv", ".parquet"):
        Output.of(str(path := tmp_path / f"rows{ending}")).write([])
        for engine in ENGINES:
            table = engine(str(path))
            assert (table.num_rows, table.schema.names) == (0, SCHEMA.names)


def test_an_empty_text_is_null_in_csv(tmp_path: Path) -> None:
    Output.of(str(path := tmp_path / "rows.csv")).write([row(1, raw_status="")])
    assert [engine(str(path)).column("raw_status").to_pylist() for engine in ENGINES] == [[None]] * 3
