"""The charts: every text from a clip is escaped, every colour has a number or a sign beside it."""

import csv
import io
from dataclasses import replace

import pytest
from fakes import TRANSCRIPT, FakeRecognizer, recognition

from phonolinguistic.labels import EMOTIONS, MODES
from phonolinguistic.results import ClipInfo, TextExplanation, WordInfluence
from webui import charts, markup, views

EVIL = "<img src=x onerror=alert(1)>\"'@children {{value}}"


def comparison():
    return FakeRecognizer().compare("clip.wav")


def saying(transcript):
    """A timeline whose first segment has this transcript."""
    timeline = FakeRecognizer().timeline("clip.wav")
    first, *others = timeline.segments
    said = replace(first, recognition=replace(first.recognition, transcript=transcript))
    return replace(timeline, segments=[said, *others])


def test_escape_leaves_no_markup_and_no_gradio_placeholder():
    safe = markup.escape(EVIL)
    assert "<" not in safe and '"' not in safe and "'" not in safe and "@" not in safe


@pytest.mark.parametrize(
    "render",
    [
        lambda: views.mode_view(recognition("text", transcript=EVIL)),
        lambda: views.message(EVIL),
        lambda: charts.word_influence(TextExplanation("joy", [WordInfluence(EVIL, 0.2)])),
    ],
)
def test_hostile_words_never_become_markup(render):
    html = render()
    assert "<img" not in html and "@children" not in html
    assert "&lt;img" in html


def test_hostile_transcript_in_compare_and_timeline():
    answers = comparison()
    answers.modes["text"] = replace(answers.modes["text"], transcript=EVIL)
    assert "<img" not in views.compare_view(answers)
    timeline = saying(EVIL)
    assert "<img" not in views.timeline_view(timeline)


def test_warnings_stand_on_every_view_once_and_escaped():
    warned = FakeRecognizer(warnings=(EVIL, "The recording ends early.", "The recording ends early."))
    for html in (
        views.compare_view(warned.compare("clip.wav")),
        views.timeline_view(warned.timeline("clip.wav")),
        views.timeline_view(replace(warned.timeline("clip.wav"), segments=[])),
        views.mode_view(warned.recognize("clip.wav", "audio")),
    ):
        assert html.count("The recording ends early.") == 1 and "<img" not in html and "&lt;img" in html
        assert '<div class="pl-message warning" role="status">' in html
    assert "pl-message warning" not in views.compare_view(comparison())


def test_the_length_of_the_clip_stands_with_what_of_it_is_speech():
    assert "4.2 s, 3.1 s of it speech" in views.compare_view(comparison())
    assert "45.0 s, 33.6 s of it speech" in views.timeline_view(FakeRecognizer().timeline("clip.wav"))
    assert markup.clip_length(ClipInfo(None, 750.0, (), 64.6)) == "12 min 30 s, 1 min 5 s of it speech"
    assert markup.clip_length(ClipInfo(None, 2.0)) == "2.0 s, no speech in it"


def test_bars_show_all_seven_names_and_numbers_and_mark_the_winner():
    html = charts.score_bars(recognition("text").scores, "joy")
    assert all(f">{emotion}<" in html for emotion in EMOTIONS)
    assert html.count("▸") == 1 and "70 %" in html and 'role="img"' in html and "joy 70 %" in html


def test_compare_shows_every_mode_with_latency_parameters_and_the_saving():
    html = views.compare_view(comparison())
    for mode in MODES:
        assert f'data-mode="{mode}"' in html
    assert "54 % less time" in html and "40 % fewer parameters" in html
    assert html.count('class="latency"') == 4 and html.count('class="parameters"') == 4


def test_a_slower_multitask_is_said_to_be_slower():
    answers = comparison()
    answers.modes["multitask"] = replace(answers.modes["multitask"], seconds=answers.modes["fusion"].seconds * 1.5)
    assert "50 % more time" in views.compare_view(answers)


def test_without_fusion_no_saving_is_claimed():
    answers = comparison()
    del answers.modes["fusion"]
    assert "pl-saving" not in views.compare_view(answers)


def test_latency_chart_names_each_stage_and_fits_the_longest_mode():
    html = charts.latency_chart(comparison().modes)
    assert "Recogniser: decoder" in html and "Fusion, total 866 ms" in html
    widths = [float(part.split("%")[0]) for part in html.split("width:")[1:]]
    assert max(widths) <= 100


def test_difference_in_words():
    modes = {mode: recognition(mode, "joy") for mode in MODES}
    assert charts.difference_in_words(modes) == "All 4 modes agree: joy."
    modes["audio"] = recognition("audio", "anger")
    sentence = charts.difference_in_words(modes)
    assert "Audio only says anger" in sentence and "Multi-task follows the words" in sentence
    modes["multitask"] = recognition("multitask", "fear")
    assert "settles on fear" in charts.difference_in_words(modes)
    silent = {mode: recognition(mode, status="no_speech") for mode in MODES}
    assert charts.difference_in_words(silent) == "No mode found speech in this clip."


def test_no_speech_claims_no_emotion():
    html = views.compare_view(
        replace(comparison(), modes={mode: recognition(mode, status="no_speech") for mode in MODES})
    )
    assert html.count("No speech") == 4 and 'data-emotion=""' in html and "%</span></div></div>" not in html


def test_words_carry_signed_numbers():
    words = [WordInfluence("glad", 0.123), WordInfluence("not", -0.04), WordInfluence("a", 0.0)]
    html = charts.word_influence(TextExplanation("joy", words))
    assert "+12.3" in html and "\u22124.0" in html and "±0.0" in html


def test_timeline_csv_has_one_row_per_segment_and_no_formulas():
    timeline = saying("=HYPERLINK(1)")
    rows = list(csv.DictReader(io.StringIO(views.timeline_csv(timeline))))
    assert len(rows) == len(timeline.segments)
    assert rows[0]["transcript"] == "'=HYPERLINK(1)" and rows[1]["transcript"] == TRANSCRIPT
    assert float(rows[1]["start"]) == 5.5 and float(rows[1]["joy"]) == pytest.approx(0.7)


def test_timeline_marks_one_winner_per_segment():
    html = charts.timeline_chart(FakeRecognizer().timeline("clip.wav"))
    assert html.count(" won") == 8 and html.count("unsure") == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0004, "0.4 ms"), (0.0416, "42 ms"), (1.234, "1.23 s"), (0.9996, "1.00 s"), (0.00999, "10 ms")],
)
def test_milliseconds(seconds, text):
    assert markup.milliseconds(seconds) == text


def test_clock_and_percent_round_without_surprises():
    assert markup.clock(59.97) == "1:00.0" and markup.clock(75.25) in ("1:15.2", "1:15.3")
    assert markup.percent(0.001) == "<1 %" and markup.percent(0) == "0 %"
