"""`PhonoLinguisticModel`: one forward, three answers (voice, words, both), and a transcript in multi-task."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, AutoModelForCTC, AutoTokenizer, PreTrainedModel
from transformers.utils import ModelOutput

from .configuration_phonolinguistic import PhonoLinguisticConfig
from .decoding_phonolinguistic import language_token, prompt_ids, shared_decoder, whisper_defaults
from .pooling_phonolinguistic import SpeechPooling
from .projection_phonolinguistic import TokenChoice
from .silence_phonolinguistic import SilenceCache, encode_with_silence
from .speech_phonolinguistic import SpeechStates, collapse_ctc, decode_teacher_forced, encode_whisper

IGNORED = -100  # label of a row or token that has none, as everywhere in torch


@dataclass
class PhonoLinguisticOutput(ModelOutput):
    """Output of one forward; whatever was not asked for or could not be computed is None.

    loss: weighted sum of the losses below. audio_logits, text_logits, fusion_logits: (batch, classes).
    recognition_logits: (batch, tokens, vocabulary) for Whisper, (batch, time, vocabulary) for CTC.
    audio_pooled: (batch, pooled speech size); text_pooled: (batch, text hidden size).
    """

    loss: torch.FloatTensor | None = None
    audio_logits: torch.FloatTensor | None = None
    text_logits: torch.FloatTensor | None = None
    fusion_logits: torch.FloatTensor | None = None
    audio_loss: torch.FloatTensor | None = None
    text_loss: torch.FloatTensor | None = None
    fusion_loss: torch.FloatTensor | None = None
    recognition_loss: torch.FloatTensor | None = None
    recognition_logits: torch.FloatTensor | None = None
    audio_pooled: torch.FloatTensor | None = None
    text_pooled: torch.FloatTensor | None = None


class PhonoLinguisticModel(PreTrainedModel):
    """Speech network and BERT under three heads; see `PhonoLinguisticConfig` for what can be put together."""

    config_class = PhonoLinguisticConfig
    base_model_prefix = "phonolinguistic"
    main_input_name = "input_features"
    supports_gradient_checkpointing = True
    _supports_sdpa = True

    def __init__(self, config: PhonoLinguisticConfig):
        super().__init__(config)
        speech = config.speech_config
        if config.recogniser == "ctc":
            self.speech = AutoModelForCTC.from_config(speech)
        elif config.speech_kind == "log_mel" and not config.multitask:
            self.speech = AutoModel.from_config(speech).encoder
        else:
            self.speech = AutoModel.from_config(speech)
        self.text = AutoModel.from_config(config.text_config)
        layers = getattr(speech, "encoder_layers", None) or speech.num_hidden_layers
        size = getattr(speech, "d_model", None) or speech.hidden_size
        self.silence, self.token_choice = SilenceCache(), TokenChoice()
        self.audio_pooling = SpeechPooling(
            hidden_size=size,
            num_states=layers + 1,
            pooled_layers=config.pooled_layers,
            pooling=config.pooling,
            spectrum_bins=speech.num_mel_bins if config.spectrum_statistics else 0,
            **config.pooling_options,
        )
        hidden, classes, dropout = config.head_hidden_size, len(config.id2label), config.head_dropout
        text_size = config.text_config.hidden_size
        self.audio_projection = _projection(self.audio_pooling.output_size, hidden, dropout)
        self.text_projection = _projection(text_size, hidden, dropout)
        audio_size, text_size = (hidden, hidden) if hidden else (self.audio_pooling.output_size, text_size)
        self.audio_head = nn.Linear(audio_size, classes)
        self.text_head = nn.Linear(text_size, classes)
        # Two flags say which modality is there, so that an absent one (zeros) is not taken for a flat voice.
        self.fusion_head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(audio_size + text_size + 2, hidden or 256),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden or 256, classes),
        )
        self.post_init()

    @classmethod
    def from_encoders(cls, speech: str, text: str, multitask: bool = False, **settings) -> "PhonoLinguisticModel":
        """Put pretrained networks under new heads.

        Args:
            speech, text: directories or Hub ids; a whole recogniser (CTC or Whisper) as `speech` when `multitask`.
            settings: further `PhonoLinguisticConfig` arguments. A Whisper hears kept silence behind the clip, and
                starts and bars its transcripts as its checkpoint says, unless they say otherwise.
        """
        speech_config, text_config = AutoConfig.from_pretrained(speech), AutoConfig.from_pretrained(text)
        if speech_config.model_type == "whisper":
            vocabulary = AutoTokenizer.from_pretrained(speech).get_vocab() if multitask else None
            settings = whisper_defaults(speech, vocabulary) | settings
        config = PhonoLinguisticConfig(speech_config, text_config, multitask=multitask, **settings)
        model = cls(config)
        loader = AutoModelForCTC if config.recogniser == "ctc" else AutoModel
        pretrained = loader.from_pretrained(speech, dtype=torch.float32)
        if config.speech_kind == "log_mel" and not multitask:
            pretrained = pretrained.encoder
        model.speech = pretrained
        model.text = AutoModel.from_pretrained(text, dtype=torch.float32)
        return model

    def get_input_embeddings(self) -> nn.Module:
        return self.text.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.text.set_input_embeddings(value)

    # Encoders

    def encode_speech(self, input_features: torch.Tensor, attention_mask: torch.Tensor | None = None) -> SpeechStates:
        """Run the speech network's encoder.

        Args:
            input_features: (batch, n_mels, frames) log-mel, (batch, samples) waveform at 16 kHz, or
                (batch, frames, n_mels) spectrogram, by `config.speech_kind`.
            attention_mask: (batch, frames or samples), 1 = real; None: no padding. A row of zeros is encoded too
                (attention over nothing is undefined) and has an all-zero mask in the result.
        """
        input_features = input_features.to(self.audio_head.weight.dtype)
        kept = attention_mask
        if attention_mask is not None:
            absent = ~attention_mask.bool().any(1)
            if bool(absent.any()):
                kept = attention_mask.clone()
                kept[absent] = 1
        if self.config.silence:
            # The same in fusion and multi-task: a recogniser that reads these states leaves the voice's as they are.
            encoder = getattr(self.speech, "encoder", self.speech)
            states = encode_with_silence(encoder, input_features, kept, self.silence)
            if attention_mask is not None:
                states.mask, states.input_mask = states.mask & ~absent[:, None], attention_mask
            return states
        if self.config.speech_kind == "log_mel":
            hidden, mask = encode_whisper(getattr(self.speech, "encoder", self.speech), input_features, kept)
        elif self.config.speech_kind == "spectrogram":
            hidden = self.speech(input_features, output_hidden_states=True).hidden_states
            mask = torch.ones(hidden[-1].shape[:2], dtype=torch.bool, device=input_features.device)
        else:
            encoder = getattr(self.speech, self.speech.base_model_prefix) if self.config.multitask else self.speech
            hidden = encoder(input_features, attention_mask=kept, output_hidden_states=True).hidden_states
            steps = hidden[-1].shape[1]
            if kept is None:
                mask = torch.ones((len(input_features), steps), dtype=torch.bool, device=input_features.device)
            else:
                mask = encoder._get_feature_vector_attention_mask(steps, kept).bool()
        if attention_mask is not None:
            mask = mask & attention_mask.bool().any(1)[:, None]
        return SpeechStates(tuple(hidden), hidden[-1], mask, input_features, attention_mask)

    def pool_speech(self, states: SpeechStates) -> torch.Tensor:
        """Speech states -> (batch, pooled size), zeros where a row has no audio."""
        pooled = self.audio_pooling(states.hidden_states, states.mask, states.input_features, states.input_mask)
        return pooled * states.mask.any(1)[:, None].to(pooled.dtype)

    def encode_text(self, input_ids: torch.Tensor, text_attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        """(batch, tokens) ids -> (batch, text hidden size), zeros where a row has no words."""
        mask = torch.ones_like(input_ids) if text_attention_mask is None else text_attention_mask
        present = mask.bool().any(1)
        kept = mask.clone()
        kept[~present] = 1
        output = self.text(input_ids=input_ids, attention_mask=kept)
        if self.config.text_pooling == "pooler":
            pooled = output.pooler_output
        else:
            weights = kept[:, :, None].to(output.last_hidden_state.dtype)
            pooled = (output.last_hidden_state * weights).sum(1) / weights.sum(1)
        return pooled * present[:, None].to(pooled.dtype)

    # Heads

    def classify(
        self, audio_pooled: torch.Tensor | None, text_pooled: torch.Tensor | None
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor]:
        """Pooled vectors -> audio, text and fusion logits, each (batch, classes).

        A modality that is None, or a row of zeros (what the encoders give for an absent one), reaches the fusion head
        as zeros with its flag down; its own logits are None when it is absent for the whole batch.
        """
        if audio_pooled is None and text_pooled is None:
            raise ValueError("Give audio, text, or both: neither was given.")
        given = audio_pooled if audio_pooled is not None else text_pooled
        dtype, batch = self.audio_head.weight.dtype, given.shape[0]
        parts, flags, logits = [], [], []
        towers = (
            (audio_pooled, self.audio_projection, self.audio_head),
            (text_pooled, self.text_projection, self.text_head),
        )
        for pooled, projection, head in towers:
            if pooled is None:
                parts.append(given.new_zeros((batch, head.in_features), dtype=dtype))
                flags.append(given.new_zeros((batch, 1), dtype=dtype))
                logits.append(None)
                continue
            pooled = pooled.to(dtype)
            present = pooled.ne(0).any(1, keepdim=True).to(dtype)
            hidden = projection(pooled)
            parts.append(hidden * present)
            flags.append(present)
            logits.append(head(hidden))
        return logits[0], logits[1], self.fusion_head(torch.cat(parts + flags, 1))

    def forward(
        self,
        input_features: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        input_ids: torch.Tensor | None = None,
        text_attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        transcript_labels: torch.Tensor | None = None,
        audio_pooled: torch.Tensor | None = None,
        text_pooled: torch.Tensor | None = None,
        return_dict: bool | None = True,
        **kwargs,
    ) -> PhonoLinguisticOutput:
        """Three logits from one forward, and the losses where there are labels.

        Args:
            input_features, attention_mask: see `encode_speech`; None when there is no audio in the batch.
            input_ids, text_attention_mask: (batch, tokens); None when there are no words in the batch.
            labels: (batch,) class indices, -100 = none; or (batch, classes) target probabilities.
            transcript_labels: (batch, tokens) recogniser targets, -100 = padding; multi-task only.
            audio_pooled, text_pooled: what the encoders gave before (frozen encoders, cached): they are not run.

        Raises:
            ValueError: neither modality given; transcript labels for a model without a recogniser.
        """
        recognition_logits = recognition_loss = None
        if input_features is not None:
            states = self.encode_speech(input_features, attention_mask)
            if audio_pooled is None:
                audio_pooled = self.pool_speech(states)
            if transcript_labels is not None:
                recognition_logits, recognition_loss = self._recognition(states, transcript_labels)
        if input_ids is not None and text_pooled is None:
            text_pooled = self.encode_text(input_ids, text_attention_mask)
        audio_logits, text_logits, fusion_logits = self.classify(audio_pooled, text_pooled)
        losses = {"recognition": recognition_loss}
        if labels is not None:
            for name, logits, pooled in (
                ("audio", audio_logits, audio_pooled),
                ("text", text_logits, text_pooled),
                ("fusion", fusion_logits, None),
            ):
                rows = None if pooled is None else pooled.ne(0).any(1)
                losses[name] = None if logits is None else classification_loss(logits, labels, rows)
        terms = [self.config.loss_weights[name] * value for name, value in losses.items() if value is not None]
        return PhonoLinguisticOutput(
            loss=sum(terms) if terms else None,
            audio_logits=audio_logits,
            text_logits=text_logits,
            fusion_logits=fusion_logits,
            audio_loss=losses.get("audio"),
            text_loss=losses.get("text"),
            fusion_loss=losses.get("fusion"),
            recognition_loss=recognition_loss,
            recognition_logits=recognition_logits,
            audio_pooled=audio_pooled,
            text_pooled=text_pooled,
        )

    # Recognition

    def _recognition(self, states: SpeechStates, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if self.config.recogniser == "ctc":
            head = self.speech
            logits = head.lm_head(head.dropout(states.last_hidden_state))
            kept = labels.ge(0)
            # A row without targets is unlabelled; to the loss an empty transcript would mean silence.
            rows = kept.any(1)
            if not bool(rows.any()):
                return logits, logits.sum() * 0.0
            loss = F.ctc_loss(
                F.log_softmax(logits[rows], -1, dtype=torch.float32).transpose(0, 1),
                labels.masked_select(kept),
                states.mask.sum(1)[rows],
                kept.sum(1)[rows],
                blank=self.config.speech_config.pad_token_id,
                reduction="mean",
                zero_infinity=True,
            )
            return logits, loss
        if self.config.recogniser is None:
            raise ValueError("transcript_labels need a multi-task model; this one has no recogniser.")
        prompt = torch.tensor([prompt_ids(self.config)] * len(labels), device=labels.device)
        # Teacher forcing: prompt and transcript go in, transcript and end of text come out.
        inputs = torch.cat([prompt, labels[:, :-1].clamp(min=0)], 1)
        logits = decode_teacher_forced(self.speech.decoder, inputs, states.last_hidden_state, states.mask, states.heard)
        logits = logits[:, prompt.shape[1] - 1 :]
        loss = F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORED)
        return logits, loss

    def transcribe(
        self, states: SpeechStates, max_new_tokens: int | list[int] | None = None, language: str | None = None
    ) -> list[list[int]]:
        """Token ids that the model's own recogniser hears, per row; decode them with the processor.

        Args:
            max_new_tokens: bound for all rows or each; None: by the length of the clip.
            language: code of what is spoken, for a multilingual Whisper; None: `config.language`, or else detected.

        Raises:
            ValueError: the model has no recogniser (a fusion model reads another network's transcript), or one that
                does not know the language.
        """
        if self.config.recogniser is None:
            raise ValueError("This model has no recogniser of its own: it reads the transcript of another network.")
        if self.config.recogniser == "ctc":
            with torch.inference_mode():
                logits = self.speech.lm_head(states.last_hidden_state)
            return collapse_ctc(logits, states.mask, self.config.speech_config.pad_token_id)
        token = language_token(language or self.config.language, self.config.decoder_language_ids or {})
        decoder = shared_decoder(self.speech.decoder, self.config, self.token_choice)
        return decoder(states.last_hidden_state, states.mask, max_new_tokens, states.heard, token)


def _projection(size: int, hidden: int, dropout: float) -> nn.Module:
    """Hidden layer in front of a head, or none when `hidden` is 0."""
    if not hidden:
        return nn.Identity()
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(size, hidden), nn.GELU(), nn.Dropout(dropout))


def classification_loss(
    logits: torch.Tensor, labels: torch.Tensor, rows: torch.Tensor | None = None
) -> torch.Tensor | None:
    """Cross-entropy of (batch, classes) logits to class indices or to target probabilities.

    Rows that `rows` excludes, and rows without a label (-100, or all zeros), do not count; None when none is left.
    """
    labelled = labels.ne(IGNORED) if labels.dim() == 1 else labels.gt(0).any(1)
    if rows is not None:
        labelled = labelled & rows
    if not bool(labelled.any()):
        return None
    return F.cross_entropy(logits[labelled].float(), labels[labelled])


AutoConfig.register(PhonoLinguisticConfig.model_type, PhonoLinguisticConfig, exist_ok=True)
AutoModel.register(PhonoLinguisticConfig, PhonoLinguisticModel, exist_ok=True)
