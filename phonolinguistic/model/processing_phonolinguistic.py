"""`PhonoLinguisticProcessor`: sound and words to the model's tensors, and token ids back to words."""

import os

import numpy as np
import torch
from transformers import AutoProcessor, AutoTokenizer, BatchFeature, ProcessorMixin

from .configuration_phonolinguistic import PhonoLinguisticConfig

SAMPLE_RATE = 16_000  # Hz; every speech network here was trained at it
RECOGNISER_FOLDER = "asr_tokenizer"
IGNORED = -100


class PhonoLinguisticProcessor(ProcessorMixin):
    """Feature extractor of the speech network, tokenizer of the text encoder, and the recogniser's tokenizer.

    Args:
        feature_extractor: WhisperFeatureExtractor, Wav2Vec2FeatureExtractor or ASTFeatureExtractor.
        tokenizer: the BERT tokenizer.
        asr_tokenizer: a tokenizer for transcripts (Whisper's, or a CTC vocabulary); multi-task only.
        max_text_tokens: longest text in tokens; what is over is cut.
    """

    def __init__(self, feature_extractor, tokenizer, max_text_tokens: int = 256):
        super().__init__(feature_extractor, tokenizer)
        self.max_text_tokens = max_text_tokens
        self.asr_tokenizer = None

    @classmethod
    def build(cls, feature_extractor, tokenizer, asr_tokenizer=None) -> "PhonoLinguisticProcessor":
        """The processor of these parts; `asr_tokenizer` only for multi-task models."""
        processor = cls(feature_extractor, tokenizer)
        processor.asr_tokenizer = asr_tokenizer
        return processor

    def save_pretrained(self, save_directory, push_to_hub: bool = False, **kwargs):
        """Write all parts; the recogniser's tokenizer goes into its own folder."""
        if self.asr_tokenizer is not None:
            self.asr_tokenizer.save_pretrained(os.path.join(save_directory, RECOGNISER_FOLDER))
        return super().save_pretrained(save_directory, push_to_hub=push_to_hub, **kwargs)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, **kwargs) -> "PhonoLinguisticProcessor":
        """Load from a directory or a Hub repository; the recogniser's tokenizer is loaded where there is one."""
        kwargs.pop("trust_remote_code", None)
        processor = super().from_pretrained(pretrained_model_name_or_path, **kwargs)
        passed = {k: kwargs[k] for k in ("cache_dir", "revision", "token", "local_files_only") if k in kwargs}
        if _has_folder(pretrained_model_name_or_path, passed):
            processor.asr_tokenizer = AutoTokenizer.from_pretrained(
                pretrained_model_name_or_path, subfolder=RECOGNISER_FOLDER, **passed
            )
        return processor

    def __call__(
        self,
        audio=None,
        text: str | list[str] | None = None,
        transcripts: list[str] | None = None,
        sampling_rate: int = SAMPLE_RATE,
        **kwargs,
    ) -> BatchFeature:
        """Tensors with the names of the model's `forward`.

        Args:
            audio: one array of samples (n,), or a list of them: float in [-1, 1], mono, 16 kHz.
            text: one text or a list, for the text encoder. An empty text gives a row whose mask is all zeros.
            transcripts: targets for the recogniser, a list.
            sampling_rate: Hz; must be 16,000 (resample before).

        Raises:
            ValueError: wrong sampling rate, nothing given, or transcripts without a recogniser's tokenizer.
        """
        if audio is None and text is None and transcripts is None:
            raise ValueError("Give audio, text or transcripts.")
        data = {}
        if audio is not None:
            if sampling_rate != SAMPLE_RATE:
                raise ValueError(f"Audio at {sampling_rate} Hz; accepted: {SAMPLE_RATE} Hz (resample first).")
            clips = [audio] if isinstance(audio, (np.ndarray, torch.Tensor)) and audio.ndim == 1 else list(audio)
            data.update(self._audio(clips))
        if text is not None:
            data.update(self._text([text] if isinstance(text, str) else list(text)))
        if transcripts is not None:
            data["transcript_labels"] = self._labels(list(transcripts))
        return BatchFeature(data)

    def _audio(self, clips) -> dict[str, torch.Tensor]:
        kind = type(self.feature_extractor).__name__
        clips = [np.asarray(clip, dtype=np.float32) for clip in clips]
        if kind == "ASTFeatureExtractor":
            values = self.feature_extractor(clips, sampling_rate=SAMPLE_RATE, return_tensors="pt")["input_values"]
            return {"input_features": values, "attention_mask": torch.ones(values.shape[:2], dtype=torch.long)}
        rows = []
        for clip in clips:
            # One at a time, at its own length: Whisper's log-mel looks at the clip's loudest frame, and a waveform
            # network's normalisation at its mean, so a neighbour in the batch must not take part.
            if kind == "WhisperFeatureExtractor":
                mel = self.feature_extractor(
                    clip, sampling_rate=SAMPLE_RATE, padding="longest", truncation=False, return_tensors="np"
                )
                rows.append(torch.from_numpy(mel["input_features"][0].T.copy()))  # (frames, mels): padded in time
            else:
                values = self.feature_extractor(clip, sampling_rate=SAMPLE_RATE, return_tensors="np")
                rows.append(torch.from_numpy(np.asarray(values["input_values"][0], dtype=np.float32)))
        mask = torch.nn.utils.rnn.pad_sequence([torch.ones(len(r), dtype=torch.long) for r in rows], True)
        values = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        if values.dim() == 3:
            values = values.transpose(1, 2).contiguous()
        return {"input_features": values, "attention_mask": mask}

    def _text(self, texts: list[str]) -> dict[str, torch.Tensor]:
        batch = self.tokenizer(
            [t.strip() for t in texts],
            padding=True,
            truncation=True,
            max_length=self.max_text_tokens,
            return_tensors="pt",
        )
        mask = batch["attention_mask"]
        mask[torch.tensor([not t.strip() for t in texts])] = 0
        return {"input_ids": batch["input_ids"], "text_attention_mask": mask}

    def _labels(self, transcripts: list[str]) -> torch.Tensor:
        tokenizer = self.asr_tokenizer
        if tokenizer is None:
            raise ValueError("Transcripts need a recogniser's tokenizer; this processor has none (not multi-task).")
        rows = []
        whisper = type(self.feature_extractor).__name__ == "WhisperFeatureExtractor"
        for transcript in transcripts:
            # Whisper writes a space in front of the first word; a CTC vocabulary has neither that nor an end token.
            words = f" {transcript.strip()}" if whisper else transcript
            ids = tokenizer(words, add_special_tokens=False)["input_ids"]
            rows.append(torch.tensor(ids + [tokenizer.eos_token_id] if whisper else ids, dtype=torch.long))
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=IGNORED)

    def decode_transcripts(self, ids: list[list[int]]) -> list[str]:
        """The recogniser's token ids -> words, stripped; CTC ids come already collapsed."""
        tokenizer = self.asr_tokenizer
        if tokenizer is None:
            raise ValueError("This processor has no recogniser's tokenizer (not multi-task).")
        if type(self.feature_extractor).__name__ == "WhisperFeatureExtractor":
            return [tokenizer.decode(row, skip_special_tokens=True).strip() for row in ids]
        return [tokenizer.decode(row, skip_special_tokens=True, group_tokens=False).strip() for row in ids]

    @property
    def model_input_names(self) -> list[str]:
        return ["input_features", "attention_mask", "input_ids", "text_attention_mask"]


def _has_folder(source, passed: dict) -> bool:
    if os.path.isdir(source):
        return os.path.isdir(os.path.join(source, RECOGNISER_FOLDER))
    from transformers.utils import cached_file

    return (
        cached_file(
            source,
            "tokenizer_config.json",
            subfolder=RECOGNISER_FOLDER,
            _raise_exceptions_for_missing_entries=False,
            **passed,
        )
        is not None
    )


AutoProcessor.register(PhonoLinguisticConfig, PhonoLinguisticProcessor, exist_ok=True)
