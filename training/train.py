"""Train a model for one task: audio, text, fusion or multitask. One loop for one CPU or many GPUs.

    python -m training train training/configs/own.yaml --out runs/own --corpora own=clips.csv
    accelerate launch --config_file training/configs/accelerate/cpu2.yaml -m training train CONFIG --out DIR

Start the same command again after a kill: it goes on at the last checkpoint and ends with the same weights. In DIR:
model/ (the best epoch on validation, for EmotionRecognizer.from_pretrained), training_run.json, checkpoints/, logs.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import math
import os
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs, PartialState
from accelerate.utils import DistributedType, ProjectConfiguration, set_seed
from torch.utils.data import DataLoader
from tqdm.auto import tqdm
from transformers.utils.logging import disable_progress_bar

from phonolinguistic.provenance import provenance

from .config import ConfigError, Settings, load_settings
from .corpora import CORPORA, CorpusError
from .engine.build import build
from .engine.checkpoint import Checkpoints, everywhere, recover_model, save_model
from .engine.frozen import run_once
from .engine.losses import balanced_weights, objective
from .engine.optimiser import make_optimiser, train_mode
from .engine.progress import Progress, fingerprint
from .engine.validation import Validator
from .hub.card import CardError
from .hub.package import PublishError
from .hub.push_run import check_push, push_run
from .inputs.batching import PlannedBatches, make_plan
from .inputs.collate import Collate, TrainingRows
from .inputs.dataset import load_rows
from .options import add_shared, pick_device, read_corpora
from .whole_files import write_json

SEED_STRIDE = 100_003  # a prime: no two (seed, batch) of ordinary runs share a random state
PATIENCE = timedelta(hours=6)  # how long processes wait for one that decodes clips or runs a frozen tower


class NotFinite(FloatingPointError):
    """A loss or gradient became NaN or infinite; the message names the batch."""


def make_accelerator(settings: Settings, out: Path, device: str | None = None) -> Accelerator:
    """Accelerate's engine. Layer drop and absent modalities leave parameters unused, so DDP must look for them."""
    device = device and pick_device(device)
    if device and device != "cpu":
        torch.accelerator.set_device_index(torch.device(device).index or 0)
    accelerator = Accelerator(
        # Without `cpu`, processes on CPUs would not find each other.
        cpu=device == "cpu" or not torch.accelerator.is_available(),
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        mixed_precision={"fp32": "no"}.get(settings.precision, settings.precision),
        log_with=settings.tracker,
        project_config=ProjectConfiguration(project_dir=str(out), logging_dir=str(out / "logs")),
        step_scheduler_with_optimizer=False,  # a step is a step, however many processes share it
        kwargs_handlers=[
            DistributedDataParallelKwargs(find_unused_parameters=True, broadcast_buffers=False),
            InitProcessGroupKwargs(timeout=PATIENCE),
        ],
    )
    if accelerator.distributed_type == DistributedType.FSDP and (
        settings.text.layer_drop or (settings.speech and settings.speech.layer_drop)
    ):
        raise ConfigError("layer_drop is not 0; under FSDP all processes must run the same layers: set it to 0.")
    if accelerator.device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    return accelerator


