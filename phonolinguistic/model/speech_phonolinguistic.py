"""Whisper on the clip's own length, and bounded greedy decoding.

transformers' `WhisperEncoder` refuses anything but 3,000 log-mel frames (30 s). Its convolutions, its sinusoidal
positions and its layers do not need that: here they run on as many frames as the clip has, with a mask, so that a
clip in a padded batch gives the states that it gives alone. The decoder below is the same code for the
off-the-shelf recogniser (padded to 30 s, as it was trained) and for the multi-task network (the clip alone, and kept
silence behind it: `silence_phonolinguistic.py`).

Source of the network: Radford et al. 2023, "Robust Speech Recognition via Large-Scale Weak Supervision", section 2.2.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from .projection_phonolinguistic import TokenChoice

FRAMES_PER_SECOND = 100  # log-mel: hop of 160 samples at 16 kHz
STATES_PER_SECOND = 50  # after the second convolution, stride 2

# Fast English speech is about 5 words a second and Whisper spends 1.3 tokens on a word; 8 leaves room.
TOKENS_PER_SECOND = 8
MIN_TOKENS = 16
MAX_TOKENS = 224  # half of Whisper's 448 positions, its own bound for one window

# A phrase that comes this often in a row is a loop of the decoder, not speech.
MAX_REPEATS = 4
MIN_LOOP_TOKENS = 8


@dataclass
class SpeechStates:
    """What the speech network heard: hidden_states, each (batch, time, size), their mask (batch, time), its input
    with the input's mask, which the pooling of the spectrum and the CTC head read, and, where silence is kept, what a
    Whisper decoder reads instead of them (`silence_phonolinguistic.DecoderInput`)."""

    hidden_states: tuple[torch.Tensor, ...]
    last_hidden_state: torch.Tensor
    mask: torch.Tensor
    input_features: torch.Tensor
    input_mask: torch.Tensor | None
    heard: object | None = None


def token_limit(seconds: float) -> int:
    """Most tokens that greedy decoding may write for `seconds` of audio."""
    return min(MAX_TOKENS, MIN_TOKENS + math.ceil(TOKENS_PER_SECOND * seconds))


def additive_mask(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """(batch, time) of 0/1 -> (batch, 1, 1, time) to be added to attention scores."""
    return (~mask.bool())[:, None, None, :].to(dtype) * torch.finfo(dtype).min


def split_heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """(batch, time, size) -> (batch, heads, time, size of a head)."""
    return x.view(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def encode_whisper(
    encoder: nn.Module, input_features: torch.Tensor, attention_mask: torch.Tensor | None = None
) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    """Run a `WhisperEncoder` on any number of frames up to twice its positions.

    Args:
        encoder: a transformers `WhisperEncoder`.
        input_features: (batch, n_mels, frames) log-mel; frames <= 3000 for the published models.
        attention_mask: (batch, frames), 1 for real frames; None when no row is padded.

    Returns:
        The hidden states: convolutions' output, then each layer's, the last one normalised; each
        (batch, ceil(frames / 2), d_model); and their mask (batch, ceil(frames / 2)).

    Raises:
        ValueError: more frames than the encoder has positions for.
    """
    batch, _, frames = input_features.shape
    longest = encoder.config.max_source_positions * 2
    if frames > longest:
        raise ValueError(f"{frames} log-mel frames; this speech encoder accepts at most {longest}.")
    padded = attention_mask is not None and not bool(attention_mask.bool().all())
    weights_dtype = encoder.conv1.weight.dtype
    x = input_features.to(weights_dtype)
    if padded:
        # Alone, a clip's convolutions see zeros past its end; in a batch they must see the same.
        x = x * attention_mask[:, None, :].to(x.dtype)
    x = F.gelu(encoder.conv1(x))
    if padded:
        x = x * attention_mask[:, None, :].to(x.dtype)
    x = F.gelu(encoder.conv2(x)).transpose(1, 2)
    steps = x.shape[1]
    mask = attention_mask[:, ::2].bool() if padded else x.new_ones((batch, steps), dtype=torch.bool)
    scores_mask = additive_mask(mask, x.dtype) if padded else None
    x = F.dropout(x + encoder.embed_positions.weight[:steps], p=encoder.dropout, training=encoder.training)
    states = [x]
    for layer in encoder.layers:
        if not (encoder.training and encoder.layerdrop > 0 and torch.rand(()) < encoder.layerdrop):
            x = layer(x, scores_mask)
        states.append(x)
    states[-1] = encoder.layer_norm(x)
    return tuple(states), mask


def decode_teacher_forced(
    decoder: nn.Module,
    input_ids: torch.Tensor,
    encoder_states: torch.Tensor,
    mask: torch.Tensor | None,
    heard=None,
) -> torch.Tensor:
    """Decoder logits for given tokens, (batch, tokens) -> (batch, tokens, vocabulary); padded states are masked.

    heard: read these states and the kept silence behind them in place of `encoder_states` and `mask`.
    """
    positions = decoder.embed_positions.weight[: input_ids.shape[1]]
    x = F.dropout(decoder.embed_tokens(input_ids) + positions, p=decoder.dropout, training=decoder.training)
    length = input_ids.shape[1]
    causal = torch.full((length, length), torch.finfo(x.dtype).min, dtype=x.dtype, device=x.device).triu(1)
    cross = None if mask is None else additive_mask(mask, x.dtype)
    if heard is not None:
        silent = heard.silent_states().expand(len(heard.states), -1, -1)
        encoder_states = torch.cat([heard.states, silent.to(heard.states.dtype)], 1)
        cross = torch.cat([additive_mask(heard.mask, x.dtype), heard.bias[:, None, None].to(x.dtype)], 3)
    for layer in decoder.layers:
        x = layer(
            x, causal[None, None], encoder_hidden_states=encoder_states, encoder_attention_mask=cross, use_cache=False
        )
    return F.linear(decoder.layer_norm(x), decoder.embed_tokens.weight)


def loop_period(tokens: list[int]) -> int | None:
    """Length of the phrase that the end of `tokens` repeats at least `MAX_REPEATS` times, or None."""
    for period in range(1, len(tokens) // MAX_REPEATS + 1):
        repeats = max(MAX_REPEATS, math.ceil(MIN_LOOP_TOKENS / period))
        if len(tokens) < period * repeats:
            continue
        phrase = tokens[-period:]
        if all(tokens[-period * (i + 1) : len(tokens) - period * i] == phrase for i in range(repeats)):
            return period
    return None


def cut_loop(tokens: list[int]) -> list[int]:
    """Drop a trailing loop, keeping its phrase once."""
    period = loop_period(tokens)
    if period is None:
        return tokens
    phrase = tokens[-period:]
    end = len(tokens)
    while end >= 2 * period and tokens[end - 2 * period : end - period] == phrase:
        end -= period
    return tokens[:end]


class WhisperGreedyDecoder:
    """Greedy decoding with a transformers `WhisperDecoder`'s weights, cached keys and values, bounded in length.

    Written out because the generic `generate` spends more time in Python than in the network on a short clip; a step
    here calls the same linear layers in the same order.

    Args:
        decoder: the `WhisperDecoder`; its token embedding is the output projection too.
        prompt_ids: tokens that start every transcript (start of transcript, [language, task,] no timestamps).
        end_id: token that ends one.
        begin_suppress_ids: tokens that may not come first.
        suppress_ids: tokens that may never come.
        language_ids: language tokens of a multilingual network. The second token of the prompt is its language; without
            `language_id` it is each clip's own: the likeliest of these behind the first token (openai/whisper,
            `detect_language`).
        choice: who picks a token, and keeps what it needs for that from one clip to the next.
    """

    def __init__(
        self,
        decoder: nn.Module,
        prompt_ids: list[int],
        end_id: int,
        begin_suppress_ids: list[int] = (),
        suppress_ids: list[int] = (),
        language_ids: list[int] = (),
        choice: TokenChoice | None = None,
    ):
        self.decoder, self.prompt_ids, self.end_id = decoder, list(prompt_ids), int(end_id)
        self.choice = choice or TokenChoice()
        self.suppress_ids, self.language_ids = [int(i) for i in suppress_ids], [int(i) for i in language_ids]
        self.first_suppress_ids = sorted({*self.suppress_ids, *(int(i) for i in begin_suppress_ids)})

    @torch.inference_mode()
    def __call__(
        self,
        encoder_states: torch.Tensor,
        mask: torch.Tensor | None = None,
        max_new_tokens: int | list[int] | None = None,
        heard=None,
        language_id: int | None = None,
    ) -> list[list[int]]:
        """(batch, time, d_model) states, (batch, time) mask -> token ids of each row, without prompt and end.

        Args:
            max_new_tokens: bounds all rows or each; None: by the length of the states (`token_limit`).
            heard: read these states and the kept silence behind them in place of `encoder_states`
                (`silence_phonolinguistic.DecoderInput`).
            language_id: language token for all rows of a multilingual network; None: each row's own is detected.
        """
        decoder, device, batch = self.decoder, encoder_states.device, encoder_states.shape[0]
        if max_new_tokens is None:
            lengths = [encoder_states.shape[1]] * batch if mask is None else mask.sum(1).tolist()
            max_new_tokens = [token_limit(n / STATES_PER_SECOND) for n in lengths]
        limits = [max_new_tokens] * batch if isinstance(max_new_tokens, int) else list(max_new_tokens)
        room = decoder.max_target_positions - len(self.prompt_ids)
        limits = [min(limit, room) for limit in limits]
        caches = self._caches(encoder_states, mask, heard, len(self.prompt_ids) + max(limits))
        ids = torch.tensor([self.prompt_ids] * batch, device=device)
        if self.language_ids:
            ids[:, 1] = self._languages(ids[:, :1], caches) if language_id is None else language_id
        rows: list[list[int]] = [[] for _ in range(batch)]
        open_rows = set(range(batch))
        past = 0
        while open_rows:
            state = self._step(ids, past, caches)
            barred = self.suppress_ids if past else self.first_suppress_ids
            chosen = self.choice(state, decoder.embed_tokens.weight, barred)
            past += ids.shape[1]
            for row, token in enumerate(chosen.tolist()):
                if row not in open_rows:
                    continue
                if token != self.end_id:
                    rows[row].append(token)
                if token == self.end_id or len(rows[row]) >= limits[row] or loop_period(rows[row]):
                    open_rows.discard(row)
            ids = chosen[:, None]
        return [cut_loop(row) for row in rows]

    @torch.inference_mode()
    def detect_language(self, encoder_states: torch.Tensor, mask: torch.Tensor | None = None, heard=None) -> list[int]:
        """The likeliest language token of each row; arguments as for decoding.

        Raises:
            ValueError: the network knows one language.
        """
        if not self.language_ids:
            raise ValueError("This recogniser knows one language: there is none to detect.")
        start = torch.tensor([self.prompt_ids[:1]] * len(encoder_states), device=encoder_states.device)
        return self._languages(start, self._caches(encoder_states, mask, heard, 1)).tolist()

    def _caches(self, encoder_states, mask, heard, length: int) -> list["_LayerCache"]:
        dtype, silent = self.decoder.layer_norm.weight.dtype, [None] * len(self.decoder.layers)
        if heard is not None:
            encoder_states, silent = heard.states, heard.silent_keys(self.decoder)
            scores = torch.cat([additive_mask(heard.mask, dtype), heard.bias[:, None, None].to(dtype)], 3)
        else:
            padded = mask is not None and not bool(mask.all())
            scores = additive_mask(mask, dtype) if padded else None
        states = encoder_states.to(dtype)
        layers = zip(self.decoder.layers, silent, strict=True)
        return [_LayerCache(layer, states, length, scores, beside) for layer, beside in layers]

    def _languages(self, start: torch.Tensor, caches: list["_LayerCache"]) -> torch.Tensor:
        state = self._step(start, 0, caches)  # what it leaves in the caches, the whole prompt overwrites
        known = torch.tensor(self.language_ids, device=state.device)
        return known[F.linear(state, self.decoder.embed_tokens.weight[known]).argmax(-1)]

    def _step(self, ids: torch.Tensor, past: int, caches: list["_LayerCache"]) -> torch.Tensor:
        decoder = self.decoder
        x = decoder.embed_tokens(ids) + decoder.embed_positions.weight[past : past + ids.shape[1]]
        for cache in caches:
            x = cache.step(x, past)
        return decoder.layer_norm(x[:, -1])


class _LayerCache:
    """One decoder layer with its keys and values: the encoder's once, the tokens' as they come."""

    def __init__(
        self,
        layer: nn.Module,
        encoder_states: torch.Tensor,
        length: int,
        cross_mask: torch.Tensor | None,
        beside: tuple[torch.Tensor, torch.Tensor] | None = None,
    ):
        self.layer, self.cross_mask = layer, cross_mask
        attention = layer.encoder_attn
        self.heads = attention.num_heads
        self.cross_keys = split_heads(attention.k_proj(encoder_states), self.heads)
        self.cross_values = split_heads(attention.v_proj(encoder_states), self.heads)
        if beside is not None:
            keys, values = (part.expand(len(encoder_states), -1, -1, -1) for part in beside)
            self.cross_keys = torch.cat([self.cross_keys, keys], 2)
            self.cross_values = torch.cat([self.cross_values, values], 2)
        shape = (encoder_states.shape[0], self.heads, length, attention.head_dim)
        self.keys, self.values = encoder_states.new_empty(shape), encoder_states.new_empty(shape)

    def step(self, x: torch.Tensor, past: int) -> torch.Tensor:
        """(batch, new tokens, d_model) -> the same shape; `past` tokens are in the cache."""
        layer, end, heads = self.layer, past + x.shape[1], self.heads
        attention, h = layer.self_attn, layer.self_attn_layer_norm(x)
        self.keys[:, :, past:end] = split_heads(attention.k_proj(h), heads)
        self.values[:, :, past:end] = split_heads(attention.v_proj(h), heads)
        mixed = F.scaled_dot_product_attention(
            split_heads(attention.q_proj(h), heads),
            self.keys[:, :, :end],
            self.values[:, :, :end],
            is_causal=past == 0 and x.shape[1] > 1,
        )
        x = x + attention.out_proj(mixed.transpose(1, 2).flatten(2))
        attention, h = layer.encoder_attn, layer.encoder_attn_layer_norm(x)
        mixed = F.scaled_dot_product_attention(
            split_heads(attention.q_proj(h), heads), self.cross_keys, self.cross_values, attn_mask=self.cross_mask
        )
        x = x + attention.out_proj(mixed.transpose(1, 2).flatten(2))
        h = layer.final_layer_norm(x)
        return x + layer.fc2(layer.activation_fn(layer.fc1(h)))


def collapse_ctc(logits: torch.Tensor, mask: torch.Tensor | None, blank_id: int) -> list[list[int]]:
    """Best path of a CTC network: (batch, time, vocabulary) -> ids without repeats and blanks (Graves et al. 2006)."""
    best = logits.argmax(-1)
    rows = []
    for row, path in enumerate(best):
        if mask is not None:
            path = path[mask[row].bool()]
        path = torch.unique_consecutive(path)
        rows.append([token for token in path.tolist() if token != blank_id])
    return rows
