"""ZeroGPU: on a Space with shared GPUs a function asks for one with a decorator; everywhere else it is left as it is.

    @on_gpu
    def compare(clip): ...

The package `spaces` exists only where the Space's hardware is ZeroGPU. It must be imported before torch touches
CUDA: `app.py` imports this module first.
"""

import importlib
import importlib.util
import os
from collections.abc import Callable
from typing import TypeVar

Function = TypeVar("Function", bound=Callable)

GPU_SECONDS = 30  # longest that one call holds the GPU; the longest clip takes a fraction of it


def is_zero_gpu() -> bool:
    """Whether this process runs in a Space with ZeroGPU hardware."""
    asked = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "true", "yes")
    return asked and importlib.util.find_spec("spaces") is not None


def on_gpu(function: Function | None = None, *, seconds: int = GPU_SECONDS):
    """Decorator, with or without arguments: borrows a GPU for the call on ZeroGPU, and is a no-op elsewhere."""

    def decorate(inner: Function) -> Function:
        if not is_zero_gpu():
            return inner
        return importlib.import_module("spaces").GPU(duration=seconds)(inner)

    return decorate if function is None else decorate(function)
