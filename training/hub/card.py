"""Renders the model card (README.md of a published model) from the template, config.json and metrics.json.

python -m training.hub.card DIRECTORY --repo org/name --out model_card.md
"""

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from ..scoring.metrics_file import MetricsError, read_metrics
from .card_facts import BIAS, CAVEATS, KINDS, corpus_facts
from .card_metrics import METRICS, Result, read_results

TEMPLATE = Path(__file__).with_name("templates") / "model_card.md"
LICENCE = "cc-by-nc-sa-4.0"
REQUIRED_METADATA = (
    "license", "language", "library_name", "pipeline_tag", "base_model", "datasets", "metrics", "model-index",
)  # fmt: skip
REQUIRED_SECTIONS = (
    "Model Details", "Uses", "Direct Use", "Out-of-Scope Use", "Bias, Risks, and Limitations",
    "How to Get Started with the Model", "Training Data", "Training Procedure", "Evaluation", "Results",
    "What the figures do not show", "Environmental Impact", "Citation",
)  # fmt: skip
TASKS = {"audio": "audio-classification", "text": "text-classification"}


class CardError(ValueError):
    """The card cannot be rendered, or lacks something; the message lists what."""


@dataclass
class Sources:
    """What a card is made from."""

    config: dict
    metrics: dict
    tensors: int  # parameters in the weight files

    @property
    def kind(self) -> str:
        return "multitask" if self.config.get("multitask") else "fusion"

    @property
    def release(self) -> dict:
        return self.config.get("release") or {}


def render(directory: str | Path, repo_id: str, config: dict | None = None, metrics: dict | None = None) -> str:
    """The card's text for the model in `directory`, to be published as `repo_id`.

    Args:
        config, metrics: in place of the directory's config.json and metrics.json.

    Raises:
        CardError: config.json or metrics.json is missing, or lacks what the card must say.
    """
    sources = _read(Path(directory), config, metrics)
    results = _results(sources)
    card = ModelCard.from_template(
        card_data=_metadata(sources, results, repo_id),
        template_str=TEMPLATE.read_text(encoding="utf-8"),
        **_sections(sources, results, repo_id),
    )
    return str(card).rstrip() + "\n"


def check(text: str) -> None:
    """Validate a card with huggingface_hub's tools and against what ours must contain.

    Raises:
        CardError: names every missing field and section.
    """
    try:
        card = ModelCard(text)
    except (ValueError, TypeError) as error:
        raise CardError(f"The card's metadata cannot be read: {error}") from error
    data = card.data.to_dict()
    problems = [f"metadata field {name!r}" for name in REQUIRED_METADATA if not data.get(name)]
    if not card.data.get("eval_results"):
        problems.append("evaluation results in model-index")
    headings = {m.group(1).strip() for m in re.finditer(r"^#{1,6} (.+)$", card.text, re.MULTILINE)}
    problems += [f"section {name!r}" for name in REQUIRED_SECTIONS if name not in headings]
    if re.search(r"\[More Information Needed\]|\{\{|\}\}|\$\{", text):
        problems.append("a value for every placeholder")
    if problems:
        raise CardError(f"The model card lacks: {'; '.join(problems)}.")


def _read(directory: Path, config: dict | None, metrics: dict | None) -> Sources:
    try:
        if config is None:
            config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        if metrics is None:
            metrics = read_metrics(directory)
    except FileNotFoundError as error:
        raise CardError(f"config.json is missing in {directory.name}: the card is rendered from it.") from error
    except json.JSONDecodeError as error:
        raise CardError(f"config.json in {directory.name} is not JSON: {error}") from error
    except MetricsError as error:
        raise CardError(str(error)) from error
    return Sources(config, metrics, _count_parameters(directory))


def _count_parameters(directory: Path) -> int:
    total = 0
    for path in sorted(directory.glob("*.safetensors")):
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        for name, tensor in header.items():
            if name != "__metadata__":
                size = 1
                for length in tensor["shape"]:
                    size *= length
                total += size
    return total


def _results(sources: Sources) -> list[Result]:
    try:
        return read_results(sources.metrics)
    except ValueError as error:
        raise CardError(str(error)) from error


