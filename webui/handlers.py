"""What happens when something on the page is pressed. Every handler returns HTML; a refusal is an inline message."""

import gradio as gr

from phonolinguistic.labels import MODES

from . import words
from .api import TIMELINE_GPU_SECONDS
from .charts import word_influence
from .guard import Guard, InputRefused
from .views import compare_view, message, mode_view, timeline_view
from .zerogpu import on_gpu


class Handlers:
    """The page's event handlers around one recogniser."""

    def __init__(self, guard: Guard):
        self.guard = guard

    @on_gpu
    def compare(self, clip: str | None):
        """-> the comparison, one view per mode (in the order of MODES), the transcript for the typed-words box, and an
        empty explanation (which follows by itself)."""
        try:
            comparison = self.guard.call("compare", self.guard.clip(clip))
        except InputRefused as refused:
            return [message(str(refused))] + [gr.skip()] * (len(MODES) + 2)
        views = [mode_view(comparison.modes[mode]) if mode in comparison.modes else gr.skip() for mode in MODES]
        read = comparison.modes.get("text")
        return [compare_view(comparison), *views, (read.transcript if read else None) or "", ""]

    @on_gpu
    def recognize(self, clip: str | None, mode: str):
        """-> one mode in depth."""
        try:
            answer = self.guard.call("recognize", self.guard.clip(clip), mode=self.guard.mode(mode))
        except InputRefused as refused:
            return message(str(refused))
        return mode_view(answer)

    @on_gpu
    def recognize_words(self, clip: str | None):
        """Text only, from the clip -> the view, the transcript, and an empty explanation (which follows by itself)."""
        try:
            answer = self.guard.call("recognize", self.guard.clip(clip), mode=self.guard.mode("text"))
        except InputRefused as refused:
            return message(str(refused)), gr.skip(), gr.skip()
        return mode_view(answer), answer.transcript or "", ""

    @on_gpu
    def read_typed(self, text: str):
        """Typed words -> the view, and which words moved the answer."""
        text = (text or "").strip()
        if not text:
            return message(words.TYPED_EMPTY), ""
        try:
            self.guard.mode("text")
            answer = self.guard.call("recognize_text", text)
        except InputRefused as refused:
            return message(str(refused)), ""
        return mode_view(answer, typed=True), self._influence(text)

    @on_gpu
    def explain(self, text: str):
        """Which words of the transcript moved the answer; empty when there are none."""
        return self._influence((text or "").strip())

    def _influence(self, text: str) -> str:
        if not text or "text" not in self.guard.recognizer.modes:
            return ""
        try:
            return word_influence(self.guard.call("explain_text", text))
        except InputRefused as refused:
            return message(str(refused))

    @on_gpu(seconds=TIMELINE_GPU_SECONDS)
    def timeline(self, clip: str | None, mode: str, progress=gr.Progress()):  # noqa: B008 (how Gradio finds it)
        """-> the emotion over time."""

        def report(done: int, total: int) -> None:
            progress((done, total), unit="pieces")

        try:
            timeline = self.guard.call("timeline", self.guard.clip(clip), mode=self.guard.mode(mode), progress=report)
        except InputRefused as refused:
            return message(str(refused))
        return timeline_view(timeline)
