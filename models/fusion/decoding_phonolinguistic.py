"""How a Whisper's transcript starts and what it may not hold: prompt, language, suppressed tokens, by configuration.

English-only networks (tiny.en to medium.en) start with <|startoftranscript|><|notimestamps|>; multilingual ones have
the language and the task between the two (Radford et al. 2023, section 2.3).
"""

import re
from dataclasses import dataclass

from torch import nn
from transformers import AutoConfig, GenerationConfig

from .projection_phonolinguistic import TokenChoice
from .speech_phonolinguistic import WhisperGreedyDecoder

ENGLISH_ONLY_VOCABULARY = 51_864  # rows of the published .en models; multilingual ones have more
LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")


@dataclass(frozen=True)
class DecoderSettings:
    """prompt_ids: what starts every transcript; of a multilingual network with English in second place. language_ids:
    code -> token of what it knows, empty for an English-only one. The others: see `WhisperGreedyDecoder`."""

    prompt_ids: list[int]
    end_id: int
    begin_suppress_ids: list[int]
    suppress_ids: list[int]
    language_ids: dict[str, int]

    def for_config(self) -> dict:
        """As arguments of `PhonoLinguisticConfig`."""
        return {
            "decoder_prompt_ids": self.prompt_ids,
            "decoder_begin_suppress_ids": self.begin_suppress_ids,
            "decoder_suppress_ids": self.suppress_ids,
            "decoder_language_ids": self.language_ids or None,
        }


def decoder_settings(config, generation_config, vocabulary: dict[str, int]) -> DecoderSettings:
    """Read them from a Whisper checkpoint.

    Args:
        config: its `WhisperConfig`.
        generation_config: its `GenerationConfig`, which bars tokens and may say whether it is multilingual; or None.
        vocabulary: token -> id of its tokenizer.
    """
    multilingual = getattr(generation_config, "is_multilingual", None)
    if multilingual is None:
        multilingual = config.vocab_size > ENGLISH_ONLY_VOCABULARY
    # The tokenizers of English-only networks list the languages too.
    found = ((LANGUAGE.fullmatch(token), i) for token, i in vocabulary.items() if multilingual)
    languages = {match[1]: i for match, i in sorted(found, key=lambda pair: pair[1]) if match}
    wanted = ["<|en|>", "<|transcribe|>"] if languages else []
    prompt = [vocabulary[token] for token in (*wanted, "<|notimestamps|>") if token in vocabulary]

    def barred(name: str) -> list[int]:
        given = getattr(generation_config, name, None)
        return list(getattr(config, name, None) or [] if given is None else given)

    return DecoderSettings(
        prompt_ids=[config.decoder_start_token_id, *prompt],
        end_id=config.eos_token_id,
        begin_suppress_ids=barred("begin_suppress_tokens"),
        suppress_ids=barred("suppress_tokens"),
        language_ids=languages,
    )


def whisper_defaults(source: str, vocabulary: dict[str, int] | None) -> dict:
    """`PhonoLinguisticConfig` arguments for a published Whisper (directory or Hub id), which was trained with silence
    behind each clip; none for any other network. With the vocabulary (token -> id) of a multi-task model's recogniser:
    its `DecoderSettings` too."""
    config = AutoConfig.from_pretrained(source)
    if config.model_type != "whisper":
        return {}
    if vocabulary is None:
        return {"silence": True}
    try:
        generation = GenerationConfig.from_pretrained(source)
    except OSError:  # a checkpoint without one
        generation = None
    return {"silence": True} | decoder_settings(config, generation, vocabulary).for_config()


def language_token(language: str | None, known: dict[str, int]) -> int | None:
    """Token of a language code; None where it is to be detected, or where the network knows English alone.

    Raises:
        ValueError: a language that the network does not know.
    """
    if language is None or (language == "en" and not known):
        return None
    if language not in known:
        raise ValueError(f"Language {language!r}; this recogniser knows {', '.join(known) or 'en'}.")
    return known[language]


def prompt_ids(config) -> list[int]:
    """What starts a transcript of a multi-task model with this `PhonoLinguisticConfig`."""
    return config.decoder_prompt_ids or [config.speech_config.decoder_start_token_id]


def shared_decoder(decoder: nn.Module, config, choice: TokenChoice) -> WhisperGreedyDecoder:
    """Greedy decoder of a multi-task model's own Whisper, by its `PhonoLinguisticConfig`."""
    speech = config.speech_config
    begin, barred = config.decoder_begin_suppress_ids, config.decoder_suppress_ids
    return WhisperGreedyDecoder(
        decoder,
        prompt_ids(config),
        speech.eos_token_id,
        begin if begin is not None else (getattr(speech, "begin_suppress_tokens", None) or []),
        barred if barred is not None else (getattr(speech, "suppress_tokens", None) or []),
        (config.decoder_language_ids or {}).values(),
        choice,
    )


def whisper_decoder(model: nn.Module, tokenizer, language: str | None = "en") -> WhisperGreedyDecoder:
    """Greedy decoder, without timestamps, of a whole Whisper (`WhisperForConditionalGeneration`).

    language: code of what is spoken; None: detected, where the network knows more than one.
    """
    settings = decoder_settings(model.config, model.generation_config, tokenizer.get_vocab())
    token, prompt = language_token(language, settings.language_ids), list(settings.prompt_ids)
    if token is not None:
        prompt[1] = token
    return WhisperGreedyDecoder(
        model.model.decoder,
        prompt,
        settings.end_id,
        settings.begin_suppress_ids,
        settings.suppress_ids,
        () if token is not None else settings.language_ids.values(),
    )
