"""Exports the audio or the text head as a plain transformers class: no remote code, and the Hub's widget works.

    python -m training.hub.export_stock text models/multitask --out build/text
    python -m training.hub.export_stock audio models/fusion --out build/audio --ravdess FILE --tess FILE
    python -m training.hub.export_stock text models/multitask --out build/text --push org/name

The text export has the logits of the text head. The audio export has those of the audio head where the stock class can
express it (HuBERT family, mean pooling, linear head); for Whisper a stock head is fitted on the same encoder, and the
figures in its card are its own.
"""

import argparse
import sys
from pathlib import Path

import torch
from huggingface_hub import CommitOperationAdd, EvalResult, HfApi, ModelCard, ModelCardData

from ..scoring.metrics_file import METRICS_FILE, read_metrics, write_metrics
from .card import LICENCE
from .card_facts import corpus_facts
from .errors import hub_errors
from .package import PublishError
from .stock_audio import fit_head, pooled_layers, stock_audio, windowed_whisper
from .stock_text import StockExportError, stock_text

CORPORA = ("ravdess", "tess")
WINDOW_SECONDS = 10  # the corpora's longest clip has 6; a third of Whisper's 30 s, so a third of the time


def load(directory: Path):
    """(model in float32, processor) of a trained directory."""
    from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
    from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor

    try:
        model = PhonoLinguisticModel.from_pretrained(directory, dtype=torch.float32).eval()
        return model, PhonoLinguisticProcessor.from_pretrained(directory)
    except OSError as error:
        raise StockExportError(f"{directory} holds no trained model: {str(error).splitlines()[0]}") from None


def export_text(directory: Path, out: Path) -> None:
    """Write the text head as `BertForSequenceClassification` with its tokenizer and card."""
    model, processor = load(directory)
    stock_text(model).save_pretrained(out)
    processor.tokenizer.model_max_length = processor.max_text_tokens
    processor.tokenizer.save_pretrained(out)
    figures = [r for r in _metrics(directory) if r["mode"] == "text"]
    note = "The logits are those of the text head, divided by its temperature; nothing was trained again."
    _card(out, model, "text-classification", figures, note)


def export_audio(directory: Path, out: Path, files: dict[str, Path], cache: Path, seconds: int) -> None:
    """Write the audio head as a stock class: exactly if it can be, else fitted on the corpora in `files`."""
    model, processor = load(directory)
    try:
        stock_audio(model).save_pretrained(out)
    except StockExportError:
        if not files:
            raise
    else:
        processor.feature_extractor.save_pretrained(out)
        figures = [r for r in _metrics(directory) if r["mode"] == "audio"]
        _card(out, model, "audio-classification", figures, "The logits are those of the audio head, divided by its "
              "temperature; nothing was trained again.")  # fmt: skip
        return
    stock, extractor = windowed_whisper(model, seconds)
    figures = _fit(stock, extractor, files, cache)
    stock.save_pretrained(out)
    extractor.save_pretrained(out)
    note = (
        "The stock class cannot express the audio head of the model that it comes from, so this is a stock head of its "
        "own on the same encoder, fitted on the training speakers, and the figures here are its own. It reads a window "
        f"of {seconds} s: shorter clips are padded, longer ones are cut."
    )
    _card(out, model, "audio-classification", figures, note)


def _fit(stock, extractor, files: dict[str, Path], cache: Path) -> list[dict]:
    """Fit on the training speakers; metrics.json-like results on the test speakers of each corpus."""
    import numpy as np

    from ..heads.linear import balanced_weights
    from ..inputs.release_data import load_clips
    from ..scoring.classification import classification

    sets = {name: load_clips(name, path, cache) for name, path in files.items()}
    sets = {name: clips.select(np.flatnonzero(clips.labels >= 0).tolist()) for name, clips in sets.items()}
    features = {name: pooled_layers(stock, extractor, clips.audio) for name, clips in sets.items()}
    rows = {n: [i for i, s in enumerate(c.splits) if s == "train"] for n, c in sets.items()}
    inputs = torch.cat([features[name][rows[name]] for name in sets])
    labels = np.concatenate([sets[name].labels[rows[name]] for name in sets])
    corpora = [name for name in sets for _ in rows[name]]
    weights = torch.from_numpy(balanced_weights(labels, corpora)).float()
    fit_head(stock, inputs, torch.from_numpy(labels), weights)
    results = []
    for name, clips in sets.items():
        test = [i for i, split in enumerate(clips.splits) if split == "test"]
        with torch.inference_mode():
            mixed = torch.einsum("nls,l->ns", features[name][test], stock.layer_weights.softmax(0))
            logits = stock.classifier(stock.projector(mixed))
        figures = classification(
            logits.numpy(), clips.labels[test], speakers=[clips.speakers[i] for i in test]
        ).to_dict()
        metrics = {
            rate: {"value": figures[rate], "low": figures["intervals"][rate][0], "high": figures["intervals"][rate][1]}
            for rate in ("uar", "accuracy", "macro_f1")
        }
        results.append({"corpus": name, "split": "test", "mode": "audio", "n": len(test), "metrics": metrics})
    return results


