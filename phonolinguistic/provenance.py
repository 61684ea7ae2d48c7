"""Where a number comes from: the block that every file of measurements carries."""

import os
import platform
import subprocess
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

PACKAGES = ("torch", "transformers", "numpy", "accelerate", "datasets", "gradio", "silero-vad", "huggingface_hub")

# Files that hold measurements themselves do not make a working copy a changed one.
MEASURED = (".", ":(exclude)benchmarks/results", ":(exclude)*.json", ":(exclude)*.md")


def provenance(seed: int | None = None, device: str = "cpu") -> dict:
    """Seed, commit, device, threads and versions, JSON-ready. No names of hosts, users or folders.

    Args:
        seed: what the random generators started from; None where nothing is random.
        device: where the networks ran ("cpu", "cuda:0").
    """
    import torch

    return {
        "seed": seed,
        "commit": commit(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "device": device,
        "processor": _processor(device),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name)) is not None},
    }


def commit() -> str | None:
    """The commit of this working copy, with "+" behind it when files differ from it; None without git."""
    folder = Path(__file__).resolve().parent.parent
    try:
        head = _git(folder, "rev-parse", "HEAD").strip()
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", *MEASURED).strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _processor(device: str) -> str:
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
