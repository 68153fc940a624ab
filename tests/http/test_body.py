"""The bounded decoder of bodies: any encoder's output comes back, and nothing costs more than the limit."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_smspartner._http.body import (
    MAX_BODY_BYTES,
    MAX_MEMBERS,
    BodyDecoder,
    BodyError,
)


def deflated(data: bytes, wbits: int, level: int = 6) -> bytes:
    encoder = zlib.compressobj(level, wbits=wbits)
    return encoder.compress(data) + encoder.flush()


def members(data: bytes) -> bytes:
    half = len(data) // 2
    return gzip.compress(data[:half]) + gzip.compress(b"") + gzip.compress(data[half:])


ENCODERS: dict[str, tuple[str | None, Callable[[bytes], bytes]]] = {
    "none": (None, bytes),
    "gzip": ("identity, x-GZip ", gzip.compress),
    "several members": ("gzip", members),
    "deflate": ("deflate", zlib.compress),
    "raw, stored": ("deflate", lambda data: deflated(data, -15, level=0)),
}
encoders = pytest.mark.parametrize(("encoding", "encode"), ENCODERS.values(), ids=ENCODERS)
compressors = pytest.mark.parametrize(
    ("encoding", "encode"), list(ENCODERS.values())[1:], ids=list(ENCODERS)[1:]
)


def decode(encoding: str | None, *chunks: bytes) -> bytes:
    decoder = BodyDecoder(content_encoding=encoding)
    for chunk in chunks:
        decoder.feed(chunk)
    return bytes(decoder.finish())


def outcome(encoding: str | None, raw: bytes) -> tuple[str, bytes]:
    try:
        return "", decode(encoding, raw)
    except BodyError as error:
        return str(error), b""


def cut(data: bytes, places: list[int]) -> Iterator[bytes]:
    ends = [*sorted(place % (len(data) + 1) for place in places), len(data)]
    start = 0
    for end in ends:
        yield data[start:end]
        start = end


class TestWhatComesBack:
    @encoders
    @given(data=st.binary(max_size=2000), places=st.lists(st.integers(0, 10_000), max_size=8))
    def test_what_was_encoded_however_it_is_cut(
        self, encoding: str | None, encode: Callable[[bytes], bytes], data: bytes, places: list[int]
    ) -> None:
        assert decode(encoding, *cut(encode(data), places)) == data

    @pytest.mark.parametrize("name", ["none", "several members", "deflate"])
    def test_bodies_up_to_the_limit(self, name: str) -> None:
        encoding, encode = ENCODERS[name]

        assert decode(encoding, encode(bytes(MAX_BODY_BYTES))) == bytes(MAX_BODY_BYTES)
        with pytest.raises(BodyError, match="larger than 64 MiB"):
            decode(encoding, encode(bytes(MAX_BODY_BYTES + 1)))


class TestWhatIsRefused:
    @pytest.mark.parametrize("encoding", ["secret-key", "gzip;q=1", "deflate,br"])
    def test_another_encoding_without_its_name(self, encoding: str) -> None:
        with pytest.raises(BodyError, match=r"none of gzip, deflate|several times") as caught:
            BodyDecoder(content_encoding=encoding)
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("length", [str(MAX_BODY_BYTES + 1), "9" * 5000])
    def test_a_length_beyond_the_limit_before_anything_is_read(self, length: str) -> None:
        with pytest.raises(BodyError, match="larger than 64 MiB"):
            BodyDecoder(content_length=length)

    @compressors
    @given(data=st.binary(min_size=1, max_size=500), place=st.integers(0, 10_000))
    def test_a_body_cut_short(
        self, encoding: str, encode: Callable[[bytes], bytes], data: bytes, place: int
    ) -> None:
        encoded = encode(data)
        kept = encoded[: 1 + place % (len(encoded) - 1)]
        fault, decoded = outcome(encoding, kept)
        # A cut between two members leaves a whole body of fewer members.
        assert fault == "its compressed body ends too early" or encode is members
        assert data.startswith(decoded)


EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"  # a stored block without content, and without the mark of the last one
ENDLESS = {
    "gzip of zeros": ("gzip", b"", gzip.compress(bytes(2**25))),
    "zlib of zeros": ("deflate", b"", zlib.compress(bytes(2**27))),
    "empty members": ("gzip", b"", gzip.compress(b"")),
    "empty blocks": ("deflate", EMPTY_BLOCK, EMPTY_BLOCK),
    "a file name in gzip": ("gzip", b"\x1f\x8b\x08\x08" + bytes(6), b"x"),
    "plain": (None, b"", b"x"),
}


@pytest.mark.parametrize(("encoding", "head", "again"), ENDLESS.values(), ids=ENDLESS)
def test_an_endless_body_ends_in_small_steps_with_bounded_memory(
    encoding: str | None, head: bytes, again: bytes
) -> None:
    decoder, steps = BodyDecoder(content_encoding=encoding), 0
    # A step has an input and an output of 64 KiB at most.
    pieces = again * max(1, 2**20 // len(again))

    def decode_for_ever() -> None:
        nonlocal steps
        for chunk in chain([head], repeat(pieces)):
            for _ in decoder.steps(chunk):
                steps += 1

    tracemalloc.start()
    try:
        with pytest.raises(BodyError, match=rf"larger than 64 MiB|more than {MAX_MEMBERS:,} gzip members"):
            decode_for_ever()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert steps >= 16
    assert peak < 3 * MAX_BODY_BYTES