def train(settings: Settings, out: Path, progress: bool = True, device: str | None = None) -> dict:
    """Run, or go on with, a training run; returns what training_run.json says.

    Raises:
        ConfigError, CorpusError: settings or data are wrong. NotFinite: the loss is. DiskError: no room for the model.
        PublishError: the run is to be pushed, and the Hub or the run's kind does not allow it.
    """
    accelerator = make_accelerator(settings, out, device)
    main, set_up = accelerator.is_main_process, time.perf_counter()
    show, processes = progress and main, accelerator.num_processes
    with accelerator.main_process_first():  # downloads, decoded clips, frozen features are there for the others then
        rows = load_rows(settings, show)
        set_seed(settings.seed)
        model, processor = build(settings)
        rows = run_once(settings, rows, model, processor, accelerator.device, show)
    if settings.hub is not None:
        _on_main(accelerator, settings.hub.repo, lambda: check_push(settings, model.config.to_dict()))
    (out / "checkpoints").mkdir(parents=True, exist_ok=True)
    config, kind, train_rows = model.config, model.config.speech_kind, rows["train"]
    accumulation, per_step = settings.gradient_accumulation_steps, processes * settings.gradient_accumulation_steps
    limits = (settings.batch_seconds, settings.batch_words, settings.batch_rows)
    plan = make_plan(train_rows.seconds, train_rows.words, limits, settings.epochs, per_step, settings.seed,
                     train_rows.repeats, settings.max_steps)  # fmt: skip
    batches = PlannedBatches(plan)
    loader = DataLoader(TrainingRows(train_rows, settings, kind), batch_sampler=batches,
                        collate_fn=Collate(processor, settings, kind), num_workers=settings.data.workers,
                        pin_memory=accelerator.device.type == "cuda")  # fmt: skip
    optimizer, schedule = make_optimiser(model, settings, len(plan))
    accelerator.even_batches = False  # the plan is even by itself, in batches of unlike size
    model, optimizer, loader, schedule = accelerator.prepare(model, optimizer, loader, schedule)
    accelerator.even_batches = True
    weights = None
    if settings.class_weights == "balanced":
        weights = torch.from_numpy(balanced_weights(train_rows.targets, train_rows.repeats)).to(accelerator.device)
    validate = Validator(accelerator, rows["validation"], processor, settings.task, settings, kind)
    if settings.tracker:
        accelerator.init_trackers("phonolinguistic")
    if main:
        recover_model(out / "model")
    checkpoints = Checkpoints(accelerator, out / "checkpoints", fingerprint(settings, plan, train_rows, processes))
    at = Progress.read(checkpoints.load())
    batches.start = at.step
    set_up = time.perf_counter() - set_up

    stopped = bool(settings.patience) and at.worse >= settings.patience
    train_mode(accelerator.unwrap_model(model), settings)
    turns = iter(loader)
    bar = tqdm(total=len(plan), initial=at.step, desc=settings.task, unit="step", disable=not show)
    while at.step < len(plan) and not stopped:
        began, step = time.perf_counter(), plan[at.step]
        for turn in range(accumulation):
            waited = time.perf_counter()
            batch = next(turns)
            at.timer.data_seconds += time.perf_counter() - waited
            place = turn * processes + accelerator.process_index
            # Dropout and layer drop depend on where the run is, not on where it started.
            set_seed((settings.seed + SEED_STRIDE * (at.step * per_step + place)) % 2**32)
            with accelerator.accumulate(model):
                with accelerator.autocast():
                    output = model(**batch["inputs"])
                loss, parts = objective(output, batch["targets"], settings.task, config.loss_weights, weights,
                                        settings.focal_gamma)  # fmt: skip
                value, where = loss.item(), f"step {at.step}"
                if not math.isfinite(value):
                    where = f"{where} ({ {name: part.item() for name, part in parts.items()} })"
                    raise NotFinite(f"the loss is {value} in {where}: batch {', '.join(batch['ids'])}")
                accelerator.backward(loss * step.shares[place])
                if accelerator.sync_gradients:
                    norm = float(accelerator.clip_grad_norm_(model.parameters(), settings.max_grad_norm))
                    if not math.isfinite(norm):
                        raise NotFinite(f"the gradient is {norm} in {where}: batch {', '.join(batch['ids'])}")
                optimizer.step()
                if accelerator.sync_gradients:
                    schedule.step()
                optimizer.zero_grad()
            at.losses[0] += value * step.shares[place] / accumulation
        at.losses[1] += 1
        at.step += 1
        at.timer.clips += sum(len(b) for b, share in zip(step.batches, step.shares, strict=True) if share)
        at.timer.seconds += time.perf_counter() - began
        bar.update()
        if at.step % settings.log_every == 0:
            mean = at.losses[0] / at.losses[1]
            bar.set_postfix(loss=f"{mean:.3f}", data=f"{at.timer.report()['data_share']:.0%}")
            accelerator.log({"loss": mean, "learning_rate": schedule.get_last_lr()[0]}, step=at.step)
        ended = at.step == len(plan) or plan[at.step].epoch != step.epoch
        if ended:
            found = validate(model)
            sums = accelerator.gather(torch.tensor([at.losses[0]], device=accelerator.device))
            mean, at.losses = sums.mean().item() / at.losses[1], [0.0, 0]
            at.epochs.append({"epoch": step.epoch + 1, "step": at.step, "loss": round(mean, 5), **found.figures})
            better = at.best is None or found.score > at.best
            at.worse = 0 if better else at.worse + 1
            numbers = {f"validation/{k}": v for k, v in found.figures.items() if isinstance(v, float)}
            accelerator.log(numbers, step=at.step)
            if show:
                tqdm.write(json.dumps(at.epochs[-1]))
            if better:
                at.best = found.score
                validate.calibrate(config, found)
                save_model(accelerator, model, processor, out / "model")
            train_mode(accelerator.unwrap_model(model), settings)
            stopped = bool(settings.patience) and at.worse >= settings.patience
        if ended or at.step % settings.save_every == 0:
            state = dataclasses.asdict(at)
            checkpoints.save(state.pop("step"), state)
    bar.close()
    run = {
        "task": settings.task, "settings": settings.model_dump(), "processes": processes,
        "precision": accelerator.mixed_precision, "parameters": config_size(accelerator.unwrap_model(model)),
        "rows": {split: len(part) for split, part in rows.items()}, "steps": at.step, "stopped_early": stopped,
        "best_macro_f1": at.best, "set_up_seconds": round(set_up, 2), "training": at.timer.report(),
        "epochs": at.epochs, "provenance": provenance(settings.seed, str(accelerator.device)),
    }  # fmt: skip
    if main:
        write_json(out / "training_run.json", run)
    for tracker in accelerator.trackers:
        tracker.finish()
    if settings.hub is not None:
        sent = _on_main(accelerator, settings.hub.repo,
                        lambda: push_run(settings, out, run, str(accelerator.device), show))  # fmt: skip
        run["published"] = sent and sent.url
    return run


