"""Options that several commands have, spelled and explained in one place."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .config import ConfigError, Corpus, checked, read_yaml

CACHE = Path("~/.cache/phonolinguistic")

SHARED: dict[str, dict[str, Any]] = {
    "model": {"type": Path, "metavar": "DIR", "help": "model directory, a run's directory, or a Hub id"},
    "corpora": {
        "nargs": "+",
        "metavar": "NAME=PATH",
        "help": "corpora by name and path (own=clips.csv), or a YAML file with a list of {name, path, ...}",
    },
    "cache": {"type": Path, "default": CACHE, "metavar": "DIR", "help": f"decoded clips, features (default {CACHE})"},
    "out": {"type": Path, "metavar": "DIR", "help": "where the result is written"},
    "seed": {"type": int, "default": 0, "help": "what random generators start from (default 0)"},
    "device": {"help": "cpu, cuda, cuda:1, ...; default: a GPU where there is one"},
    "progress": {
        "action": argparse.BooleanOptionalAction,
        "default": True,
        "help": "show progress bars (default: yes)",
    },
}


def add_shared(parser: argparse.ArgumentParser, *names: str, **changes: dict[str, Any]) -> None:
    """Add shared options by name; `changes`: arguments of `add_argument` that differ here, by the option's name."""
    for name in names:
        parser.add_argument(f"--{name}", **SHARED[name] | changes.get(name, {}))


def read_corpora(values: Sequence[str]) -> list[Corpus]:
    """Corpora as `--corpora` gives them: NAME=PATH, or YAML files with a list of what `config.Corpus` describes (also
    under `corpora` or `data.corpora`, as in a run's configuration).

    Raises:
        ConfigError: neither of the two, or a wrong key or value in a file.
    """
    found = []
    for value in values:
        name, equals, path = value.partition("=")
        if equals:
            found.append(Corpus(name=name, path=path))
            continue
        if Path(value).suffix not in (".yaml", ".yml"):
            raise ConfigError(f"--corpora {value}; accepted: NAME=PATH, or a YAML file.")
        listed = read_yaml(value)
        for key in ("data", "corpora"):
            listed = listed.get(key, listed) if isinstance(listed, dict) else listed
        if not isinstance(listed, list) or not listed:
            raise ConfigError(f"{value} lists no corpora; accepted: a list of {{name, path, ...}}.")
        found += [checked(Corpus, entry, f"{Path(value).name}: {place}.") for place, entry in enumerate(listed)]
    return found


def pick_device(name: str | None) -> str:
    """The device asked for, or a GPU where there is one, else "cpu". ConfigError if torch cannot use it."""
    import torch

    there = torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"
    try:
        kind = torch.device(name or there)
    except RuntimeError:
        kind = None
    if kind is None or kind.type not in ("cpu", there) or (kind.index or 0) >= max(1, torch.accelerator.device_count()):
        raise ConfigError(f"--device {name}; accepted on this machine: cpu{'' if there == 'cpu' else f', {there}'}.")
    return str(kind)
