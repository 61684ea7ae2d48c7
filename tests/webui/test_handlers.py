"""The handlers: refusals become short messages, nothing crashes, no path of the machine leaks."""

import re

import gradio as gr
import pytest
from fakes import TRANSCRIPT, FakeRecognizer

from phonolinguistic.audio.decoding import AudioError
from phonolinguistic.labels import MODES
from webui import words
from webui.about import about_view, fallback_notices
from webui.api import Api
from webui.guard import Guard, presentable
from webui.handlers import Handlers
from webui.metrics_view import metrics_tables


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "a clip é.wav"
    path.write_bytes(b"not read by the fake")
    return str(path)


def handlers(**options):
    return Handlers(Guard(FakeRecognizer(**options)))


def test_compare_fills_every_tab(clip):
    outputs = handlers().compare(clip)
    assert len(outputs) == 1 + len(MODES) + 2
    assert all(f'data-mode="{mode}"' in view for mode, view in zip(MODES, outputs[1:5], strict=True))
    assert outputs[5] == TRANSCRIPT


def test_no_clip_and_a_clip_that_is_gone():
    assert words.NO_CLIP in handlers().compare(None)[0]
    assert "no longer on the server" in handlers().recognize("/nowhere/x.wav", "audio")


def test_audio_error_is_shown_as_it_is(clip):
    html = handlers(error=AudioError("the clip has 0.1 s; accepted are 0.3 to 30 s")).compare(clip)[0]
    assert "accepted are 0.3 to 30 s" in html and 'role="alert"' in html


def test_a_refusal_is_passed_on_whole_in_one_line_and_without_places(clip):
    text = f"{clip} has a codec\nthat /opt/lib/x.so cannot read (in C:\\Users\\a.m4a); accepted: wav/flac, ogg/opus."
    html = handlers(error=AudioError(text)).compare(clip)[0]
    assert "a clip é.wav has a codec that x.so cannot read (in a.m4a); accepted: wav/flac, ogg/opus." in html
    with pytest.raises(gr.Error) as refused:
        Api(Guard(FakeRecognizer(error=AudioError(text)))).compare(clip)
    assert refused.value.message in html


@pytest.mark.parametrize("text", ["see https://host.example/a/b.wav", "8 to 192 kHz, 1/2 s, and/or", "~ is /"])
def test_what_only_looks_like_a_place_stays(text):
    assert presentable(text) == text


def test_a_fault_says_that_it_is_one_and_its_id_is_in_the_log_with_the_traceback(clip, caplog):
    api = Api(Guard(FakeRecognizer(error=RuntimeError("/secret/models/x.bin is broken"))))
    with pytest.raises(gr.Error, match="fault of the app, not of your clip") as raised:
        api.compare(clip)
    fault = re.search(r"fault ([0-9a-f]{8})\.", raised.value.message)[1]
    record = next(record for record in caplog.records if fault in record.getMessage())
    assert "compare" in record.getMessage() and "x.bin is broken" in caplog.text
    assert record.exc_info[0] is RuntimeError and "/secret" not in raised.value.message
    again = handlers(error=RuntimeError()).recognize_words(clip)[0]
    assert fault not in again and re.search(r"fault [0-9a-f]{8}\.", again)


def test_a_fault_over_typed_words_speaks_of_words():
    view = handlers(error=RuntimeError("x")).read_typed("hello there")[0]
    assert "not of your words" in view and "clip" not in view


def test_warnings_are_in_every_answer_of_the_api(clip):
    api = Api(Guard(FakeRecognizer(warnings=("The recording ends early.",))))
    for answer in (api.compare(clip), api.timeline(clip)):
        assert answer["clip"]["warnings"] == ["The recording ends early."]
        assert 0 < answer["clip"]["speech_seconds"] < answer["clip"]["seconds"]
    assert api.recognize(clip)["warnings"] == ["The recording ends early."]


def test_unexpected_errors_say_nothing_about_the_machine(clip):
    broken = handlers(error=RuntimeError("/secret/models/x.bin is broken"))
    for html in (
        broken.compare(clip)[0],
        broken.recognize(clip, "audio"),
        broken.recognize_words(clip)[0],
        broken.read_typed("hello there")[0],
        broken.timeline(clip, "multitask", progress=lambda *_, **__: None),
    ):
        assert "/secret" not in html and "This is a fault of the app" in html


def test_a_mode_that_is_not_loaded_is_refused(clip):
    assert "Available: audio" in handlers().recognize(clip, "telepathy")


def test_typed_words_show_what_moved_them_and_empty_words_are_refused():
    view, influence = handlers().read_typed("  so glad  ")
    assert "From typed words" in view and "+8.0" in influence
    assert words.TYPED_EMPTY in handlers().read_typed("   ")[0]


def test_api_answers_plain_json_without_places(clip):
    api = Api(Guard(FakeRecognizer()))
    answer = api.compare(clip)
    assert set(answer["modes"]) == set(MODES)
    assert answer["clip"]["path"] is None and answer["clip"]["name"] == "a clip é.wav"
    assert api.recognize(clip, "audio")["mode"] == "audio"
    assert len(api.timeline(clip)["segments"]) == 8
    info = api.model_info()
    assert info["modes"] == list(MODES) and "/nowhere" not in str(info)


def test_api_raises_what_a_client_can_show(clip):
    with pytest.raises(gr.Error, match="accepted"):
        Api(Guard(FakeRecognizer(error=AudioError("too short; accepted are 0.3 to 30 s")))).compare(clip)


def test_about_tells_the_model_the_fallback_and_the_limits():
    models = FakeRecognizer(notice="org/x <b>was</b> not reachable; the embedded release is used.").models
    html = about_view(models)
    assert "&lt;b&gt;was" in html and "macro f1" in html and "0.610" in html and "acted speech" in html
    assert fallback_notices(models).count("not reachable") == 1
    assert fallback_notices(FakeRecognizer().models) == ""


def test_any_metrics_file_becomes_tables():
    metrics = {
        "note": "x < y",
        "f1": 0.5,
        "deep": {"a": {"b": {"c": {"d": 1}}}},
        "list": [1, 2],
        "mixed": {"n": 3, "per class": {"joy": {"f1": 0.25, "support": 1200}}},
    }
    html = metrics_tables(metrics)
    assert "x &lt; y" in html and "0.250" in html and "1,200" in html


def test_results_are_shown_with_their_intervals_and_groups():
    nested = {"uar": {"value": 0.5, "low": 0.4, "high": 0.6}, "accuracy": 0.55}
    flat = {
        "uar": 0.25,
        "count": 192,
        "intervals": {"uar": [0.2, 0.3]},
        "groups": {"gender": {"female": {"uar": 0.52}}},
    }
    results = [
        {"corpus": "ravdess", "split": "test", "mode": "audio", "n": 1920, "metrics": nested},
        {"corpus": "tess", "mode": "multitask", "metrics": flat},
    ]
    html = metrics_tables({"results": results, "notes": ["Acted speech <only>."]})
    assert "<li>Acted speech &lt;only&gt;.</li>" in html
    for text in (
        "50.0 %",
        "40.0–60.0",
        "55.0 %",
        "1,920",
        "25.0 %",
        "20.0–30.0",
        ">192<",
        "Multi-task",
        "52.0 %",
        "female",
    ):
        assert text in html
