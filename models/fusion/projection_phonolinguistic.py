"""The likeliest token, from all of a vocabulary, for a fraction of the reading.

On a CPU a step of Whisper's decoder is bound by reading the output projection: 80 MB of float32 for each token that
tiny.en writes, more than all its layers. A copy in bfloat16, half as large, picks the candidates; their scores are then
computed from the float32 weights, so that what comes out is the token that the whole projection would have chosen.
"""

import threading

import torch
from torch.nn import functional as F

CANDIDATES = 32  # bfloat16 is wrong by a few hundredths where scores lie tens apart
SMALLEST = 8_192  # rows; under it the whole projection is read as fast


def mark(tensors) -> tuple:
    """Which weights, in which state: changes when they are moved, cast, loaded over or trained."""
    return tuple((id(t), t.data_ptr(), t.dtype, 0 if t.is_inference() else t._version) for t in tensors)


class TokenChoice:
    """Greedy choice behind an output projection; keeps the small copy of its weights, and makes it again when they have
    changed. Neither copied nor saved with the network."""

    def __init__(self):
        self._lock = threading.Lock()
        self._made: tuple[tuple, torch.Tensor] | None = None

    def __deepcopy__(self, memo) -> "TokenChoice":
        return TokenChoice()

    def __reduce__(self):
        return TokenChoice, ()

    def __call__(self, x: torch.Tensor, weight: torch.Tensor, barred: list[int]) -> torch.Tensor:
        """(batch, size) states, (vocabulary, size) weights, tokens that may not come -> (batch,) token ids."""
        if weight.device.type != "cpu" or weight.dtype != torch.float32 or len(weight) < SMALLEST:
            logits = F.linear(x, weight)
            if barred:
                logits[:, barred] = -torch.inf
            return logits.argmax(-1)
        rough = F.linear(x.to(torch.bfloat16), self._small(weight))
        if barred:
            rough[:, barred] = -torch.inf
        scores, near = rough.topk(CANDIDATES, -1)
        exact = torch.einsum("bcd,bd->bc", weight[near], x).masked_fill(scores.isinf(), -torch.inf)
        return near.gather(1, exact.argmax(-1, keepdim=True))[:, 0]

    def _small(self, weight: torch.Tensor) -> torch.Tensor:
        with self._lock:
            state = mark([weight])
            if self._made is None or self._made[0] != state:
                self._made = (state, weight.detach().to(torch.bfloat16))
            return self._made[1]
