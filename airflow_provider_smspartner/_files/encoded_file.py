"""A file that results are written to, or rows are read from: where it is, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from airflow_provider_smspartner._files.formats import Encoding
from airflow_provider_smspartner._files.storage import Place, check_names_one_file


@dataclass(frozen=True, slots=True)
class EncodedFile:
    """
    A place and an encoding.

    :param place: where the file is, or is to be.
    :param encoding: how it is written.
    """

    place: Place
    encoding: Encoding

    @classmethod
    def of(cls, uri: str, conn_id: str | None = None) -> Self:
        """
        Choose the format by the ending; nothing is looked up yet.

        :param uri: anything that Airflow's ObjectStoragePath takes, also with ``conn_id@``.
        :param conn_id: the Airflow connection of the storage; goes before one in the URI.
        :raises SMSPartnerInputError: if the ending is unknown, and names those that there are; if the path is a
            pattern or a folder.
        """
        check_names_one_file(uri)
        return cls(place=Place(uri, conn_id), encoding=Encoding.of(uri))
