"""Clips by address, as data: URIs and as anything else, over HTTP: each gets an answer, or a line saying what to do."""

import asyncio
import base64
import json
import re
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fakes import FakeRecognizer
from gradio import processing_utils, route_utils
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

import app
from webui import incoming, words

FILE = {"_type": "gradio.FileData"}
HOST = "http://clips.example"
DATA_URI = "data:audio/wav;base64," + base64.b64encode(b"RIFF, or nearly").decode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The server's temporary folder."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def page(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "gradio"))
        patch.setattr("gradio.mcp.DEFAULT_TEMP_DIR", str(folder / "gradio"))
        page = app.serve(FakeRecognizer(), prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
        yield page
        page.close(verbose=False)


@pytest.fixture(scope="module")
def client(page):
    return Client(page.local_url, verbose=False)


@pytest.fixture
def public_hosts(monkeypatch):
    """Stands in for the public internet: a host that answers by path."""

    async def answer(request):
        match request.url.path:
            case "/good.wav":
                return httpx.Response(200, content=b"RIFF, or nearly")
            case "/slow.wav":
                await asyncio.sleep(5)
            case "/refused.wav":
                raise httpx.ConnectError("no", request=request)
            case "/round.wav":
                return httpx.Response(302, headers={"Location": "/round.wav"})
        return httpx.Response(404)

    monkeypatch.setattr(processing_utils, "async_transport", httpx.MockTransport(answer))
    monkeypatch.setattr(incoming, "FETCH_SECONDS", 1)


def call(page, *values, endpoint="compare"):
    """A call over bare HTTP -> ("complete" or "error", what came with it)."""
    url = f"{page.local_url}gradio_api/call/{endpoint}"
    event = httpx.post(url, json={"data": list(values)}, timeout=20).json()["event_id"]
    text = httpx.get(f"{url}/{event}", timeout=20).text
    outcome, data = re.search(r"event: (complete|error)\ndata: (.*)", text).groups()
    return outcome, json.loads(data)


def refusal(page, *values, **options):
    outcome, data = call(page, *values, **options)
    assert outcome == "error", data
    return data["error"]


def left(folder):
    return sorted(path for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("/missing.wav", "it answered with 404 (Not Found)"),
        ("/slow.wav", "it did not answer within 1 s"),
        ("/refused.wav", words.FETCH_BROKEN),
        ("/round.wav", words.FETCH_REASONS["redirects"]),
    ],
)
def test_an_address_that_cannot_be_fetched_says_why_and_what_to_do(client, public_hosts, folder, address, reason):
    with pytest.raises(AppError) as refused:
        client.predict(clip=handle_file(HOST + address), api_name="/compare")
    expected = f"The address {HOST}{address} could not be fetched: {reason}. {words.WAYS_IN}"
    assert str(refused.value) == expected
    assert not (folder / "gradio" / processing_utils.hash_url(HOST + address)).exists()


def test_an_address_that_can_be_fetched_is_answered(client, public_hosts):
    signed = f"{HOST}/good.wav?signature=" + "a" * 400  # longer than a file's name may be
    answer = client.predict(clip=handle_file(signed), api_name="/compare")
    assert answer["clip"]["name"] == "good.wav" and answer["clip"]["path"] is None


def test_a_private_address_is_not_asked(client, monkeypatch):
    async def nobody(_):  # the second opinion would be asked of a public service
        return []

    monkeypatch.setattr("safehttpx.async_resolve_hostname_google", nobody)
    with pytest.raises(AppError, match="not on the public internet, and only public hosts are asked"):
        client.predict(clip=handle_file("http://127.0.0.1:9/clip.wav"), api_name="/compare")


def test_an_unknown_host_and_half_an_address(page):
    unknown = refusal(page, {"path": "https://no-such-host.invalid/a.wav", "meta": FILE})
    assert words.FETCH_REASONS["Unable to resolve"] in unknown
    assert words.FETCH_NO_ADDRESS in refusal(page, {"path": "http://", "meta": FILE})
    long = refusal(page, {"path": "http://[" + "a" * 5000, "meta": FILE})
    assert words.FETCH_TOO_LONG in long and len(long) < 400


def test_a_data_uri_is_answered_and_its_file_is_deleted_with_the_uploads(page, folder):
    outcome, (answer,) = call(page, {"path": DATA_URI, "meta": FILE})
    assert outcome == "complete" and answer["clip"]["name"] == "clip"
    assert any(path.read_bytes() == b"RIFF, or nearly" for path in left(folder))
    route_utils.delete_files_created_by_app(page, age=None)
    assert left(folder) == []


