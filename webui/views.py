"""Whole answers as HTML: the comparison, one mode in depth, the timeline, About, and messages."""

import base64
import csv
import io

from phonolinguistic.labels import EMOTIONS, MODES

from . import words
from .charts import difference_in_words, latency_chart, score_bars, stage_name, swatch, timeline_chart
from .markup import clip_length, clock, escape, face, millions, milliseconds, percent, ranked, spoken_time, table

_STATUS_SIGNS = {"ok": "●", "uncertain": "◐", "no_speech": "○"}


def message(text: str, kind: str = "error") -> str:
    """A short inline message; `kind`: 'error' (announced at once), 'hint' or 'notice'."""
    role = ' role="alert"' if kind == "error" else ""
    sign = {"error": "!", "hint": "→", "notice": "i"}[kind]
    return (
        f'<div class="pl-message {kind}"{role}><span class="sign" aria-hidden="true">{sign}</span>'
        f"<span>{escape(text)}</span></div>"
    )


def clip_warnings(warnings) -> str:
    """What was odd about a clip that was answered all the same, a line each; read out by a screen reader. '' for none.

    `warnings`: strings; what is said twice is shown once.
    """
    lines = "".join(f"<li>{escape(text)}</li>" for text in dict.fromkeys(warnings))
    if not lines:
        return ""
    return (
        '<div class="pl-message warning" role="status"><span class="sign" aria-hidden="true">!</span>'
        f"<div><b>{words.WARNINGS_TITLE}</b><ul>{lines}</ul></div></div>"
    )


def _clip_length(clip) -> str:
    text = words.YOUR_CLIP.format(length=clip_length(clip))
    return f'<p class="pl-muted pl-clip-length">{escape(text)}</p>'


def notice() -> str:
    """What a person must know before pressing anything."""
    return (
        f'<aside class="pl-notice" aria-label="Notice"><h2>{words.NOTICE_TITLE}</h2><p>{words.NOTICE}</p>'
        f"<p>{words.NOTICE_PROHIBITED}</p><p>{words.NOTICE_STORED}</p></aside>"
    )


def header() -> str:
    """Name and purpose of the page."""
    marks = "".join(f'<span class="e-{emotion}">{face(emotion, 30)}</span>' for emotion in EMOTIONS)
    return (
        f'<header class="pl-header"><div><h1>{words.TITLE}</h1><p>{words.TAGLINE}</p></div>'
        f'<div class="faces" aria-hidden="true">{marks}</div></header>'
    )


def welcome(button: str, modes: tuple[str, ...]) -> str:
    """What stands on Compare before the first clip: what to do, and what each mode is."""
    cards = "".join(
        f"<article class='pl-panel'><h3>{words.MODE_NAMES[mode]}</h3><p>{words.MODE_SUMMARIES[mode]}</p></article>"
        for mode in modes
    )
    hint = message(words.COMPARE_HINT.format(button=button), "hint")
    return f'<div class="pl-answer">{hint}<div class="pl-intro">{cards}</div></div>'


def status_badge(status: str) -> str:
    """The status with a sign beside its words."""
    name = words.STATUS_NAMES.get(status, status)
    sign = _STATUS_SIGNS.get(status, "●")
    return f'<span class="pl-status {escape(status)}"><span aria-hidden="true">{sign}</span> {escape(name)}</span>'


def _verdict(answer) -> str:
    emotion = answer.emotion or "no speech"
    confidence = (
        f'<span class="confidence">{percent(answer.confidence)}</span>' if answer.confidence is not None else ""
    )
    return (
        f'<div class="pl-verdict e-{escape(answer.emotion or "none")}">{face(answer.emotion, 36)}'
        f'<span class="emotion">{escape(emotion)}</span>{confidence}</div>'
    )


def _named(emotion: str | None) -> str:
    name = escape(emotion or "no speech")
    return f'<span class="e-{escape(emotion or "none")} pl-inline">{face(emotion, 18)}{name}</span>'


