"""metrics.json and the tables made from it: a summary for people, figures to reach, what is short of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NAMES = {
    "ravdess": "RAVDESS",
    "tess": "TESS",
    "goemotions": "GoEmotions",
    "meld": "MELD",
    "speechocean762": "speechocean762",
}
SHOWN = ("accuracy", "uar", "macro_f1", "weighted_f1", "ece", "wer", "cer")
HEADS = {"uar": "UAR", "macro_f1": "macro-F1", "weighted_f1": "weighted F1", "ece": "ECE", "wer": "WER", "cer": "CER"}
FRACTIONS = ("ece",)  # shown as they are; all others as percentages
BOTH = ("fusion", "multitask")
# (what, corpus, mode or modes, note, rate, least or most, bound)
TARGETS = (
    ("GoEmotions, several labels", "goemotions", "text", "several labels", "macro_f1", "least", 0.60),
    ("MELD", "meld", "text", None, "weighted_f1", "least", 0.58),
    ("RAVDESS test actors, calibration", "ravdess", "audio", None, "ece", "most", 0.05),
    ("TESS test speaker, calibration", "tess", "audio", None, "ece", "most", 0.05),
    ("RAVDESS test actors, real pairs, calibration", "ravdess", BOTH, None, "ece", "most", 0.05),
    ("TESS test speaker, real pairs, calibration", "tess", BOTH, None, "ece", "most", 0.05),
    ("constructed pairs, calibration", "constructed pairs", BOTH, None, "ece", "most", 0.05),
    ("GoEmotions, calibration", "goemotions", "text", "texts with one label", "ece", "most", 0.05),
    ("MELD, calibration", "meld", "text", None, "ece", "most", 0.05),
)


def rate(result: Mapping[str, Any], name: str) -> float | None:
    """A rate of one result of metrics.json, or None."""
    value = result["metrics"].get(name)
    return value["value"] if isinstance(value, Mapping) else value


def find(results: Sequence[Mapping], corpus: str, mode: str | Sequence[str], note: str | None = None) -> Mapping | None:
    """The first result of metrics.json that fits; `mode`: one, or several that will do."""
    modes = (mode,) if isinstance(mode, str) else mode
    for result in results:
        if result["corpus"] == corpus and result["mode"] in modes and note in (None, result.get("note")):
            return result
    return None


def label(result: Mapping[str, Any]) -> str:
    """A line's name: test set, mode, note."""
    words = f"{NAMES.get(result['corpus'], result['corpus'])}, {result['mode']}"
    note = result.get("note")
    return f"{words} ({note})" if note in ("recognition", "several labels", "texts with one label") else words


def summary(results: Sequence[Mapping]) -> dict[str, dict[str, float]]:
    """Line -> figures, percentages but for the calibration error: the page shows it as a table."""
    table = {}
    for result in results:
        row: dict[str, float] = {"count": result["n"]}
        for name in SHOWN:
            value = rate(result, name)
            if value is not None:
                row[HEADS.get(name, name)] = round(value if name in FRACTIONS else value * 100, 3)
        table[label(result)] = row
    return table


def by_chance(result: Mapping[str, Any]) -> float | None:
    """95th percentile of the calibration error that perfect calibration would show on these rows."""
    return (result.get("ece_by_chance") or {}).get("p95")


