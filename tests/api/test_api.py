"""The API through gradio_client and MCP, against the live page; every Python snippet of docs/api.md is run."""

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from phonolinguistic.labels import EMOTIONS, MODES

ROOT = Path(__file__).resolve().parents[2]
ENDPOINTS = {"/compare", "/recognize", "/timeline", "/model_info"}


@pytest.fixture(scope="module")
def client(live_page):
    return Client(live_page, verbose=False)


def check_recognition(answer, mode):
    assert answer["mode"] == mode and answer["status"] in ("ok", "uncertain")
    assert answer["emotion"] in EMOTIONS and set(answer["scores"]) == set(EMOTIONS)
    assert sum(answer["scores"].values()) == pytest.approx(1, abs=1e-3)
    assert answer["seconds"] == pytest.approx(sum(answer["stages"].values()), abs=1e-4)
    assert answer["parameters"] > 0


def test_only_the_four_endpoints_are_named(client):
    assert set(client.view_api(return_format="dict", print_info=False)["named_endpoints"]) == ENDPOINTS


def test_compare(client, speech_clip):
    answer = client.predict(clip=handle_file(str(speech_clip)), api_name="/compare")
    assert set(answer["modes"]) == set(MODES)
    for mode, recognition in answer["modes"].items():
        check_recognition(recognition, mode)
    assert answer["clip"]["path"] is None and answer["clip"]["name"] == speech_clip.name
    assert answer["clip"]["seconds"] > 0.3 and answer["clip"]["warnings"] == []
    assert 0 <= answer["clip"]["speech_seconds"] <= answer["clip"]["seconds"]
    json.dumps(answer)


@pytest.mark.parametrize("mode", MODES)
def test_recognize(client, speech_clip, mode):
    check_recognition(client.predict(clip=handle_file(str(speech_clip)), mode=mode, api_name="/recognize"), mode)


def test_recognize_is_multitask_when_no_mode_is_given(client, speech_clip):
    check_recognition(client.predict(clip=handle_file(str(speech_clip)), api_name="/recognize"), "multitask")


def test_timeline(client, speech_clip):
    answer = client.predict(clip=handle_file(str(speech_clip)), mode="audio", api_name="/timeline")
    assert answer["segments"]
    for segment in answer["segments"]:
        assert 0 <= segment["start"] < segment["end"] <= answer["clip"]["seconds"] + 0.1
        check_recognition(segment["recognition"], "audio")


def test_model_info_names_no_place(client):
    info = client.predict(api_name="/model_info")
    assert info["modes"] == list(MODES) and info["threads"] >= 1
    assert {model["kind"] for model in info["models"]} >= {"fusion", "multitask"}
    assert str(ROOT) not in json.dumps(info)


def test_refusals_say_what_is_accepted_and_no_path(client, tmp_path):
    broken = tmp_path / "broken é.wav"
    broken.write_text("no sound in here " * 20)
    with pytest.raises(AppError) as refused:
        client.predict(clip=handle_file(str(broken)), api_name="/compare")
    assert len(str(refused.value)) < 300 and "gradio" not in str(refused.value)
    with pytest.raises(AppError, match="telepathy"):
        client.predict(clip=handle_file(str(broken)), mode="telepathy", api_name="/recognize")


def test_a_file_over_the_limit_is_refused_while_it_is_uploaded(live_page):
    body = b"\0" * (50 * 2**20 + 1000)
    answer = httpx.post(f"{live_page}/gradio_api/upload", files={"files": ("big.wav", body)}, timeout=60)
    assert answer.status_code == 413


def test_four_callers_at_once_get_the_same_answer(live_page, speech_clip):
    def call(_):
        answer = Client(live_page, verbose=False).predict(
            clip=handle_file(str(speech_clip)), mode="multitask", api_name="/recognize"
        )
        return answer["emotion"], answer["transcript"]

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(call, range(4)))) == 1


def test_files_of_the_server_cannot_be_fetched(live_page):
    for place in ("app.py", "models/fusion/config.json", "/etc/passwd"):
        path = ROOT / place if not place.startswith("/") else place
        assert httpx.get(f"{live_page}/gradio_api/file={path}").status_code in (403, 404)


def test_mcp_lists_the_four_tools_and_answers(live_page):
    async def talk():
        async with streamable_http_client(f"{live_page}/gradio_api/mcp/") as (read, write, _):
            async with ClientSession(read, write) as session:
                await session.initialize()
                tools = (await session.list_tools()).tools
                return tools, await session.call_tool("model_info", {})

    tools, answer = asyncio.run(talk())
    described = {tool.name: tool for tool in tools}
    assert {f"/{name}" for name in described} == ENDPOINTS
    assert "emotion" in described["compare"].description
    assert "0.3 to 30 seconds" in described["compare"].inputSchema["properties"]["clip"]["description"]
    assert described["recognize"].inputSchema["properties"]["mode"]["enum"] == list(MODES)
    assert not answer.isError and "multitask" in answer.content[0].text


def test_the_snippets_of_the_documentation_run(live_page, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(snippets) >= 6
    code = "\n".join(snippets).replace("http://127.0.0.1:7860", live_page)
    exec(compile(code, "docs/api.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "multitask" in printed and "accept" in printed
    assert "could not be fetched: its host is not known" in printed
