"""What of a trained directory goes to the Hub, and whether it may: files, config with its remote code, shards, card."""

import json
import math
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from ..scoring.run_metrics import model_folder, run_metrics
from . import card

PACKAGE = Path(__file__).resolve().parents[2] / "phonolinguistic" / "model"
CODE_FILES = tuple(
    f"{name}_phonolinguistic.py"
    for name in (
        "configuration",
        "decoding",
        "front_end",
        "modeling",
        "pipeline",
        "pooling",
        "processing",
        "projection",
        "silence",
        "speech",
    )  # fmt: skip
)
AUTO_MAP = {
    "AutoConfig": "configuration_phonolinguistic.PhonoLinguisticConfig",
    "AutoModel": "modeling_phonolinguistic.PhonoLinguisticModel",
    "AutoProcessor": "processing_phonolinguistic.PhonoLinguisticProcessor",
}
HEADS = ("audio", "text", "fusion")
WEIGHTS, WEIGHTS_INDEX = "model.safetensors", "model.safetensors.index.json"
MAX_SHARD_BYTES = 5 * 10**9  # transformers' own default
DEFAULT_ASR = "openai/whisper-tiny.en"

# Everything else in a training directory (checkpoints, optimiser states, logs) stays at home.
NEEDED = ("config.json", "metrics.json", "tokenizer.json", "tokenizer_config.json")
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
OPTIONAL = (
    *PROCESSORS, "special_tokens_map.json", "vocab.txt", "vocab.json", "merges.txt", "added_tokens.json",
    "normalizer.json", "generation_config.json", "training.json",
)  # fmt: skip
FOLDERS = {"asr_tokenizer": (".json", ".txt"), "plots": (".png", ".svg", ".json")}


class PublishError(RuntimeError):
    """Nothing was sent, or not all of it; the message is one that a user can act on."""


@dataclass(frozen=True)
class BundleFile:
    """A file as it will lie in the repository: `source` is a path on disk, or the content itself."""

    path: str
    source: Path | bytes

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size


@dataclass
class Bundle:
    """Everything that is sent for one model; `scratch` holds shards until the bundle is closed."""

    kind: str
    files: list[BundleFile]
    scratch: tempfile.TemporaryDirectory | None = field(default=None, repr=False)

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    def listing(self) -> str:
        """One line a file, with its size, as the dry run shows it."""
        lines = [f"  {human(file.size):>9}  {file.path}" for file in self.files]
        return "\n".join([*lines, f"  {human(self.size):>9}  in {len(self.files)} files"])

    def write(self, folder: Path) -> None:
        """Put the files into a folder, as they would lie on the Hub; what is there already and equal stays."""
        for file in self.files:
            target = folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(file.source, bytes):
                target.write_bytes(file.source)
            elif not (target.exists() and target.samefile(file.source)):
                shutil.copyfile(file.source, target)

    def close(self) -> None:
        if self.scratch is not None:
            self.scratch.cleanup()


