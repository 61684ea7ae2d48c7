"""Whisper on the clip alone, with the silence behind it kept instead of computed.

Whisper was trained on input padded to 30 s. Given the clip alone its words are mostly right, but its decoder does not
know when to stop (ggml-org/whisper.cpp#137 and #1951 on `audio_ctx`), because what tells it to is the silence after
the words; FUTO's ACFT fine-tunes the network for it (SYSTRAN/faster-whisper#1006). Here nothing is trained. Silence
is the same in every clip, so its keys and values are computed once and kept: the clip, with a little real silence
behind it, attends in every encoder layer to itself and to the kept silence at the positions up to 30 s, and so does the
decoder in its cross-attention. One kept state stands for `BLOCK_STATES` positions; the logarithm of how many of them
lie behind the clip is added to its attention score, which gives it their weight.

Silence has a level: Whisper's log-mel is cut off at 8 (log10) below the clip's loudest value, so that silence reads
(loudest - 8 + 4) / 4 in its scale, and never under the (-10 + 4) / 4 of digital silence. One entry is kept for each
level that was met, rounded to `LEVEL_STEP`; the first clip of a level takes one pass over 30 s more.

In training the weights change with each step, and silence is computed again: one pass over 30 s for each level in the
batch, without gradients.

What it does not mend: where speech is cut off or another voice talks over its end, words at the end may differ from
those that the padded network writes, which guesses there too (benchmarks/results/silence_states.json).
"""

import math
import threading
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from .projection_phonolinguistic import mark
from .speech_phonolinguistic import SpeechStates, additive_mask, split_heads

SILENCE_FRAMES = 50  # real silence behind the clip, in log-mel frames of 10 ms
EDGE_FRAMES = 2  # what the two convolutions look at beyond their last state
BLOCK_STATES = 5  # positions, of 20 ms, that one kept state stands for
LEVEL_STEP = 0.25  # of Whisper's log-mel scale: 10 dB
RANGE = 2.0  # 8 (log10) in that scale
LOWEST_LEVEL = -1.5  # digital silence in that scale
KEPT_LEVELS = 8  # all that speech has, and a bound on memory

KeysAndValues = tuple[torch.Tensor, torch.Tensor]  # each (levels or rows, heads, blocks, head size)