def targets(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every figure that was to be reached, what was reached, and whether it is enough."""
    results, rows = metrics["results"], []

    def add(what: str, value: float | None, side: str, bound: float) -> None:
        if value is not None:
            reached = value >= bound if side == "least" else value <= bound
            rows.append({"what": what, "value": round(value, 4), f"at_{side}": bound, "reached": bool(reached)})

    for what, corpus, mode, note, name, side, bound in TARGETS:
        result = find(results, corpus, mode, note)
        add(f"{what}: {HEADS.get(name, name)}", rate(result, name) if result else None, side, bound)
        if result and name == "ece" and rate(result, name) is not None and by_chance(result) is not None:
            rows[-1]["by_chance"] = by_chance(result)
    for corpus, gap in (metrics.get("multitask_against_fusion") or {}).items():
        add(f"multi-task minus fusion, {NAMES.get(corpus, corpus)}: accuracy points", gap["difference"], "least", -0.2)
    for corpus, gap in (metrics.get("recognition_against_asr") or {}).items():
        what = f"WER of multi-task minus off-the-shelf, {NAMES.get(corpus, corpus)}: points"
        add(what, gap["difference"], "most", 1.0)
    runaways = metrics.get("runaways") or {}
    add("runaway transcripts", runaways.get("runaways"), "most", 0)
    return rows


def markdown(all_metrics: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Tables for the README: results of each (name, metrics), the comparisons, and what falls short."""
    parts = []
    for name, metrics in all_metrics:
        used = [key for key in SHOWN if any(rate(result, key) is not None for result in metrics["results"])]
        lines = [
            f"| {name}: test set, mode | n | " + " | ".join(HEADS.get(key, key) for key in used) + " |",
            "| --- | ---: |" + " ---: |" * len(used),
        ]
        for result in metrics["results"]:
            cells = [_cell(result["metrics"].get(key), key) for key in used]
            lines.append(f"| {label(result)} | {result['n']} | " + " | ".join(cells) + " |")
            always = result.get("majority")
            if always and result["mode"] == "text" and result["corpus"] in ("meld", "goemotions"):
                cells = [f"{always[key] * 100:.1f}" if key in always else "" for key in used]
                what = f'{NAMES[result["corpus"]]}, always "{always["label"]}"'
                lines.append(f"| {what} | {result['n']} | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
        for key, title, unit in (
            ("multitask_against_fusion", "Multi-task against fusion, same rows", "accuracy"),
            ("recognition_against_asr", "Recognition: multi-task against off-the-shelf Whisper padded to 30 s", "WER"),
        ):
            if metrics.get(key):
                parts.append(f"{title}:\n\n" + _gaps(metrics[key], unit))
        short = [row for row in metrics.get("targets") or [] if not row["reached"]]
        if short:
            lines = []
            for row in short:
                bound = f"at least {row['at_least']}" if "at_least" in row else f"at most {row['at_most']}"
                chance = f"; perfect calibration shows up to {row['by_chance']:.3f}" if row.get("by_chance") else ""
                lines.append(f"- {row['what']} {row['value']} (wanted {bound}{chance})")
            parts.append("Short of its target:\n\n" + "\n".join(lines))
    note = "Percent, with 95 % bootstrap intervals; ECE (after temperature) as a fraction of 1."
    return "\n\n".join(dict.fromkeys([*parts, note])) + "\n"


def _cell(value: Any, name: str) -> str:
    if value is None:
        return ""
    value = value if isinstance(value, Mapping) else {"value": value}
    scale, digits = (1, 3) if name in FRACTIONS else (100, 1)
    shown = f"{value['value'] * scale:.{digits}f}"
    if value.get("low") is not None and name in ("accuracy", "uar", "macro_f1", "weighted_f1", "wer"):
        shown += f" [{value['low'] * scale:.{digits}f}–{value['high'] * scale:.{digits}f}]"
    return shown


def _gaps(rows: Mapping[str, Mapping[str, Any]], unit: str) -> str:
    first = next(iter(rows.values()))
    columns = [key for key in first if key not in ("count", "low", "high", "difference")]
    lines = [
        f"| test set | n | {' | '.join(f'{c} {unit}' for c in columns)} | difference, points |",
        "| --- | ---: |" + " ---: |" * (len(columns) + 1),
    ]
    for corpus, row in rows.items():
        gap = f"{row['difference']:+.2f}"
        if row.get("low") is not None:
            gap += f" [{row['low']:+.2f}, {row['high']:+.2f}]"
        values = " | ".join(f"{row[c]:.2f}" for c in columns)
        lines.append(f"| {NAMES.get(corpus, corpus)} | {row['count']} | {values} | {gap} |")
    return "\n".join(lines)
