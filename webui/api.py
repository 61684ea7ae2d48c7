"""The four public endpoints, which are MCP tools as well. The docstrings are what a program or an agent reads.

Gradio takes only the first line of each argument's description, so each is one line.
"""

import os
from pathlib import Path

from .guard import Guard, InputRefused
from .incoming import refusal
from .zerogpu import on_gpu

TIMELINE_GPU_SECONDS = 120  # on ZeroGPU: half an hour of speech, in pieces


class Api:
    """Plain JSON out: the dataclasses' to_dict(). A refused input is a gr.Error, which a client raises."""

    def __init__(self, guard: Guard):
        self.guard = guard

    @on_gpu
    def compare(self, clip: str) -> dict:
        """Tell the emotion of a short English speech clip four ways: by voice, by words, and by both in two models.

        Args:
            clip: An audio file with 0.3 to 30 seconds of speech (wav, flac, mp3, ogg, opus, m4a, webm; up to 50 MB).

        Returns:
            The clip, with what was odd about it, and by mode: emotion, probabilities, transcript and timings.
        """
        return self._answer("compare", clip)

    @on_gpu
    def recognize(self, clip: str, mode: str = "multitask") -> dict:
        """Tell the emotion of a short English speech clip in one mode.

        Args:
            clip: An audio file with 0.3 to 30 seconds of speech (wav, flac, mp3, ogg, opus, m4a, webm; up to 50 MB).
            mode: audio (how it was said), text (what was said), fusion (both, two networks) or multitask (both, one).

        Returns:
            Status, emotion, confidence, seven probabilities, transcript, warnings, seconds of each stage, parameters.
        """
        return self._answer("recognize", clip, mode)

    @on_gpu(seconds=TIMELINE_GPU_SECONDS)
    def timeline(self, clip: str, mode: str = "multitask") -> dict:
        """Follow the emotion through a longer English recording: cut at pauses, one answer per piece of speech.

        Args:
            clip: An audio file of up to 30 minutes (wav, flac, mp3, ogg, opus, m4a, webm; up to 50 MB).
            mode: audio (how it was said), text (what was said), fusion (both, two networks) or multitask (both, one).

        Returns:
            The clip, with what was odd about it, and the segments: start and end in seconds, and the recognition.
        """
        return self._answer("timeline", clip, mode)

    def model_info(self) -> dict:
        """Say which models are loaded, from where, how large they are, which modes they offer, and their metrics.

        Returns:
            Modes, device, threads, and the models with name, kind, source, parameters and metrics.
        """
        recognizer = self.guard.recognizer
        return {
            "modes": list(recognizer.modes),
            "device": str(recognizer.device),
            "threads": recognizer.threads,
            "models": [_without_places(model.to_dict()) for model in recognizer.models],
        }

    def _answer(self, method: str, clip: str | None, mode: str | None = None) -> dict:
        guard = self.guard
        try:
            options = {} if mode is None else {"mode": guard.mode(mode)}
            answer = guard.call(method, guard.clip(clip), **options).to_dict()
        except InputRefused as refused:
            raise refusal(str(refused)) from refused
        if "clip" in answer:
            # A client of Gradio would try to download whatever lies under the key "path", and the place is ours alone.
            answer["clip"] |= {"path": None, "name": os.path.basename(clip)}
        return answer


def _without_places(model: dict) -> dict:
    """For strangers, a local directory is its last two names; the key "path" is emptied (see above)."""
    source = model.get("source")
    if isinstance(source, str) and os.path.isabs(source):
        model["source"] = "/".join(Path(source).parts[-2:])
    return model | {"path": None}
