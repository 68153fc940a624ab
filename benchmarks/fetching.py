"""Fetching: a list against a bare loop over requests, a tag against Airflow's HttpOperator."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.operators.smspartner import SMSPartnerStatusByTagOperator
from benchmarks.measure import Result, ratio, stub

MESSAGES = 100_000
IN_FLIGHT = 4
PAGES = 100
LATENCY = 0.03


def bare_loop(url: str) -> list[dict[str, Any]]:
    """Do the same calls without any check: a session in a thread pool, and json."""
    pairs = [{"phoneNumber": f"+336{n:08}", "messageId": n} for n in range(MESSAGES)]
    with requests.Session() as session, ThreadPoolExecutor(IN_FLIGHT) as pool:

        def ask(start: int) -> list[dict[str, Any]]:
            body = {"apiKey": "benchmark", "SMSStatut_List": pairs[start : start + 500]}
            answer = session.post(f"{url}/v1/multi-status", data=json.dumps(body), timeout=10)
            rows: list[dict[str, Any]] = json.loads(answer.content)["StatutResponse_List"]
            return rows

        return [row for rows in pool.map(ask, range(0, MESSAGES, 500)) for row in rows]


def hook_by_list() -> list[Any]:
    """Fetch the list with the hook."""
    with SMSPartnerHook() as hook:
        return hook.get_multi_status([(f"+336{n:08}", n) for n in range(MESSAGES)])


def http_operator() -> list[dict[str, Any]]:
    """Fetch the tag with HttpOperator and a pagination function."""
    from airflow.providers.http.operators.http import HttpOperator

    def next_page(response: requests.Response) -> dict[str, Any] | None:
        answer = response.json()
        if answer["currentPage"] * 500 >= answer["total"]:
            return None
        (tag,) = parse_qs(urlsplit(response.url).query)["tag"]
        return {"data": {"apiKey": "benchmark", "tag": tag, "page": answer["currentPage"] + 1}}

    fetch = HttpOperator(
        task_id="fetch",
        http_conn_id="bare",
        endpoint="v1/bulk-status-by-tag",
        method="GET",
        data={"apiKey": "benchmark", "tag": f"pages-{PAGES}"},
        pagination_function=next_page,
        response_filter=lambda responses: [
            row for response in responses for row in response.json()["StatutResponse_List"]
        ],
    )
    rows: list[dict[str, Any]] = fetch.execute({})
    return rows


def our_operator() -> list[Any]:
    """Fetch the tag with this provider's operator."""
    fetch = SMSPartnerStatusByTagOperator(task_id="fetch", tag=f"pages-{PAGES}", do_xcom_push=False)
    rows: list[Any] = fetch.execute({})
    return rows


def measure() -> Iterator[Result]:
    """Measure all of it."""
    with stub(LATENCY, max_connections=IN_FLIGHT) as vendor:
        _check(len(hook_by_list()), len(bare_loop(vendor.url)), MESSAGES)
        found = ratio(hook_by_list, partial(bare_loop, vendor.url), rounds=5)
        yield Result(
            what=f"time for {MESSAGES:,} messages by list, {LATENCY * 1000:.0f} ms, {IN_FLIGHT} in flight",
            baseline="the same calls by requests.Session in a thread pool, json, no checks",
            measured=str(found),
            goal="at most 1.10 x",
            reached=found.median <= 1.10,
        )
        os.environ["AIRFLOW_CONN_BARE"] = json.dumps({"conn_type": "http", "host": vendor.url})
        _check(len(our_operator()), len(http_operator()), PAGES * 500)
        found = ratio(our_operator, http_operator, rounds=3).inverse
        yield Result(
            what=f"speed for a tag of {PAGES} pages, {LATENCY * 1000:.0f} ms, {IN_FLIGHT} in flight",
            baseline="HttpOperator with a pagination function",
            measured=str(found),
            goal="at least 2 x",
            reached=found.median >= 2,
        )
    with stub(0, max_connections=IN_FLIGHT) as vendor:
        found = ratio(hook_by_list, partial(bare_loop, vendor.url), rounds=9, clock=time.process_time)
        yield Result(
            what="CPU for the list, no latency",
            baseline="the same bare loop",
            measured=str(found),
            goal="at most 1.25 x",
            reached=found.median <= 1.25,
        )


def _check(*counts: int) -> None:
    if len(set(counts)) != 1:
        raise ValueError(f"what is compared does not do the same: {counts}")
