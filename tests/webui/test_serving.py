"""Serving: uploads are cleaned up, examples stay, nothing else of the machine is served, the page's own limits hold."""

import time
from functools import partial
from pathlib import Path

import httpx
import pytest
from fakes import FakeRecognizer

import app
from webui import layout


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    (folder / "glad_words.flac").write_bytes(b"fLaC, or nearly")
    (folder / "README.md").write_text("# Examples")
    return folder


@pytest.fixture(scope="module")
def hurried_page(examples):
    """A page that looks for old clips every second and deletes them after one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "CACHE_CHECK_SECONDS", 1)
        patch.setattr(layout, "CACHE_AGE_SECONDS", 1)
        patch.setattr(app, "build_page", partial(layout.build_page, examples=examples))
        page = app.serve(FakeRecognizer(), prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
        yield page
        page.close(verbose=False)


def test_an_uploaded_clip_is_deleted_and_an_example_is_not(hurried_page, examples):
    url = hurried_page.local_url.rstrip("/")
    uploaded = httpx.post(f"{url}/gradio_api/upload", files={"files": ("clip.wav", b"RIFF")}).json()[0]
    assert Path(uploaded).is_file()
    deadline = time.monotonic() + 10
    while Path(uploaded).exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not Path(uploaded).exists()
    assert httpx.get(f"{url}/gradio_api/file={examples / 'glad_words.flac'}").status_code == 200


def test_examples_are_the_sound_files_alone(examples):
    assert [path.name for path in layout.example_clips(examples)] == ["glad_words.flac"]
    assert layout.example_clips(examples / "missing") == []


def test_the_queue_and_the_uploads_are_bounded(hurried_page):
    assert hurried_page.max_file_size == 50 * 2**20 or hurried_page.app.get_blocks().max_file_size == 50 * 2**20
    assert hurried_page._queue.max_size == app.MAX_WAITING
    networks = [fn for fn in hurried_page.fns.values() if fn.fn and fn.concurrency_id == "networks"]
    assert len(networks) >= 10 and {fn.concurrency_limit for fn in networks} == {layout.AT_ONCE}


def test_no_telemetry_no_history_no_foreign_address(hurried_page):
    config = hurried_page.config
    assert config["analytics_enabled"] is False and config["run_history"] is False
    html = httpx.get(hurried_page.local_url).text
    assert "fonts.googleapis" not in html and "cdnjs" not in html


def test_the_pages_own_events_are_not_callable(hurried_page):
    named = httpx.get(f"{hurried_page.local_url}gradio_api/info").json()
    assert set(named["named_endpoints"]) == {"/compare", "/recognize", "/timeline", "/model_info"}
    assert not named["unnamed_endpoints"]
