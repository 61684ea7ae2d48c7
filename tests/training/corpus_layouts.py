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


def nemo(root: Path) -> Path:
    lines = ["file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"]
    for speaker, gender in (("EB0", "female"), ("IC0", "female"), ("KD0", "female"), ("KS0", "male"), ("MP0", "male"),
                            ("SM0", "male")):  # fmt: skip
        for emotion in ("anger", "fear", "happiness", "neutral", "sadness", "surprised"):
            name = f"{speaker}_{emotion}_1.wav"
            write_clip(root / "samples" / name)
            lines.append(f'{name}\t{emotion}\t"Lubię" czytać przed snem.\tlubię\t{speaker}\t{gender}\t23')
    (root / "data.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def emodb(root: Path) -> Path:
    for speaker in ("03", "10", "11", "08", "09", "13"):
        for code in "WLEAFTN":
            write_clip(root / "wav" / f"{speaker}a01{code}a.wav")
    return root


def emovo(root: Path) -> Path:
    for speaker in ("f1", "f2", "f3", "m1", "m2", "m3"):
        for code in ("dis", "gio", "neu", "pau", "rab", "sor", "tri"):
            write_clip(root / "EMOVO" / speaker / f"{code}-{speaker}-b1.wav")
    return root


def urdu(root: Path) -> Path:
    for speaker in ("SM1", "SM2", "SM3", "SF1", "SF2", "SF3"):
        for emotion in ("Angry", "Happy", "Neutral", "Sad"):
            write_clip(root / emotion / f"{speaker}_F1_{emotion[0]}01.wav")
    return root


def ased(root: Path) -> Path:
    for speaker in range(1, 7):
        for number, emotion in enumerate(("Neutral", "Fearful", "Happy", "Sad", "Angry"), start=1):
            gender = "01" if speaker < 4 else "02"
            name = f"{emotion[0].lower()}{number}-01-01-{gender}-{speaker:02d}.wav"
            write_clip(root / f"{number:02d}{emotion}" / (name.capitalize() if speaker == 6 else name))
    return root


def jl(root: Path) -> Path:
    folder = root / "Raw JL corpus (unchecked and unannotated)" / "JL(wav+txt)"
    for speaker in ("male1", "male2", "female1", "female2"):
        for emotion in ("angry", "excited", "happy", "neutral", "sad", "anxious"):
            path = write_clip(folder / f"{speaker}_{emotion}_10a_1.wav")
            path.with_suffix(".txt").write_text("Carl leaps into a jeep.\n")
    return root


def emozionalmente(root: Path) -> Path:
    base = root / "emozionalmente_dataset"
    users, samples = ["username,age,gender,mother_tongue"], ["timestamp,file_name,actor,emotion_expressed,sentence"]
    for actor in range(6):
        users.append(f"{actor},30,{'female' if actor < 3 else 'male'},italian")
        for emotion in ("anger", "disgust", "fear", "joy", "neutrality", "sadness", "surprise"):
            write_clip(base / "audio" / f"{actor}_{emotion}.wav")
            samples.append(f'2020,{actor}_{emotion}.wav,{actor},{emotion},"Vorrei il numero, grazie."')
    (base / "metadata").mkdir()
    (base / "metadata" / "users.csv").write_text("\n".join(users) + "\n", encoding="utf-8")
    (base / "metadata" / "samples.csv").write_text("\n".join(samples) + "\n", encoding="utf-8")
    return root


def cafe(root: Path) -> Path:
    words = {"C": "Colère", "D": "Dégoût", "J": "Joie", "N": "Neutre", "P": "Peur", "S": "Surprise", "T": "Tristesse"}
    for actor in range(1, 7):
        for code, word in words.items():
            write_clip(root / word / "Faible" / f"{actor:02d}-{code}-1-1.wav")
    write_clip(root / "Colère" / "Fort" / "01-C-2-1.aiff")
    return root


def subesco(root: Path) -> Path:
    for gender in "FM":
        for number in range(1, 4):
            for emotion in ("ANGRY", "DISGUST", "FEAR", "HAPPY", "NEUTRAL", "SAD", "SURPRISE"):
                write_clip(root / f"{gender}_{number:02d}_MONIKA_S_1_{emotion}_5.wav")
    return root


def mesd(root: Path) -> Path:
    for voice in "FMC":
        for emotion in ("Anger", "Disgust", "Fear", "Happiness", "Neutral", "Sadness"):
            write_clip(root / "Mexican Emotional Speech Database (MESD)" / f"{emotion}_{voice}_A_abajo.wav")
    return root


def resd(root: Path) -> Path:
    clip = write_clip(root / "clip.wav").read_bytes()
    states = ("anger", "disgust", "enthusiasm", "fear", "happiness", "neutral", "sadness")
    for split, dialogues in (("train", (32, 33)), ("test", (33, 34))):
        rows = []
        for dialogue in dialogues:
            for state in states:
                name = f"{dialogue}_{state}_neutral_{split}_1"
                rows.append({"name": name, "path": f"{name}.wav", "emotion": state,
                             "speech": {"bytes": clip, "path": None}})  # fmt: skip
        (root / "data").mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), root / "data" / f"{split}-00000-of-00001.parquet")
    (root / "clip.wav").unlink()
    return root


def esd(root: Path) -> Path:
    encodings = {"0001": "gb18030", "0003": "utf-16", "0011": "utf-8", "0012": "utf-16", "0016": "cp1252"}
    for speaker in ("0001", "0002", "0003", "0004", "0005", "0006", "0011", "0012", "0013", "0015", "0016", "0017"):
        text = "打远一看，它们的确很美丽。" if speaker < "0011" else "The nine the eggs, I keep."
        lines = []
        for number, emotion in enumerate(("Angry", "Happy", "Neutral", "Sad", "Surprise")):
            name = f"{speaker}_{number * 350 + 1:06d}"
            folder = root / speaker / emotion
            write_clip((folder / "train" if speaker != "0011" else folder) / f"{name}.wav")
            lines.append(f"{name}\t{text}\t{emotion}")
        (root / speaker / f"{speaker}.txt").write_text("\n".join(lines), encoding=encodings.get(speaker, "utf-8"))
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
    "nemo": nemo,
    "emodb": emodb,
    "emovo": emovo,
    "urdu": urdu,
    "ased": ased,
    "jl": jl,
    "emozionalmente": emozionalmente,
    "cafe": cafe,
    "subesco": subesco,
    "mesd": mesd,
    "resd": resd,
    "esd": esd,
    "own": own_csv,
}
