"""Charts as hand-made HTML: light, readable without colour (labels, numbers, patterns) and by a screen reader.

Every function takes plain results and returns a string. Every text that came from a clip is escaped here.
"""

from phonolinguistic.labels import EMOTIONS

from .markup import clock, escape, face, milliseconds, percent, ranked
from .words import INFLUENCE_HELP, INFLUENCE_TITLE, MODE_NAMES, STAGE_NAMES

# Room that a stage's own label needs inside of its bar, as a share of the longest bar.
_LABEL_SHARE = 0.11


def score_bars(scores: dict[str, float], winner: str | None) -> str:
    """Seven horizontal bars in the fixed order of the labels, so that four cards can be compared line by line."""
    if not scores:
        return '<p class="pl-muted">No probabilities: no speech was found.</p>'
    spoken = ", ".join(f"{emotion} {percent(scores[emotion])}" for emotion in ranked(scores))
    rows = []
    for emotion in EMOTIONS:
        score = scores.get(emotion, 0.0)
        top = emotion == winner
        rows.append(
            f'<div class="pl-bar e-{emotion}{" top" if top else ""}">'
            f'<span>{"▸" if top else ""}</span><span class="name">{emotion}</span>'
            f'<span class="track"><span class="fill" style="width:{max(score, 0.004) * 100:.1f}%"></span></span>'
            f'<span class="value">{percent(score)}</span></div>'
        )
    return f'<div class="pl-bars" role="img" aria-label="Probabilities: {escape(spoken)}">{"".join(rows)}</div>'


def stage_name(stage: str) -> str:
    """The words for a stage; a stage that is new keeps its own name."""
    return STAGE_NAMES.get(stage, stage.replace("_", " "))


def _stage_class(stage: str) -> str:
    return f"s-{stage}" if stage in STAGE_NAMES else "s-other"


def swatch(stage: str) -> str:
    """The colour and pattern of a stage, for legends and tables."""
    return f'<span class="swatch {_stage_class(stage)}" aria-hidden="true"></span>'


def latency_chart(modes: dict, legend: bool = True) -> str:
    """One stacked bar per mode on a common scale. `modes`: mode name -> Recognition; no legend where a table has it."""
    longest = max((answer.seconds for answer in modes.values()), default=0.0) or 1.0
    lines, used = [], []
    for mode, answer in modes.items():
        pieces = []
        for stage, seconds in answer.stages.items():
            if stage not in used:
                used.append(stage)
            share = seconds / longest
            label = milliseconds(seconds) if share >= _LABEL_SHARE else ""
            pieces.append(
                f'<span class="{_stage_class(stage)}" style="width:{share * 100:.3f}%" '
                f'title="{escape(stage_name(stage))}: {milliseconds(seconds)}"><b>{label}</b></span>'
            )
        spoken = ", ".join(f"{stage_name(stage)} {milliseconds(s)}" for stage, s in answer.stages.items())
        label = f"{MODE_NAMES.get(mode, mode)}, total {milliseconds(answer.seconds)}: {spoken}"
        lines.append(
            f'<div class="pl-lat"><span class="name">{escape(MODE_NAMES.get(mode, mode))}</span>'
            f'<span class="stack" role="img" aria-label="{escape(label)}">{"".join(pieces)}</span>'
            f'<span class="value">{milliseconds(answer.seconds)}</span></div>'
        )
    order = [stage for stage in STAGE_NAMES if stage in used] + [stage for stage in used if stage not in STAGE_NAMES]
    items = "".join(f"<li>{swatch(stage)}{escape(stage_name(stage))}</li>" for stage in order) if legend else ""
    listed = f'<ul class="pl-legend" aria-label="Stages">{items}</ul>' if items else ""
    return f'<div class="pl-latency">{"".join(lines)}{listed}</div>'


def word_influence(explanation) -> str:
    """Each word with its signed number. `explanation`: TextExplanation. The bar's length repeats the number."""
    if not explanation.words:
        return ""
    peak = max((abs(word.influence) for word in explanation.words), default=0.0) or 1.0
    items = []
    for word in explanation.words:
        points = word.influence * 100
        rounded = round(points, 1)
        kind, sign = ("for", "+") if rounded > 0 else ("against", "\u2212") if rounded < 0 else ("none", "±")
        strength = abs(word.influence) / peak
        items.append(
            f'<li class="pl-word {kind}" style="--strength:{strength:.3f}">'
            f'<span class="text">{escape(word.word)}</span>'
            f'<span class="meter"><span style="width:{strength * 100:.0f}%"></span></span>'
            f'<span class="number">{sign}{abs(rounded):.1f}</span></li>'
        )
    return (
        f'<section class="pl-panel"><h3>{INFLUENCE_TITLE}</h3>'
        f'<p class="pl-muted">{escape(INFLUENCE_HELP.format(emotion=explanation.emotion))}</p>'
        f'<ol class="pl-words">{"".join(items)}</ol></section>'
    )


