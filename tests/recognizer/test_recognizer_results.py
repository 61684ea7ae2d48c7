"""The dataclasses, the timer, and the light import."""

import json
import subprocess
import sys

import pytest

from phonolinguistic.results import ClipInfo, Comparison, Recognition, Timeline, TimelineSegment
from phonolinguistic.stages import StageTimer, in_order


def answer(mode: str, seconds: float = 1.0, parameters: int = 100, status: str = "ok") -> Recognition:
    return Recognition(
        mode, status, "joy", 0.7, {"joy": 0.7}, "hi", {"heads": seconds}, seconds, parameters, "embedded", "cpu"
    )


def test_saving_compares_multitask_with_fusion():
    modes = {"fusion": answer("fusion", 2.0, 740), "multitask": answer("multitask", 1.0, 425)}
    saving = Comparison(ClipInfo("a.wav", 3.0), "cpu", 2, modes).saving
    assert saving.seconds_percent == pytest.approx(50.0)
    assert saving.parameters_percent == pytest.approx(42.567, abs=1e-3)


@pytest.mark.parametrize("modes", [{}, {"fusion": answer("fusion")}, {"multitask": answer("multitask")}])
def test_no_saving_without_both(modes):
    assert Comparison(ClipInfo(None, 3.0), "cpu", 2, modes).saving is None


def test_no_saving_where_nobody_speaks():
    modes = {mode: answer(mode, status="no_speech") for mode in ("fusion", "multitask")}
    assert Comparison(ClipInfo(None, 3.0), "cpu", 2, modes).saving is None


def test_everything_becomes_json():
    comparison = Comparison(ClipInfo("a.wav", 3.0), "cpu", 2, {"fusion": answer("fusion")})
    timeline = Timeline(ClipInfo("a.wav", 3.0), "fusion", "cpu", 2, [TimelineSegment(0, 1, answer("fusion"))], 1.0)
    assert set(json.loads(json.dumps(comparison.to_dict()))) == {"clip", "device", "threads", "modes", "saving"}
    assert json.loads(json.dumps(timeline.to_dict()))["segments"][0]["recognition"]["mode"] == "fusion"


def test_stages_add_up_even_when_the_work_fails():
    timer = StageTimer()
    for _ in range(2):
        with timer.stage("heads"):
            pass
    with pytest.raises(KeyError), timer.stage("text_encoder"):
        raise KeyError
    assert set(timer.seconds) == {"heads", "text_encoder"}
    with pytest.raises(ValueError, match="Unknown stage"), timer.stage("lunch"):
        pass


def test_stages_come_in_the_order_in_which_they_run():
    joined = in_order({"heads": 1.0}, {"decode_audio": 2.0, "heads": 0.5})
    assert list(joined.items()) == [("decode_audio", 2.0), ("heads", 1.5)]


def test_progress_is_reported_before_and_after_each_item():
    seen = []
    assert list(StageTimer(progress=lambda done, total: seen.append((done, total))).track(["a", "b"])) == ["a", "b"]
    assert seen == [(0, 2), (1, 2), (2, 2)]


def test_importing_the_package_is_light():
    code = "import sys, phonolinguistic; print([m for m in ('torch', 'transformers', 'av') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_public_names_are_there():
    import phonolinguistic

    for name in phonolinguistic.__all__:
        assert getattr(phonolinguistic, name) is not None
    with pytest.raises(AttributeError):
        _ = phonolinguistic.nothing