def _metrics(directory: Path) -> list[dict]:
    return read_metrics(directory)["results"] if (directory / METRICS_FILE).is_file() else []


def _card(out: Path, model, task: str, figures: list[dict], note: str) -> None:
    """metrics.json and a short card beside the weights; the full card is the parent model's."""
    from .card_metrics import METRICS, read_results

    results = read_results({"results": figures}) if figures else []
    release = model.config.release
    evaluations = [
        EvalResult(
            task_type=task,
            dataset_type=corpus_facts(result.corpus).hub or result.corpus,
            dataset_name=corpus_facts(result.corpus).name,
            dataset_split=result.split,
            metric_type=METRICS[name][0],
            metric_name=METRICS[name][1],
            metric_value=round(value.value * (100 if METRICS[name][2] else 1), 3),
        )
        for result in results
        for name, value in result.metrics.items()
    ]
    data = ModelCardData(
        license=LICENCE,
        language="en",
        library_name="transformers",
        pipeline_tag=task,
        base_model=release.get("base_models"),
        tags=["emotion-recognition"],
        model_name=out.name,
        eval_results=evaluations or None,
    )
    call = '"clip.wav"' if task == "audio-classification" else '"I am so glad that you came."'
    what = "voice" if task == "audio-classification" else "words"
    body = f"""# {out.name}

Emotion in seven classes by {what} alone, as a plain transformers model.

{note} Uses that it is not meant for, data, licences and limits: see the card of the model that it was exported from.
Licence of the weights: CC BY-NC-SA 4.0. Emotion recognition in the workplace and in education is prohibited in the
European Union (Regulation (EU) 2024/1689, Article 5(1)(f)); elsewhere, people who are exposed to it must be told
(Article 50(3)).

```python
from transformers import pipeline

print(pipeline("{task}", model="org/name", top_k=None)({call}))
```
"""
    (out / "README.md").write_text(str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}")), encoding="utf-8")
    write_metrics(out, {"results": figures})


def push(out: Path, repo_id: str, private: bool = False) -> str:
    """Send an export to the Hub in one commit; returns its address."""
    with hub_errors(repo_id):
        api = HfApi()
        api.whoami()
        api.create_repo(repo_id, private=private or None, exist_ok=True)
        operations = []
        for path in sorted(p for p in out.iterdir() if p.is_file()):
            text = path.name == "README.md"
            source = path.read_text(encoding="utf-8").replace("org/name", repo_id).encode() if text else str(path)
            operations.append(CommitOperationAdd(path.name, source))
        return api.create_commit(repo_id, operations, commit_message="Publish stock export").commit_url


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("head", choices=("audio", "text"))
    parser.add_argument("directory", type=Path, help="trained model")
    parser.add_argument("--out", type=Path, required=True)
    for name in CORPORA:
        parser.add_argument(f"--{name}", type=Path, help="corpus that an audio head is fitted on, where it must be")
    parser.add_argument("--cache", type=Path, default=Path("build/cache"), help="decoded clips")
    parser.add_argument("--seconds", type=int, default=WINDOW_SECONDS, help="window of a fitted Whisper export")
    parser.add_argument("--push", metavar="ORG/NAME", help="send the export to the Hub")
    parser.add_argument("--private", action="store_true")
    options = parser.parse_args(arguments)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        if options.head == "text":
            export_text(options.directory, options.out)
        else:
            files = {name: getattr(options, name) for name in CORPORA if getattr(options, name)}
            export_audio(options.directory, options.out, files, options.cache, options.seconds)
        print(f"written: {options.out}")
        if options.push:
            print(push(options.out, options.push, options.private))
    except PublishError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
