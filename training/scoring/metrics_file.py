"""metrics.json: the one place in training that writes it and that reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..whole_files import write_json

METRICS_FILE = "metrics.json"


class MetricsError(ValueError):
    """There is no metrics.json, or it is none; the message says which."""


def write_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    """Put the figures beside a model, whole or not at all."""
    write_json(folder / METRICS_FILE, metrics)


def read_metrics(folder: Path) -> dict[str, Any]:
    """The figures beside a model.

    Raises:
        MetricsError: the file is missing or damaged.
    """
    try:
        found = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MetricsError(f"{METRICS_FILE} is missing in {folder.name}: evaluate the model first.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise MetricsError(f"{METRICS_FILE} in {folder.name} is not JSON: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("results"), list):
        raise MetricsError(f"{METRICS_FILE} in {folder.name} holds no list of results.")
    return found
