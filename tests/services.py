"""PostgreSQL, MariaDB and Redis for tests: this machine's; PostgreSQL and Redis are started where they do not run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from lacking import skip_without
from waits_for import wait_until

from local_airflow import START_SECONDS, held_port

if TYPE_CHECKING:
    import psycopg
    import redis


@contextmanager
def postgresql_database() -> Iterator[str]:
    """
    Make a database, and drop it in the end.

    The server is the one that PGHOST, PGPORT, PGUSER and PGPASSWORD name, by default postgres on 127.0.0.1:5432.

    :return: what follows the driver in the database's URL.
    """
    import psycopg

    host, port = os.environ.get("PGHOST", "127.0.0.1"), int(os.environ.get("PGPORT", "5432"))
    user, password = os.environ.get("PGUSER", "postgres"), os.environ.get("PGPASSWORD", "")

    def connect(port: int) -> psycopg.Connection[Any]:
        login: dict[str, Any] = {
            "host": host,
            "port": port,
            "user": user,
            "password": password,
            "dbname": "postgres",
        }
        return psycopg.connect(**login, autocommit=True, connect_timeout=5)

    def answers(port: int) -> bool:
        try:
            connect(port).close()
        except psycopg.OperationalError:
            return False
        return True

    with _running("PostgreSQL", port, answers, _start_postgresql) as port:
        name = f"smspartner_{uuid4().hex[:12]}"
        with connect(port) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        try:
            login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
            yield f"{login}@{host}:{port}/{name}"
        finally:
            with connect(port) as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def mariadb_database() -> Iterator[str]:
    """
    Make a database of MariaDB or MySQL, and drop it in the end.

    The server is the one that MYSQL_HOST, MYSQL_TCP_PORT, MYSQL_USER and MYSQL_PWD name, by default root on
    127.0.0.1:3306 without a password.

    :return: what follows the driver in the database's URL.
    """
    import pymysql

    host, port = os.environ.get("MYSQL_HOST", "127.0.0.1"), int(os.environ.get("MYSQL_TCP_PORT", "3306"))
    user, password = os.environ.get("MYSQL_USER", "root"), os.environ.get("MYSQL_PWD", "")

    def run(statement: str) -> None:
        connection = pymysql.connect(
            host=host, port=port, user=user, password=password, connect_timeout=5, autocommit=True
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)

    name = f"smspartner_{uuid4().hex[:12]}"
    try:
        run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    except pymysql.OperationalError as error:
        skip_without(f"MariaDB does not answer on {host}:{port}: error {error.args[0]}.")
    try:
        login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
        yield f"{login}@{host}:{port}/{name}"
    finally:
        run(f"DROP DATABASE {name}")


@contextmanager
def redis_database() -> Iterator[str]:
    """
    Claim a Redis database that is empty, and empty it in the end.

    The server is the one that REDIS_HOST, REDIS_PORT and REDIS_PASSWORD name, by default 127.0.0.1:6379.

    :return: the database's URL.
    """
    import redis

    host, port = os.environ.get("REDIS_HOST", "127.0.0.1"), int(os.environ.get("REDIS_PORT", "6379"))
    password = os.environ.get("REDIS_PASSWORD")

    def connect(port: int, number: int = 0) -> redis.Redis:
        return redis.Redis(host=host, port=port, db=number, password=password)

    def answers(port: int) -> bool:
        try:
            with connect(port) as server:
                return bool(server.ping())
        except redis.ConnectionError:
            return False

    with _running("Redis", port, answers, _start_redis) as port:
        for number in range(15, 0, -1):
            with connect(port, number) as database:
                if database.dbsize() or not database.set("smspartner-stack", os.getpid(), nx=True):
                    continue
                try:
                    login = f":{quote(password, safe='')}@" if password else ""
                    yield f"redis://{login}{host}:{port}/{number}"
                finally:
                    database.flushdb()
                return
        skip_without("No Redis database between 1 and 15 is empty.")


@contextmanager
def _running(
    name: str, port: int, answers: Callable[[int], bool], start: Callable[[Path, int], list[str] | None]
) -> Iterator[int]:
    """Give the port of a server that answers: the usual one, or one that is started here and ended afterwards."""
    if answers(port):
        yield port
        return
    with tempfile.TemporaryDirectory(prefix="smspartner-stack-") as folder, held_port() as bound:
        port = bound.getsockname()[1]
        if (command := start(Path(folder), port)) is None:
            skip_without(f"{name} neither answers nor is it installed.")
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=_owner(Path(folder))
        ) as server:
            try:
                what = f"{name} to start: {' '.join(command)}"
                wait_until(lambda: answers(port) or server.poll() is not None, what, limit=START_SECONDS)
                assert server.poll() is None, f"{name} has ended: {' '.join(command)}"
                yield port
            finally:
                server.terminate()


def _start_postgresql(folder: Path, port: int) -> list[str] | None:
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [
        Path(found).parent for found in filter(None, [shutil.which("postgres")])
    ]
    if not programs:
        return None
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")  # PostgreSQL does not run as root
    data = folder / "data"
    subprocess.run(
        [programs[-1] / "initdb", "--pgdata", data, "--auth", "trust", "--username", "postgres", "--no-sync"],
        check=True,
        capture_output=True,
        user=_owner(folder),
    )
    options = ("listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}", "fsync=off")
    settings = [part for option in options for part in ("-c", option)]
    return [str(programs[-1] / "postgres"), "-D", str(data), *settings]


def _start_redis(folder: Path, port: int) -> list[str] | None:
    program = shutil.which("redis-server")
    if program is None:
        return None
    options = {"bind": "127.0.0.1", "port": port, "save": "", "appendonly": "no", "dir": folder}
    return [program, *(part for name, value in options.items() for part in (f"--{name}", str(value)))]


def _owner(folder: Path) -> int:
    return folder.stat().st_uid
