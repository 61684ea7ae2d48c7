"""Whisper on any length, and greedy decoding against transformers' own."""

import pytest
import torch
from torch.nn import functional as F
from transformers import AutoConfig, WhisperForConditionalGeneration

from phonolinguistic.model import projection_phonolinguistic as projection
from phonolinguistic.model.projection_phonolinguistic import TokenChoice
from phonolinguistic.model.speech_phonolinguistic import (
    WhisperGreedyDecoder,
    collapse_ctc,
    cut_loop,
    decode_teacher_forced,
    encode_whisper,
    loop_period,
    token_limit,
)


@pytest.fixture(scope="module")
def whisper() -> WhisperForConditionalGeneration:
    torch.manual_seed(1)
    config = AutoConfig.for_model(
        "whisper", d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2, init_std=0.2,
        decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, vocab_size=90, max_source_positions=100,
        pad_token_id=0, bos_token_id=1, eos_token_id=0, decoder_start_token_id=1, begin_suppress_tokens=[0],
        suppress_tokens=None,
    )  # fmt: skip
    return WhisperForConditionalGeneration(config).eval()


def test_full_length_equals_transformers(whisper):
    mel = torch.randn(2, 80, 200)
    states, mask = encode_whisper(whisper.model.encoder, mel)
    with torch.no_grad():
        expected = whisper.model.encoder(mel).last_hidden_state
    torch.testing.assert_close(states[-1], expected)
    assert len(states) == 3 and bool(mask.all())


def test_refuses_more_frames_than_positions(whisper):
    with pytest.raises(ValueError, match="at most 200"):
        encode_whisper(whisper.model.encoder, torch.randn(1, 80, 202))


def test_greedy_decoding_equals_step_by_step_argmax(whisper):
    mel = torch.randn(2, 80, 200)
    decoder = WhisperGreedyDecoder(whisper.model.decoder, [1, 2], 0, [0])
    with torch.no_grad():
        states = encode_whisper(whisper.model.encoder, mel)[0][-1]
        found = decoder(states, max_new_tokens=6)
        for row in range(2):
            ids = [1, 2]
            for step in range(6):
                logits = whisper.model.decoder(torch.tensor([ids]), encoder_hidden_states=states[row : row + 1])
                scores = whisper.proj_out(logits.last_hidden_state)[0, -1]
                if step == 0:
                    scores[0] = -torch.inf
                ids.append(int(scores.argmax()))
                if ids[-1] == 0:
                    break
            assert found[row] == cut_loop([i for i in ids[2:] if i])
            forced = decode_teacher_forced(whisper.model.decoder, torch.tensor([ids[:3]]), states[row : row + 1], None)
            assert int(forced[0, 2].argmax()) == ids[3]


def test_decoding_of_a_padded_row_equals_alone(whisper):
    mel = torch.randn(1, 80, 120)
    batch = torch.zeros(2, 80, 200)
    batch[0, :, :120], batch[1] = mel[0], torch.randn(80, 200)
    mask = torch.zeros(2, 200, dtype=torch.long)
    mask[0, :120], mask[1] = 1, 1
    decoder = WhisperGreedyDecoder(whisper.model.decoder, [1, 2], 0, [0])
    with torch.no_grad():
        alone = decoder(*_last(encode_whisper(whisper.model.encoder, mel)), max_new_tokens=8)
        together = decoder(*_last(encode_whisper(whisper.model.encoder, batch, mask)), max_new_tokens=8)
    assert together[0] == alone[0]


def _last(result):
    states, mask = result
    return states[-1], mask


def test_decoding_is_bounded_and_loops_are_cut():
    assert token_limit(4.0) < 60 and token_limit(1e6) == 224
    assert loop_period([1, 2, 3, 4]) is None
    assert loop_period([9] + [5, 6] * 4) == 2
    assert cut_loop([9] + [5, 6] * 5) == [9, 5, 6]
    assert loop_period([7] * 4) is None, "four times the same word is still speech"
    assert cut_loop([7] * 8) == [7]


def test_ctc_best_path():
    path = torch.tensor([0, 3, 3, 0, 3, 4, 4, 0])
    logits = torch.nn.functional.one_hot(path, 6).float()[None]
    assert collapse_ctc(logits, None, 0) == [[3, 3, 4]]
    assert collapse_ctc(logits, torch.tensor([[1, 1, 1, 1, 0, 0, 0, 0]]), 0) == [[3]]


def test_candidates_of_the_small_copy_hold_the_likeliest_token(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    weight, x = torch.randn(9_000, 24, generator=generator), torch.randn(50, 24, generator=generator)
    x[0] = 4 * weight[7]
    weight[100:120] = weight[7] * (1 + 1e-4 * torch.arange(20).flip(0)[:, None])  # too close for bfloat16
    barred, choice = [int(i) for i in F.linear(x, weight).argmax(-1)[1:5]], TokenChoice()
    for tokens in ([], barred):
        logits = F.linear(x, weight)
        logits[:, tokens] = -torch.inf
        assert choice(x, weight, tokens).tolist() == logits.argmax(-1).tolist()
    with torch.no_grad():
        weight.copy_(weight.flip(0))  # loaded over: the copy is made again
    assert choice(x, weight, []).tolist() == F.linear(x, weight).argmax(-1).tolist()
    monkeypatch.setattr(projection, "CANDIDATES", 1)
    assert choice(x, weight, []).tolist() != F.linear(x, weight).argmax(-1).tolist(), "bfloat16 alone does"
