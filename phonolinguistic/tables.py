"""Results as text for a terminal."""

from .labels import EMOTIONS
from .results import Comparison, Recognition, Timeline

BAR = 20  # characters of a bar of probability 1


def _bars(recognition: Recognition) -> list[str]:
    return [
        f"  {emotion:<9} {recognition.scores[emotion]:5.1%} {'█' * round(BAR * recognition.scores[emotion])}"
        for emotion in EMOTIONS
        if emotion in recognition.scores
    ]


def _verdict(recognition: Recognition) -> str:
    if recognition.status == "no_speech":
        return "no speech"
    doubt = " (uncertain)" if recognition.status == "uncertain" else ""
    return f"{recognition.emotion} {recognition.confidence:.0%}{doubt}"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


def recognition_table(recognition: Recognition) -> str:
    """One mode in depth."""
    lines = [f"{recognition.mode}: {_verdict(recognition)}", *_bars(recognition)]
    if recognition.transcript:
        lines.append(f"  heard: {recognition.transcript}")
    stages = ", ".join(f"{name} {_milliseconds(seconds)}" for name, seconds in recognition.stages.items())
    lines.append(f"  {_milliseconds(recognition.seconds)} on {recognition.device}: {stages}")
    lines.append(f"  {recognition.parameters / 1e6:.1f} M parameters, {recognition.model}")
    return "\n".join(lines)


def comparison_table(comparison: Comparison) -> str:
    """All modes, a row each."""
    lines = [f"{'mode':<10} {'emotion':<26} {'time':>8} {'parameters':>11}  heard"]
    for mode, answer in comparison.modes.items():
        size = f"{answer.parameters / 1e6:.1f} M"
        heard = "-" if answer.transcript is None else answer.transcript
        lines.append(f"{mode:<10} {_verdict(answer):<26} {_milliseconds(answer.seconds):>8} {size:>11}  {heard}")
    saving = comparison.saving
    if saving is not None:
        lines.append(
            f"multi-task: {_change(saving.seconds_percent, 'time')}, "
            f"{_change(saving.parameters_percent, 'parameters', 'fewer')} than fusion"
        )
    lines.append(f"{comparison.clip.seconds:.2f} s of sound, {comparison.device}, {comparison.threads} threads")
    return "\n".join(lines)


def _change(percent: float, what: str, fewer: str = "less") -> str:
    return f"{abs(percent):.0f} % {fewer if percent >= 0 else 'more'} {what}"


def timeline_table(timeline: Timeline) -> str:
    """The stretches of speech, a row each."""
    if not timeline.segments:
        return f"no speech in {timeline.clip.seconds:.1f} s"
    lines = [f"{'from':>8} {'to':>8}  {'emotion':<26} heard"]
    for segment in timeline.segments:
        answer = segment.recognition
        lines.append(
            f"{segment.start:8.2f} {segment.end:8.2f}  {_verdict(answer):<26} {answer.transcript or ''}".rstrip()
        )
    lines.append(f"{timeline.clip.seconds:.1f} s of sound in {timeline.seconds:.1f} s ({timeline.mode})")
    return "\n".join(lines)
