"""Tiny copies of the official layout of every corpus, with short tones as clips."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

RATE = 16_000


def tone(seconds: float = 0.4, pitch: float = 220.0, rate: int = RATE) -> np.ndarray:
    return (0.2 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def write_clip(path: Path, pitch: float = 220.0, seconds: float = 0.4, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(seconds, pitch, rate), rate)
    return path


def write_mp4(path: Path) -> Path:
    """A clip as MELD has them: AAC in mp4."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        samples = tone(0.5)
        for start in range(0, len(samples) - 1023, 1024):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def ravdess(root: Path) -> Path:
    for actor in (1, 2, 4, 5):
        for emotion in range(1, 9):
            write_clip(root / f"Actor_{actor:02d}" / f"03-01-{emotion:02d}-01-01-01-{actor:02d}.wav", 100 + emotion)
    write_clip(root / "Actor_01" / "03-02-03-01-01-01-01.wav")  # a song
    return root


def tess(root: Path) -> Path:
    for speaker, folder in (("OAF", "OAF_"), ("YAF", "YAF_")):
        for emotion in ("angry", "ps"):
            for word in ("back", "bar", "base", "bath", "bean", "beg", "bite", "boat"):
                prefix = "OA" if (speaker, word) == ("OAF", "bite") else speaker
                write_clip(root / f"{folder}{emotion}" / f"{prefix}_{word}_{emotion}.wav")
    return root


def savee(root: Path) -> Path:
    for speaker in ("DC", "JE", "JK"):
        for code in ("a", "d", "f", "h", "n", "sa", "su"):
            write_clip(root / "AudioData" / speaker / f"{code}01.wav")
    write_clip(root / "KL_sa03.wav")
    return root


def cremad(root: Path) -> Path:
    for actor in (1001, 1002, 1003):
        for code in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD"):
            write_clip(root / "AudioWAV" / f"{actor}_DFA_{code}_XX.wav")
    (root / "VideoDemographics.csv").write_text(
        "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n1002,21,Female,Caucasian,Not Hispanic\n"
    )
    return root


def iemocap(root: Path) -> Path:
    for session in (1, 2, 3):
        base = root / f"Session{session}"
        dialogue = f"Ses{session:02d}F_impro01"
        turns = [
            (f"{dialogue}_{speaker}{n:03d}", label)
            for speaker in "FM"
            for n, label in enumerate(("neu", "exc", "fru", "xxx"))
        ]
        evaluation = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
        transcription = []
        for turn, label in turns:
            evaluation.append(f"[6.2901 - 8.2357]\t{turn}\t{label}\t[2.5000, 2.5000, 2.5000]")
            evaluation.append("C-E2:\tNeutral;\t()")
            transcription.append(f"{turn} [006.2901-008.2357]: Excuse me, {label}.")
            write_clip(base / "sentences" / "wav" / dialogue / f"{turn}.wav")
        transcription.append("M: Outside a turn.")
        for folder, lines in (("EmoEvaluation", evaluation), ("transcriptions", transcription)):
            file = base / "dialog" / folder / f"{dialogue}.txt"
            file.parent.mkdir(parents=True)
            file.write_text("\n".join(lines))
    return root


def meld(root: Path, clips: bool = True) -> Path:
    head = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
    folders = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
    for split, folder in folders.items():
        lines = [
            f'{n},"You must\x92ve, had {n}.",Joey,{label},neutral,0,{n},8,21,"00:16:16,059","00:16:21,731"'
            for n, label in enumerate(("joy", "anger", "neutral"))
        ]
        (root / folder).mkdir(parents=True)
        (root / f"{split}_sent_emo.csv").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
        if clips:
            write_mp4(root / folder / "dia0_utt0.mp4")
            (root / folder / "._dia0_utt0.mp4").write_bytes(b"ghost")
    return root


