"""Put finished encoders into a model directory whose heads `training.heads.fit` then fits: the release's tower design.

    python -m training.release.assemble --speech whisper-tiny.en --text $B/text/model --out $B/fusion0
    python -m training.release.assemble --speech $B/multitask/model --text $B/text/model --multitask --out $B/multitask0

The pooling is one that carries from one corpus, room and microphone to another (training/results/audio_crossval.json):
the mean of the encoder's upper states over the loud frames. Their deviation over time and the log-mel spectrum's helped
between the speakers of one corpus and harmed between corpora.
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoTokenizer

from phonolinguistic.model.configuration_phonolinguistic import PhonoLinguisticConfig
from phonolinguistic.model.decoding_phonolinguistic import whisper_defaults
from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor

from ..config import ConfigError

POOLING = {
    "pooling": "mean",
    "pooled_layers": [2, 3, 4],
    "spectrum_statistics": False,
    "pooling_options": {"active_db": 30.0},
    "head_hidden_size": 0,
}
RECOGNISER = "openai/whisper-tiny.en"
RELEASE = {
    "version": "0.2.0",
    "base_models": [RECOGNISER, "sentence-transformers/all-MiniLM-L6-v2"],
    "splits": "RAVDESS: test actors 1, 11, 20, 21; validation 4, 10, 12, 14. TESS: the older actress trains (15 % of "
    "her words validate), the younger tests. speechocean762, GoEmotions, MELD: official splits.",
}
CORPORA = ["ravdess", "tess", "goemotions", "meld", "speechocean762"]


def assemble(
    speech: str, text: str, multitask: bool, pooling: dict | None = None
) -> tuple[PhonoLinguisticModel, PhonoLinguisticProcessor]:
    """Networks under untrained heads.

    Args:
        speech: a Whisper recogniser's directory or Hub id, or a multi-task directory of ours, whose network is taken.
        text: a BERT encoder's directory or Hub id, or the model/ of a text run (training/configs/release/text.yaml),
            whose head comes along.
    """
    tower = _text_tower(text)
    # The recogniser is trained already where there is one, and a text run's head; the others come with heads.fit.
    facts = RELEASE | {"corpora": CORPORA}
    facts["trained_heads"] = ["recognition"] * multitask + ["text"] * (tower is not None)
    settings = dict(pooling or POOLING) | {"release": facts}
    ours = AutoConfig.from_pretrained(speech).model_type == "phonolinguistic"
    recogniser = None
    if multitask:
        loader = PhonoLinguisticProcessor if ours else AutoTokenizer
        loaded = loader.from_pretrained(speech)
        recogniser = loaded.asr_tokenizer if ours else loaded
        if ours:
            end = recogniser.eos_token_id
            settings |= {"decoder_prompt_ids": [end + 1, end + 2], "decoder_begin_suppress_ids": [220, end]}
    else:
        settings["asr"] = RECOGNISER
    words = tower.text if tower is not None else AutoModel.from_pretrained(text, dtype=torch.float32)
    if ours:
        donor = PhonoLinguisticModel.from_pretrained(speech, dtype=torch.float32)
        model = PhonoLinguisticModel(
            PhonoLinguisticConfig(donor.config.speech_config, words.config, multitask=multitask, **settings)
        )
        model.speech, model.text = donor.speech if multitask else donor.speech.encoder, words
    else:
        settings = whisper_defaults(speech, recogniser.get_vocab() if multitask else None) | settings
        speech_config = AutoConfig.from_pretrained(speech)
        config = PhonoLinguisticConfig(speech_config, words.config, multitask=multitask, **settings)
        model = PhonoLinguisticModel(config)
        pretrained = AutoModel.from_pretrained(speech, dtype=torch.float32)
        model.speech, model.text = pretrained if multitask else pretrained.encoder, words
    if tower is not None:
        model.text_head.load_state_dict(tower.text_head.state_dict())
    tokenizer = AutoTokenizer if tower is None else PhonoLinguisticProcessor
    reader = tokenizer.from_pretrained(text)
    processor = PhonoLinguisticProcessor.build(
        AutoFeatureExtractor.from_pretrained(speech), getattr(reader, "tokenizer", reader), recogniser
    )
    return model, processor


def _text_tower(text: str) -> PhonoLinguisticModel | None:
    """The model of a text run; None for a plain encoder. ConfigError if its head is not the release's kind."""
    config = AutoConfig.from_pretrained(text)
    if not isinstance(config, PhonoLinguisticConfig):
        return None
    if config.head_hidden_size or config.text_pooling != "mean":
        found = f"head_hidden_size {config.head_hidden_size}, text_pooling {config.text_pooling}"
        raise ConfigError(f"{text} has {found}; accepted: a linear head on the mean (head_hidden_size 0).")
    return PhonoLinguisticModel.from_pretrained(text, dtype=torch.float32)


def runs(parts: dict[str, str]) -> dict[str, dict]:
    """What the runs that made the parts wrote beside their `model/`; parts: name -> that directory."""
    found = {name: Path(folder).resolve().parent / "training_run.json" for name, folder in parts.items()}
    return {name: json.loads(file.read_text(encoding="utf-8")) for name, file in found.items() if file.is_file()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--speech", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--multitask", action="store_true", help="keep the whole recogniser")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)
    model, processor = assemble(args.speech, args.text, args.multitask)
    model.save_pretrained(args.out)
    processor.save_pretrained(args.out)
    record = runs({"text": args.text} | ({"recognition": args.speech} if args.multitask else {}))
    (args.out / "training.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"{args.out}: {model.num_parameters():,} parameters")


if __name__ == "__main__":
    main()
