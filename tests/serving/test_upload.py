"""Files of a request are read into memory, within limits, and never written to a disk."""

import asyncio
import tempfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from brain_tumor.errors import DataError
from brain_tumor.serving.service.limits import Limits, TooLargeError
from brain_tumor.serving.service.upload import TooSlowError, UnreadableRequestError, receive

BOUNDARY = b"x5f3"


def form(*files):
    parts = [
        b'--%b\r\nContent-Disposition: form-data; name="files"; filename="%b"\r\n\r\n%b\r\n'
        % (BOUNDARY, name.encode(), content)
        for name, content in files
    ]
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


def request(body, kind=b"multipart/form-data; boundary=" + BOUNDARY, length=None, pause=0.0, step=65536):
    """A request whose body arrives in steps, after pauses."""
    headers = [(b"content-type", kind)] + ([(b"content-length", str(length).encode())] if length else [])
    chunks = [body[start : start + step] for start in range(0, len(body), step)] or [b""]
    rest = iter(enumerate(chunks))

    async def next_chunk():
        await asyncio.sleep(pause)
        number, chunk = next(rest)
        return {"type": "http.request", "body": chunk, "more_body": number + 1 < len(chunks)}

    return Request({"type": "http", "method": "POST", "headers": headers, "path": "/"}, next_chunk)


def received(asked, limits=None):
    return asyncio.run(receive(asked, limits or Limits()))


def test_files_keep_names_and_content():
    files = received(request(form(("a/1.png", b"one"), ("scan", b"two"))))

    assert [(str(file), file.content) for file in files] == [("a/1.png", b"one"), ("scan.png", b"two")]


def test_files_of_one_name_stay_apart():
    files = received(request(form(("a.png", b"1"), ("../a.png", b"2"), ("a.png", b"3"))))

    assert [str(file) for file in files] == ["a.png", "2/a.png", "3/a.png"]


def test_a_body_may_be_one_file():
    (file,) = received(request(b"pixels", kind=b"image/png"))

    assert (str(file), file.content) == ("image.png", b"pixels")


def test_nothing_is_written_to_a_disk(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a temporary file was opened")

    for name in ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    (file,) = received(request(form(("large.png", bytes(5_000_000)))))

    assert len(file.content) == 5_000_000


def test_the_size_is_enforced_before_the_body_is_parsed():
    limits = Limits(megabytes=0.1)
    read = []

    def endless():
        asked = request(b"", kind=b"image/png")

        async def more():
            read.append(1)
            return {"type": "http.request", "body": bytes(50_000), "more_body": True}

        return Request(asked.scope, more)

    with pytest.raises(TooLargeError, match=r"larger than 0\.1 MB"):
        received(request(form(("a.png", b"1")), length=200_000), limits)
    with pytest.raises(TooLargeError, match=r"larger than 0\.1 MB"):
        received(endless(), limits)
    assert len(read) == 3


def test_slow_requests_are_given_up():
    with pytest.raises(TooSlowError, match=r"did not arrive within 0\.05 s"):
        received(request(form(("a.png", bytes(100))), pause=0.02, step=10), Limits(upload_seconds=0.05))


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "ends before its form does"),
        (b"--x5f3--\r\n", "holds no file|no form that can be read"),
        (b"nonsense", "no form that can be read"),
        (form(("a.png", b"1"))[:-10], "ends before its form does"),
    ],
)
def test_what_is_no_form_is_refused(body, sentence):
    with pytest.raises(UnreadableRequestError, match=sentence):
        received(request(body))


def test_too_many_files_are_refused():
    with pytest.raises(TooLargeError, match="has more than 3 files"):
        received(request(form(*((f"{number}.png", b"1") for number in range(4)))), Limits(files=3))


KINDS = [b"multipart/form-data; boundary=x5f3", b"multipart/form-data", b"image/png", b""]


@settings(deadline=None, max_examples=60)
@given(body=st.binary(max_size=300), kind=st.sampled_from(KINDS))
def test_any_body_is_read_or_refused(body, kind):
    with suppress(DataError):
        assert received(request(body, kind))
