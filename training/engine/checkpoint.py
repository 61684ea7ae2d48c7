"""Checkpoints that survive a kill or a full disk at any moment: written under a new name, then renamed."""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors import SafetensorError

from ..config import ConfigError
from ..whole_files import write_json

PROGRESS = "progress.json"
FORMAT = 2  # change it when a checkpoint no longer continues the run that wrote it
# What torch and safetensors make of a write that fails, beside OSError itself.
WRITE_ERRORS = (OSError, RuntimeError, SafetensorError)

logger = logging.getLogger(__name__)


class DiskError(RuntimeError):
    """The model could not be written; the message says where the run can go on."""


def everywhere(accelerator: Accelerator, good: bool) -> bool:
    """Whether it went well in every process."""
    flag = torch.tensor([int(good)], device=accelerator.device)
    return bool(accelerator.gather(flag).min())


class Checkpoints:
    """Folders `step-NNNNNNNN` of one run; only the newest is kept. On several nodes the folder must be shared.

    Args:
        fingerprint: what a run must share with a checkpoint in order to go on from it (settings, plan, processes).
    """

    def __init__(self, accelerator: Accelerator, folder: Path, fingerprint: dict[str, Any]):
        self.accelerator, self.folder, self.fingerprint = accelerator, folder, {"format": FORMAT} | fingerprint

    def latest(self) -> Path | None:
        """The newest complete checkpoint."""
        found = sorted(self.folder.glob("step-*"))
        return found[-1] if found else None

    def save(self, step: int, progress: dict[str, Any]) -> bool:
        """Write everything at `step`. A failing write is logged, leaves the last good checkpoint, and gives False."""
        accelerator, scratch = self.accelerator, self.folder / f".new-{step:08d}"
        if accelerator.is_main_process:
            for leftover in self.folder.glob(".new-*"):
                shutil.rmtree(leftover, ignore_errors=True)
        accelerator.wait_for_everyone()
        error = None
        try:
            accelerator.save_state(str(scratch))
            if accelerator.is_main_process:
                write_json(scratch / PROGRESS, {"step": step, "fingerprint": self.fingerprint, **progress})
        except WRITE_ERRORS as caught:
            error = caught
        good = everywhere(accelerator, error is None)
        if accelerator.is_main_process:
            if good:
                final = self.folder / f"step-{step:08d}"
                older = [path for path in self.folder.glob("step-*") if path != final]
                shutil.rmtree(final, ignore_errors=True)
                os.replace(scratch, final)
                for path in older:
                    shutil.rmtree(path, ignore_errors=True)
            else:
                shutil.rmtree(scratch, ignore_errors=True)
        if error is not None:
            last = self.latest()
            kept = last.name if last else "none"
            logger.error("checkpoint at step %d not written (%s); last good one: %s; going on", step, error, kept)
        accelerator.wait_for_everyone()
        return good

    def load(self) -> dict[str, Any] | None:
        """Restore model and optimiser from the newest checkpoint; its progress, or None when there is none.

        Raises:
            ConfigError: the checkpoint belongs to other settings or another number of processes.
        """
        latest = self.latest()
        if latest is None:
            return None
        progress = json.loads((latest / PROGRESS).read_text(encoding="utf-8"))
        kept = progress["fingerprint"]
        if kept.get("format") != FORMAT:
            raise ConfigError(
                f"{latest} was written by an earlier version of this program, whose schedule and masks were others: it "
                "cannot go on. Choose another --out; the run's model/ is as good as before."
            )
        changed = sorted(key for key in self.fingerprint if kept.get(key) != self.fingerprint[key])
        if changed:
            shown = "; ".join(f"{key}: {kept.get(key)!r} then, {self.fingerprint[key]!r} now" for key in changed)
            raise ConfigError(f"{latest} is of another run ({shown[:600]}). Choose another --out, or undo the change.")
        self.accelerator.load_state(str(latest))
        return progress


def save_model(accelerator: Accelerator, model, processor, folder: Path) -> None:
    """Write model and processor to `folder`, which is complete (old or new) at every moment but between two renames;
    `recover_model` mends that.

    Raises:
        DiskError: in every process, when the main one cannot write.
    """
    state, error = accelerator.get_state_dict(model), None
    if accelerator.is_main_process:
        scratch, old = folder.with_name(f".new-{folder.name}"), folder.with_name(f".old-{folder.name}")
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            accelerator.unwrap_model(model).save_pretrained(scratch, state_dict=state)
            processor.save_pretrained(scratch)
            if folder.exists():
                shutil.rmtree(old, ignore_errors=True)
                os.replace(folder, old)
            os.replace(scratch, folder)
            shutil.rmtree(old, ignore_errors=True)
        except WRITE_ERRORS as caught:
            error = caught
            shutil.rmtree(scratch, ignore_errors=True)
    if not everywhere(accelerator, error is None):
        raise DiskError(
            f"the model cannot be written to {folder} ({error or 'see the main process'}). Make room and start the "
            "same command again: it goes on from the last checkpoint."
        )


def recover_model(folder: Path) -> None:
    """Put back what a kill between the two renames of `save_model` left under its old name."""
    old = folder.with_name(f".old-{folder.name}")
    if old.exists() and not folder.exists():
        os.replace(old, folder)
