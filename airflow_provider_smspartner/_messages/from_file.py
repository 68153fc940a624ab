"""Message lists that are files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from airflow_provider_smspartner._files.columns import Wanted
from airflow_provider_smspartner._files.row_file import RowFile
from airflow_provider_smspartner.models import MESSAGE_ID_NAMES, PHONE_NUMBER_NAMES, MessageRef


@dataclass(frozen=True, slots=True)
class MessageFile(RowFile[MessageRef]):
    """A file of messages."""

    what: ClassVar[str] = "messages"
    columns: ClassVar[tuple[Wanted, ...]] = (
        Wanted(PHONE_NUMBER_NAMES),
        Wanted(MESSAGE_ID_NAMES, integers=True),
    )
    read_row = staticmethod(MessageRef.of)
