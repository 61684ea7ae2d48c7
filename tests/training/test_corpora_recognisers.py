"""The recognisers behind transcribe.py with tiny random networks, and the command under accelerate launch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from corpus_layouts import own_csv, tone
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

from phonolinguistic.model.configuration_phonolinguistic import PhonoLinguisticConfig
from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor
from training.corpora import CorpusError
from training.release.recognisers import MultitaskRecogniser, WhisperRecogniser, load_recogniser
from training.transcribe import read_records

ROOT = Path(__file__).resolve().parents[2]
WORDS = [f"word{n}" for n in range(20)]


def word_tokenizer(special: list[str]) -> PreTrainedTokenizerFast:
    vocabulary = {token: number for number, token in enumerate(WORDS + special)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=WORDS[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=special[0], pad_token=special[0])
    fast.add_special_tokens({"additional_special_tokens": special[1:]})
    return fast


def whisper_config() -> WhisperConfig:
    return WhisperConfig(
        vocab_size=23, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, num_mel_bins=80, eos_token_id=20,
        pad_token_id=20, bos_token_id=20, decoder_start_token_id=21, begin_suppress_tokens=[20], suppress_tokens=None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whisper(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "whisper"
    torch.manual_seed(0)
    WhisperForConditionalGeneration(whisper_config()).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    word_tokenizer(["<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"]).save_pretrained(folder)
    return folder


def ours(folder: Path, multitask: bool) -> Path:
    torch.manual_seed(0)
    text = BertConfig(
        vocab_size=23, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )  # fmt: skip
    config = PhonoLinguisticConfig(whisper_config(), text, multitask=multitask, head_hidden_size=8)
    PhonoLinguisticModel(config).save_pretrained(folder)
    tokenizer = word_tokenizer(["[PAD]", "[CLS]", "[SEP]"])
    recogniser = word_tokenizer(["<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"]) if multitask else None
    PhonoLinguisticProcessor.build(WhisperFeatureExtractor(), tokenizer, recogniser).save_pretrained(folder)
    return folder


def test_whisper_writes_the_same_alone_and_in_a_batch(whisper):
    recogniser = load_recogniser(str(whisper))
    assert isinstance(recogniser, WhisperRecogniser)
    clips = [tone(1.0), tone(0.4, 330.0)]
    texts = recogniser(clips)
    assert texts == [recogniser([clip])[0] for clip in clips]
    assert all(set(text.split()) <= set(WORDS) for text in texts)
    assert recogniser.name == "/".join(whisper.parts[-2:])


def test_whisper_with_a_bare_tokenizer_file(whisper, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in whisper.iterdir():
        if file.name not in ("tokenizer_config.json", "special_tokens_map.json"):
            (bare / file.name).write_bytes(file.read_bytes())
    assert load_recogniser(str(bare))([tone()]) == load_recogniser(str(whisper))([tone()])


def test_multitask_model_is_its_own_recogniser(tmp_path):
    recogniser = load_recogniser(str(ours(tmp_path / "multitask", multitask=True)))
    assert isinstance(recogniser, MultitaskRecogniser)
    clips = [tone(1.0), tone(0.4, 330.0)]
    assert recogniser(clips) == [recogniser([clip])[0] for clip in clips]


def test_what_is_no_recogniser_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="has no recogniser of its own"):
        load_recogniser(str(ours(tmp_path / "fusion", multitask=False)))
    BertConfig().save_pretrained(tmp_path / "bert")
    with pytest.raises(CorpusError, match="is a bert model; accepted: whisper"):
        load_recogniser(str(tmp_path / "bert"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="no model at"):
        load_recogniser(str(tmp_path / "empty"))


def test_two_processes_share_the_clips(whisper, tmp_path):
    file, out = own_csv(tmp_path / "own"), tmp_path / "own.jsonl"
    command = [
        *(sys.executable, "-m", "accelerate.commands.launch", "--main_process_port", "0"),
        *("--config_file", str(ROOT / "training" / "configs" / "accelerate" / "cpu2.yaml")),
        *("-m", "training.transcribe", "--model", str(whisper)),
        *("--corpus", "own", "--path", str(file), "--out", str(out), "--cache", str(tmp_path / "cache")),
        *("--threads", "1"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [record["id"] for record in read_records(out)] == [f"own/clips/{n}.wav" for n in range(4)]
    assert "4 clips, 0 unusable, 2 processes" in done.stdout
    assert not list(tmp_path.glob("*.part*"))


def test_a_fresh_process_knows_a_multitask_directory(tmp_path):
    """As `training.transcribe` starts: nothing else has imported the network before."""
    folder = ours(tmp_path / "multitask", multitask=True)
    load = f"type(load_recogniser({str(folder)!r})).__name__"
    code = f"from training.release.recognisers import load_recogniser; print({load})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "MultitaskRecogniser", run.stderr
