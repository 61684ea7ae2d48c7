"""Transcripts of a corpus: written once, resumed after a kill, merged from several processes."""

import json

import numpy as np
import pytest
from corpus_layouts import own_csv, tone

from phonolinguistic.model.front_end_phonolinguistic import FrontEnd
from training import transcribe as program
from training.corpora import CorpusError, load_corpus
from training.corpora.cache import decoded

HEARD = f"{len(FrontEnd()(tone()).speech)} samples"  # a clip, by the front end


class Counting:
    """Writes the length of what it hears."""

    def __init__(self, fail_at=None):
        self.name, self.heard, self.fail_at = "tiny", 0, fail_at

    def __call__(self, clips):
        self.heard += len(clips)
        if self.fail_at is not None and self.heard > self.fail_at:
            raise KeyboardInterrupt
        return [f"{len(clip)} samples" for clip in clips]


@pytest.fixture
def command(tmp_path, monkeypatch):
    file = own_csv(tmp_path / "own")
    out = tmp_path / "out" / "own.jsonl"

    def run(recogniser, *extra, name=out):
        monkeypatch.setattr(program, "load_recogniser", lambda *_, **__: recogniser)
        return program.main(
            f"--model m --corpus own --path {file} --out {name} --cache {tmp_path / 'cache'} --batch-size 1 "
            "--device cpu".split()
            + list(extra)
        )

    run.out, run.file = out, file
    return run


def test_every_clip_once_in_corpus_order(command):
    recogniser = Counting()
    assert command(recogniser) == 0
    records = program.read_records(command.out)
    assert [record["id"] for record in records] == [f"own/clips/{n}.wav" for n in range(4)]
    assert records[0]["text"] == HEARD and records[0]["reference"] == "Words 0"
    assert not program.parts(command.out)
    assert command(recogniser) == 0 and recogniser.heard == 4  # nothing left to do
    dataset = program.with_transcripts(load_corpus("own", command.file), command.out)
    assert dataset["text"][:] == [HEARD] * 4


def test_a_killed_run_goes_on(command):
    with pytest.raises(KeyboardInterrupt):
        command(Counting(fail_at=2))
    (part,) = program.parts(command.out)
    part.write_text(part.read_text() + '{"id": "own/clips/3')  # killed within a line
    again = Counting()
    assert command(again) == 0
    assert again.heard == 2
    assert len(program.read_transcripts(command.out)) == 4


def test_limit_split_and_parquet(command, tmp_path):
    out = tmp_path / "own.parquet"
    assert command(Counting(), "--split", "train", "--limit", "1", name=out) == 0
    assert list(program.read_transcripts(out)) == ["own/clips/0.wav"]
    assert command(Counting(), name=out) == 0
    assert len(program.read_transcripts(out)) == 4


def test_another_model_does_not_mix_in(command, capsys):
    assert command(Counting()) == 0
    other = Counting()
    other.name = "large"
    assert command(other) == 2
    assert "holds transcripts of tiny, not of large" in capsys.readouterr().err


def test_parts_of_several_processes_are_merged(command, tmp_path):
    dataset = load_corpus("own", command.file)
    command.out.parent.mkdir()
    for rank in range(2):
        mine = dataset.select(range(rank, 4, 2))
        audio = decoded(mine, tmp_path / "cache", progress=False)
        program.transcribe(mine, Counting(), command.out.with_name(f"own.part{rank}.jsonl"), audio)
    records = program.merge(command.out, list(dataset["id"]))
    assert [record["id"] for record in records] == list(dataset["id"])
    assert [json.loads(line)["id"] for line in command.out.read_text().splitlines()] == list(dataset["id"])


def test_undecodable_clips_are_recorded(command, tmp_path):
    dataset = load_corpus("own", command.file)
    audio = decoded(dataset, tmp_path / "cache", progress=False)
    audio.bad[1], audio._files[1], audio.good = "corrupt clip: test", None, [0, 2, 3]
    part = tmp_path / "x.part0.jsonl"
    assert program.transcribe(dataset, Counting(), part, audio) == 1
    records = {record["id"]: record for record in program.read_records(part)}
    assert records["own/clips/1.wav"]["text"] is None
    assert records["own/clips/1.wav"]["error"] == "corrupt clip: test"


def test_long_clips_are_read_in_pieces():
    texts = program.hear(Counting(), [np.tile(tone(1.0), 45), tone(0.4)])
    assert texts == ["480000 samples 240000 samples", "6400 samples"]


def test_missing_transcripts_say_the_command(tmp_path):
    with pytest.raises(CorpusError, match="python -m training.transcribe"):
        program.read_transcripts(tmp_path / "none.jsonl")


def test_out_must_be_a_known_kind(capsys):
    with pytest.raises(SystemExit):
        program.arguments("--model m --corpus own --path p --out x.txt".split())
    assert "accepted are .jsonl and .parquet" in capsys.readouterr().err
