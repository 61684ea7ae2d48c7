"""Official archives and folders become parquet files from which every corpus loads as from its own layout."""

import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from corpus_layouts import LAYOUTS, emodb, emovo, goemotions, meld, write_clip

from phonolinguistic.audio.decoding import load_audio
from training.corpora import CorpusError, corpus_info, load_corpus
from training.corpora.archives import downloads
from training.corpora.prepare import PREPARED, main, prepare

COLUMNS = ("id", "text", "emotion", "emotions", "source_label", "speaker", "gender", "intensity", "language", "split")


def zipped(folder: Path, file: Path) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return file


def tarred(folder: Path, file: Path) -> Path:
    with tarfile.open(file, "w:gz") as archive:
        archive.add(folder, arcname=file.name.split(".")[0])
    return file


def rows_by_id(dataset):
    return {row["id"]: row for row in dataset}


@pytest.mark.parametrize("name", PREPARED)
def test_parquet_holds_what_the_official_layout_holds(name, tmp_path):
    (tmp_path / "downloads").mkdir()
    official = LAYOUTS[name](tmp_path / "downloads" / name)
    outcome = prepare(tmp_path / "downloads", tmp_path / "data", [name], progress=False)[0]
    assert outcome.status == "made" and outcome.skipped == {}, outcome.message
    want, found = rows_by_id(load_corpus(name, official)), rows_by_id(load_corpus(name, tmp_path / "data"))
    assert outcome.rows == len(want) and set(found) == set(want)
    for key, row in want.items():
        if name == "goemotions":  # the labels are stored as mapped
            row = row | {"source_label": ",".join(row["emotions"])}
        assert {c: found[key][c] for c in COLUMNS} == {c: row[c] for c in COLUMNS}
        assert (found[key]["audio"] is None) == (row["audio"] is None)
    key, row = next(iter(want.items()))
    if row["audio"] is not None:
        encoded = found[key]["audio"]
        assert encoded["path"].endswith(".flac") and encoded["bytes"][:4] == b"fLaC"
        before = load_audio(row["audio"]["bytes"] or row["audio"]["path"]).samples
        np.testing.assert_allclose(load_audio(encoded["bytes"]).samples, before, atol=1 / 32767)
        assert found[key]["duration"] == pytest.approx(len(before) / 16_000)
    assert [path.name for path in (tmp_path / "data").iterdir()] == [outcome.file.name]


