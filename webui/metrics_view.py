"""A model's metrics.json as tables: results per test set and mode, then by group, then whatever else it holds."""

import re

from . import words
from .markup import escape, table

# Key in metrics.json -> (heading, shown in percent).
_COLUMNS = {
    "uar": ("UAR", True),
    "accuracy": ("Accuracy", True),
    "macro_f1": ("Macro F1", True),
    "weighted_f1": ("Weighted F1", True),
    "ece": ("Calibration error", False),
    "wer": ("Word error rate", True),
}
_NAMES = {"ravdess": "RAVDESS", "tess": "TESS", "goemotions": "GoEmotions", "meld": "MELD"}
_IN_GROUPS = ("uar", "accuracy", "macro_f1")
_MAX_DEPTH = 3  # deeper tables belong into the file itself


def metrics_tables(metrics: dict) -> str:
    """All of a metrics.json that a person can read at a glance."""
    results = [entry for entry in metrics.get("results") or [] if isinstance(entry, dict)]
    rest = {key: value for key, value in metrics.items() if key != "results"}
    loose = [[escape(_words(key)), _value(value)] for key, value in rest.items() if _is_plain(value)]
    notes = "".join(f"<li>{escape(note)}</li>" for note in metrics.get("notes") or [] if isinstance(note, str))
    html = _results(results) + (f"<ul>{notes}</ul>" if notes else "") + _by_group(results)
    others = table(["Measure", "Value"], loose, "General", (1,)) if loose else ""
    others += "".join(_group(_words(key), value, 1) for key, value in rest.items() if isinstance(value, dict) and value)
    return html + (f"<details><summary>{words.ABOUT_MORE}</summary>{others}</details>" if others else "")


def _results(results: list[dict]) -> str:
    columns = [name for name in _COLUMNS if any(name in (entry.get("metrics") or {}) for entry in results)]
    if not columns:
        return ""
    rows = [
        [_test_set(entry), escape(entry.get("split") or "test"), _mode(entry), _count(entry)]
        + [_figure(entry, name) for name in columns]
        for entry in results
    ]
    head = ["Test set", "Part", "Mode", "Clips", *(_COLUMNS[name][0] for name in columns)]
    return table(head, rows, words.ABOUT_RESULTS, tuple(range(3, len(head))))


def _by_group(results: list[dict]) -> str:
    rows = []
    for entry in results:
        for factor, members in (entry.get("groups") or (entry.get("metrics") or {}).get("groups") or {}).items():
            for name, group in members.items():
                figures = {"metrics": group.get("metrics", group)}
                where = f"{_corpus(entry)}, {_words(factor)}: {_words(name)}"
                shown = [_figure(figures, column) for column in _IN_GROUPS]
                rows.append([escape(where), _mode(entry), _count(group), *shown])
    if not rows:
        return ""
    head = ["Group", "Mode", "Clips", *(_COLUMNS[name][0] for name in _IN_GROUPS)]
    groups = table(head, rows, words.ABOUT_GROUPS, tuple(range(2, len(head))))
    return f"<details><summary>{words.ABOUT_GROUPS}</summary>{groups}</details>"


def _corpus(entry: dict) -> str:
    return _NAMES.get(entry.get("corpus"), _words(entry.get("corpus", "")))


def _test_set(entry: dict) -> str:
    note = entry.get("note")
    small = f'<span class="pl-interval">{escape(note)}</span>' if note and len(str(note)) < 80 else ""
    return escape(_corpus(entry)) + small


def _mode(entry: dict) -> str:
    return escape(words.MODE_NAMES.get(entry.get("mode"), entry.get("mode") or ""))


def _count(entry: dict) -> str:
    for place in (entry, entry.get("metrics") or {}):
        for key in ("n", "count"):
            if isinstance(place.get(key), int):
                return f"{place[key]:,}"
    return "–"


def _figure(entry: dict, name: str) -> str:
    """A figure with its 95 % interval, wherever the file keeps that."""
    metrics = entry.get("metrics") or {}
    value = metrics.get(name)
    interval = (metrics.get("intervals") or entry.get("intervals") or {}).get(name)
    if isinstance(value, dict):
        interval = value.get("interval") or [value.get("low"), value.get("high")]
        value = value.get("value")
    if not isinstance(value, (int, float)):
        return "–"
    scale, digits = (100, 1) if _COLUMNS[name][1] else (1, 3)
    text = f"{value * scale:.{digits}f}" + (" %" if _COLUMNS[name][1] else "")
    if interval and None not in interval:
        text += f' <span class="pl-interval">{interval[0] * scale:.{digits}f}–{interval[1] * scale:.{digits}f}</span>'
    return text


def _group(title: str, group: dict, depth: int) -> str:
    """A group of plain values is a list, a group of such groups one table, anything deeper further tables."""
    rows = {key: value for key, value in group.items() if isinstance(value, dict)}
    flat = bool(rows) and all(any(_is_plain(v) for v in row.values()) for row in rows.values())
    plain = [[escape(_words(key)), _value(value)] for key, value in group.items() if _is_plain(value)]
    html = table(["Measure", "Value"], plain, title, (1,)) if plain else ""
    if flat:
        columns = list(dict.fromkeys(k for row in rows.values() for k, v in row.items() if _is_plain(v)))
        cells = [
            [escape(_words(name))] + [_value(row[c]) if _is_plain(row.get(c)) else "–" for c in columns]
            for name, row in rows.items()
        ]
        html += table([""] + [escape(_words(c)) for c in columns], cells, title, tuple(range(1, len(columns) + 1)))
    if depth < _MAX_DEPTH:
        for key, row in rows.items():
            inner = row if not flat else {k: v for k, v in row.items() if isinstance(v, dict) and v}
            if inner:
                html += _group(f"{title}: {_words(key)}", inner, depth + 1)
    return html


def _is_plain(value) -> bool:
    return isinstance(value, (str, int, float, bool))


def _value(value) -> str:
    if isinstance(value, (bool, str)):
        return escape(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}"


def _words(key) -> str:
    return re.sub(r"[_\s]+", " ", str(key)).strip()
