"""One file in any storage that Airflow knows: read it, or put a whole new one in its place."""

from __future__ import annotations

import io
import logging
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from airflow_provider_smspartner._files.packages import why_missing
from airflow_provider_smspartner._files.parts import (
    part_name,
    remove_left_behind_locally,
    remove_left_behind_remotely,
)
from airflow_provider_smspartner.exceptions import SMSPartnerInputError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

_OBJECT_STORES = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "wasb", "wasbs", "oss", "r2"}
)
"""Storages without folders, where an object appears at once and whole, also by a copy."""

_BLOCK = 8 << 20
"""Bytes of one part of an upload: S3 takes 10,000 parts. What the libraries choose is up to 50 MB, held in memory."""


def check_names_one_file(uri: str) -> None:
    """
    Make sure that a path names one file.

    :raises SMSPartnerInputError: if it is a folder, or a pattern, which some storages' libraries would expand.
    """
    if uri.endswith("/"):
        raise SMSPartnerInputError(f"{uri!r} is a folder: name one file in it")
    if has_magic(uri):
        raise SMSPartnerInputError(f"{uri!r} must name one file, without any of * ? [")


@dataclass(frozen=True)
class Place:
    """
    Where a file is, or is to be.

    Nothing is looked up until it is used, and then it blocks: the connection, the storage.

    :param uri: anything that Airflow's ObjectStoragePath takes, also with ``conn_id@``.
    :param conn_id: the Airflow connection of the storage; goes before one in the URI.
    """

    uri: str
    conn_id: str | None = None

    @property
    def _path(self) -> ObjectStoragePath:
        # Not a cached_property: in Python 3.11 all instances share its lock, also over a fork.
        found: ObjectStoragePath | None = self.__dict__.get("_found")
        if found is None:
            found = self._look_up()
            object.__setattr__(self, "_found", found)
        return found

    def _look_up(self) -> ObjectStoragePath:
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        # If None is passed, Airflow 2 does not look for a connection in the URI.
        conn_id = {} if self.conn_id is None else {"conn_id": self.conn_id}
        try:
            path = ObjectStoragePath(self.uri, **conn_id)
            path.fs  # noqa: B018  # looked up by reading it
        except (ImportError, ValueError) as error:
            explained = why_missing(self.uri, error)
            if explained is None:
                raise
            raise explained from None
        return path

    @property
    def portable_uri(self) -> str:
        """The file's URI with its connection in it, so that ObjectStoragePath needs no other argument."""
        return self.uri if self.conn_id is None else str(self._path)

    def open(self) -> BinaryIO:
        """
        Open the file for reading.

        :raises FileNotFoundError: names the path.
        :raises ImportError: says which package brings the storage.
        :raises SMSPartnerInputError: if Airflow knows no such storage, or a folder stands there.
        """
        path, fs = self._path.path, self._path.fs
        # A listing may be remembered from before the file was replaced, and with it the old file's size.
        fs.invalidate_cache()
        try:
            # Not all storages' files are good at reading lines.
            stream = fs.open(path, "rb", block_size=_BLOCK)
        except (FileNotFoundError, IsADirectoryError) as error:
            if isinstance(error, IsADirectoryError) or fs.isdir(path):
                raise self._is_a_folder() from None
            raise FileNotFoundError(f"there is no file {self.uri}") from error
        # Object stores may open what stands before the names of others, as an empty file.
        if getattr(stream, "size", None) == 0 and fs.isdir(path):
            stream.close()
            raise self._is_a_folder()
        return io.BufferedReader(stream, _BLOCK // 8)

    def _is_a_folder(self) -> SMSPartnerInputError:
        return SMSPartnerInputError(f"{self.uri!r} is a folder, as Spark writes: name one file in it")

    def new(self) -> NewFile:
        """
        Begin a new file, which stands beside the place until it is published; missing folders are made.

        :raises IsADirectoryError: if a folder stands there.
        """
        return NewFile(self._path.fs, self._path.path)

    def check(self) -> None:
        """
        Write another file beside the place, and remove it.

        :raises ImportError: says which package brings the storage.
        :raises SMSPartnerInputError: if Airflow knows no such storage.
        :raises OSError: says why no file can be written.
        """
        try:
            new = self.new()
            try:
                new.stream.write(b"\n")
                new.close()
                new.remove()
            except BaseException:
                new.discard()
                raise
        except (ImportError, SMSPartnerInputError):
            # They say what to do, and no later try would change that.
            raise
        # Every storage has errors of its own, and so has the look-up of a connection.
        except Exception as error:
            raise OSError(f"{self.uri} cannot be written: {type(error).__name__}: {error}") from error


def _split(path: str) -> tuple[str, str]:
    name = path.rpartition("/")[2]
    return path.removesuffix(name), name


class NewFile:
    """
    A file that is being written, under a name that no pattern for finished files matches.

    :param fs: the storage, from fsspec.
    :param target: the path that it gets when it is published.
    """

    def __init__(self, fs: Any, target: str) -> None:
        self._fs = fs
        self._protocols = {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
        self._target = target
        self._abandoned = False
        folder, name = _split(target)
        self._path = folder + part_name(name)
        if not self._is_object_store:
            # Not in object stores: s3fs would make a missing bucket.
            fs.makedirs(folder or ".", exist_ok=True)
            if fs.isdir(target):
                raise IsADirectoryError(f"{target} is a folder")
        if self._is_local:
            # Results hold phone numbers: while they are written, and after a kill, they are their owner's alone.
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        self.stream: BinaryIO = cast("BinaryIO", fs.open(self._path, "wb", block_size=_BLOCK))

    @property
    def _is_local(self) -> bool:
        return "file" in self._protocols

    @property
    def _is_object_store(self) -> bool:
        return not self._protocols.isdisjoint(_OBJECT_STORES)

    def remove_left_behind(self) -> None:
        """Remove what dead runs that wrote the same target have left; other storages than these are not listed."""
        if self._is_local:
            remove_left_behind_locally(*_split(self._target))
        elif self._is_object_store:
            remove_left_behind_remotely(self._fs, *_split(self._target))

    def abandon(self) -> None:
        """
        Make sure that the file is never published, and leaves nothing behind if the process is killed next.

        Nothing is closed: another thread may be writing to the file.
        """
        self._abandoned = True
        if self._is_local:
            with suppress(OSError):
                Path(self._path).unlink()

    def close(self) -> None:
        """Write all that is still held."""
        self.stream.close()

    def publish(self) -> None:
        """Move the file to its name in one step, in the place of an older one."""
        self.close()
        if self._abandoned:
            raise ValueError("the file was abandoned")
        if self._is_local:
            # Not every file system has permissions.
            with suppress(OSError):
                Path(self._path).chmod(self._published_mode())
            Path(self._path).replace(self._target)
        elif self._is_object_store:
            # Not `mv`, which looks for patterns and folders, and asks for more permissions to do so.
            self._fs.cp_file(self._path, self._target)
            self._try_to_remove()
        else:
            self._fs.mv(self._path, self._target)

    def _published_mode(self) -> int:
        """Return the permissions of the file that is replaced, or those that a new file gets here."""
        with suppress(FileNotFoundError):
            return stat.S_IMODE(Path(self._target).stat().st_mode) & 0o777
        # The umask can only be read by changing it, for all threads; and a folder may have defaults of its own.
        probe = self._path.removesuffix(".part") + ".probe"
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            return stat.S_IMODE(os.fstat(descriptor).st_mode)
        finally:
            os.close(descriptor)
            Path(probe).unlink()

    def discard(self) -> None:
        """Remove the file; what stands under its name stays as it was."""
        with suppress(Exception):
            self.close()
        self._try_to_remove()

    def remove(self) -> None:
        """Remove the file."""
        self._fs.rm_file(self._path)

    def _try_to_remove(self) -> None:
        try:
            self.remove()
        except FileNotFoundError:
            pass
        except Exception as error:  # noqa: BLE001
            # It must not hide what went wrong before, nor fail what went well.
            log.warning("A temporary file could not be removed (%s): %s", type(error).__name__, self._path)