def test_parquet_columns(tmp_path):
    emovo(tmp_path / "in" / "emovo")
    prepare(tmp_path / "in", tmp_path / "out", ["emovo"], progress=False)
    names = pq.read_schema(tmp_path / "out" / "emovo.parquet").names
    assert names == [
        "audio", "text", "emotion", "source_label", "speaker", "gender", "intensity", "corpus", "split", "duration",
        "id", "language",
    ]  # fmt: skip


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_archives_leave_nothing_behind(pack, tmp_path):
    (tmp_path / "in").mkdir()
    suffix = ".zip" if pack is zipped else ".tar.gz"
    pack(emovo(tmp_path / "emovo"), tmp_path / "in" / f"EMOVO{suffix}")
    made = prepare(tmp_path / "in", tmp_path / "out", progress=False)
    assert {outcome.corpus: outcome.status for outcome in made if outcome.status != "missing"} == {"emovo": "made"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["emovo.parquet"]
    assert len(load_corpus("emovo", tmp_path / "out")) == 42


def test_archives_within_an_archive(tmp_path):
    root = meld(tmp_path / "MELD.Raw")
    tarred(root / "train_splits", root / "train_splits.tar.gz")
    shutil.rmtree(root / "train_splits")
    (tmp_path / "in").mkdir()
    tarred(root, tmp_path / "in" / "MELD.Raw.tar.gz")
    outcome = prepare(tmp_path / "in", tmp_path / "out", ["meld"], progress=False)[0]
    assert (outcome.status, outcome.file.name) == ("made", "meld.parquet")
    spoken = [row["id"] for row in load_corpus("meld", tmp_path / "out") if row["audio"]]
    assert sorted(spoken) == [f"meld/{split}/dia0_utt0" for split in ("test", "train", "validation")]
    assert not any(row["audio"] for row in load_corpus("meld", tmp_path / "out", audio=False))


def test_text_alone_has_the_names_that_commands_know(tmp_path):
    meld(tmp_path / "in" / "meld", clips=False)
    goemotions(tmp_path / "in" / "goemotions")
    made = prepare(tmp_path / "in", tmp_path / "out", ["meld", "goemotions"], progress=False)
    assert [outcome.file.name for outcome in made] == ["meld_text.parquet", "goemotions_ekman.parquet"]
    assert pq.read_schema(made[1].file).names == ["id", "text", "labels", "split"]


def test_official_names_are_found(tmp_path):
    names = {
        "ravdess": ["Audio_Speech_Actors_01-24.zip"],
        "tess": ["TESS_Toronto.zip"],
        "nemo": ["nEMO-main"],
        "emodb": ["emodb.tar"],
        "esd": ["Emotional Speech Dataset (ESD).zip"],
        "librispeech": ["dev-clean.tar.gz", "train-clean-100.tar.gz"],
        "mesd": ["Mexican Emotional Speech Database (MESD).zip"],
        "jl": ["Raw JL corpus (unchecked and unannotated)"],
        "speechocean762": ["speechocean762.tar.gz"],
    }
    for name in sum(names.values(), []):
        (tmp_path / name).touch() if "." in name else (tmp_path / name).mkdir()
    (tmp_path / "emodb").mkdir()  # the archive unpacks to it
    (tmp_path / "ravdess.txt").touch()
    names["emodb"] = ["emodb"]
    for corpus in PREPARED:
        found = [path.name for path in downloads(corpus_info(corpus), tmp_path)]
        assert found == names.get(corpus, []), corpus


def test_what_is_there_is_not_made_again(tmp_path):
    root = emodb(tmp_path / "in" / "emodb")
    file = tmp_path / "out" / "emodb.parquet"
    assert prepare(tmp_path / "in", tmp_path / "out", ["emodb"], progress=False)[0].status == "made"
    before = file.stat().st_mtime_ns
    next(root.rglob("*.wav")).unlink()
    assert prepare(tmp_path / "in", tmp_path / "out", ["emodb"], progress=False)[0].status == "there"
    assert file.stat().st_mtime_ns == before
    file.write_bytes(file.read_bytes()[:-100])  # torn: no longer whole
    outcome = prepare(tmp_path / "in", tmp_path / "out", ["emodb"], progress=False)[0]
    assert (outcome.status, outcome.rows) == ("made", 41)
    write_clip(root / "wav" / "03a02Fa.wav")
    assert prepare(tmp_path / "in", tmp_path / "out", ["emodb"], again=True, progress=False)[0].rows == 42


def test_leftovers_of_a_killed_run_go(tmp_path):
    emovo(tmp_path / "in" / "emovo")
    out = tmp_path / "out"
    gone = subprocess.Popen(["true"])
    gone.wait()
    (out / f".{gone.pid}.unpacked.x").mkdir(parents=True)
    (out / f".{gone.pid}.1.emovo.parquet").touch()
    (out / f".{os.getpid()}.1.other.parquet").touch()  # its process lives
    (out / ".keep.me").touch()
    prepare(tmp_path / "in", out, ["emovo"], progress=False)
    assert {path.name for path in out.iterdir()} == {f".{os.getpid()}.1.other.parquet", ".keep.me", "emovo.parquet"}


def test_nothing_is_left_where_writing_fails(tmp_path, monkeypatch):
    emovo(tmp_path / "in" / "emovo")
    zipped(tmp_path / "in" / "emovo", tmp_path / "in" / "emovo.zip")
    shutil.rmtree(tmp_path / "in" / "emovo")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.corpora.prepare.pq.ParquetWriter.write_table", full)
    with pytest.raises(OSError, match="No space left"):
        prepare(tmp_path / "in", tmp_path / "out", ["emovo"], progress=False)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_missing_corpus_is_an_error_only_if_named(tmp_path, capsys):
    emovo(tmp_path / "in" / "emovo")
    command = ["--from", str(tmp_path / "in"), "--to", str(tmp_path / "out"), "--quiet"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert "emovo: emovo.parquet, 42 rows" in said.out and said.err == ""
    assert f"nemo: not found. Get it from {corpus_info('nemo').source}" in said.out
    assert main([*command, "--corpora", "emovo", "nemo"]) == 2
    said = capsys.readouterr()
    assert said.err == f"prepare: nemo: not found. Get it from {corpus_info('nemo').source}\n"
    assert said.out == "emovo: emovo.parquet is there, 42 rows\n"


def test_bad_downloads_are_one_line_each_and_stop_no_other(tmp_path, capsys):
    downloads = tmp_path / "in"
    emovo(downloads / "emovo")
    (downloads / "nemo.zip").write_bytes(b"PK\x03\x04 torn")
    (downloads / "tess.tar.gz").write_bytes(b"not gzip")
    (downloads / "savee").mkdir()
    write_clip(downloads / "cafe" / "song.wav")
    torn = tarred(emodb(tmp_path / "emodb"), tmp_path / "emodb.tar.gz").read_bytes()[:-500]
    (downloads / "subesco.tar.gz").write_bytes(torn)
    assert main(["--from", str(downloads), "--to", str(tmp_path / "out"), "--quiet"]) == 2
    said = capsys.readouterr()
    lines = said.err.splitlines()
    found = [line.split(":")[1].split()[0] for line in lines]
    assert found == ["tess.tar.gz", "savee", "nemo.zip", "cafe", "subesco.tar.gz"]
    assert "cannot be unpacked" in lines[0] and "download it again" in lines[0]
    assert "savee: nothing to load at " in lines[1] and str(tmp_path / "out") not in said.err
    assert "cafe: no usable row in cafe; the first: song.wav: not a name of CaFE (01-C-1-1.wav)" in lines[3]
    assert "emovo: emovo.parquet, 42 rows" in said.out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["emovo.parquet"]


def test_rows_that_cannot_be_used_are_counted(tmp_path, capsys):
    root = emovo(tmp_path / "in" / "emovo")
    write_clip(root / "documents" / "talk.wav")
    (root / "EMOVO" / "f1" / "dis-f1-b2.wav").write_bytes(b"RIFF not really")
    write_clip(root / "EMOVO" / "f1" / "dis-f1-b3.wav", seconds=0.1)  # shorter than any command reads
    outcome = prepare(tmp_path / "in", tmp_path / "out", ["emovo"], progress=False)[0]
    assert outcome.rows == 42 and outcome.skipped == {"corrupt clip": 2, "unreadable": 1}
    assert outcome.message.startswith("emovo: emovo.parquet, 42 rows, left out: 2 corrupt clip, 1 unreadable, e.g. ")


def test_members_outside_of_the_archive(tmp_path):
    clip = write_clip(tmp_path / "clip.wav")
    (tmp_path / "in").mkdir()
    with tarfile.open(tmp_path / "in" / "emovo.tar.gz", "w:gz") as archive:
        archive.add(clip, arcname="../../dis-f1-b1.wav")
    outcome = prepare(tmp_path / "in", tmp_path / "out", ["emovo"], progress=False)[0]
    assert outcome.status == "failed" and "cannot be unpacked" in outcome.message
    assert not (tmp_path / "dis-f1-b1.wav").exists()


def test_nothing_to_prepare(tmp_path):
    with pytest.raises(CorpusError, match="is no folder"):
        prepare(tmp_path / "none", tmp_path / "out")
    with pytest.raises(CorpusError, match="unknown corpus 'x'"):
        prepare(tmp_path, tmp_path / "out", ["x"])
    with pytest.raises(CorpusError, match="nothing to prepare"):
        prepare(tmp_path, tmp_path / "out", ["own"])


def test_an_archive_given_to_a_loader_says_what_to_do(tmp_path):
    file = zipped(emovo(tmp_path / "emovo"), tmp_path / "emovo.zip")
    with pytest.raises(CorpusError, match="emovo.zip is an archive; .*python -m training.corpora.prepare"):
        load_corpus("emovo", file)
