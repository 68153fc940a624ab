"""A real HTTP client of a real double."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import requests

from airflow_provider_smspartner.testing import SMSPartnerDouble


class Client:
    """Asks a double as the vendor's pages say, over one kept connection."""

    def __init__(self, double: SMSPartnerDouble, session: requests.Session) -> None:
        self.double = double
        self.session = session

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.session.get(f"{self.double.url}{path}", params=query, timeout=60, allow_redirects=False)

    def me(self) -> requests.Response:
        return self.get("/v1/me", apiKey=self.double.api_key)

    def by_tag(self, tag: str, **query: object) -> Any:
        return self.get("/v1/bulk-status-by-tag", apiKey=self.double.api_key, tag=tag, **query).json()

    def post(self, content: bytes | str) -> requests.Response:
        return self.session.post(f"{self.double.url}/v1/multi-status", data=content, timeout=60)

    def multi_status(self, messages: Sequence[Mapping[str, Any]]) -> Any:
        pairs = [{"phoneNumber": each["phone_number"], "messageId": each["message_id"]} for each in messages]
        return self.session.post(
            f"{self.double.url}/v1/multi-status",
            json={"apiKey": self.double.api_key, "SMSStatut_List": pairs},
            timeout=60,
        ).json()

    def send_to(self, *phone_numbers: str, message: str = "Bonjour", **options: Any) -> requests.Response:
        return self.bulk_send(dict.fromkeys(phone_numbers, message), **options)

    def bulk_send(self, texts: Mapping[str, str], **options: Any) -> requests.Response:
        rows = [{"phoneNumber": number, "message": text} for number, text in texts.items()]
        body = {"apiKey": self.double.api_key, "SMSList": rows, **options}
        return self.session.post(f"{self.double.url}/v1/bulk-send", json=body, timeout=60)

    def cancel(self, message_id: object) -> Any:
        return self.get("/v1/message-cancel", apiKey=self.double.api_key, messageId=message_id).json()

    def stop_list(self) -> Any:
        return self.get("/v1/stop-sms/list", apiKey=self.double.api_key).json()

    def statuses(self, tag: str) -> list[str]:
        return [row["status"] for row in self.by_tag(tag)["StatutResponse_List"]]


Run = Callable[..., Client]
"""Starts a double with the options given, and returns a client of it."""
