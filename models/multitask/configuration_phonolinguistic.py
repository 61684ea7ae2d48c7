"""What a phonolinguistic model is made of: a speech network, a BERT, and how their states become seven scores."""

from transformers import AutoConfig, PretrainedConfig

EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")

# Kind of input that a speech network reads, by its transformers model type.
WAVEFORM_TYPES = ("hubert", "wav2vec2", "wavlm")
LOG_MEL_TYPES = ("whisper",)
SPECTROGRAM_TYPES = ("audio-spectrogram-transformer",)


def _as_config(value):
    if value is None or not isinstance(value, dict):
        return value
    settings = dict(value)
    return AutoConfig.for_model(settings.pop("model_type"), **settings)


class PhonoLinguisticConfig(PretrainedConfig):
    """Configuration of `PhonoLinguisticModel`.

    Args:
        speech_config: configuration (or its dict) of the speech network: hubert, wav2vec2, wavlm, whisper, or
            audio-spectrogram-transformer (audio only, never a recogniser).
        text_config: configuration (or its dict) of the text encoder, of the BERT family.
        multitask: the speech network is a whole recogniser (CTC head, or Whisper with its decoder) whose encoder
            states feed the emotion heads; False: an encoder, and the transcript comes from the recogniser `asr`.
        asr: directory or Hub id of the separate recogniser that a fusion model was trained with; None in multi-task.
        id2label: class names; the seven of MELD by default.
        pooling: "mean" or "mean_std" of the speech states over time.
        pooled_layers: indices of hidden states (0: the input of the first layer) that are pooled and joined;
            None: one learned weighted sum over all of them (Yang et al. 2021, SUPERB, section 3).
        spectrum_statistics: join the pooled log-mel spectrum itself (Whisper only).
        text_pooling: "mean" over real tokens, or "pooler".
        head_hidden_size: width of the hidden layer in front of each head; 0: linear heads.
        head_dropout: dropout in front of each linear layer of the heads.
        loss_weights: weight of each loss in training; `recognition` is the multi-task weight (0.1 for CTC, Cai et
            al. 2021, "Speech Emotion Recognition with Multi-Task Learning", section 2.3).
        temperatures: mode -> temperature fitted on validation data (Guo et al. 2017); 1 where absent.
        uncertain_threshold: confidence below which an answer is called uncertain.
        silence: a Whisper encoder hears kept silence behind the clip, as it did in its training, and so does its
            decoder (`silence_phonolinguistic.py`). False: the clip alone, for a network that was trained so.
        decoder_prompt_ids, decoder_begin_suppress_ids, decoder_suppress_ids: Whisper recogniser's prompt, the tokens
            barred from coming first, and those barred throughout; None: taken from the speech configuration.
        decoder_language_ids: code -> token of the languages of a multilingual Whisper, whose prompt has the language in
            second place; None: one language.
        language: code of what a multilingual Whisper is told to hear; None: detected in each clip.
        release: free facts of a trained release (version, trained heads, corpora), shown by the card and the page.
    """

    model_type = "phonolinguistic"
    sub_configs = {"speech_config": AutoConfig, "text_config": AutoConfig}

    def __init__(
        self,
        speech_config=None,
        text_config=None,
        multitask: bool = False,
        asr: str | None = None,
        id2label: dict | None = None,
        pooling: str = "mean",
        pooled_layers: list[int] | None = None,
        spectrum_statistics: bool = False,
        pooling_options: dict | None = None,
        text_pooling: str = "mean",
        head_hidden_size: int = 256,
        head_dropout: float = 0.1,
        loss_weights: dict | None = None,
        temperatures: dict | None = None,
        uncertain_threshold: float = 0.0,
        silence: bool = False,
        decoder_prompt_ids: list[int] | None = None,
        decoder_begin_suppress_ids: list[int] | None = None,
        decoder_suppress_ids: list[int] | None = None,
        decoder_language_ids: dict[str, int] | None = None,
        language: str | None = None,
        release: dict | None = None,
        **kwargs,
    ):
        # Hub ids are not needed to make a default: transformers builds one to compare against when it saves.
        self.speech_config = _as_config(speech_config) or AutoConfig.for_model("hubert")
        self.text_config = _as_config(text_config) or AutoConfig.for_model("bert")
        self.multitask = multitask
        self.asr = asr
        self.pooling = pooling
        self.pooled_layers = None if pooled_layers is None else list(pooled_layers)
        self.spectrum_statistics = spectrum_statistics
        self.pooling_options = dict(pooling_options or {})
        self.text_pooling = text_pooling
        self.head_hidden_size = head_hidden_size
        self.head_dropout = head_dropout
        weights = {"audio": 1.0, "text": 1.0, "fusion": 1.0, "recognition": 0.1 if self.recogniser == "ctc" else 1.0}
        self.loss_weights = weights | dict(loss_weights or {})
        self.temperatures = dict(temperatures or {})
        self.uncertain_threshold = uncertain_threshold
        self.silence = silence
        self.decoder_prompt_ids = decoder_prompt_ids
        self.decoder_begin_suppress_ids = decoder_begin_suppress_ids
        self.decoder_suppress_ids = decoder_suppress_ids
        self.decoder_language_ids = decoder_language_ids
        self.language = language
        self.release = dict(release or {})
        if id2label is None:
            id2label = dict(enumerate(EMOTIONS))
        id2label = {int(k): v for k, v in id2label.items()}
        kwargs["label2id"] = {v: k for k, v in id2label.items()}
        self._check()
        super().__init__(id2label=id2label, **kwargs)

    def _check(self) -> None:
        kind = self.speech_config.model_type
        known = WAVEFORM_TYPES + LOG_MEL_TYPES + SPECTROGRAM_TYPES
        if kind not in known:
            raise ValueError(f"speech_config.model_type is {kind!r}; accepted: {', '.join(known)}.")
        if self.pooling not in ("mean", "mean_std"):
            raise ValueError(f"pooling is {self.pooling!r}; accepted: mean, mean_std.")
        if self.text_pooling not in ("mean", "pooler"):
            raise ValueError(f"text_pooling is {self.text_pooling!r}; accepted: mean, pooler.")
        if self.multitask and kind in SPECTROGRAM_TYPES:
            raise ValueError("An audio spectrogram transformer recognises no words: multitask must be False.")
        if self.spectrum_statistics and kind not in LOG_MEL_TYPES:
            raise ValueError("spectrum_statistics needs a log-mel speech encoder (whisper).")
        if self.silence and kind not in LOG_MEL_TYPES:
            raise ValueError("silence needs a log-mel speech encoder (whisper).")
        if self.language is not None and self.decoder_language_ids and self.language not in self.decoder_language_ids:
            raise ValueError(f"language is {self.language!r}; accepted: {', '.join(self.decoder_language_ids)}.")

    @property
    def speech_kind(self) -> str:
        """"waveform", "log_mel" or "spectrogram": what the speech network reads."""
        kind = self.speech_config.model_type
        return "waveform" if kind in WAVEFORM_TYPES else "log_mel" if kind in LOG_MEL_TYPES else "spectrogram"

    @property
    def recogniser(self) -> str | None:
        """"ctc", "whisper", or None where the speech network writes no transcript."""
        if not self.multitask:
            return None
        return "whisper" if self.speech_config.model_type in LOG_MEL_TYPES else "ctc"
