"""ZeroGPU: on a Space with shared GPUs a function asks for one with a decorator; everywhere else it is left as it is.

    @on_gpu
    def compare(self, clip): ...

The package `spaces` exists only where the Space's hardware is ZeroGPU. It must be imported before torch touches CUDA:
the decorators do that when the page's modules are imported, before the first model is loaded.
"""

import functools
import importlib
import importlib.util
import inspect
import os
from collections.abc import Callable
from typing import TypeVar

Function = TypeVar("Function", bound=Callable)

GPU_SECONDS = 30  # longest that one call holds the GPU; the longest clip takes a fraction of it

# A borrowed GPU lives in a forked process, to which arguments are pickled. The objects whose methods are decorated hold
# models and locks, which cannot be; but the fork has inherited them, so only their key is sent.
_owners: dict[int, object] = {}


def is_zero_gpu() -> bool:
    """Whether this process runs in a Space with ZeroGPU hardware."""
    asked = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "true", "yes")
    return asked and importlib.util.find_spec("spaces") is not None


def on_gpu(function: Function | None = None, *, seconds: int = GPU_SECONDS):
    """Decorator, with or without arguments: borrows a GPU for the call on ZeroGPU, and is a no-op elsewhere."""

    def decorate(inner: Function) -> Function:
        if not is_zero_gpu():
            return inner
        borrow = importlib.import_module("spaces").GPU(duration=seconds)
        if next(iter(inspect.signature(inner).parameters), None) != "self":
            return borrow(inner)

        def with_owner(key: int, *args, **kwargs):
            return inner(_owners[key], *args, **kwargs)

        borrowed = borrow(with_owner)

        @functools.wraps(inner)
        def call(self, *args, **kwargs):
            _owners[id(self)] = self
            return borrowed(id(self), *args, **kwargs)

        return call

    return decorate if function is None else decorate(function)
