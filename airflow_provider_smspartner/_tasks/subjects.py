"""What a task asks for, in words: without phone numbers, for logs and errors."""

from __future__ import annotations

from airflow_provider_smspartner.exceptions import SMSPartnerError


def tag_subject(tag: str) -> str:
    """Return what a tag is called."""
    return f"the tag {tag!r}"


def list_subject(messages: object) -> str:
    """Return what messages are called: those of a file by its path."""
    return f"the messages in {messages!r}" if isinstance(messages, str) else "the list of messages"


def name_subject(error: SMSPartnerError, subject: str) -> None:
    """Put what was asked for into an error's text, unless it is there."""
    text = str(error)
    if subject not in text:
        error.args = (f"{subject[0].upper()}{subject[1:]}: {text}", *error.args[1:])
