import os
import shutil
import wave

import numpy as np
import pytest
from driving import DESKTOP
from live import example_clip, page_url
from playwright.sync_api import expect, sync_playwright

from phonolinguistic.audio.decoding import load_audio

# For a machine that is busy with other things; a healthy one needs a second or two.
PATIENCE = 40_000  # milliseconds
expect.set_options(timeout=PATIENCE)

SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


@pytest.fixture(scope="session")
def live_page(release):
    return page_url(release)


@pytest.fixture(scope="session")
def speech_clip():
    return example_clip()


@pytest.fixture(scope="session")
def microphone(speech_clip, tmp_path_factory):
    """The speech clip as the 48 kHz WAV that Chromium plays into its fake microphone."""
    samples = np.repeat(load_audio(speech_clip).samples, 3)
    path = tmp_path_factory.mktemp("microphone") / "speech.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="session")
def browser(microphone):
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=[*SWITCHES, f"--use-file-for-fake-audio-capture={microphone}"]
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, request):
    """Opens the page, or the one at `address`; then no console error may have been seen and no other host asked."""
    contexts, errors, foreign = [], [], []

    def open_one(viewport=DESKTOP, expected_error=None, address=None, **options):
        address = address or request.getfixturevalue("live_page")
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on(
            "console",
            lambda message: (
                errors.append(message.text)
                if message.type == "error" and not (expected_error and expected_error in message.text)
                else None
            ),
        )
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "request",
            lambda asked: None if asked.url.startswith((address, "data:", "blob:")) else foreign.append(asked.url),
        )
        page.goto(address)
        expect(page.locator("#pl-compare")).to_be_visible()
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert errors == []
    assert foreign == []
