"""Message lists that are files: read as streams, as often as one likes."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import TypeGuard

from airflow_provider_smspartner._files.encoded_file import EncodedFile
from airflow_provider_smspartner._files.formats import ENDINGS
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.models import MessageRef

_FAULTS = (ValueError, gzip.BadGzipFile, zlib.error, EOFError)
"""What is wrong with a file. Other errors are the storage's: they may pass, and are raised as they are."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://[^\s]")


def names_a_file(messages: object) -> TypeGuard[str]:
    """
    Return whether messages are given as the path of a file: a text with a scheme, or with a known ending.

    With a scheme but an unknown ending it is a path as well, so that `MessageFile.of` can say what is wrong.

    :param messages: what was given for messages.
    """
    return isinstance(messages, str) and (
        messages.endswith(tuple(ENDINGS)) or _SCHEME.match(messages) is not None
    )


@dataclass(frozen=True, slots=True)
class MessageFile(EncodedFile):
    """A file of messages; each iteration reads it anew."""

    def __iter__(self) -> Iterator[MessageRef]:
        """
        Read the messages, a few at a time.

        :raises ImportError: if the format or the storage needs a package that is not installed.
        :raises FileNotFoundError: names the path.
        :raises SMSPartnerInputError: names the path, the row (from 1, a header aside) and the fault, not the number.
        """
        self.encoding.format.require()
        with self.place.open() as stream:
            try:
                messages = self.encoding.format.messages(self.encoding.expanding(stream))
            except _FAULTS as error:
                raise SMSPartnerInputError(f"messages in {self.place.uri}: {_described(error)}") from None
            for row in count(1):
                try:
                    ref = MessageRef.of(next(messages))
                except StopIteration:
                    return
                except _FAULTS as error:
                    raise SMSPartnerInputError(
                        f"messages in {self.place.uri}, row {row}: {_described(error)}"
                    ) from None
                yield ref


def _described(fault: Exception) -> str:
    """Return what is wrong, without the words of Python's gzip: they quote the file."""
    if isinstance(fault, EOFError):
        return "Compressed file ended early: it is cut short"
    if isinstance(fault, OSError | zlib.error):
        return "Not a gzipped file, or a damaged one"
    return str(fault)
