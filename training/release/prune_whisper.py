"""Cut a Whisper recogniser's vocabulary to the first merges of its byte-level BPE.

GPT-2's merges are ordered by how often they occurred in its training text, so the first N tokens are the N most useful
ones, and with the later merges gone every text is still written, in a few more pieces. Token ids below N stay as they
are; the three special tokens that decoding needs follow them. A smaller output projection is a smaller file and a
faster step: the projection costs more than the four decoder layers on short clips.

    python -m training.release.prune_whisper --whisper DIR --tokens 12000 --out DIR
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import AutoFeatureExtractor, PreTrainedTokenizerFast, WhisperForConditionalGeneration

BYTES = 256  # tokens that no merge makes
END, START, NO_TIMESTAMPS = "<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"


def prune_tokenizer(tokenizer_file: Path, tokens: int) -> PreTrainedTokenizerFast:
    """The byte-level BPE of `tokenizer_file` (tokenizer.json) with its first `tokens` tokens and three special ones."""
    state = json.loads(tokenizer_file.read_text(encoding="utf-8"))
    model = state["model"]
    if not BYTES < tokens <= len(model["merges"]) + BYTES:
        raise ValueError(f"--tokens is {tokens}; accepted: {BYTES + 1} to {len(model['merges']) + BYTES}.")
    model["vocab"] = {token: i for token, i in model["vocab"].items() if i < tokens}
    model["merges"] = model["merges"][: tokens - BYTES]
    state["post_processor"] = None
    state["added_tokens"] = [
        {
            "id": tokens + i,
            "content": content,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for i, content in enumerate((END, START, NO_TIMESTAMPS))
    ]
    scratch = json.dumps(state)
    from tokenizers import Tokenizer

    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(scratch), eos_token=END, pad_token=END, bos_token=START
    )


def kept_ids(full: PreTrainedTokenizerFast, tokens: int) -> list[int]:
    """Ids in the full vocabulary of the pruned one's rows, in order."""
    return [*range(tokens), *(full.convert_tokens_to_ids(t) for t in (END, START, NO_TIMESTAMPS))]


def prune_whisper(source: Path, tokens: int, out: Path) -> WhisperForConditionalGeneration:
    """Write the pruned recogniser (float32 weights, feature extractor, tokenizer) to `out` and return it."""
    tokenizer = prune_tokenizer(source / "tokenizer.json", tokens)
    full = PreTrainedTokenizerFast(tokenizer_file=str(source / "tokenizer.json"))
    model = WhisperForConditionalGeneration.from_pretrained(source, dtype=torch.float32)
    keep = torch.tensor(kept_ids(full, tokens))
    embedding = model.model.decoder.embed_tokens.weight.data[keep].clone()
    config = model.config
    config.vocab_size = len(keep)
    config.eos_token_id = config.pad_token_id = config.bos_token_id = tokens
    config.decoder_start_token_id = tokens + 1
    config.begin_suppress_tokens = [220, tokens]  # a lone space, and an end before any word
    pruned = WhisperForConditionalGeneration(config)
    weights = model.state_dict()
    weights["model.decoder.embed_tokens.weight"] = weights["proj_out.weight"] = embedding
    pruned.load_state_dict(weights)
    pruned.generation_config.update(
        eos_token_id=tokens, pad_token_id=tokens, bos_token_id=tokens, decoder_start_token_id=tokens + 1
    )
    pruned.generation_config.begin_suppress_tokens = config.begin_suppress_tokens
    pruned.save_pretrained(out)
    tokenizer.save_pretrained(out)
    AutoFeatureExtractor.from_pretrained(source).save_pretrained(out)
    return pruned


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--whisper", type=Path, required=True, help="Whisper .en directory, transformers format")
    parser.add_argument("--tokens", type=int, default=12_000, help="byte-level BPE tokens to keep")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    model = prune_whisper(args.whisper, args.tokens, args.out)
    print(f"{args.out}: {model.num_parameters():,} parameters, {model.config.vocab_size:,} tokens")


if __name__ == "__main__":
    main()
