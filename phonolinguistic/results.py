"""What a recogniser answers: plain dataclasses, each with `to_dict()` giving what JSON can hold. Light to import."""

from dataclasses import dataclass, field

STATUSES = ("ok", "uncertain", "no_speech")


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {name: round(float(value), 6) for name, value in seconds.items()}


@dataclass(frozen=True)
class Recognition:
    """One answer of one mode.

    Attributes:
        mode: "audio", "text", "fusion" or "multitask".
        status: "ok"; "uncertain" (the confidence is under the model's threshold); "no_speech" (nobody speaks in the
            clip, or no words were heard where the mode reads words): then there is no emotion.
        emotion, confidence: the winner and its probability; None when `no_speech`.
        scores: emotion -> probability, all seven; {} when `no_speech`.
        transcript: the words that were read; None in audio mode.
        stages: stage -> seconds, in the order in which they ran; only stages that this mode needs.
        seconds: their sum: what a user who picks this mode alone waits for.
        parameters: of the networks that this mode runs (not counting the voice-activity detector).
        model: where the weights come from.
        device: "cpu", "cuda:0", ...
        warnings: what was odd about the clip and did not keep it from being answered, a line each.
    """

    mode: str
    status: str
    emotion: str | None
    confidence: float | None
    scores: dict[str, float]
    transcript: str | None
    stages: dict[str, float]
    seconds: float
    parameters: int
    model: str
    device: str
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict:
        return {
            "mode": self.mode,
            "status": self.status,
            "emotion": self.emotion,
            "confidence": None if self.confidence is None else float(self.confidence),
            "scores": {name: float(score) for name, score in self.scores.items()},
            "transcript": self.transcript,
            "stages": _rounded(self.stages),
            "seconds": round(float(self.seconds), 6),
            "parameters": int(self.parameters),
            "model": self.model,
            "device": self.device,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class ClipInfo:
    """The clip that was asked about.

    path: None for bytes and arrays. seconds: its length. warnings: what was odd about it and did not keep it from being
    answered, a line each. speech_seconds: how much of it is speech, which is all that the networks hear.
    """

    path: str | None
    seconds: float
    warnings: tuple[str, ...] = ()
    speech_seconds: float = 0.0

    def to_dict(self) -> dict:
        return {
            "path": self.path,
            "seconds": round(float(self.seconds), 4),
            "speech_seconds": round(float(self.speech_seconds), 4),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class Saving:
    """How much less multi-task needs than fusion, in percent (negative: it needs more)."""

    seconds_percent: float
    parameters_percent: float

    def to_dict(self) -> dict:
        return {
            "seconds_percent": round(self.seconds_percent, 2),
            "parameters_percent": round(self.parameters_percent, 2),
        }


@dataclass(frozen=True)
class Comparison:
    """All modes on one clip; `modes` maps a mode to its `Recognition`."""

    clip: ClipInfo
    device: str
    threads: int
    modes: dict[str, Recognition]

    @property
    def saving(self) -> Saving | None:
        """Multi-task against fusion in this very run; None when either is missing or nobody spoke."""
        fusion, multitask = self.modes.get("fusion"), self.modes.get("multitask")
        if fusion is None or multitask is None or "no_speech" in (fusion.status, multitask.status):
            return None
        if not fusion.seconds or not fusion.parameters:
            return None
        return Saving(
            100 * (1 - multitask.seconds / fusion.seconds),
            100 * (1 - multitask.parameters / fusion.parameters),
        )

    def to_dict(self) -> dict:
        saving = self.saving
        return {
            "clip": self.clip.to_dict(),
            "device": self.device,
            "threads": self.threads,
            "modes": {mode: answer.to_dict() for mode, answer in self.modes.items()},
            "saving": None if saving is None else saving.to_dict(),
        }


@dataclass(frozen=True)
class TimelineSegment:
    """A stretch of speech, `start` to `end` in seconds from the start of the clip, and its answer."""

    start: float
    end: float
    recognition: Recognition

    def to_dict(self) -> dict:
        return {
            "start": round(float(self.start), 3),
            "end": round(float(self.end), 3),
            "recognition": self.recognition.to_dict(),
        }


@dataclass(frozen=True)
class Timeline:
    """A long clip, segment by segment; `seconds` is the time that all stages took together."""

    clip: ClipInfo
    mode: str
    device: str
    threads: int
    segments: list[TimelineSegment]
    seconds: float

    def to_dict(self) -> dict:
        return {
            "clip": self.clip.to_dict(),
            "mode": self.mode,
            "device": self.device,
            "threads": self.threads,
            "segments": [segment.to_dict() for segment in self.segments],
            "seconds": round(float(self.seconds), 6),
        }


@dataclass(frozen=True)
class WordInfluence:
    """By how much the winner's probability falls when this word is left out (negative: it rises)."""

    word: str
    influence: float

    def to_dict(self) -> dict:
        return {"word": self.word, "influence": float(self.influence)}


@dataclass(frozen=True)
class TextExplanation:
    """Which words moved the answer that was given to the whole text."""

    emotion: str
    words: list[WordInfluence]

    def to_dict(self) -> dict:
        return {"emotion": self.emotion, "words": [word.to_dict() for word in self.words]}


@dataclass(frozen=True)
class ModelInfo:
    """A loaded model.

    Attributes:
        name: short name; kind: "fusion", "multitask" or "asr".
        source: what was asked for ("embedded", a directory, "org/repo"); path: the directory it was read from.
        revision: commit on the Hub, None for a directory.
        embedded: it is the release that ships with the code.
        notice: why something else than what was asked for is in use; None when all is as asked.
        metrics: the release's metrics.json, {} where there is none.
    """

    name: str
    kind: str
    source: str
    path: str
    revision: str | None
    embedded: bool
    notice: str | None
    parameters: int
    metrics: dict = field(default_factory=dict)

    def to_dict(self) -> dict:
        return {
            "name": self.name,
            "kind": self.kind,
            "source": self.source,
            "path": self.path,
            "revision": self.revision,
            "embedded": self.embedded,
            "notice": self.notice,
            "parameters": int(self.parameters),
            "metrics": self.metrics,
        }
