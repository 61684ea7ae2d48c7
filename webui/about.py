"""The About tab: what is loaded, from where, its measured quality, and the limits of use."""

import re

from . import words
from .markup import escape, millions, table
from .views import message

# Deeper tables than this belong into metrics.json, which the model card links.
_MAX_DEPTH = 3


def fallback_notices(models: list) -> str:
    """What could not be loaded from where it was asked for, each said once."""
    notices = dict.fromkeys(model.notice for model in models if model.notice)
    return "".join(message(text, "notice") for text in notices)


def about_view(models: list) -> str:
    """`models`: list of ModelInfo."""
    rows = [
        [
            f"<b>{escape(model.name)}</b>",
            escape(model.kind),
            escape(model.source) + (f" @ {escape(model.revision)}" if model.revision else ""),
            "embedded release" if model.embedded else "named by the operator",
            millions(model.parameters),
        ]
        for model in models
    ]
    head = ["Model", "Kind", "Source", "Origin", "Parameters"]
    parts = [
        f"<section class='pl-panel'><h3>{words.ABOUT_MODELS}</h3>{fallback_notices(models)}"
        f"{table(head, rows, 'Loaded models', (4,))}</section>",
        f"<section class='pl-panel'><h3>{words.ABOUT_METRICS}</h3>{_metrics(models)}</section>",
        f"<section class='pl-panel'><h3>{words.ABOUT_LIMITS}</h3>{_list(words.LIMITS)}"
        f"<p>{words.NOTICE_PROHIBITED}</p></section>",
        f"<section class='pl-panel'><h3>{words.ABOUT_PRIVACY}</h3>{_list(words.PRIVACY)}</section>",
        f"<section class='pl-panel'><h3>{words.ABOUT_API}</h3><p>{words.API_TEXT}</p></section>",
    ]
    return f'<div class="pl-answer pl-about">{"".join(parts)}</div>'


def _list(texts) -> str:
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def _metrics(models: list) -> str:
    shown = [f"<h4>{escape(model.name)}</h4>{metrics_tables(model.metrics)}" for model in models if model.metrics]
    return "".join(shown) or f"<p>{words.ABOUT_NO_METRICS}</p>"


def metrics_tables(metrics: dict) -> str:
    """Any metrics.json as tables: a group of groups of numbers becomes one table, loose values a list.

    Lists and tables within tables deeper than three levels are left out; the file itself has them.
    """
    loose = [[escape(_words(key)), _value(value)] for key, value in metrics.items() if _is_plain(value)]
    html = table(["Measure", "Value"], loose, "General", (1,)) if loose else ""
    for key, value in metrics.items():
        if isinstance(value, dict) and value:
            html += _group(_words(key), value, 1)
    return html


def _group(title: str, group: dict, depth: int) -> str:
    rows = {key: value for key, value in group.items() if isinstance(value, dict)}
    flat = all(any(_is_plain(v) for v in row.values()) for row in rows.values()) if rows else False
    html = ""
    plain = [[escape(_words(key)), _value(value)] for key, value in group.items() if _is_plain(value)]
    if plain:
        html += table(["Measure", "Value"], plain, title, (1,))
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
    if isinstance(value, bool) or isinstance(value, str):
        return escape(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}"


def _words(key: str) -> str:
    return re.sub(r"[_\s]+", " ", str(key)).strip()