def goemotions(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name in ("train", "dev", "test"):
        lines = [
            ("I love \"this\", thanks", "15,18", "a"), ("No way!", "26", "b"), ("So sad and angry", "25,2", "c"),
            ("What?", "7", "d"), ("Ok.", "27", "e"), ("Sure.", "27", "f"), ("Sad again", "9", "g"), ("Ugh!", "3", "h"),
        ]  # fmt: skip
        (root / f"{name}.tsv").write_text("".join(f"{t}\t{i}\t{name}{c}\n" for t, i, c in lines), encoding="utf-8")
    return root


def speechocean762(root: Path) -> Path:
    speakers = {"train": ("0001", "0003", "0004"), "test": ("0002", "0005")}
    for split, names in speakers.items():
        files = {"wav.scp": [], "text": [], "utt2spk": [], "spk2gender": []}
        for place, speaker in enumerate(names):
            for n in range(2):
                key = f"0{speaker}{n}"
                name = f"WAVE/SPEAKER{speaker}/{key}.WAV"
                write_clip(root / name)
                files["wav.scp"].append(f"{key}\t{name}")
                # The first sentence of each test speaker is one that the training speakers read too.
                sentence = f"SENTENCE {place}" if split == "test" and n else "WE CALL IT BEAR"
                files["text"].append(f"{key}\t{sentence}")
                files["utt2spk"].append(f"{key}\t{speaker}")
            files["spk2gender"].append(f"{speaker}\t{'m' if place % 2 else 'f'}")
        (root / split).mkdir(parents=True)
        for name, lines in files.items():
            (root / split / name).write_text("\n".join(lines) + "\n")
    return root


def librispeech(root: Path) -> Path:
    for split, speaker in (("train-clean-100", "84"), ("dev-clean", "85"), ("test-other", "86")):
        folder = root / split / speaker / "121"
        for n in range(2):
            write_clip(folder / f"{speaker}-121-000{n}.flac")
        (folder / f"{speaker}-121.trans.txt").write_text(
            "".join(f"{speaker}-121-000{n} GO DO YOU HEAR\n" for n in range(2))
        )
    (root / "SPEAKERS.TXT").write_text(
        ";ID |SEX| SUBSET\n84 | F | train-clean-100 | 25 | A\n85 | M | dev-clean | 8 | B\n"
    )
    return root


def own_csv(root: Path) -> Path:
    lines = ["path,text,emotion,speaker,split"]
    for n, (label, split) in enumerate((("happy", "train"), ("joy", "train"), ("sad", "dev"), ("sadness", "test"))):
        write_clip(root / "clips" / f"{n}.wav")
        lines.append(f"clips/{n}.wav,Words {n},{label},speaker-{split},{split}")
    (root / "mine.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root / "mine.csv"


def own_folder(root: Path) -> Path:
    for split in ("train", "test"):
        for n in range(2):
            write_clip(root / split / f"{n}.wav")
        lines = (
            json.dumps({"file_name": f"{n}.wav", "transcription": f"Words {n}", "label": "anger", "speaker": split})
            for n in range(2)
        )
        (root / split / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    return root


def audio_parquet(file: Path, corpus: str, rows: list[dict]) -> Path:
    """This project's parquet layout; rows may set any column."""
    file.parent.mkdir(parents=True, exist_ok=True)
    clip = write_clip(file.parent / "clip.flac")
    empty = dict.fromkeys(("text", "emotion", "source_label", "speaker", "gender", "intensity", "split"))
    full = [
        {
            **empty,
            "audio": {"bytes": clip.read_bytes(), "path": f"clip{n}.flac"},
            "corpus": corpus,
            "duration": 0.4,
            **row,
        }
        for n, row in enumerate(rows)
    ]
    pq.write_table(pa.Table.from_pylist(full), file)
    return file


LAYOUTS = {
    "ravdess": ravdess,
    "tess": tess,
    "savee": savee,
    "cremad": cremad,
    "iemocap": iemocap,
    "meld": meld,
    "goemotions": goemotions,
    "speechocean762": speechocean762,
    "librispeech": librispeech,
    "own": own_csv,
}
