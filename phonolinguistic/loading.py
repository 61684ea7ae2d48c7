"""Which models to load: what was asked for, what the environment names, or the embedded release."""

import ctypes
import gc
import os
import sys
from dataclasses import dataclass

import torch
from torch import nn

from .networks import EmotionNetwork, SpeechToText
from .releases import VARIABLES, Release, ReleaseError, embedded, models_folder, resolve
from .results import ModelInfo

SHARED_FROM = 10_000  # values; less is not worth looking for


@dataclass(frozen=True)
class Loaded:
    """The networks; at least one of fusion and multitask, and asr where fusion needs it."""

    fusion: EmotionNetwork | None
    multitask: EmotionNetwork | None
    asr: SpeechToText | None

    def infos(self) -> list[ModelInfo]:
        there = {"fusion": self.fusion, "multitask": self.multitask, "asr": self.asr}
        return [_info(kind, network) for kind, network in there.items() if network is not None]


def _info(kind: str, network: EmotionNetwork | SpeechToText) -> ModelInfo:
    release = network.release
    return ModelInfo(
        name=release.source.split("@")[0].rstrip("/").split("/")[-1] if not release.embedded else kind,
        kind=kind,
        source=release.source,
        path=str(release.path),
        revision=release.revision,
        embedded=release.embedded,
        notice=release.notice,
        parameters=network.parameters,
        metrics=release.metrics(),
    )


def load(
    model: str | None = None,
    fusion: str | None = None,
    multitask: str | None = None,
    asr: str | None = None,
    *,
    revision: str | None = None,
    token: str | None = None,
    device: torch.device,
    dtype: torch.dtype,
) -> Loaded:
    """Find and load. See `EmotionRecognizer.from_pretrained` for the arguments.

    Raises:
        ReleaseError: something that was asked for cannot be had, or there is nothing at all.
        ValueError: `model` together with `fusion` or `multitask`.
    """
    found: dict[str, Release | None]
    if model is not None:
        if fusion is not None or multitask is not None:
            raise ValueError("Give model alone, or fusion and multitask: model says by itself which of the two it is.")
        release = resolve(model, revision=revision, token=token)
        kind = "multitask" if release.config().get("multitask") else "fusion"
        found = {"fusion": None, "multitask": None, kind: release}
    else:
        found = {
            "fusion": _choose("fusion", fusion, revision, token),
            "multitask": _choose("multitask", multitask, revision, token),
        }
        if not any(found.values()):
            raise ReleaseError(
                f"There is no model: {models_folder()} holds none, and neither {VARIABLES['fusion']} nor "
                f"{VARIABLES['multitask']} names one.",
                "missing",
            )
    networks = {kind: release and EmotionNetwork(release, device, dtype) for kind, release in found.items()}
    recogniser = None
    if networks["fusion"] is not None and set(networks["fusion"].modes) - {"audio"}:
        recogniser = SpeechToText(_recogniser(asr, found["fusion"], token), device, dtype)
    loaded = [network.model for network in (recogniser, *networks.values()) if network is not None]
    share_equal_weights(*loaded)
    _give_back_memory()
    return Loaded(networks["fusion"], networks["multitask"], recogniser)


def share_equal_weights(*models: nn.Module) -> None:
    """Let parameters of the same values lie in memory once.

    A release whose encoders stayed as they were holds BERT and Whisper's encoder twice. Safe because nothing here is
    trained: nobody writes into a parameter.
    """
    known: dict[tuple, list[torch.Tensor]] = {}
    for model in models:
        for parameter in model.parameters():
            value = parameter.data
            if value.numel() < SHARED_FROM:
                continue
            key = (value.shape, value.dtype, value.device, value.flatten()[:: max(1, value.numel() // 16)].sum().item())
            twin = next((other for other in known.get(key, []) if torch.equal(other, value)), None)
            if twin is None:
                known.setdefault(key, []).append(value)
            else:
                parameter.data = twin


def _choose(kind: str, given: str | None, revision: str | None, token: str | None) -> Release | None:
    if given is not None:
        return resolve(given, kind, revision=revision, token=token)
    named = os.environ.get(VARIABLES[kind])
    # What a deployment names must not keep its page from starting: then the embedded release, and a notice.
    return resolve(named, kind, token=token, fallback=True) if named else embedded(kind)


def _recogniser(given: str | None, fusion: Release, token: str | None) -> Release:
    """For a fusion model: given, or the environment's, or the one it was trained with, or the embedded."""
    chosen = _choose("asr", given, None, token) if given or os.environ.get(VARIABLES["asr"]) else None
    if chosen is not None:
        return chosen
    trained_with = fusion.config().get("asr")
    if trained_with:
        beside = fusion.path / trained_with  # an embedded release names its neighbour
        if beside.is_dir():
            neighbour = beside.resolve()
            own = embedded("asr")
            if own is not None and own.path.resolve() == neighbour:
                return own
            return Release(neighbour, str(neighbour))
        if fusion.embedded and (own := embedded("asr")):
            return own
        return resolve(trained_with, "asr", token=token, fallback=True)
    own = embedded("asr")
    if own is None:
        raise ReleaseError(f"{fusion.source} reads another network's transcript: name a recogniser (asr).", "missing")
    return own


def _give_back_memory() -> None:
    """Hand what loading took for a moment (half-precision copies) back to the system, where glibc can."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