def _ticks(total: float) -> list[float]:
    """Five or so round times from 0 to `total` seconds."""
    for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600):
        if total / step <= 6:
            break
    return [step * i for i in range(int(total / step) + 1) if step * i < 0.93 * total]  # a label needs room


def timeline_chart(timeline) -> str:
    """One lane per emotion; every segment fills each lane as high as that emotion's probability.

    The winning lane of a segment carries a dot, so that it is found without colour. `timeline`: Timeline.
    """
    total = max(timeline.clip.seconds, max((s.end for s in timeline.segments), default=0.0), 0.1)
    lanes = []
    for emotion in EMOTIONS:
        blocks = []
        for segment in timeline.segments:
            answer = segment.recognition
            if not answer.scores:
                continue
            score = answer.scores.get(emotion, 0.0)
            won = answer.emotion == emotion
            left, width = segment.start / total * 100, max((segment.end - segment.start) / total * 100, 0.25)
            title = f"{clock(segment.start)} to {clock(segment.end)}: {emotion} {percent(score)}"
            blocks.append(
                f'<span class="seg{" won" if won else ""}{" unsure" if won and answer.status == "uncertain" else ""}" '
                f'style="left:{left:.3f}%;width:{width:.3f}%" title="{title}">'
                f'<i style="height:{max(score * 100, 1):.0f}%"></i></span>'
            )
        lanes.append(
            f'<div class="lane e-{emotion}"><span class="name">{face(emotion, 18)}{emotion}</span>'
            f'<span class="track">{"".join(blocks)}</span></div>'
        )
    ticks = _ticks(total)
    marks = "".join(f'<span style="left:{t / total * 100:.2f}%">{int(t // 60)}:{int(t % 60):02d}</span>' for t in ticks)
    spoken = "; ".join(
        f"{clock(s.start)} to {clock(s.end)} {s.recognition.emotion or 'no speech'}" for s in timeline.segments[:40]
    )
    more = "; and further segments in the table" if len(timeline.segments) > 40 else ""
    return (
        f'<div class="pl-time" role="img" aria-label="Emotion over time: {escape(spoken + more)}">'
        f'{"".join(lanes)}<div class="axis"><span class="name">min:s</span>'
        f'<span class="track">{marks}</span></div></div>'
    )


def difference_in_words(modes: dict) -> str:
    """Where the modes agree and where they do not, in one or two plain sentences. `modes`: name -> Recognition."""
    silent = [mode for mode, answer in modes.items() if answer.status == "no_speech"]
    if modes and len(silent) == len(modes):
        return "No mode found speech in this clip."
    groups: dict[str, list[str]] = {}
    for mode, answer in modes.items():
        if answer.emotion:
            groups.setdefault(answer.emotion, []).append(mode)
    if not groups:
        return "No mode gave an answer."
    if len(groups) == 1:
        emotion, members = next(iter(groups.items()))
        if len(members) == 1 and not silent:
            return f"{MODE_NAMES[members[0]]} says {emotion}."
        agreed = "All" if not silent else "The other" if len(members) > 1 else "Only"
        if len(members) == 1:
            return f"Only {MODE_NAMES[members[0]]} gives an answer: {emotion}. {_list_names(silent)} heard no words."
        sentence = f"{agreed} {len(members)} modes agree: {emotion}."
        return f"{sentence} {_list_names(silent)} heard no words." if silent else sentence
    parts = [
        f"{_list_names(members)} {'say' if len(members) > 1 else 'says'} {emotion}"
        for emotion, members in groups.items()
    ]
    sentence = "The modes disagree: " + "; ".join(parts) + "."
    voice, words = modes.get("audio"), modes.get("text")
    if voice and words and voice.emotion and words.emotion and voice.emotion != words.emotion:
        together = modes.get("multitask") or modes.get("fusion")
        if together and together.emotion:
            side = {voice.emotion: "the voice", words.emotion: "the words"}.get(together.emotion)
            name = MODE_NAMES["multitask" if "multitask" in modes else "fusion"]
            sentence += f" The voice and the words point apart; {name} " + (
                f"follows {side}." if side else f"settles on {together.emotion}, which neither says alone."
            )
    return sentence


def _list_names(modes: list[str]) -> str:
    names = [MODE_NAMES.get(mode, mode) for mode in modes]
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
