"""Train a model for one task: audio, text, fusion or multitask. One loop for one CPU or many GPUs.

    python -m training train training/configs/own.yaml --out runs/own data.corpora.0.path=clips.csv
    accelerate launch --config_file training/configs/accelerate/cpu2.yaml -m training train CONFIG --out DIR

Start the same command again after a kill: it goes on at the last checkpoint and ends with the same weights. In DIR:
model/ (the best epoch on validation, for EmotionRecognizer.from_pretrained), training_run.json, checkpoints/, logs.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import logging
import math
import os
import sys
import time
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, PartialState
from accelerate.utils import DistributedType, ProjectConfiguration, send_to_device, set_seed
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from phonolinguistic.provenance import provenance

from .config import ConfigError, Settings, load_settings
from .engine.build import build
from .engine.checkpoint import Checkpoints, recover_model, save_model
from .engine.losses import balanced_weights, objective
from .engine.validation import Validator
from .inputs.batching import ProcessBatches, Step, make_plan
from .inputs.dataset import Collate, Rows, TrainingRows, load_rows
from .options import add_shared
from .whole_files import write_json

SEED_STRIDE = 100_003  # a prime: no two (seed, batch) of ordinary runs share a random state


class NotFinite(FloatingPointError):
    """A loss or gradient became NaN or infinite; the message names the batch."""


@dataclasses.dataclass
class Timer:
    """Where the time of the steps goes. seconds: all; data_seconds: waiting for batches; clips: rows seen."""

    seconds: float = 0.0
    data_seconds: float = 0.0
    clips: int = 0

    def report(self) -> dict[str, float]:
        total = max(self.seconds, 1e-9)
        return {"seconds": round(self.seconds, 2), "data_share": round(self.data_seconds / total, 4),
                "rows_per_second": round(self.clips / total, 2)}  # fmt: skip


def rate_factor(step: int, steps: int, warmup: float, decay: str) -> float:
    """Share of the peak learning rate at `step` of `steps`: a linear rise, then linear or cosine decay to zero."""
    rise = max(1, round(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    rest = (steps - step) / max(1, steps - rise)
    return rest if decay == "linear" else 0.5 * (1 - math.cos(math.pi * rest))


def parameter_groups(model, settings: Settings) -> list[dict]:
    """Optimiser groups by tower; vectors (biases, norms, layer weights) are not decayed."""
    groups: dict[tuple[str, bool], list] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            tower = name.split(".")[0]
            tower = tower if tower in ("speech", "text") else "heads"
            groups.setdefault((tower, parameter.dim() > 1), []).append(parameter)
    rates = {"text": settings.text.rate, "heads": settings.heads_rate}
    if settings.speech is not None:
        rates["speech"] = settings.speech.rate
    decays = {True: settings.weight_decay, False: 0.0}
    return [{"params": params, "lr": rates[tower], "peak": rates[tower], "weight_decay": decays[matrix]}
            for (tower, matrix), params in groups.items()]  # fmt: skip


def train_mode(model, settings: Settings) -> None:
    """Training mode; a wholly frozen tower stays in evaluation mode (no dropout in what never learns)."""
    model.train()
    for name, tower in (("speech", settings.speech), ("text", settings.text)):
        if tower is not None and tower.frozen == "all":
            getattr(model, name).eval()


def fingerprint(settings: Settings, plan: list[Step], rows: Rows, processes: int) -> dict:
    """What two runs must share for one to go on from the other's checkpoint. Where files lie does not matter."""
    own = dataclasses.asdict(settings)
    for key in ("tracker", "save_every", "log_every"):
        own.pop(key)
    own["data"] = {key: value for key, value in own["data"].items() if key not in ("cache", "workers", "corpora")}
    names = hashlib.sha256("\n".join(rows.ids).encode()).hexdigest()[:16]
    return _flat(own) | {"rows": names, "steps": len(plan), "processes": processes}


def _flat(values: dict, where: str = "") -> dict:
    """Nested settings -> dotted keys, so that a difference can be named."""
    found = {}
    for key, value in values.items():
        inner = isinstance(value, dict) and value
        found |= _flat(value, f"{where}{key}.") if inner else {f"{where}{key}": value}
    return found


