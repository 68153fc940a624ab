"""Messages as an operator's argument gives them: a list, or the path of a file."""

from __future__ import annotations

from airflow_provider_smspartner._files.row_file import names_a_file
from airflow_provider_smspartner._messages.pending import PendingInMemory, PendingMessages
from airflow_provider_smspartner._messages.reading import read_messages


def read_pending(messages: object) -> PendingMessages:
    """
    Read messages, each once: a list into memory, a file onto the disk.

    :param messages: any iterable of messages, or the path of a file.
    :return: to be closed.
    :raises SMSPartnerInputError: if they are neither, or names the position and the fault of a bad message.
    """
    if not names_a_file(messages):
        return PendingInMemory(dict.fromkeys(read_messages(messages)))
    from airflow_provider_smspartner._messages.on_disk import PendingOnDisk

    return PendingOnDisk.of(messages).lightest()