def _metadata(sources: Sources, results: list[Result], repo_id: str) -> ModelCardData:
    release, missing = sources.release, []
    for key in ("base_models", "corpora", "version"):
        if not release.get(key):
            missing.append(f"release.{key} in config.json")
    if missing:
        raise CardError(f"The card needs {', '.join(missing)}.")
    evaluations = []
    for result in results:
        facts = corpus_facts(result.corpus)
        for name, value in result.metrics.items():
            metric, words, percentage = METRICS[name]
            evaluations.append(
                EvalResult(
                    task_type="automatic-speech-recognition"
                    if name == "wer"
                    else TASKS.get(result.mode, TASKS["audio"]),
                    task_name=f"Emotion recognition ({result.mode})",
                    dataset_type=facts.hub or result.corpus,
                    dataset_name=facts.name + (f" ({result.note})" if result.note else ""),
                    dataset_split=result.split,
                    # Part of what tells two results apart: without it their figures would be merged into one.
                    dataset_config=", ".join(filter(None, (result.mode, result.note))),
                    metric_type=metric,
                    metric_name=words,
                    metric_value=round(value.value * (100 if percentage else 1), 3),
                )
            )
    return ModelCardData(
        license=LICENCE,
        language="en",
        library_name="transformers",
        pipeline_tag="audio-classification",
        base_model=list(release["base_models"]),
        # Corpora that are not on the Hub are named in the text; a model trained on such alone names them here.
        datasets=[facts.hub for facts in map(corpus_facts, release["corpora"]) if facts.hub]
        or list(release["corpora"]),
        metrics=sorted({METRICS[name][0] for result in results for name in result.metrics}),
        tags=["speech-emotion-recognition", "multimodal", sources.kind, "custom_code"],
        model_name=repo_id.split("/")[-1],
        eval_results=evaluations,
    )


def _sections(sources: Sources, results: list[Result], repo_id: str) -> dict[str, str]:
    config, release, kind = sources.config, sources.release, sources.kind
    speech, text = config["speech_config"], config["text_config"]
    classes = [config["id2label"][key] for key in sorted(config["id2label"], key=int)]
    used = [name for name in METRICS if any(name in result.metrics for result in results)]
    facts = [corpus_facts(name) for name in release["corpora"]]
    rows = [f"| {f.name} | {f.what} | {f.licence} | {f.citation} |" for f in facts]
    variable = f"PHONOLINGUISTIC_{kind.upper()}"
    size = speech.get("d_model") or speech.get("hidden_size")
    layers = speech.get("encoder_layers") or speech.get("num_hidden_layers")
    return {
        "title": repo_id.split("/")[-1],
        "summary": (
            f"Emotion from speech in seven classes by voice, by words, and by both. Kind `{kind}`: {KINDS[kind]}."
        ),
        "kind": kind,
        "kind_explained": KINDS[kind],
        "version": release["version"],
        "classes": ", ".join(f"`{name}`" for name in classes),
        "parameters": f"{sources.tensors / 1e6:.1f} million" + (_recogniser_words(config) if kind == "fusion" else ""),
        "speech_network": f"{speech.get('model_type')}, {layers} encoder layers of width {size}",
        "text_network": f"{text.get('model_type')}, {text.get('num_hidden_layers')} layers of width "
        f"{text.get('hidden_size')}, {text.get('vocab_size')} tokens",
        "base_models": ", ".join(f"`{name}`" for name in release["base_models"]),
        "threshold": f"a confidence of {config.get('uncertain_threshold') or 0:.2f}",
        "bias": BIAS,
        "snippet_pipeline": _snippet_pipeline(repo_id),
        "snippet_model": _snippet_model(repo_id),
        "snippet_package": (
            "from phonolinguistic import EmotionRecognizer\n\n"
            f'recognizer = EmotionRecognizer.from_pretrained("{repo_id}")\n'
            f'print(recognizer.recognize("clip.wav", mode="{kind}"))'
        ),
        "snippet_app": f"{variable}={repo_id} python app.py",
        "training_data": "\n".join(
            ["| corpus | what | licence | source |", "| --- | --- | --- | --- |", *rows, "", _split_words(release)]
        ),
        "procedure": _procedure(sources),
        "chance": f"{100 / len(classes):.1f} %",
        "metric_words": ", ".join(METRICS[name][1] for name in used if name != "uar") or "no other",
        "results": _table(results, used),
        "groups": _group_tables(results),
        "caveats": CAVEATS + "".join(f"\n- {note}" for note in sources.metrics.get("notes") or []),
        "environment": _environment(sources.metrics),
        "specifications": _specifications(config, kind),
        "citations": "Corpora: " + "; ".join(f"{f.name}: {f.citation}" for f in facts) + ".",
    }


def _specifications(config: dict, kind: str) -> str:
    layers = config.get("pooled_layers")
    pooled = "all layers, weighted" if layers is None else f"layers {layers}"
    return (
        f"`PhonoLinguisticModel` ({kind}); pooling `{config.get('pooling', 'mean')}` over {pooled}; text pooling "
        f"`{config.get('text_pooling', 'mean')}`; weights in safetensors, {config.get('dtype') or 'float32'}. "
        "Runs on two CPU cores."
    )


