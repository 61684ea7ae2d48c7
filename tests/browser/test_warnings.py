"""What was odd about a clip stands on the page, in headless Chromium, over a recogniser of fixed answers."""

import re
import sys
from pathlib import Path

import pytest
from driving import PHONE, switch_to, upload
from playwright.sync_api import expect

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "webui"))
from fakes import FakeRecognizer  # noqa: E402

import app  # noqa: E402
from webui import words  # noqa: E402

pytestmark = pytest.mark.browser

CUT = "The recording ends early: 1.3 s of the 1.9 s that its header promises are there."
HOSTILE = "The title <img src=x onerror=alert(1)> is not UTF-8 and was not read."


def serve(recognizer):
    page = app.serve(recognizer, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    return page, page.local_url.rstrip("/")


@pytest.fixture(scope="module")
def warned():
    page, address = serve(FakeRecognizer(warnings=(CUT, HOSTILE)))
    yield address
    page.close(verbose=False)


@pytest.fixture(scope="module")
def faulty():
    page, address = serve(FakeRecognizer(error=RuntimeError("/secret/weights")))
    yield address
    page.close(verbose=False)


@pytest.mark.parametrize("screen", [None, PHONE])
def test_warnings_and_the_length_on_every_tab(open_page, warned, speech_clip, screen):
    page = open_page(address=warned, **({"viewport": screen} if screen else {}))
    upload(page, speech_clip)
    page.locator("#pl-compare").click()
    shown = page.locator("#pl-comparison .pl-message.warning[role=status]")
    expect(shown).to_be_visible()
    expect(shown).to_contain_text(words.WARNINGS_TITLE)
    assert shown.locator("li").all_inner_texts() == [CUT, HOSTILE]
    expect(page.locator("#pl-comparison .pl-clip-length")).to_have_text("Your clip: 4.2 s, 3.1 s of it speech.")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    switch_to(page, "Audio only")
    expect(page.locator("#pl-view-audio .pl-message.warning")).to_contain_text(CUT)
    switch_to(page, "Timeline")
    page.locator("#pl-follow").click()
    expect(page.locator("#pl-timeline .pl-message.warning[role=status]")).to_contain_text(CUT)
    expect(page.locator("#pl-timeline .pl-clip-length")).to_contain_text("45.0 s, 33.6 s of it speech")


def test_a_fault_of_the_app_says_so_and_gives_its_id(open_page, faulty, speech_clip, caplog):
    page = open_page(address=faulty)
    upload(page, speech_clip)
    page.locator("#pl-compare").click()
    alert = page.locator("#pl-comparison [role=alert]")
    expect(alert).to_contain_text("This is a fault of the app, not of your clip")
    fault = re.search(r"fault ([0-9a-f]{8})\.", alert.inner_text())[1]
    assert fault in caplog.text and "/secret/weights" in caplog.text and "/secret" not in alert.inner_text()
