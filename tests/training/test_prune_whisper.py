"""A recogniser's vocabulary cut to its first merges."""

import pytest
from transformers import AutoTokenizer

from training.release.prune_whisper import prune_tokenizer

WHISPER = "asr/tokenizer.json"
TOKENS = 400


def test_pruned_tokenizer_writes_any_text_with_the_first_merges(release, tmp_path):
    tokenizer, full = prune_tokenizer(release / WHISPER, TOKENS), AutoTokenizer.from_pretrained(release / "asr")
    text = " Leave me alone, zygote façade 7!"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert max(ids) < TOKENS and tokenizer.decode(ids) == text and full.decode(ids) == text
    assert tokenizer.convert_ids_to_tokens([TOKENS, TOKENS + 2]) == ["<|endoftext|>", "<|notimestamps|>"]
    tokenizer.save_pretrained(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path)(text, add_special_tokens=False)["input_ids"] == ids
    with pytest.raises(ValueError, match="accepted: 257"):
        prune_tokenizer(release / WHISPER, 10)