def _recogniser_words(config: dict) -> str:
    return f", and those of the recogniser `{config.get('asr')}`, which is a model of its own"


def _snippet_pipeline(repo_id: str) -> str:
    return (
        "from transformers import pipeline\n\n"
        f'classify = pipeline("phono-linguistic-emotion", model="{repo_id}", trust_remote_code=True)\n'
        'answer = classify("clip.wav")\n'
        'print(answer["scores"], answer["transcript"])'
    )


def _snippet_model(repo_id: str) -> str:
    return (
        "import torch\n"
        "from transformers import AutoModel, AutoProcessor\n\n"
        f'processor = AutoProcessor.from_pretrained("{repo_id}", trust_remote_code=True)\n'
        f'model = AutoModel.from_pretrained("{repo_id}", trust_remote_code=True, dtype=torch.float32).eval()\n'
        "samples = torch.zeros(16000).numpy()  # one second at 16 kHz: put your clip here\n"
        'inputs = processor(audio=samples, text="what was said")\n'
        "with torch.no_grad():\n"
        "    output = model(**inputs)\n"
        "print(output.audio_logits, output.text_logits, output.fusion_logits)"
    )


def _split_words(release: dict) -> str:
    return release.get("splits") or (
        "RAVDESS: actors 1, 11, 20, 21 are the test set, 4, 10, 12, 14 validation, the rest training. TESS: the older "
        "actress for training and validation, the younger one for the test. Text corpora: their official splits."
    )


def _procedure(sources: Sources) -> str:
    training = sources.metrics.get("training") or {}
    commands = training.get("commands") or sources.release.get("commands") or []
    commands = [commands] if isinstance(commands, str) else commands
    words = training.get("procedure") or (
        "Cross-entropy on each head that has a label in the batch, plus the recogniser's loss in multi-task training; "
        "the checkpoint with the best validation UAR is kept, and temperatures are fitted on validation data."
    )
    lines = [words, ""]
    lines += (
        ["```shell", *commands, "```"] if commands else ["The recipes are in `training/configs/` of the repository."]
    )
    return "\n".join(lines)


def _table(results: list[Result], used: list[str]) -> str:
    head = "| test set | mode | clips or texts | " + " | ".join(METRICS[name][1] for name in used) + " |"
    lines = [head, "| --- | --- | ---: |" + " ---: |" * len(used)]
    for result in results:
        shown = [result.metrics[n].text(METRICS[n][2]) if n in result.metrics else "" for n in used]
        name = f"{corpus_facts(result.corpus).name} ({result.split})" + (f", {result.note}" if result.note else "")
        lines.append(f"| {name} | `{result.mode}` | {result.count or ''} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n\nPercent, except for the calibration error."


def _group_tables(results: list[Result]) -> str:
    rows = []
    for result in results:
        for factor, members in result.groups.items():
            for name, metrics in members.items():
                key = next((key for key in METRICS if key in metrics), None)
                if key is not None:
                    figure = f"{METRICS[key][1]} {metrics[key].text(METRICS[key][2])}"
                    rows.append(
                        f"| {corpus_facts(result.corpus).name} | `{result.mode}` | {factor} | {name} | {figure} |"
                    )
    if not rows:
        return "No figures by group were computed for this model."
    return "\n".join(["| test set | mode | factor | group | figure |", "| --- | --- | --- | --- | --- |", *rows])


def _environment(metrics: dict) -> str:
    training, machine = metrics.get("training") or {}, metrics.get("provenance") or {}
    if not training.get("seconds"):
        return "The time of the training run was not recorded in metrics.json, so no cost is claimed."
    hours, threads = training["seconds"] / 3600, training.get("threads") or machine.get("threads")
    device = training.get("device") or machine.get("processor") or machine.get("device") or "CPU"
    cores = f", {threads} threads" if threads else ""
    lines = [f"Measured: the training runs took {hours:.2f} hours ({device}{cores})."]
    if training.get("watts"):
        lines.append(f"At {training['watts']:g} W that is {hours * training['watts'] / 1000:.3f} kWh.")
    else:
        lines.append("The power that the machine drew was not measured, so no emission is claimed.")
    return " ".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--repo", required=True, help="id that the model is published under: org/name")
    parser.add_argument("--out", type=Path, help="file to write; default: standard output")
    options = parser.parse_args(arguments)
    try:
        text = render(options.directory, options.repo)
        check(text)
    except CardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
