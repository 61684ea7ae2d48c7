"""Small pieces of HTML that the charts and views share: escaping, numbers, the seven faces."""

import html

from phonolinguistic.labels import EMOTIONS

from .words import CLIP_LENGTH, CLIP_WITHOUT_SPEECH

# Brows, eyes and mouth on a 24 x 24 face. Drawn, not emoji, so that every system shows the same thing.
_FACES = {
    "anger": '<path d="M6.5 8.2 10 10M17.5 8.2 14 10"/><path d="M8.5 16.8q3.5-2.6 7 0"/>',
    "disgust": '<path d="M6.8 9.3 10 9.8M17.2 8.4 14 9.8"/><path d="M8 16.2q1.4-1.8 2.7-.3t2.6 0 2.7-.6"/>',
    "fear": '<path d="M6.5 8.8q1.6-1.9 3.4-2M17.5 8.8q-1.6-1.9-3.4-2"/>'
    '<path d="M8 16.4l1.6-1.3 1.6 1.3 1.6-1.3 1.6 1.3 1.6-1.3"/>',
    "joy": '<path d="M7.8 13.6q4.2 5.6 8.4 0z"/>',
    "neutral": '<path d="M8.5 15.6h7"/>',
    "sadness": '<path d="M6.8 9.2q1.8-.4 3-1.8M17.2 9.2q-1.8-.4-3-1.8"/><path d="M8.6 17q3.4-3.2 6.8 0"/>',
    "surprise": '<path d="M7 7.2q1.4-1.3 2.8-.6M17 7.2q-1.4-1.3-2.8-.6"/><ellipse cx="12" cy="16" rx="1.9" ry="2.3"/>',
}


def escape(text) -> str:
    """Text made safe inside HTML and inside attributes. '@' too: Gradio gives '@children' a meaning of its own."""
    return html.escape(str(text), quote=True).replace("@", "&#64;")


def face(emotion: str | None, size: int = 24) -> str:
    """A line-drawn face, hidden from screen readers because the emotion's name always stands beside it."""
    if emotion not in _FACES:
        inner = '<path d="M7 12h10" stroke-dasharray="1.5 2.2"/>'
    else:
        inner = '<circle class="eye" cx="8.8" cy="11.2" r=".9"/><circle class="eye" cx="15.2" cy="11.2" r=".9"/>'
        inner += _FACES[emotion]
    return (
        f'<svg class="pl-face" width="{size}" height="{size}" viewBox="0 0 24 24" aria-hidden="true" focusable="false">'
        f'<circle cx="12" cy="12" r="10.2"/>{inner}</svg>'
    )


def milliseconds(seconds: float) -> str:
    """0.0004 -> '0.4 ms', 0.0416 -> '42 ms', 1.234 -> '1.23 s'."""
    if seconds >= 0.9995:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.1f} ms" if seconds < 0.00995 else f"{seconds * 1000:.0f} ms"


def clock(seconds: float) -> str:
    """75.25 -> '1:15.2'; for places in a recording."""
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}:{rest:04.1f}"


def spoken_time(seconds: float) -> str:
    """45.0 -> '45 s', 750 -> '12 min 30 s'."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def clip_length(clip) -> str:
    """'4.2 s, 3.1 s of it speech'; from a minute on, '12 min 30 s, 10 min 5 s of it speech'. `clip`: ClipInfo."""

    def words_for(seconds: float) -> str:
        return f"{seconds:.1f} s" if seconds < 59.95 else spoken_time(seconds)

    if clip.speech_seconds <= 0:
        return CLIP_WITHOUT_SPEECH.format(length=words_for(clip.seconds))
    return CLIP_LENGTH.format(length=words_for(clip.seconds), speech=words_for(clip.speech_seconds))


def millions(parameters: int) -> str:
    """37_184_640 -> '37.2 M'."""
    return f"{parameters / 1e6:.1f} M" if parameters >= 1e5 else f"{parameters:,}"


def percent(share: float) -> str:
    """0.873 -> '87 %'; small but not zero -> '<1 %'."""
    if 0 < share < 0.005:
        return "<1 %"
    return f"{share * 100:.0f} %"


def table(head: list[str], rows: list[list[str]], caption: str, numeric: tuple[int, ...] = ()) -> str:
    """An HTML table. Cells are HTML already: the caller escapes. `numeric`: the columns that are set right."""

    def cells(row, tag):
        return "".join(
            f"<{tag}{' class=pl-num' if i in numeric else ''}{' scope=col' if tag == 'th' else ''}>{cell}</{tag}>"
            for i, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return (
        f'<div class="pl-scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table class="pl-table">'
        f"<caption>{escape(caption)}</caption>"
        f"<thead><tr>{cells(head, 'th')}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def ranked(scores: dict[str, float]) -> list[str]:
    """The emotions, highest score first; ties keep the order of the labels."""
    return sorted((e for e in EMOTIONS if e in scores), key=lambda e: -scores[e])
