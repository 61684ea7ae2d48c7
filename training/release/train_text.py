"""The release's text tower: BERT encoder, mean pooling and one linear head, on GoEmotions (multi-label) and MELD.

One head serves two protocols: softmax over the seven emotions, and one sigmoid an emotion with thresholds fitted on
validation (GoEmotions). So the loss is the sum of a cross-entropy to the labels' uniform mixture and a binary
cross-entropy for each label, and the training text is made to look like a recogniser's (training.inputs.text_noise).
Resumes at the last saved step with the same batches.

    python -m training.release.train_text --text DIR --goemotions FILE --meld FILE --out DIR
"""

import argparse
import json
import math
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from sklearn.metrics import f1_score
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm
from transformers import AutoModel, AutoTokenizer, get_linear_schedule_with_warmup

from phonolinguistic.labels import EMOTIONS
from phonolinguistic.provenance import provenance
from training.corpora import load_corpus
from training.inputs.text_noise import TextNoise
from training.scoring.classification import best_thresholds
from training.whole_files import write_whole


@dataclass
class Settings:
    """Rates are for the encoder and for the head; `meld_repeats` evens out the corpora's sizes."""

    epochs: int = 3
    batch: int = 32
    encoder_rate: float = 1e-4
    head_rate: float = 1e-3
    warmup: float = 0.06
    weight_decay: float = 0.01
    dropout: float = 0.1
    max_tokens: int = 64
    noise: float = 0.5
    meld_repeats: int = 2
    save_every: int = 400
    bf16: bool = True
    seed: int = 0


class TextTower(nn.Module):
    """Encoder, masked mean, dropout, linear head: (batch, tokens) -> (batch, 7) logits."""

    def __init__(self, folder: Path, dropout: float):
        super().__init__()
        self.encoder = AutoModel.from_pretrained(folder, dtype=torch.float32)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.encoder.config.hidden_size, len(EMOTIONS))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state.float()
        weights = attention_mask[:, :, None].float()
        return self.head(self.dropout((states * weights).sum(1) / weights.sum(1)))


def text_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """logits, labels (multi-hot): (batch, 7). See the module's docstring."""
    logits = logits.float()
    mixture = labels / labels.sum(1, keepdim=True)
    binary = F.binary_cross_entropy_with_logits(logits, labels, reduction="none").sum(1).mean()
    return F.cross_entropy(logits, mixture) + binary


def rows_of(name: str, path: Path, split: str) -> tuple[list[str], np.ndarray]:
    """Texts and multi-hot labels of one split."""
    rows = load_corpus(name, path).filter(lambda r: r["split"] == split and len(r["emotions"]) > 0)
    labels = np.zeros((len(rows), len(EMOTIONS)), np.float32)
    for i, names in enumerate(rows["emotions"]):
        labels[i, [EMOTIONS.index(n) for n in names]] = 1
    return list(rows["text"]), labels


@torch.inference_mode()
def logits_of(model: TextTower, tokenizer, texts: list[str], max_tokens: int, device) -> np.ndarray:
    """(texts, 7) logits, in order, batched by length."""
    model.eval()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = np.zeros((len(texts), len(EMOTIONS)), np.float32)
    for i in range(0, len(order), 64):
        chosen = order[i : i + 64]
        batch = tokenizer(
            [texts[j] for j in chosen], padding=True, truncation=True, max_length=max_tokens, return_tensors="pt"
        ).to(device)
        out[chosen] = model(batch["input_ids"], batch["attention_mask"]).cpu().numpy()
    model.train()
    return out


def score(model, tokenizer, data: dict, settings: Settings, device, split: str) -> dict[str, float]:
    """Multi-label macro-F1 (GoEmotions; thresholds from validation) and single-label weighted F1 (MELD)."""
    found = {}
    val_logits = logits_of(model, tokenizer, data["goemotions", "validation"][0], settings.max_tokens, device)
    thresholds = best_thresholds(val_logits, data["goemotions", "validation"][1])
    for corpus in ("goemotions", "meld"):
        texts, labels = data[corpus, split]
        logits = logits_of(model, tokenizer, texts, settings.max_tokens, device)
        if corpus == "goemotions":
            found["goemotions_macro_f1"] = f1_score(labels, logits >= thresholds, average="macro")
        single = labels.sum(1) == 1
        truth, guess = labels[single].argmax(1), logits[single].argmax(1)
        found[f"{corpus}_weighted_f1"] = f1_score(truth, guess, average="weighted")
        found[f"{corpus}_accuracy"] = float((truth == guess).mean())
        found[f"{corpus}_single_macro_f1"] = f1_score(truth, guess, average="macro")
    return {k: float(v) for k, v in found.items()}