def _transcript(answer) -> str:
    if answer.transcript is None:
        return '<p class="pl-quote none">This mode reads no words.</p>'
    if not answer.transcript.strip():
        return '<p class="pl-quote none">No words were recognised.</p>'
    return f'<blockquote class="pl-quote">{escape(answer.transcript)}</blockquote>'


def compare_view(comparison) -> str:
    """The whole Compare tab. `comparison`: Comparison."""
    modes = {mode: comparison.modes[mode] for mode in MODES if mode in comparison.modes}
    cards = []
    for mode, answer in modes.items():
        cards.append(
            f'<article class="pl-card" data-mode="{mode}" data-emotion="{escape(answer.emotion or "")}" '
            f'data-seconds="{answer.seconds:.6f}"><h3>{words.MODE_NAMES[mode]}</h3>{_verdict(answer)}'
            f"<p>{status_badge(answer.status)}</p>{score_bars(answer.scores, answer.emotion)}{_transcript(answer)}"
            f'<dl><div><dt>Time</dt><dd class="latency">{milliseconds(answer.seconds)}</dd></div>'
            f'<div><dt>Parameters</dt><dd class="parameters">{millions(answer.parameters)}</dd></div></dl></article>'
        )
    return (
        f'<div class="pl-answer"><p class="pl-lead" role="status">{escape(difference_in_words(modes))}</p>'
        f"{clip_warnings(comparison.clip.warnings)}{_clip_length(comparison.clip)}{_saving(comparison)}"
        f'<div class="pl-cards">{"".join(cards)}</div>'
        f'<section class="pl-panel"><h3>What each mode costs</h3>{latency_chart(modes)}{_timing_note(comparison)}'
        f"<details><summary>The same as a table</summary>{_stage_comparison(modes)}</details></section></div>"
    )


def _saving(comparison) -> str:
    saving = comparison.saving
    if saving is None:
        return ""
    fusion, multitask = comparison.modes["fusion"], comparison.modes["multitask"]

    def less(share):
        return f"{share:.0f} % less" if share >= 0 else f"{-share:.0f} % more"

    return (
        f'<div class="pl-saving"><div><b>{less(saving.seconds_percent)} time</b>'
        f"<span>{milliseconds(multitask.seconds)} against {milliseconds(fusion.seconds)}</span></div>"
        f"<div><b>{less(saving.parameters_percent).replace('less', 'fewer')} parameters</b>"
        f"<span>{millions(multitask.parameters)} against {millions(fusion.parameters)}</span></div>"
        f"<p>Multi-task compared with fusion, in this very run, on this clip of {comparison.clip.seconds:.1f} s.</p>"
        "</div>"
    )


def _timing_note(result) -> str:
    text = words.TIMING_NOTE.format(
        device="the CPU" if result.device == "cpu" else result.device,
        threads=result.threads,
        plural="" if result.threads == 1 else "s",
    )
    return f'<p class="pl-muted">{escape(text)}</p>'


def _stage_comparison(modes: dict) -> str:
    used = {stage for answer in modes.values() for stage in answer.stages}
    order = [stage for stage in words.STAGE_NAMES if stage in used] + sorted(used - set(words.STAGE_NAMES))
    rows = [
        [swatch(stage) + escape(stage_name(stage))]
        + [milliseconds(answer.stages[stage]) if stage in answer.stages else "–" for answer in modes.values()]
        for stage in order
    ]
    rows.append(["<b>Total</b>"] + [f"<b>{milliseconds(answer.seconds)}</b>" for answer in modes.values()])
    head = ["Stage"] + [words.MODE_NAMES[mode] for mode in modes]
    return table(head, rows, "Time of each stage, per mode", tuple(range(1, len(head))))


