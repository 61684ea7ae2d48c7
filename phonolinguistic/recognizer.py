"""`EmotionRecognizer`: the only thing that the page, the command line and the API call."""

from collections.abc import Callable

import numpy as np
import torch

from .audio.cutting import cut_at_pauses, spans_within
from .audio.decoding import MAX_SECONDS, MAX_TIMELINE_SECONDS, SAMPLE_RATE, Clip, load_audio
from .labels import MODES
from .loading import Loaded, load
from .model.front_end_phonolinguistic import FrontEnd, Heard, join_speech
from .networks import Answer, EmotionNetwork
from .results import (
    ClipInfo,
    Comparison,
    ModelInfo,
    Recognition,
    TextExplanation,
    Timeline,
    TimelineSegment,
    WordInfluence,
)
from .stages import StageTimer, in_order

WARM_UP_SECONDS = 2.0


class EmotionRecognizer:
    """Loaded models that answer clips. Safe to call from several threads at once; nothing is cached between calls.

        recognizer = EmotionRecognizer.from_pretrained()
        recognizer.recognize("clip.wav", mode="multitask").emotion

    Attributes:
        modes: the modes that the loaded models offer, in the order of `MODES`.
        models: what is loaded, and from where.
        device: where the networks run.
    """

    def __init__(self, loaded: Loaded, device: torch.device):
        self._loaded = loaded
        self._front_end = FrontEnd()
        self.device = str(device)
        self.models: list[ModelInfo] = loaded.infos()
        # Voice and words alone are the fusion model's where there is one: the plain way, without the shared network.
        self._networks: dict[str, EmotionNetwork] = {}
        for network in (loaded.fusion, loaded.multitask):
            if network is not None:
                self._networks |= {mode: network for mode in network.modes if mode not in self._networks}
        self.modes: tuple[str, ...] = tuple(mode for mode in MODES if mode in self._networks)

    @classmethod
    def from_pretrained(
        cls,
        model: str | None = None,
        *,
        fusion: str | None = None,
        multitask: str | None = None,
        asr: str | None = None,
        revision: str | None = None,
        token: str | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        warm_up: bool = True,
    ) -> "EmotionRecognizer":
        """Load models. Each is a directory or "org/repo[@revision]".

        Args:
            model: this one model alone; its configuration says whether it is fusion or multi-task.
            fusion, multitask, asr: in place of what PHONOLINGUISTIC_FUSION, _MULTITASK and _ASR name, or else of the
                embedded release.
            revision: on the Hub, for `model`, `fusion` and `multitask` where they do not name their own.
            token: Hub token; None: the machine's own login.
            device: None: a GPU when there is one.
            dtype: of the weights in memory; None: float32, whatever the files hold.
            warm_up: run everything once, so that the first answer is as fast as the next.

        Raises:
            ReleaseError: an argument names something that cannot be had. A name from the environment that cannot be
                had is replaced by the embedded release; `models` carries the notice.
            ValueError: `model` together with `fusion` or `multitask`.
        """
        device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        dtype = getattr(torch, dtype) if isinstance(dtype, str) else dtype or torch.float32
        options = {"revision": revision, "token": token, "device": device, "dtype": dtype}
        recognizer = cls(load(model, fusion, multitask, asr, **options), device)
        if warm_up:
            recognizer.warm_up()
        return recognizer

    @property
    def threads(self) -> int:
        """Threads that one network uses on the CPU."""
        return torch.get_num_threads()

    def warm_up(self) -> None:
        """Run every network once on noise."""
        noise = np.random.default_rng(0).normal(0, 0.05, int(WARM_UP_SECONDS * SAMPLE_RATE)).astype(np.float32)
        self._front_end(noise)
        self._answer(noise, self.modes)
        if "text" in self.modes:
            self.recognize_text("Are you ready?")

    # One clip

    def recognize(self, clip, mode: str = "multitask", sampling_rate: int | None = None) -> Recognition:
        """Answer one clip in one mode.

        Args:
            clip: whatever `load_audio` takes, 0.3 to 30 s, or a `Clip`.
            sampling_rate: Hz, for a bare array.

        Raises:
            AudioError: the clip is refused; the message says why. ValueError: a mode that is not loaded.
        """
        self._check_mode(mode)
        info, heard, front = self._listen(clip, sampling_rate, MAX_SECONDS)
        answers = self._answer(heard.speech, (mode,)) if heard.spans else {}
        return self._recognition(mode, answers.get(mode), front, info.warnings)

    def compare(self, clip, sampling_rate: int | None = None) -> Comparison:
        """Answer one clip in every mode; a network that two modes need runs once. Arguments as in `recognize`."""
        info, heard, front = self._listen(clip, sampling_rate, MAX_SECONDS)
        answers = self._answer(heard.speech, self.modes) if heard.spans else {}
        modes = {mode: self._recognition(mode, answers.get(mode), front, info.warnings) for mode in self.modes}
        return Comparison(info, self.device, self.threads, modes)

    def timeline(self, clip, mode: str = "multitask", progress: Callable[[int, int], None] | None = None) -> Timeline:
        """Answer a long clip, up to 30 minutes, stretch by stretch of speech; cuts are made at pauses.

        Args:
            progress: called with (stretches done, stretches in all), also before the first.
        """
        self._check_mode(mode)
        info, heard, front = self._listen(clip, None, MAX_TIMELINE_SECONDS)
        timer, segments = StageTimer(self.device, progress), []
        for span in timer.track(cut_at_pauses(heard.spans, info.seconds)):
            answer = self._answer(join_speech(heard.samples, spans_within(heard.spans, span)), (mode,))[mode]
            segments.append(TimelineSegment(span.start, span.end, self._recognition(mode, answer, {})))
        seconds = sum(front.values()) + sum(segment.recognition.seconds for segment in segments)
        return Timeline(info, mode, self.device, self.threads, segments, seconds)

    # Words

    def recognize_text(self, text: str) -> Recognition:
        """Answer typed words with the text head. No words: status "no_speech"."""
        network = self._reader()
        timer = StageTimer(self.device)
        scores = None
        if text.strip():
            row = network.read([text], timer)[0].tolist()
            scores = dict(zip(network.emotions, row, strict=True))
        return self._recognition("text", Answer(scores, text.strip(), timer.seconds), {}, typed=True)

    def explain_text(self, text: str) -> TextExplanation:
        """Leave each word out in turn: by how much does the winner's probability fall?

        Words past the text encoder's limit were not read; they have no influence and are not tried.

        Raises:
            ValueError: no words; or no loaded model reads words.
        """
        network, words = self._reader(), text.split()
        if not words:
            raise ValueError("There are no words to explain; accepted: at least one.")
        read = words[: network.processor.max_text_tokens]
        without = [" ".join(read[:i] + read[i + 1 :]) for i in range(len(read))]
        rows = network.read([" ".join(read), *without], StageTimer(self.device))
        winner = int(rows[0].argmax())
        falls = (rows[0, winner] - rows[1:, winner]).tolist() + [0.0] * (len(words) - len(read))
        influences = [WordInfluence(word, fall) for word, fall in zip(words, falls, strict=True)]
        return TextExplanation(network.emotions[winner], influences)

    # Inside

    def _check_mode(self, mode: str) -> None:
        if mode not in self.modes:
            raise ValueError(f"Mode {mode!r} is not available; accepted here: {', '.join(self.modes)}.")

    def _reader(self) -> EmotionNetwork:
        self._check_mode("text")
        return self._networks["text"]

    def _listen(self, source, sampling_rate: int | None, longest: float) -> tuple[ClipInfo, Heard, dict[str, float]]:
        """-> what came, what is heard of it, seconds by stage."""
        timer = StageTimer()
        with timer.stage("decode_audio"):
            clip = source if isinstance(source, Clip) else load_audio(source, sampling_rate, max_seconds=longest)
        with timer.stage("voice_activity"):
            heard = self._front_end(clip.samples)
        return ClipInfo(clip.path, clip.seconds, clip.warnings, heard.seconds), heard, timer.seconds

    def _answer(self, samples: np.ndarray, modes: tuple[str, ...]) -> dict[str, Answer]:
        """Each network of these modes once."""
        samples = samples[: round(MAX_SECONDS * SAMPLE_RATE)]  # a file may be a codec's padding longer
        answers: dict[str, Answer] = {}
        for network in (self._loaded.fusion, self._loaded.multitask):
            wanted = {mode for mode in modes if self._networks[mode] is network}
            if wanted:
                answers |= network.answer(samples, wanted, None if network.multitask else self._loaded.asr)
        return answers

    def _recognition(
        self,
        mode: str,
        answer: Answer | None,
        front: dict[str, float],
        warnings: tuple[str, ...] = (),
        typed: bool = False,
    ) -> Recognition:
        """`front`: stages before the networks. `answer` None: nobody speaks, and no network ran. `typed`: no speech
        network took part."""
        network = self._networks[mode]
        foreign = None if typed or mode == "audio" or network.multitask else self._loaded.asr
        parameters = network.parameters_of("typed" if typed else mode)
        scores = None if answer is None else answer.scores
        emotion = max(scores, key=scores.get) if scores else None
        confidence = scores[emotion] if scores else None
        status = "no_speech"
        if scores:
            status = "uncertain" if confidence < network.config.uncertain_threshold else "ok"
        stages = in_order(front, {} if answer is None else answer.stages)
        sources = [foreign.release.label] if foreign else []
        return Recognition(
            mode=mode,
            status=status,
            emotion=emotion,
            confidence=confidence,
            scores=scores or {},
            transcript=None if answer is None else answer.transcript,
            stages=stages,
            seconds=sum(stages.values()),
            parameters=parameters + (foreign.parameters if foreign else 0),
            model=" + ".join([*sources, network.release.label]),
            device=self.device,
            warnings=warnings,
        )
