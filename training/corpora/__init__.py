"""Corpora: every one loads into the same columns (schema.py) from a path that the user gives.

    dataset = load_corpus("ravdess", "data/RAVDESS")

Columns: id, audio ({"bytes", "path"}, undecoded, or None), text, emotion (one of the seven, or None where there is none
or several), emotions (list), source_label, speaker, gender, intensity ("normal", "strong" or None), language (BCP-47
code), corpus, split (official one, or None), duration (seconds). Text that is not English is for people to read:
`info.teaches_words` keeps it from recognisers and text towers.
"""

from __future__ import annotations

import itertools
from importlib import import_module
from pathlib import Path

import datasets

from .archives import stem as archive_stem
from .info import CorpusInfo, taught_texts, taught_transcripts, teaches_words
from .schema import Corpus, CorpusError, RowProblem, build_dataset, find_parquet, parquet_rows

__all__ = [
    "CORPORA", "CorpusError", "CorpusInfo", "RowProblem", "corpus_info", "describe", "load_corpus", "taught_texts",
    "taught_transcripts", "teaches_words",
]  # fmt: skip

# One module each.
CORPORA = (
    "ravdess", "tess", "savee", "cremad", "jl", "iemocap", "meld", "goemotions", "speechocean762", "librispeech",
    "nemo", "emodb", "emovo", "emozionalmente", "cafe", "mesd", "resd", "subesco", "urdu", "ased", "esd", "own",
)  # fmt: skip


def describe(name: str) -> Corpus:
    """The description (layout, source, labels, options) of a corpus by name. CorpusError for an unknown name."""
    key = name.lower().replace("-", "").replace("_", "")
    if key not in CORPORA:
        raise CorpusError(f"unknown corpus {name!r}; known: {', '.join(CORPORA)}")
    return import_module(f"{__name__}.{key}").CORPUS


def corpus_info(name: str) -> CorpusInfo:
    """What is said of a corpus (licence, citation, language, where to get it). CorpusError for an unknown name."""
    return describe(name).info


def load_corpus(
    name: str,
    path: str | Path,
    *,
    on_error: str = "raise",
    problems: list[RowProblem] | None = None,
    min_examples: int = 2,
    **options,
) -> datasets.Dataset:
    """Load a corpus into the one schema.

    Args:
        name: one of CORPORA.
        path: its parquet file, the folder that holds it, or the folder of the official download.
        on_error: what happens at a row that cannot be used (unknown label, corrupt or absent clip, empty transcript, a
            label with fewer than `min_examples` examples): "raise" CorpusError naming the row, or "skip" it and log the
            count.
        problems: a list that receives what was skipped.
        options: of the corpus, e.g. calm_as_neutral=True (ravdess), audio=False (meld).

    Raises:
        CorpusError: nothing there (the message says where to get it), an unknown option, or a bad row.
    """
    corpus = describe(name)
    if on_error not in ("raise", "skip"):
        raise CorpusError(f"on_error is {on_error!r}; accepted: 'raise', 'skip'")
    unknown = sorted(set(options) - set(corpus.options))
    if unknown:
        known = ", ".join(corpus.options) or "none"
        raise CorpusError(f"{corpus.name}: unknown option {unknown[0]!r}; its options: {known}")
    path = Path(path).expanduser()
    if not path.exists():
        raise corpus.missing(path)
    if path.is_file() and archive_stem(path):
        raise CorpusError(
            f"{corpus.name}: {path.name} is an archive; unpack it, or make its parquet file with "
            "python -m training.corpora.prepare"
        )
    parquet = find_parquet(corpus, path)
    rows = parquet_rows(parquet, corpus, options) if parquet else corpus.rows(path, options)
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        raise corpus.missing(path)
    return build_dataset(
        corpus,
        itertools.chain([first], rows),
        options,
        on_error=on_error,
        min_examples=min_examples,
        problems=[] if problems is None else problems,
    )