def mode_view(answer, typed: bool = False) -> str:
    """One mode in depth. `answer`: Recognition; `typed`: its words were typed, not spoken."""
    scores = [[_named(emotion), f"{answer.scores[emotion]:.4f}"] for emotion in ranked(answer.scores)]
    total = answer.seconds or 1.0
    stages = [
        [swatch(stage) + escape(stage_name(stage)), milliseconds(seconds), percent(seconds / total)]
        for stage, seconds in answer.stages.items()
    ]
    stages.append(["<b>Total</b>", f"<b>{milliseconds(answer.seconds)}</b>", ""])
    explained = words.STATUS_EXPLAINED.get(answer.status, "")
    where = (
        f"Model: {escape(answer.model)} · device: {escape(answer.device)} · {millions(answer.parameters)} parameters"
    )
    source = '<p class="pl-muted">From typed words; no sound was used.</p>' if typed else ""
    numbers = table(["Emotion", "Probability"], scores, "Probabilities, highest first", (1,))
    score_table = f"<details><summary>The numbers</summary>{numbers}</details>" if scores else ""
    stage_table = table(["Stage", "Time", "Share"], stages, "Time of each stage", (1, 2))
    return (
        f'<div class="pl-answer" data-mode="{escape(answer.mode)}" data-emotion="{escape(answer.emotion or "")}">'
        f"{clip_warnings(answer.warnings)}"
        f'<div class="pl-two"><section class="pl-panel">{_verdict(answer)}<p>{status_badge(answer.status)} '
        f'<span class="pl-muted">{escape(explained)}</span></p>{score_bars(answer.scores, answer.emotion)}'
        f"{score_table}</section>"
        f'<section class="pl-panel"><h3>Words used</h3>{_transcript(answer)}{source}<h3>Where the time went</h3>'
        f"{latency_chart({answer.mode: answer}, legend=False)}{stage_table}"
        f'<p class="pl-muted">{where}</p></section></div></div>'
    )


def timeline_csv(timeline) -> str:
    """The segments as CSV text: start, end, emotion, confidence, status, seven probabilities, transcript."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["start", "end", "emotion", "confidence", "status", *EMOTIONS, "transcript"])
    for segment in timeline.segments:
        answer = segment.recognition
        scores = [f"{answer.scores[e]:.6f}" if e in answer.scores else "" for e in EMOTIONS]
        confidence = "" if answer.confidence is None else f"{answer.confidence:.6f}"
        row = [f"{segment.start:.3f}", f"{segment.end:.3f}", answer.emotion or "", confidence, answer.status]
        writer.writerow([*row, *scores, _plain_cell(answer.transcript or "")])
    return out.getvalue()


def _plain_cell(text: str) -> str:
    # A spreadsheet would run a cell that starts like a formula.
    return "'" + text if text[:1] in ("=", "+", "-", "@") else text


def timeline_view(timeline) -> str:
    """Plot, segments, and the CSV as a data: link, so that the server keeps no file. `timeline`: Timeline."""
    odd = clip_warnings(timeline.clip.warnings) + _clip_length(timeline.clip)
    if not timeline.segments:
        return f'<div class="pl-answer">{message(words.TIMELINE_EMPTY, "notice")}{odd}</div>'
    rows = []
    for segment in timeline.segments:
        answer = segment.recognition
        rows.append(
            [
                f"{clock(segment.start)}–{clock(segment.end)}",
                _named(answer.emotion),
                percent(answer.confidence) if answer.confidence is not None else "–",
                status_badge(answer.status),
                escape(answer.transcript or ""),
            ]
        )
    data = base64.b64encode(timeline_csv(timeline).encode()).decode()
    count = len(timeline.segments)
    return (
        f'<div class="pl-answer"><p class="pl-lead">{count} piece{"" if count == 1 else "s"} of speech in '
        f"{spoken_time(timeline.clip.seconds)}, "
        f"answered in {milliseconds(timeline.seconds)} by {words.MODE_NAMES.get(timeline.mode, timeline.mode)}.</p>"
        f"{odd}"
        f'<section class="pl-panel">{timeline_chart(timeline)}'
        '<p class="pl-muted">The height in each lane is the probability; '
        f"the dot marks the winner, a hollow dot an uncertain one.</p></section>"
        f'<p><a class="pl-download" download="timeline.csv" href="data:text/csv;charset=utf-8;base64,{data}">'
        f'<span aria-hidden="true">↓</span> {words.TIMELINE_CSV}</a></p>'
        f"{table(['Time', 'Emotion', 'Confidence', 'Status', 'Transcript'], rows, 'Segments', (2,))}</div>"
    )