def human(size: int) -> str:
    """Bytes in words: 1.4 MB."""
    power = 0 if size < 1000 else min(int(math.log10(size) // 3), 3)
    return f"{size / 1000**power:.1f} {('B', 'kB', 'MB', 'GB')[power]}" if power else f"{size} B"


def collect(
    directory: str | Path,
    repo_id: str,
    *,
    max_shard_bytes: int = MAX_SHARD_BYTES,
    asr: str | None = None,
    base_models: list[str] | None = None,
    stays: bool = False,
) -> Bundle:
    """Check a trained directory and gather what is to be published as `repo_id`.

    Args:
        directory: what `save_pretrained` of model and processor wrote, with metrics.json; or a run's directory, whose
            validation figures are taken where it was not evaluated.
        max_shard_bytes: a larger weight file is split.
        asr: Hub id of the recogniser that a fusion model reads; None: the config's, if that is one.
        base_models: Hub ids of the networks that training started from; None: the config's.
        stays: the files are for a folder on this machine, where a recogniser may be a neighbour ("../asr").

    Raises:
        PublishError: names everything that is missing or wrong.
    """
    directory = model_folder(Path(directory))
    metrics = None
    if directory.is_dir() and not (directory / "metrics.json").is_file():
        metrics = run_metrics(directory)
    problems = _missing_files(directory, metrics is not None)
    if problems:
        raise PublishError(f"{directory} cannot be published: {'; '.join(problems)}.")
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    problems = _untrained(config) + _missing_tensors(directory, config)
    if base_models:
        config["release"] = (config.get("release") or {}) | {"base_models": list(base_models)}
    config = _hub_config(config, asr or (config.get("asr") if stays else None), problems, stays)
    if problems:
        raise PublishError(f"{directory} cannot be published: {'; '.join(problems)}.")
    try:
        readme = card.render(directory, repo_id, config, metrics)
        card.check(readme)
    except card.CardError as error:
        raise PublishError(str(error)) from error
    files = [BundleFile("README.md", readme.encode()), BundleFile("config.json", _json(config))]
    files += [BundleFile(name, PACKAGE / name) for name in CODE_FILES]
    if metrics is not None:
        files.append(BundleFile("metrics.json", _json(metrics)))
    for name in (*NEEDED, *OPTIONAL):
        path = directory / name
        if name == "config.json" or not path.is_file():
            continue
        files.append(BundleFile(name, _with_auto_map(path) if name in PROCESSORS else path))
    for folder, suffixes in FOLDERS.items():
        found = sorted(p for p in (directory / folder).glob("*") if p.is_file() and p.suffix in suffixes)
        files += [BundleFile(f"{folder}/{path.name}", path) for path in found]
    weights, scratch = _weights(directory, max_shard_bytes)
    bundle = Bundle("multitask" if config.get("multitask") else "fusion", files + weights, scratch)
    bundle.files.sort(key=lambda file: file.path)
    return bundle


def unpublishable(config: dict, base_models: list[str] | None = None) -> list[str]:
    """What of a model's configuration stands against publishing it; for a run, before it begins."""
    if base_models:
        config = config | {"release": (config.get("release") or {}) | {"base_models": list(base_models)}}
    problems = _untrained(config)
    _hub_config(config, None, problems, False)
    return problems


def _missing_files(directory: Path, measured: bool) -> list[str]:
    if not directory.is_dir():
        return ["it is no directory"]
    needed = [name for name in NEEDED if not (measured and name == "metrics.json")]
    problems = [f"{name} is missing" for name in needed if not (directory / name).is_file()]
    if not any((directory / name).is_file() for name in PROCESSORS):
        problems.append(f"{PROCESSORS[0]} is missing")
    if not any((directory / name).is_file() for name in (WEIGHTS, WEIGHTS_INDEX)):
        problems.append(f"{WEIGHTS} is missing")
    return problems


def _untrained(config: dict) -> list[str]:
    trained = set((config.get("release") or {}).get("trained_heads") or [])
    needed = HEADS + (("recognition",) if config.get("multitask") else ())
    missing = [name for name in needed if name not in trained]
    return [f"untrained heads: {', '.join(missing)} (release.trained_heads in config.json)"] if missing else []


def _missing_tensors(directory: Path, config: dict) -> list[str]:
    """Tensors that the model has and the files lack: loading would fill them with random numbers."""
    import torch

    from phonolinguistic.model.configuration_phonolinguistic import PhonoLinguisticConfig
    from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel

    if config.get("model_type") != PhonoLinguisticConfig.model_type:
        return [f"config.json is of type {config.get('model_type')!r}, not {PhonoLinguisticConfig.model_type!r}"]
    stored = set()
    for path in directory.glob("*.safetensors"):
        with path.open("rb") as file:
            stored |= set(json.loads(file.read(int.from_bytes(file.read(8), "little"))))
    try:
        with torch.device("meta"):
            model = PhonoLinguisticModel(PhonoLinguisticConfig.from_dict(config))
    except (ValueError, KeyError, TypeError) as error:
        return [f"config.json describes no model ({error})"]
    tied = set(getattr(model, "all_tied_weights_keys", None) or {})
    absent = sorted(set(model.state_dict()) - stored - tied)
    if not absent:
        return []
    return [f"{len(absent)} tensors are missing in the weights ({', '.join(absent[:3])}{', ...' * (len(absent) > 3)})"]


def _hub_config(config: dict, asr: str | None, problems: list[str], stays: bool) -> dict:
    """The config with its remote code registered and nothing of this machine in it."""
    from phonolinguistic.model.pipeline_phonolinguistic import CUSTOM_PIPELINES

    config = {key: value for key, value in config.items() if key != "_name_or_path"}
    for part in ("speech_config", "text_config"):
        config[part] = {key: value for key, value in config[part].items() if key != "_name_or_path"}
    config["auto_map"], config["custom_pipelines"] = dict(AUTO_MAP), CUSTOM_PIPELINES
    release = config.get("release") or {}
    config["release"] = release | {"base_models": _origins(release.get("base_models") or [])}
    local = [name for name in config["release"]["base_models"] if not _is_hub_id(name)]
    if local:
        problems.append(f"it starts from {', '.join(local)}, which is no Hub id; name its origin with --base-model")
    if config.get("multitask"):
        config["asr"] = None
    else:
        config["asr"] = asr or (config["asr"] if _is_hub_id(config.get("asr")) else DEFAULT_ASR)
        if not stays and not _is_hub_id(config["asr"]):
            problems.append(f"the recogniser {config['asr']!r} is no Hub id; name one with --asr org/name")
    return config


def _origins(names: list[str]) -> list[str]:
    """Base models by Hub id: a model on this machine is replaced by what it says that it started from itself."""
    found = []
    for name in names:
        file = Path(name) / "config.json"
        if not _is_hub_id(name) and file.is_file():
            release = json.loads(file.read_text(encoding="utf-8")).get("release") or {}
            found += release.get("base_models") or [name]
        else:
            found.append(name)
    return list(dict.fromkeys(found))


def _is_hub_id(name: str | None) -> bool:
    parts = (name or "").split("/")
    return len(parts) == 2 and all(part and part.strip(".") for part in parts) and parts[0] != "models"


def _with_auto_map(path: Path) -> bytes:
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["auto_map"] = {"AutoProcessor": AUTO_MAP["AutoProcessor"]}
    settings["processor_class"] = "PhonoLinguisticProcessor"
    return _json(settings)


def _json(value: dict) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def _weights(directory: Path, limit: int) -> tuple[list[BundleFile], tempfile.TemporaryDirectory | None]:
    """The weight files, split where one is over the limit."""
    stored = sorted(directory.glob("*.safetensors"))
    if (directory / WEIGHTS_INDEX).is_file():
        return [BundleFile(p.name, p) for p in [*stored, directory / WEIGHTS_INDEX]], None
    if stored[0].stat().st_size <= limit:
        return [BundleFile(WEIGHTS, directory / WEIGHTS)], None
    from huggingface_hub import save_torch_state_dict
    from safetensors.torch import load_file

    scratch = tempfile.TemporaryDirectory(prefix="phonolinguistic-shards-")
    save_torch_state_dict(load_file(directory / WEIGHTS), scratch.name, max_shard_size=limit, metadata={"format": "pt"})
    return [BundleFile(path.name, path) for path in sorted(Path(scratch.name).iterdir())], scratch
