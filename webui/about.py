"""The About tab: what is loaded, from where, its measured quality, and the limits of use."""

from . import words
from .markup import escape, millions, table
from .metrics_view import metrics_tables
from .views import message


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
    tables = {model.name: metrics_tables(model.metrics) for model in models}
    return (
        "".join(f"<h4>{escape(name)}</h4>{html}" for name, html in tables.items() if html)
        or f"<p>{words.ABOUT_NO_METRICS}</p>"
    )
