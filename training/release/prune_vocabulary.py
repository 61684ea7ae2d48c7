"""Cut a BERT text encoder's WordPiece vocabulary to the pieces that conversational English needs.

Half of all-MiniLM-L6-v2's parameters are embeddings of 30,522 pieces, most of them names, rare words and other
alphabets. Kept: special tokens, printable ASCII characters (alone and as continuations), pieces by how often they
occur in the texts given, then BERT's own order (roughly by frequency) until the size is reached. Any text is still
written, in a few more pieces.

    python -m training.release.prune_vocabulary --text DIR --texts FILE.parquet ... --pieces 12000 --out DIR
"""

import argparse
import string
from collections import Counter
from pathlib import Path

import torch
from datasets import load_dataset
from transformers import AutoModel, AutoTokenizer, BertTokenizerFast

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def choose_pieces(tokenizer, texts: list[str], pieces: int) -> list[str]:
    """The pieces to keep, in the order of the full vocabulary."""
    vocabulary = tokenizer.get_vocab()
    order = sorted(vocabulary, key=vocabulary.get)
    characters = [c for c in string.printable.lower() if not c.isspace()]
    must = [*SPECIAL, *characters, *(f"##{c}" for c in characters)]
    kept = dict.fromkeys(p for p in must if p in vocabulary)
    counts = Counter(i for row in tokenizer(texts, add_special_tokens=False)["input_ids"] for i in row)
    used = [order[i] for i, _ in counts.most_common()]
    rest = (p for p in order if p.removeprefix("##").isascii() and not p.startswith("[unused"))
    for piece in [*used, *rest]:
        if len(kept) >= pieces:
            break
        kept.setdefault(piece)
    return sorted(kept, key=vocabulary.get)


def prune(source: Path, texts: list[str], pieces: int, out: Path) -> tuple[int, int]:
    """Write encoder and tokenizer to `out`; returns pieces used in all for `texts` before and after."""
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModel.from_pretrained(source, dtype=torch.float32)
    kept = choose_pieces(tokenizer, texts, pieces)
    ids = torch.tensor(tokenizer.convert_tokens_to_ids(kept))
    small = torch.nn.Embedding(len(kept), model.config.hidden_size, padding_idx=kept.index("[PAD]"))
    small.weight.data = model.get_input_embeddings().weight.data[ids].clone()
    model.set_input_embeddings(small)
    model.config.vocab_size, model.config.pad_token_id = len(kept), kept.index("[PAD]")
    out.mkdir(parents=True, exist_ok=True)
    new = BertTokenizerFast(vocab={p: i for i, p in enumerate(kept)}, do_lower_case=True, model_max_length=512)
    model.save_pretrained(out)
    new.save_pretrained(out)
    before, after = ([len(x) for x in t(texts, add_special_tokens=False)["input_ids"]] for t in (tokenizer, new))
    return sum(before), sum(after)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", type=Path, required=True, help="BERT encoder directory")
    parser.add_argument("--texts", nargs="+", required=True, help="parquet files with columns text and split")
    parser.add_argument("--pieces", type=int, default=12_000)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    texts = []
    for file in args.texts:
        rows = load_dataset("parquet", data_files=file, split="train").select_columns(["text", "split"])
        texts += [t for t, s in zip(rows["text"], rows["split"], strict=True) if s in (None, "train")]
    before, after = prune(args.text, texts, args.pieces, args.out)
    print(f"{args.out}: {args.pieces} pieces; the training texts take {after / before - 1:+.2%} pieces")


if __name__ == "__main__":
    main()