def silence_level(log_mel: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """(batch, n_mels, frames) log-mel, (batch, frames) mask -> (batch,): what silence reads in each clip."""
    values = log_mel if mask is None else log_mel.masked_fill(~mask.bool()[:, None], -torch.inf)
    return (values.amax((1, 2)) - RANGE).clamp(min=LOWEST_LEVEL)


def rounded_level(level: float) -> float:
    """The level under which silence is kept."""
    return max(LOWEST_LEVEL, round(level / LEVEL_STEP) * LEVEL_STEP)


def _convolve(encoder: nn.Module, log_mel: torch.Tensor) -> torch.Tensor:
    x = F.gelu(encoder.conv1(log_mel))
    return F.gelu(encoder.conv2(x)).transpose(1, 2)


def _attend(layer: nn.Module, x: torch.Tensor, beside: KeysAndValues | None, mask: torch.Tensor | None):
    """A `WhisperEncoderLayer` in evaluation whose states also attend to keys and values beside them.

    Returns the states, and their own keys and values.
    """
    attention, h = layer.self_attn, layer.self_attn_layer_norm(x)
    heads = attention.num_heads
    keys, values = split_heads(attention.k_proj(h), heads), split_heads(attention.v_proj(h), heads)
    own = (keys, values)
    if beside is not None:
        keys, values = (torch.cat([a, b.expand(len(x), -1, -1, -1)], 2) for a, b in zip(own, beside, strict=True))
    mixed = F.scaled_dot_product_attention(split_heads(attention.q_proj(h), heads), keys, values, attn_mask=mask)
    x = x + attention.out_proj(mixed.transpose(1, 2).flatten(2))
    x = x + layer.fc2(layer.activation_fn(layer.fc1(layer.final_layer_norm(x))))
    if x.dtype == torch.float16:  # as in transformers' layer: a large network may leave half precision
        x = x.clamp(-65_000.0, 65_000.0)
    return x, own


@dataclass(frozen=True)
class KeptSilence:
    """Silence of one level, one state a block. inputs: what goes into each encoder layer; encoder: each layer's keys
    and values; states: the encoder's output. inputs and states are (1, blocks, d_model)."""

    inputs: list[torch.Tensor]
    encoder: list[KeysAndValues]
    states: torch.Tensor


def _sharded(encoder: nn.Module) -> bool:
    """Whether the layers' weights are there only while the layers run (FSDP)."""
    weight = encoder.layers[0].self_attn.k_proj.weight
    return weight.dim() != 2 or hasattr(weight, "device_mesh")


@torch.inference_mode(False)
@torch.no_grad()
def encode_silence(encoder: nn.Module, level: float) -> KeptSilence:
    """Run the encoder over 30 s of silence and keep the middle state of each block. Random in nothing."""
    positions = encoder.config.max_source_positions
    weight = encoder.conv1.weight
    with torch.autocast(weight.device.type, enabled=False):
        silence = torch.full((1, weight.shape[1], 2 * positions), level, dtype=weight.dtype, device=weight.device)
        x = _convolve(encoder, silence) + encoder.embed_positions.weight[:positions]
        starts = torch.arange(0, positions, BLOCK_STATES, device=x.device)
        middle = (starts + BLOCK_STATES // 2).clamp(max=positions - 1)
        inputs, kept = [], []
        for layer in encoder.layers:
            inputs.append(x[:, middle])
            if _sharded(encoder):  # such layers take no keys and values: `encode_with_silence`
                x = layer(x, None)
                continue
            x, own = _attend(layer, x, None, None)
            kept.append(tuple(part[:, :, middle].contiguous() for part in own))
        return KeptSilence(inputs, kept, encoder.layer_norm(x[:, middle]))


@torch.inference_mode(False)
@torch.no_grad()
def silence_for_decoder(decoder: nn.Module, states: torch.Tensor) -> list[KeysAndValues]:
    """(1, blocks, d_model) states of silence -> their keys and values in each decoder layer's cross-attention."""
    kept = []
    with torch.autocast(states.device.type, enabled=False):
        for layer in decoder.layers:
            attention = layer.encoder_attn
            states = states.to(layer.final_layer_norm.weight.dtype)
            projected = attention.k_proj(states), attention.v_proj(states)
            parts = (split_heads(part, attention.num_heads) for part in projected)
            kept.append(tuple(part.contiguous() for part in parts))
    return kept


class SilenceCache:
    """Silence of the levels met so far, for the network that asks; made again when its weights have changed.

    Neither copied nor saved with the network: it is computed from the weights, the same on each machine.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._made: dict[tuple, tuple[tuple, object]] = {}

    def __deepcopy__(self, memo) -> "SilenceCache":
        return SilenceCache()

    def __reduce__(self):
        return SilenceCache, ()

    def encoder(self, encoder: nn.Module, level: float) -> KeptSilence:
        """Silence of a rounded level in the encoder."""
        if _sharded(encoder):
            return encode_silence(encoder, level)
        return self._get(("encoder", level), encoder, lambda: encode_silence(encoder, level))

    def decoder(self, encoder: nn.Module, decoder: nn.Module, level: float) -> list[KeysAndValues]:
        """The same in the decoder's cross-attention."""
        states = self.encoder(encoder, level).states
        read = [layer.encoder_attn for layer in decoder.layers]
        return self._get(("decoder", level), (states, *read), lambda: silence_for_decoder(decoder, states))

    def _get(self, key: tuple, source, make):
        with self._lock:
            state, kept = _state(source), self._made.get(key)
            if kept is None or kept[0] != state:
                if len(self._made) >= 2 * KEPT_LEVELS:
                    self._made.pop(next(iter(self._made)))
                kept = self._made[key] = (state, make())
            return kept[1]


def _state(source) -> tuple:
    parts = source if isinstance(source, tuple) else (source,)
    tensors = [t for part in parts for t in ([part] if isinstance(part, torch.Tensor) else part.parameters())]
    return mark(tensors)


@dataclass
class DecoderInput:
    """What the decoder reads of a batch: states (batch, time, d_model) of the clips with the real silence behind them,
    mask (batch, time), and the kept silence behind those: its levels, one a row, and the score bias (batch, blocks)."""

    states: torch.Tensor
    mask: torch.Tensor
    bias: torch.Tensor
    levels: list[float]
    encoder: nn.Module
    cache: SilenceCache

    def silent_states(self) -> torch.Tensor:
        """(1 or batch, blocks, d_model): the kept states, for teacher forcing."""
        return _rows(self.levels, lambda level: self.cache.encoder(self.encoder, level).states)

    def silent_keys(self, decoder: nn.Module) -> list[KeysAndValues]:
        """Keys and values of the kept silence in each decoder layer, (1 or batch, heads, blocks, head size)."""
        made = {level: self.cache.decoder(self.encoder, decoder, level) for level in set(self.levels)}
        return _pairs(self.levels, made, len(decoder.layers))


def _rows(levels: list[float], of) -> torch.Tensor:
    """One tensor a row, or a single one where all rows have the same level."""
    first = levels[0]
    return of(first) if all(level == first for level in levels) else torch.cat([of(level) for level in levels])


def _pairs(levels: list[float], made: dict[float, list[KeysAndValues]], layers: int) -> list[KeysAndValues]:
    return [tuple(_rows(levels, lambda v, i=i, p=p: made[v][i][p]) for p in (0, 1)) for i in range(layers)]


def silence_bias(lengths: torch.Tensor, positions: int, dtype: torch.dtype) -> torch.Tensor:
    """(batch,) states in front of the silence -> (batch, blocks): log of how many positions of a block lie behind."""
    ends = torch.arange(BLOCK_STATES, positions + BLOCK_STATES, BLOCK_STATES, device=lengths.device)
    size = torch.full_like(ends, BLOCK_STATES)
    size[-1] -= ends[-1] - positions
    behind = torch.minimum(ends.clamp(max=positions) - lengths[:, None], size).clamp(min=0)
    return behind.to(torch.float32).log().clamp(min=torch.finfo(dtype).min).to(dtype)


def encode_with_silence(
    encoder: nn.Module, log_mel: torch.Tensor, mask: torch.Tensor | None, cache: SilenceCache
) -> SpeechStates:
    """Run a `WhisperEncoder` on clips of any length up to 30 s, each with silence behind it.

    Args:
        encoder: a transformers `WhisperEncoder`.
        log_mel: (batch, n_mels, frames).
        mask: (batch, frames), 1 for a clip's own frames; None: all are.

    Returns:
        Hidden states and mask of the clips' own steps (ceil(frames / 2)), which the voice is read from; in `heard`,
        what the decoder reads. A clip in a batch has the states that it has alone.

    Raises:
        ValueError: more frames than the encoder has positions for.
    """
    batch, _, frames = log_mel.shape
    positions = encoder.config.max_source_positions
    if frames > 2 * positions:
        raise ValueError(f"{frames} log-mel frames; this speech encoder accepts at most {2 * positions}.")
    own = torch.ones((batch, frames), dtype=torch.bool, device=log_mel.device) if mask is None else mask.bool()
    levels = silence_level(log_mel, own)
    dtype = encoder.conv1.weight.dtype
    x = F.pad(log_mel, (0, min(SILENCE_FRAMES + EDGE_FRAMES, 2 * positions - frames)))
    x = torch.where(F.pad(own, (0, x.shape[2] - frames))[:, None], x, levels[:, None, None].to(x.dtype)).to(dtype)
    clip, lengths = (own.sum(1) + 1) // 2, ((own.sum(1) + SILENCE_FRAMES).clamp(max=2 * positions) + 1) // 2
    steps = torch.arange(int(lengths.max()), device=x.device)
    x = _convolve(encoder, x)[:, : len(steps)] + encoder.embed_positions.weight[: len(steps)]
    x = F.dropout(x, p=encoder.dropout, training=encoder.training)
    heard = steps < lengths[:, None]
    bias = silence_bias(lengths, positions, dtype)
    scores = torch.cat([additive_mask(heard, dtype), bias[:, None, None]], 3)
    keys = [rounded_level(level) for level in levels.tolist()]
    made = {level: cache.encoder(encoder, level) for level in set(keys)}
    whole = encoder.training or _sharded(encoder)
    beside = None if whole else _pairs(keys, {k: v.encoder for k, v in made.items()}, len(encoder.layers))
    states = [x]
    for place, layer in enumerate(encoder.layers):
        if beside is not None:
            x, _ = _attend(layer, x, beside[place], scores)
        elif not (encoder.training and encoder.layerdrop > 0 and torch.rand(()) < encoder.layerdrop):
            # The whole layer, silence and all: dropout, layer drop and checkpointing are the layer's own affair.
            silent = _rows(keys, lambda level, i=place: made[level].inputs[i]).expand(batch, -1, -1)
            x = layer(torch.cat([x, silent.to(x.dtype)], 1), scores)[:, : len(steps)]
        states.append(x)
    states[-1] = encoder.layer_norm(x)
    longest = math.ceil(frames / 2)
    return SpeechStates(
        hidden_states=tuple(state[:, :longest] for state in states),
        last_hidden_state=states[-1][:, :longest],
        mask=(steps < clip[:, None])[:, :longest],
        input_features=log_mel,
        input_mask=mask,
        heard=DecoderInput(states[-1], heard, bias, keys, encoder, cache),
    )
