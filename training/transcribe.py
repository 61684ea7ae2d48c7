"""Write what a recogniser hears in every clip of a corpus: the words that text models must learn to read.

    python -m training.transcribe --model DIR --corpus ravdess --path DATA --out transcripts/ravdess.jsonl
    accelerate launch --config_file training/configs/accelerate/cpu2.yaml -m training.transcribe ...  # clips shared out

One line per clip: {"id", "text", "reference", "split", "seconds", "model"}, or "text": null with "error" for a clip
that cannot be decoded. Finished batches are on disk at once in OUT.partN; start the same command again after an
interruption (with any number of processes) and only what is missing is done. At the end the parts are merged into OUT.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import datasets
import numpy as np
import torch
from accelerate import PartialState
from tqdm.auto import tqdm

from .corpora import CORPORA, CorpusError, load_corpus, teaches_words
from .corpora.cache import DecodedAudio, decoded
from .corpora.splits import release_split, select_split
from .release.recognisers import WINDOW_SECONDS, load_recogniser

SAMPLE_RATE = 16_000
DEFAULT_CACHE = Path("~/.cache/phonolinguistic/audio")

logger = logging.getLogger(__name__)


class Recogniser(Protocol):
    """Anything that writes down clips: a list of float32 arrays (16 kHz, up to 30 s) -> their texts."""

    name: str

    def __call__(self, clips: list[np.ndarray]) -> list[str]: ...


# ---- the file -------------------------------------------------------------------------------------------------------


def read_records(file: Path) -> list[dict[str, Any]]:
    """Records of a .jsonl (a torn last line, from a killed run, is left out) or .parquet file; [] if there is none."""
    if not file.exists():
        return []
    if file.suffix == ".parquet":
        return datasets.Dataset.from_parquet(str(file), keep_in_memory=True).to_list()
    records = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line:
            continue
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            logger.warning("%s: a torn line is left out, its clips are done again", file.name)
    return records


def read_transcripts(file: str | Path) -> dict[str, str]:
    """Clip id -> transcript, for the clips that have one. CorpusError if the file is missing."""
    file = Path(file)
    if not file.exists():
        raise CorpusError(f"no transcripts at {file}; write them with: python -m training.transcribe --out {file} ...")
    return {record["id"]: record["text"] for record in read_records(file) if record["text"] is not None}


def with_transcripts(dataset: datasets.Dataset, file: str | Path, *, keep_missing: bool = False) -> datasets.Dataset:
    """The dataset with `text` replaced by the transcripts; rows without one are dropped, or keep their text."""
    heard = read_transcripts(file)
    rows = [row for row, name in enumerate(dataset["id"]) if keep_missing or name in heard]
    dataset = dataset.select(rows)
    texts = [heard.get(name, text) for name, text in zip(dataset["id"], dataset["text"], strict=True)]
    columns = dataset.column_names
    dataset = dataset.remove_columns("text").add_column("text", texts, feature=datasets.Value("string"))
    return dataset.select_columns(columns)


def parts(out: Path) -> list[Path]:
    """The unfinished pieces beside `out`."""
    return sorted(out.parent.glob(f"{out.stem}.part*.jsonl"))


def finished(out: Path, model: str) -> set[str]:
    """Ids that are done. CorpusError if another model wrote them."""
    records = [record for file in (out, *parts(out)) for record in read_records(file)]
    others = sorted({record["model"] for record in records} - {model})
    if others:
        raise CorpusError(f"{out} holds transcripts of {others[0]}, not of {model}; choose another --out or delete it")
    return {record["id"] for record in records}


def merge(out: Path, order: list[str]) -> list[dict[str, Any]]:
    """Join parts and earlier results into `out` (written under another name, then renamed), in corpus order."""
    found = {record["id"]: record for file in (out, *parts(out)) for record in read_records(file)}
    rank = {name: place for place, name in enumerate(order)}
    records = sorted(found.values(), key=lambda record: rank.get(record["id"], len(rank)))
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    if out.suffix == ".parquet":
        datasets.Dataset.from_list(records).to_parquet(str(temporary))
    else:
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        temporary.write_text("".join(lines), encoding="utf-8")
    os.replace(temporary, out)
    for file in parts(out):
        file.unlink()
    return records


# ---- the work -------------------------------------------------------------------------------------------------------


def batches(audio: DecodedAudio, batch_size: int) -> Iterator[list[int]]:
    """Rows by falling length, so that a batch pads little and the largest one comes first."""
    rows = sorted(audio.good, key=lambda row: -int(audio.lengths[row]))
    for start in range(0, len(rows), batch_size):
        yield rows[start : start + batch_size]


def hear(recogniser: Recogniser, clips: list[np.ndarray]) -> list[str]:
    """Texts of clips of any length: what is longer than the recogniser's window is read in pieces."""
    window = int(WINDOW_SECONDS * SAMPLE_RATE)
    pieces = [[clip[start : start + window] for start in range(0, max(1, len(clip)), window)] for clip in clips]
    texts = iter(recogniser([piece for group in pieces for piece in group]))
    return [" ".join(text for _ in group if (text := next(texts))) for group in pieces]


