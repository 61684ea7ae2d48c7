"""A recogniser of fixed answers, for looking at the page without weights. Tests only; nothing shipped uses it."""

from dataclasses import replace

from phonolinguistic.labels import EMOTIONS, MODES
from phonolinguistic.results import (
    ClipInfo,
    Comparison,
    ModelInfo,
    Recognition,
    TextExplanation,
    Timeline,
    TimelineSegment,
    WordInfluence,
)

TRANSCRIPT = "I am <b>so</b> glad that you came & stayed."

_FRONT = {"decode_audio": 0.004, "voice_activity": 0.03}
_RECOGNISER = {"asr_features": 0.02, "asr_encoder": 0.405, "asr_decoder": 0.34}
_VOICE = {"features": 0.008, "speech_encoder": 0.046}
_WORDS = {"text_encoder": 0.013}
_STAGES = {
    "audio": {**_FRONT, **_VOICE, "heads": 0.0004},
    "text": {**_FRONT, **_RECOGNISER, **_WORDS, "heads": 0.0003},
    "fusion": {**_FRONT, **_RECOGNISER, **_VOICE, **_WORDS, "heads": 0.0005},
    "multitask": {**_FRONT, **_VOICE, "speech_decoder": 0.3, **_WORDS, "heads": 0.0005},
}
_PARAMETERS = {"audio": 8_200_000, "text": 60_400_000, "fusion": 68_600_000, "multitask": 41_300_000}
_WINNERS = {"audio": "anger", "text": "joy", "fusion": "joy", "multitask": "joy"}


def recognition(mode: str, emotion: str | None = None, status: str = "ok", transcript: str | None = TRANSCRIPT):
    """One answer with the given winner at 0.7, or with no winner when nobody spoke."""
    if status == "no_speech":
        return Recognition(mode, status, None, None, {}, None, {"decode_audio": 0.004}, 0.004, 1, "fake", "cpu")
    emotion = emotion or _WINNERS[mode]
    scores = {e: 0.7 if e == emotion else 0.05 for e in EMOTIONS}
    stages = dict(_STAGES[mode])
    return Recognition(
        mode=mode,
        status=status,
        emotion=emotion,
        confidence=0.7,
        scores=scores,
        transcript=None if mode == "audio" else transcript,
        stages=stages,
        seconds=sum(stages.values()),
        parameters=_PARAMETERS[mode],
        model="fake",
        device="cpu",
    )


class FakeRecognizer:
    """Answers at once, always the same."""

    modes = MODES
    device = "cpu"
    threads = 2

    def __init__(self, error: Exception | None = None, notice: str | None = None, warnings: tuple[str, ...] = ()):
        self.error, self.warnings = error, warnings
        info = {"path": "/nowhere/models/x", "revision": None, "embedded": True, "parameters": 41_300_000}
        metrics = {
            "version": "1",
            "ravdess": {"audio": {"macro_f1": 0.61, "n": 240}, "fusion": {"macro_f1": 0.7, "n": 240}},
        }
        self.models = [
            ModelInfo(name=kind, kind=kind, source="embedded", notice=notice, metrics=metrics, **info)
            for kind in ("fusion", "multitask")
        ]

    def _check(self):
        if self.error:
            raise self.error

    def recognize(self, clip, mode="multitask", sampling_rate=None):
        self._check()
        return replace(recognition(mode), warnings=self.warnings)

    def recognize_text(self, text):
        self._check()
        return recognition("text", transcript=text)

    def explain_text(self, text):
        values = [(-1) ** i * 0.08 / (i + 1) for i in range(len(text.split()))]
        return TextExplanation("joy", [WordInfluence(word, v) for word, v in zip(text.split(), values, strict=True)])

    def compare(self, clip, sampling_rate=None):
        self._check()
        info = ClipInfo(str(clip), 4.2, self.warnings, 3.1)
        modes = {mode: replace(recognition(mode), warnings=self.warnings) for mode in MODES}
        return Comparison(info, "cpu", 2, modes)

    def timeline(self, clip, mode="multitask", progress=None):
        self._check()
        winners = ("neutral", "joy", "surprise", "anger", "sadness", "neutral", "fear", "joy")
        segments = [
            TimelineSegment(5.5 * i, 5.5 * i + 4.2, recognition(mode, winner, "uncertain" if i == 3 else "ok"))
            for i, winner in enumerate(winners)
        ]
        return Timeline(ClipInfo(str(clip), 45.0, self.warnings, 33.6), mode, "cpu", 2, segments, 1.9)
