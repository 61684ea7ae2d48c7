"""The published size with random weights: HuBERT-large recogniser + HuBERT-large + BERT-base, against the shared one.

    python -m benchmarks.published_size

Published: 740 M parameters against 425 M, 42.6 % fewer. The weights do not matter to time and size; the transcript is a
fixed 16 tokens, because random weights write none.
"""

import gc

import torch
from transformers import BertConfig, HubertConfig, HubertForCTC

from phonolinguistic import PhonoLinguisticConfig, PhonoLinguisticModel
from phonolinguistic.model.speech_phonolinguistic import collapse_ctc

from .common import median, parse, parser, percent_less, seconds, write

SEED, RATE, TOKENS = 0, 16_000, 16
PUBLISHED_PERCENT_LESS = 42.6


def hubert_large() -> HubertConfig:
    return HubertConfig(
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
        feat_extract_norm="layer",
        conv_bias=True,
        do_stable_layer_norm=True,
    )


def build(multitask: bool) -> tuple[PhonoLinguisticModel, HubertForCTC | None]:
    """The model, and the separate recogniser that a fusion model needs."""
    torch.manual_seed(SEED)
    config = PhonoLinguisticConfig(hubert_large(), BertConfig(), multitask=multitask)
    model = PhonoLinguisticModel(config).eval()
    return model, None if multitask else HubertForCTC(hubert_large()).eval()


@torch.inference_mode()
def answer(model, recogniser, samples: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Everything that one answer runs."""
    states = model.encode_speech(samples)
    if recogniser is None:
        model.transcribe(states)
    else:
        collapse_ctc(recogniser(samples).logits, None, recogniser.config.pad_token_id)
    return model.classify(model.pool_speech(states), model.encode_text(tokens))[2]


def main() -> None:
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--seconds", type=float, default=4.0, help="length of the clip (default 4)")
    values = parse(options)
    samples = torch.randn(1, round(values.seconds * RATE), generator=torch.Generator().manual_seed(SEED))
    tokens = torch.arange(1000, 1000 + TOKENS)[None]
    parameters, taken = {}, {}
    for name in ("fusion", "multitask"):
        networks = build(name == "multitask")
        parameters[name] = sum(p.numel() for network in networks if network is not None for p in network.parameters())
        answer(*networks, samples, tokens)
        taken[name] = median(seconds(lambda n=networks: answer(*n, samples, tokens)) for _ in range(values.repeats))
        del networks
        gc.collect()
    results = {
        "clip_seconds": values.seconds,
        "parameters": parameters,
        "seconds": taken,
        "parameters_percent_less": percent_less(parameters["multitask"], parameters["fusion"]),
        "seconds_percent_less": percent_less(taken["multitask"], taken["fusion"]),
        "published_parameters_percent_less": PUBLISHED_PERCENT_LESS,
        "weights": "random",
    }
    write("published_size", results, values, seed=SEED)


if __name__ == "__main__":
    main()