def transcribe(
    dataset: datasets.Dataset, recogniser: Recogniser, part: Path, audio: DecodedAudio, batch_size: int = 8, bar=None
) -> int:
    """Append a record for every row of `dataset` to `part`; returns how many clips could not be read."""
    ids, references, split = list(dataset["id"]), list(dataset["text"]), list(dataset["split"])
    with open(part, "a", encoding="utf-8") as handle:

        def write(row: int, **answer: Any) -> None:
            record = {"id": ids[row], "text": None, "reference": references[row], "split": split[row]}
            record |= {"seconds": round(len(audio.stored(row)) / SAMPLE_RATE, 3) if row not in audio.bad else None}
            record |= {"model": recogniser.name, "error": None, **answer}
            handle.write(json.dumps(record, ensure_ascii=False) + "\n")

        if handle.tell():
            handle.write("\n")  # closes a line that a killed run left open
        for row, message in audio.bad.items():
            write(row, error=message)
        for rows in batches(audio, batch_size):
            for row, text in zip(rows, hear(recogniser, [audio[row] for row in rows]), strict=True):
                write(row, text=text)
            handle.flush()
            if bar is not None:
                bar.update(len(rows))
    return len(audio.bad)


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.transcribe", description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", required=True, help="folder or Hub id: a Whisper, or a multi-task model of ours")
    parser.add_argument("--corpus", required=True, choices=CORPORA)
    parser.add_argument("--path", required=True, help="parquet file or folder of the corpus")
    parser.add_argument("--out", required=True, type=Path, help=".jsonl or .parquet")
    parser.add_argument("--split", help="only this split (release split: train, validation, test)")
    parser.add_argument("--limit", type=int, help="only the first N clips")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--threads", type=int, help="torch threads of each process")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--device", help="cpu, cuda, ...; default: what Accelerate finds")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help=f"decoded clips (default {DEFAULT_CACHE})")
    parser.add_argument("--on-error", choices=("raise", "skip"), default="skip", help="rows that cannot be used")
    args = parser.parse_args(argv)
    if args.out.suffix not in (".jsonl", ".parquet"):
        parser.error(f"--out {args.out}: accepted are .jsonl and .parquet")
    return args


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0, or 2 with one line on stderr if the input or the disk is at fault."""
    args = arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    # Without `cpu`, Accelerate sees one process on a machine without a GPU, however many were started.
    state = PartialState(cpu=args.device == "cpu" or not torch.cuda.is_available())
    try:
        run(args, state)
    except (CorpusError, OSError) as error:
        tqdm.write(f"transcribe: {error}", file=sys.stderr)
        return 2
    return 0


def run(args: argparse.Namespace, state: PartialState) -> None:
    """Transcribe this process's share; the main process merges. The same arguments resume."""
    if args.threads:
        torch.set_num_threads(args.threads)
    dataset = load_corpus(args.corpus, args.path, on_error=args.on_error, min_examples=1)
    english = [row for row, language in enumerate(dataset["language"]) if teaches_words(language)]
    if not english:
        raise CorpusError(f"{args.corpus} is not in English: it teaches the voice only, and no recogniser reads it")
    if args.split:
        dataset = release_split(dataset)
    dataset = dataset.select(english)
    if args.split:
        dataset = select_split(dataset, args.split)
    if args.limit:
        dataset = dataset.select(range(min(args.limit, len(dataset))))
    order = list(dataset["id"])
    device = torch.device(args.device) if args.device else state.device
    recogniser = load_recogniser(args.model, device=device, dtype=getattr(torch, args.dtype))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    done = finished(args.out, recogniser.name)
    state.wait_for_everyone()  # every process has read the same state before one writes
    todo = [row for row, name in enumerate(order) if name not in done]
    mine = dataset.select(todo[state.process_index :: state.num_processes])
    if state.is_main_process:
        print(f"{args.corpus}: {len(order)} clips, {len(order) - len(todo)} done before, {len(todo)} to do", flush=True)
    if len(mine):
        audio = decoded(mine, args.cache.expanduser(), progress=state.is_main_process)
        part = args.out.with_name(f"{args.out.stem}.part{state.process_index}.jsonl")
        bar = tqdm(total=len(audio.good), desc="transcribe", unit="clip", disable=not state.is_main_process)
        with bar:
            transcribe(mine, recogniser, part, audio, args.batch_size, bar)
    state.wait_for_everyone()
    if state.is_main_process:
        records = merge(args.out, order)
        failed = [record for record in records if record["error"]]
        processes = f", {state.num_processes} processes" if state.num_processes > 1 else ""
        print(f"{args.out}: {len(records)} clips, {len(failed)} unusable{processes}", flush=True)
        for record in failed[:5]:
            print(f"  {record['id']}: {record['error']}")


if __name__ == "__main__":
    raise SystemExit(main())
