"""The page in headless Chromium, as a person uses it: upload, record, press, read; desktop, phone, dark, keyboard."""

import base64
import re

import av
import pytest
from driving import PHONE, switch_to, upload
from playwright.sync_api import expect

from phonolinguistic.audio.decoding import load_audio
from phonolinguistic.labels import EMOTIONS, MODES
from webui import words

pytestmark = pytest.mark.browser

TABS = [*(words.MODE_NAMES[mode] for mode in MODES), "Timeline", "About", "Compare"]
LATENCY = re.compile(r"^\d+(\.\d+)? m?s$")


def read_cards(page):
    """mode -> (emotion, latency text) of the Compare tab."""
    cards = page.locator("#pl-comparison .pl-card")
    expect(cards).to_have_count(4)
    return {
        card.get_attribute("data-mode"): (card.get_attribute("data-emotion"), card.locator(".latency").inner_text())
        for card in cards.all()
    }


def assert_four_answers(page):
    answers = read_cards(page)
    assert set(answers) == set(MODES)
    for emotion, latency in answers.values():
        assert emotion in EMOTIONS
        assert LATENCY.match(latency)


def test_upload_compare_and_every_tab(open_page, speech_clip):
    page = open_page()
    for text in (words.NOTICE_TITLE, "Art. 50(3)", "Art. 5(1)(f)", "Nothing is stored beyond the request"):
        expect(page.locator(".pl-notice")).to_contain_text(text)
    upload(page, speech_clip)
    page.locator("#pl-compare").click()
    assert_four_answers(page)
    expect(page.locator(".pl-saving")).to_contain_text("parameters")
    expect(page.locator("#pl-comparison .pl-lat")).to_have_count(4)
    for mode in MODES:
        switch_to(page, words.MODE_NAMES[mode])
        expect(page.locator(f"#pl-view-{mode} .pl-answer")).to_be_visible()
        expect(page.locator(f"#pl-view-{mode} .pl-bar")).to_have_count(7)
    switch_to(page, "About")
    expect(page.get_by_text(words.ABOUT_LIMITS)).to_be_visible()


def test_one_mode_by_itself_and_typed_words(open_page, speech_clip):
    page = open_page()
    upload(page, speech_clip)
    switch_to(page, "Audio only")
    page.locator("#pl-run-audio").click()
    expect(page.locator("#pl-view-audio .pl-answer")).to_be_visible()
    switch_to(page, "Text only")
    page.locator("#pl-typed textarea").fill("I am <b>so</b> happy today")
    page.locator("#pl-read").click()
    expect(page.locator("#pl-influence .pl-word")).to_have_count(5)
    expect(page.locator("#pl-influence")).to_contain_text("<b>so</b>")
    numbers = page.locator("#pl-influence .number").all_inner_texts()
    assert all(re.match(r"^[+±\u2212]\d+\.\d$", number) for number in numbers)


def test_timeline_offers_its_segments_as_csv(open_page, speech_clip):
    page = open_page()
    upload(page, speech_clip)
    switch_to(page, "Timeline")
    page.locator("#pl-follow").click()
    link = page.locator("#pl-timeline a.pl-download")
    expect(link).to_be_visible()
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "timeline.csv"
    rows = base64.b64decode(link.get_attribute("href").split(",")[1]).decode().splitlines()
    assert rows[0].startswith("start,end,emotion,confidence,status,anger")
    assert len(rows) == 1 + page.locator("#pl-timeline tbody tr").count() >= 2


def test_microphone(open_page):
    page = open_page(permissions=["microphone"])
    clip = page.locator("#pl-clip")
    clip.get_by_role("button", name="Record audio").click()
    clip.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(2500)
    # The player is there before the recording has been sent: the page has it once it fetches it back.
    with page.expect_response(lambda response: response.url.endswith("/audio.wav")):
        clip.locator("button.stop-button").click()
    expect(clip.get_by_role("button", name="Play", exact=True)).to_be_visible()
    page.locator("#pl-compare").click()
    assert_four_answers(page)


def test_a_file_that_is_no_audio_gets_a_short_message(open_page, tmp_path):
    page = open_page(expected_error="Waveform load error")  # the player says so to the console
    broken = tmp_path / "not audio.wav"
    broken.write_text("this is no sound " * 50)
    page.locator("#pl-compare").click()
    expect(page.locator("#pl-comparison [role=alert]")).to_contain_text("There is no clip yet")
    page.locator("#pl-clip input[type=file]").set_input_files(str(broken))
    expect(page.locator("#pl-clip input[type=file]")).to_have_count(0)
    page.locator("#pl-compare").click()
    alert = page.locator("#pl-comparison [role=alert]")
    expect(alert).not_to_contain_text("There is no clip yet")
    assert 10 < len(alert.inner_text()) < 250
    assert not re.search(r"(^|\s)/\w", alert.inner_text())  # no path of the server


def test_the_sound_of_a_video(open_page, speech_clip, tmp_path):
    video = tmp_path / "a video é.mp4"
    samples = load_audio(speech_clip).samples
    with av.open(str(video), "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        size = 1024  # samples in a frame of AAC
        for start in range(0, len(samples) - size, size):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + size], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16_000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    page = open_page()
    with page.expect_file_chooser() as chooser:
        page.locator("#pl-other").click()
    chooser.value.set_files(str(video))
    expect(page.locator("#pl-clip").get_by_role("button", name="Play", exact=True)).to_be_visible()
    page.locator("#pl-compare").click()
    assert_four_answers(page)


def test_phone(open_page, speech_clip):
    page = open_page(PHONE, has_touch=True)
    upload(page, speech_clip)
    page.locator("#pl-compare").click()
    assert_four_answers(page)
    for name in TABS:
        switch_to(page, name)
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name


def test_dark(open_page):
    page = open_page(color_scheme="dark")
    colours = page.evaluate(
        """() => ["backgroundColor", "color"].map(key => getComputedStyle(
            key === "color" ? document.querySelector(".pl-notice p") : document.querySelector(".pl-notice"))[key])"""
    )
    ground, ink = (sum(int(n) for n in re.findall(r"\d+", colour)[:3]) for colour in colours)
    assert ground < 150 < 500 < ink


def test_keyboard_alone(open_page, speech_clip):
    page = open_page()
    upload(page, speech_clip)
    page.locator("body").click(position={"x": 2, "y": 2})
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "pl-compare":
            break
    assert page.evaluate("document.activeElement.id") == "pl-compare"
    page.keyboard.press("Enter")
    assert_four_answers(page)
    page.locator("#pl-tabs").get_by_role("tab", name="Compare", exact=True).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#pl-run-audio")).to_be_visible()