@pytest.mark.parametrize("uri", ["data:", "data:audio/wav", "data:audio/wav;base64,A"])
def test_a_data_uri_that_cannot_be_read(page, uri):
    assert refusal(page, {"path": uri, "meta": FILE}) == words.NOT_DATA


def test_a_data_uri_that_is_too_large(page, monkeypatch):
    monkeypatch.setattr(incoming, "MAX_BYTES", 10)
    assert "accepted: at most 0 MB" in refusal(page, {"path": DATA_URI, "meta": FILE})
    assert "accepted: at most 0 MB" in refusal(page, {"path": "data:," + "x" * 20, "meta": FILE})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("clip.wav", words.NOT_A_FILE.format(found="str")),
        ("", words.NOT_A_FILE.format(found="nothing")),
        (5, words.NOT_A_FILE.format(found="int")),
        ([], words.NOT_A_FILE.format(found="list")),
        ({"path": 5, "meta": FILE}, words.NOT_A_FILE.format(found="dict")),
        ({"path": "x.wav"}, words.NOT_A_FILE.format(found="dict")),
        ({"path": "x.wav", "meta": 5}, words.NOT_A_FILE.format(found="dict")),
        ({"path": "/etc/passwd", "meta": FILE}, words.NOT_SENT),
        ({"path": "file:///etc/passwd", "meta": FILE}, words.NOT_SENT),
        ({"path": "../../etc/passwd", "meta": FILE}, words.NOT_SENT),
        ({"path": "a\0b", "meta": FILE}, words.NOT_SENT),
        ({"path": "a" * 300, "meta": FILE}, words.NOT_SENT),
        ({"path": "a" * 5000, "meta": FILE}, words.NOT_SENT),
        ({"path": "", "meta": FILE}, words.NOT_SENT),
        (None, words.NO_CLIP),
    ],
)
def test_what_is_no_clip_is_named(page, value, text):
    assert refusal(page, value) == text


def test_odd_company_of_a_clip_is_not_looked_at(page):
    odd = {"path": DATA_URI, "meta": FILE, "size": "large", "is_stream": True, "url": 7, "orig_name": []}
    assert call(page, odd)[0] == "complete"


def test_too_few_values_and_what_is_no_mode(page):
    assert refusal(page, endpoint="compare").startswith("Too few values: this call takes 1; found: 0.")
    assert "telepathy" in refusal(page, {"path": DATA_URI, "meta": FILE}, "telepathy", endpoint="recognize")
    for mode in (5, "", {"a": 1}):
        assert refusal(page, {"path": DATA_URI, "meta": FILE}, mode, endpoint="recognize"), mode


def test_whatever_else_fails_has_an_id(page, caplog, monkeypatch):
    def broken(*_):
        raise RuntimeError("/secret/x")

    monkeypatch.setattr("webui.api.Api._answer", broken)
    text = refusal(page, {"path": DATA_URI, "meta": FILE})
    fault = re.search(r"fault of the app, not of your clip.*fault ([0-9a-f]{8})\.", text)[1]
    assert fault in caplog.text and "/secret/x" in caplog.text and "/secret" not in text


def test_agents_send_data_uris_and_addresses_and_their_files_are_deleted(page, folder, public_hosts):
    async def talk():
        async with streamable_http_client(f"{page.local_url}gradio_api/mcp/") as (read, write, _):
            async with ClientSession(read, write) as session:
                await session.initialize()
                return [
                    await session.call_tool("compare", {"clip": clip}) for clip in (DATA_URI, f"{HOST}/missing.wav")
                ]

    with ThreadPoolExecutor(1) as pool:  # a browser test may have left a loop running in this thread
        answered, refused = pool.submit(asyncio.run, talk()).result()
    assert not answered.isError and "multitask" in answered.content[0].text
    assert refused.isError and "it answered with 404" in refused.content[0].text
    assert left(folder)
    route_utils.delete_files_created_by_app(page, age=None)
    assert left(folder) == []


def test_a_crowd_of_failed_addresses_leaves_no_folder(page, public_hosts, folder):
    before = time.monotonic()
    for number in range(5):
        assert "404" in refusal(page, {"path": f"{HOST}/{number}.wav", "meta": FILE})
        assert not Path(folder, "gradio", processing_utils.hash_url(f"{HOST}/{number}.wav")).exists()
    assert time.monotonic() - before < 30