def make_accelerator(settings: Settings, out: Path) -> Accelerator:
    """Accelerate's engine. Layer drop and absent modalities leave parameters unused, so DDP must look for them."""
    accelerator = Accelerator(
        cpu=not torch.accelerator.is_available(),  # without it, processes on CPUs would not find each other
        gradient_accumulation_steps=settings.accumulation,
        mixed_precision={"fp32": "no"}.get(settings.precision, settings.precision),
        log_with=settings.tracker,
        project_config=ProjectConfiguration(project_dir=str(out), logging_dir=str(out / "logs")),
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True, broadcast_buffers=False)],
    )
    if accelerator.distributed_type == DistributedType.FSDP and (
        settings.text.layer_drop or (settings.speech and settings.speech.layer_drop)
    ):
        raise ConfigError("layer_drop is not 0; under FSDP all processes must run the same layers: set it to 0.")
    if accelerator.device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    return accelerator


def train(settings: Settings, out: Path, progress: bool = True) -> dict:
    """Run, or go on with, a training run; returns what training_run.json says.

    Raises:
        ConfigError, CorpusError: settings or data are wrong. NotFinite: the loss is. DiskError: no room for the model.
    """
    accelerator = make_accelerator(settings, out)
    main, set_up = accelerator.is_main_process, time.perf_counter()
    show = progress and main
    (out / "checkpoints").mkdir(parents=True, exist_ok=True)
    with accelerator.main_process_first():  # downloads and decoded clips are there for the others then
        rows = load_rows(settings, show)
        set_seed(settings.seed)
        model, processor = build(settings)
    config, kind, train_rows = model.config, model.config.speech_kind, rows["train"]
    limits = (settings.batch_seconds, settings.batch_words, settings.batch_rows)
    per_step = accelerator.num_processes * settings.accumulation
    plan = make_plan(train_rows.seconds, train_rows.words, limits, settings.epochs, per_step, settings.seed,
                     train_rows.repeats, settings.max_steps)  # fmt: skip
    optimizer = torch.optim.AdamW(parameter_groups(model, settings), betas=(0.9, 0.98))
    model, optimizer = accelerator.prepare(model, optimizer)
    weights = None
    if settings.class_weights == "balanced":
        weights = torch.from_numpy(balanced_weights(train_rows.targets, train_rows.repeats)).to(accelerator.device)
    validate = Validator(accelerator, rows["validation"], processor, settings.task, settings, kind)
    accelerator.init_trackers("phonolinguistic") if settings.tracker else None

    if main:
        recover_model(out / "model")
    marks = fingerprint(settings, plan, train_rows, accelerator.num_processes)
    checkpoints = Checkpoints(accelerator, out / "checkpoints", marks)
    state = checkpoints.load() or {"step": 0, "best": None, "worse": 0, "epochs": [], "timer": {}, "losses": [0.0, 0]}
    step, epochs, best, worse = state["step"], state["epochs"], state["best"], state["worse"]
    timer, losses = Timer(**state["timer"]), list(state["losses"])
    dataset, collate = TrainingRows(train_rows, settings, kind), Collate(processor, settings, kind)
    turns = ProcessBatches(plan, step, accelerator.process_index, accelerator.num_processes)
    loader = iter(DataLoader(dataset, batch_sampler=turns, collate_fn=collate, num_workers=settings.data.workers,
                             pin_memory=accelerator.device.type == "cuda"))  # fmt: skip
    set_up = time.perf_counter() - set_up
    stopped = bool(settings.patience) and worse >= settings.patience
    train_mode(accelerator.unwrap_model(model), settings)
    bar = tqdm(total=len(plan), initial=step, desc=settings.task, unit="step", disable=not show)
    while step < len(plan) and not stopped:
        began, current = time.perf_counter(), plan[step]
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * rate_factor(step, len(plan), settings.warmup, settings.decay)
        for turn in range(settings.accumulation):
            waited = time.perf_counter()
            batch = send_to_device(next(loader), accelerator.device)
            timer.data_seconds += time.perf_counter() - waited
            place = turn * accelerator.num_processes + accelerator.process_index
            # Dropout and layer drop depend on where the run is, not on where it started.
            set_seed((settings.seed + SEED_STRIDE * (step * per_step + place)) % 2**32)
            with accelerator.accumulate(model):
                with accelerator.autocast():
                    output = model(**batch["inputs"])
                loss, parts = objective(output, batch["targets"], settings.task, config.loss_weights, weights,
                                        settings.focal_gamma)  # fmt: skip
                value = loss.item()
                if not math.isfinite(value):
                    shown = {name: part.item() for name, part in parts.items()}
                    raise NotFinite(f"the loss is {value} in step {step} ({shown}): batch {', '.join(batch['ids'])}")
                accelerator.backward(loss * current.shares[place])
                if accelerator.sync_gradients:
                    norm = float(accelerator.clip_grad_norm_(model.parameters(), settings.clip_norm))
                    if not math.isfinite(norm):
                        raise NotFinite(f"the gradient is {norm} in step {step}: batch {', '.join(batch['ids'])}")
                optimizer.step()
                optimizer.zero_grad()
            losses = [losses[0] + value * current.shares[place] / settings.accumulation, losses[1]]
        losses[1] += 1
        step += 1
        timer.clips += sum(len(b) for b, share in zip(current.batches, current.shares, strict=True) if share)
        timer.seconds += time.perf_counter() - began
        bar.update()
        if step % settings.log_every == 0:
            mean = losses[0] / losses[1]
            bar.set_postfix(loss=f"{mean:.3f}", data=f"{timer.report()['data_share']:.0%}")
            accelerator.log({"loss": mean, "rate": optimizer.param_groups[0]["lr"]}, step=step)
        ended = step == len(plan) or plan[step].epoch != current.epoch
        if ended:
            found = validate(model)
            mean = accelerator.gather(torch.tensor([losses[0]], device=accelerator.device)).mean().item() / losses[1]
            epochs.append({"epoch": current.epoch + 1, "step": step, "loss": round(mean, 5), **found.figures})
            losses, better = [0.0, 0], best is None or found.score > best
            worse = 0 if better else worse + 1
            accelerator.log({f"validation/{k}": v for k, v in found.figures.items() if isinstance(v, float)}, step=step)
            if show:
                tqdm.write(json.dumps(epochs[-1]))
            if better:
                best = found.score
                validate.calibrate(config, found)
                save_model(accelerator, model, processor, out / "model")
            train_mode(accelerator.unwrap_model(model), settings)
            stopped = bool(settings.patience) and worse >= settings.patience
        if ended or step % settings.save_every == 0:
            facts = {"best": best, "worse": worse, "epochs": epochs, "losses": losses}
            checkpoints.save(step, facts | {"timer": dataclasses.asdict(timer)})
    bar.close()
    run = {
        "task": settings.task, "settings": dataclasses.asdict(settings), "processes": accelerator.num_processes,
        "precision": accelerator.mixed_precision, "parameters": config_size(accelerator.unwrap_model(model)),
        "rows": {split: len(part) for split, part in rows.items()}, "steps": step, "stopped_early": stopped,
        "best_macro_f1": best, "set_up_seconds": round(set_up, 2), "training": timer.report(), "epochs": epochs,
        "provenance": provenance(settings.seed, str(accelerator.device)),
    }  # fmt: skip
    if main:
        write_json(out / "training_run.json", run)
    for tracker in accelerator.trackers:
        tracker.finish()
    return run


def config_size(model) -> dict[str, int]:
    """Parameters in all, and those that learn."""
    return {"all": sum(p.numel() for p in model.parameters()),
            "learning": sum(p.numel() for p in model.parameters() if p.requires_grad)}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """The command `train`; raises what a user can put right."""
    parser = argparse.ArgumentParser(prog="python -m training train", description=__doc__.split("\n")[0])
    parser.add_argument("config", type=Path, help="YAML file; see training/configs/ and training/config.py")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="e.g. epochs=3 data.corpora.0.path=clips.csv")
    add_shared(
        parser, "out", "progress", out={"required": True, "help": "folder of this run; an unfinished one goes on"}
    )
    args = parser.parse_intermixed_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    run = train(load_settings(args.config, args.overrides), args.out, args.progress)
    state = PartialState()
    state.destroy_process_group()
    if not state.is_main_process:
        return 0
    print(f"{args.out / 'model'}: validation macro-F1 {run['best_macro_f1']:.4f} after {run['steps']} steps; "
          f"data loading {run['training']['data_share']:.1%} of step time")  # fmt: skip
    return 0


if __name__ == "__main__":  # the name that it had before there was one door
    from .__main__ import main as door

    sys.exit(door(["train", *sys.argv[1:]]))