def _on_main(accelerator: Accelerator, repo: str, work: Callable[[], Any]) -> Any:
    """What `work` gives in the main process; where it fails there, every process stops."""
    result = error = None
    if accelerator.is_main_process:
        try:
            result = work()
        except (PublishError, CardError, CorpusError) as caught:
            error = caught
    if not everywhere(accelerator, error is None):
        raise error or PublishError(f"{repo}: see the main process.")
    return result


def config_size(model) -> dict[str, int]:
    """Parameters in all, and those that learn."""
    return {"all": sum(p.numel() for p in model.parameters()),
            "learning": sum(p.numel() for p in model.parameters() if p.requires_grad)}  # fmt: skip


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training train", description=__doc__.split("\n")[0])
    parser.add_argument("config", type=Path, help="YAML file; see training/configs/ and training/config.py")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="e.g. epochs=3 text.learning_rate=1e-5")
    out = {"required": True, "help": "folder of this run; an unfinished one there goes on"}
    add_shared(parser, "out", "corpora", "cache", "seed", "device", "progress", out=out,
               seed={"default": None, "help": "default: the configuration's"},
               cache={"default": None, "help": "decoded clips, features; default: the configuration's"},
               corpora={"help": "corpora instead of the configuration's: NAME=PATH, or a YAML file"})  # fmt: skip
    parser.add_argument("--push-to-hub", metavar="ORG/NAME", help="send the finished model there, with its figures")
    parser.add_argument("--private", action="store_true", default=None, help="a repository that is made now is private")
    return parser.parse_intermixed_args(argv)


def settings_of(args: argparse.Namespace) -> Settings:
    """The file's settings with what the command line says."""
    given = {
        "data.cache": args.cache and str(args.cache), "seed": args.seed, "hub.repo": args.push_to_hub,
        "hub.private": args.private,
    }  # fmt: skip
    more = [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
    # An override behind --corpora was meant as one: no setting has the name of a corpus.
    behind = [word for word in args.corpora or [] if "=" in word and word.partition("=")[0] not in CORPORA]
    args.corpora = [word for word in args.corpora or [] if word not in behind]
    if args.corpora:
        listed = [corpus.model_dump(exclude_unset=True) for corpus in read_corpora(args.corpora)]
        more.insert(0, f"data.corpora={json.dumps(listed)}")
    return load_settings(args.config, more + args.overrides + behind)


def main(argv: list[str] | None = None) -> int:
    """The command `train`; raises what a user can put right."""
    args = arguments(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    disable_progress_bar()  # transformers' own, one for each model that is written
    run = train(settings_of(args), args.out, args.progress, args.device)
    state = PartialState()
    state.destroy_process_group()
    if state.is_main_process:
        print(f"{args.out / 'model'}: validation macro-F1 {run['best_macro_f1']:.4f} after {run['steps']} steps; "
              f"data loading {run['training']['data_share']:.1%} of step time")  # fmt: skip
        if run.get("published"):
            print(f"published: {run['published']}")
    return 0


if __name__ == "__main__":  # the name that it had before there was one door
    from .__main__ import main as door

    sys.exit(door(["train", *sys.argv[1:]]))