def make_batches(texts: list[str], settings: Settings, epoch: int) -> list[list[int]]:
    """Shuffled indices in batches of like length."""
    rng = random.Random(settings.seed * 1000 + epoch)
    order = list(range(len(texts)))
    rng.shuffle(order)
    groups = []
    pool = settings.batch * 50
    for i in range(0, len(order), pool):
        part = sorted(order[i : i + pool], key=lambda j: len(texts[j]))
        groups += [part[j : j + settings.batch] for j in range(0, len(part), settings.batch)]
    rng.shuffle(groups)
    return groups


def save_state(path: Path, state: dict) -> None:
    """The last good state survives a full disk or a kill."""
    write_whole(path, lambda file: torch.save(state, file))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--goemotions", type=Path, required=True)
    parser.add_argument("--meld", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=Settings.epochs)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    settings = Settings(epochs=args.epochs)
    accelerator = Accelerator(mixed_precision="bf16" if settings.bf16 else "no")
    paths = {"goemotions": args.goemotions, "meld": args.meld}
    data = {(n, s): rows_of(n, p, s) for n, p in paths.items() for s in ("train", "validation", "test")}
    texts = data["goemotions", "train"][0] + data["meld", "train"][0] * settings.meld_repeats
    labels = np.concatenate([data["goemotions", "train"][1]] + [data["meld", "train"][1]] * settings.meld_repeats)
    torch.manual_seed(settings.seed)
    tokenizer = AutoTokenizer.from_pretrained(args.text)
    model = TextTower(args.text, settings.dropout).to(accelerator.device)
    optimizer = torch.optim.AdamW(
        [
            {"params": list(model.encoder.parameters()), "lr": settings.encoder_rate},
            {"params": list(model.head.parameters()), "lr": settings.head_rate},
        ],
        weight_decay=settings.weight_decay,
    )
    plan = [(e, group) for e in range(settings.epochs) for group in make_batches(texts, settings, e)]
    schedule = get_linear_schedule_with_warmup(optimizer, int(settings.warmup * len(plan)), len(plan))
    args.out.mkdir(parents=True, exist_ok=True)
    state_file, step, facts = args.out / "state.pt", 0, {"epochs": [], "seconds": 0.0}
    if state_file.exists():
        state = torch.load(state_file, weights_only=False)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        step, facts = state["step"], state["facts"]
    model.train()
    noise = TextNoise(seed=settings.seed)
    bar, running, began = tqdm(total=len(plan), initial=step, desc="text"), [], time.perf_counter()
    while step < len(plan):
        epoch, group = plan[step]
        torch.manual_seed(settings.seed + step)
        rng = random.Random(settings.seed + step)
        lines = [(noise(texts[i], (step, i)) or texts[i]) if rng.random() < settings.noise else texts[i] for i in group]
        batch = tokenizer(lines, padding=True, truncation=True, max_length=settings.max_tokens, return_tensors="pt").to(
            accelerator.device
        )
        with accelerator.autocast():
            logits = model(batch["input_ids"], batch["attention_mask"])
        loss = text_loss(logits, torch.from_numpy(labels[group]).to(accelerator.device))
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"Loss is {loss.item()} in step {step}: texts {lines[:3]} ...")
        accelerator.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        running.append(loss.item())
        step += 1
        bar.update()
        bar.set_postfix(loss=f"{np.mean(running[-100:]):.3f}")
        last = step == len(plan) or plan[step][0] != epoch
        if last or step % settings.save_every == 0:
            facts["seconds"] += time.perf_counter() - began
            if last:
                row = {"epoch": epoch + 1, "loss": float(np.mean(running))}
                row |= score(model, tokenizer, data, settings, accelerator.device, "validation")
                facts["epochs"].append(row)
                tqdm.write(json.dumps(row))
                running = []
            save_state(
                state_file,
                {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "schedule": schedule.state_dict(),
                    "step": step,
                    "facts": facts,
                },
            )
            began = time.perf_counter()
    facts["test"] = score(model, tokenizer, data, settings, accelerator.device, "test")
    model.encoder.save_pretrained(args.out / "model")
    tokenizer.save_pretrained(args.out / "model")
    torch.save(model.head.state_dict(), args.out / "model" / "text_head.pt")
    record = {"settings": asdict(settings), "provenance": provenance(settings.seed), **facts}
    (args.out / "training_run.json").write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(facts["test"], indent=2))


if __name__ == "__main__":
    main()
