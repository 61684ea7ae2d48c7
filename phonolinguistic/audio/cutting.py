"""Cut a long recording at its pauses into stretches that are long enough to judge and short enough to be one mood."""

from collections.abc import Sequence

from ..model.front_end_phonolinguistic import SpeechSpan

MIN_SECONDS = 1.0
MAX_SECONDS = 15.0


def cut_at_pauses(
    spans: Sequence[SpeechSpan],
    total_seconds: float,
    min_seconds: float = MIN_SECONDS,
    max_seconds: float = MAX_SECONDS,
) -> list[SpeechSpan]:
    """Speech spans -> segments in order, without overlap, none longer than `max_seconds`.

    A span that is shorter than `min_seconds` joins the neighbour across the shorter pause when both fit into
    `max_seconds`; one that is longer than `max_seconds` is cut into equal parts. All in seconds, within
    [0, total_seconds].

    Raises:
        ValueError: min_seconds is not below max_seconds.
    """
    if not 0 < min_seconds < max_seconds:
        raise ValueError(f"min_seconds {min_seconds} and max_seconds {max_seconds}; accepted: 0 < min < max.")
    segments = [SpeechSpan(max(0.0, s.start), min(total_seconds, s.end)) for s in sorted(spans, key=lambda s: s.start)]
    segments = [s for s in segments if s.end > s.start]
    i = 0
    while i < len(segments):
        span = segments[i]
        if span.end - span.start >= min_seconds:
            i += 1
            continue
        choices = []
        if i > 0 and span.end - segments[i - 1].start <= max_seconds:
            choices.append((span.start - segments[i - 1].end, i - 1))
        if i + 1 < len(segments) and segments[i + 1].end - span.start <= max_seconds:
            choices.append((segments[i + 1].start - span.end, i))
        if not choices:
            i += 1
            continue
        first = min(choices)[1]
        segments[first : first + 2] = [SpeechSpan(segments[first].start, segments[first + 1].end)]
        i = first
    result = []
    for span in segments:
        parts = max(1, -(-(span.end - span.start) // max_seconds))
        width = (span.end - span.start) / parts
        result += [SpeechSpan(span.start + width * k, span.start + width * (k + 1)) for k in range(int(parts))]
    return result


def spans_within(spans: Sequence[SpeechSpan], segment: SpeechSpan) -> list[SpeechSpan]:
    """The parts of speech spans that lie in one segment, in order; times in seconds."""
    parts = [SpeechSpan(max(s.start, segment.start), min(s.end, segment.end)) for s in spans]
    return [part for part in parts if part.end > part.start]
