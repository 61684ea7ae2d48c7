"""Tables that people have: each is read, or refused by a line that says what was found and what is accepted."""

import json
import logging
import os
from collections import Counter

import pytest
from corpus_layouts import own_csv, own_folder, write_clip

from phonolinguistic.labels import EMOTIONS
from training.corpora import CorpusError, load_corpus, own
from training.corpora.own_names import NAMES_OF_EMOTIONS
from training.corpora.own_reading import describe_table

COMMAS = "path,text,emotion,speaker\na.wav,hi there,happy,s1\nb.wav,no way,angry,s2\n"
SYNONYMS = "Filename;Transcript;Label;Speaker_ID;Subset\na.wav;hi there;joyful;s1;train\nsub\\b.wav;no way;ANG;s2;val\n"
CELLS = ["hi there", "no way"]


@pytest.fixture
def put(tmp_path):
    """put(text or bytes, name, encoding) -> a table beside a.wav, b.wav and sub/b.wav."""
    for name in ("a.wav", "b.wav", "sub/b.wav"):
        write_clip(tmp_path / name)

    def write(content, name="mine.csv", encoding="utf-8"):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return tmp_path / name

    return write


def load(file, **options):
    return load_corpus("own", file, min_examples=1, **options)


@pytest.mark.parametrize(
    "content",
    [
        COMMAS,
        COMMAS.replace(",", ", "),
        "\n".join(", ".join(f'"{cell}"' for cell in line.split(",")) for line in COMMAS.split("\n")),
        COMMAS.replace(",", ";"),
        COMMAS.replace(",", "\t"),
        COMMAS.replace(",", "|"),
        COMMAS.replace("\n", "\r\n"),
        COMMAS.replace("\n", "\r"),
        "\n\n" + COMMAS.replace("\n", "\n\n"),
        "sep=;\r\n" + COMMAS.replace(",", ";").replace("\n", "\r\n"),
        COMMAS.replace("\n", ",,\n"),
        SYNONYMS,
        SYNONYMS.replace(";", ", "),
    ],
    ids=lambda content: repr(content[:24]),
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_however_a_spreadsheet_writes_it(put, content, encoding):
    dataset = load(put(content.replace("hi there", "café “now”"), encoding=encoding))
    assert dataset["text"][:] == ["café “now”", "no way"]
    assert dataset["emotion"][:] == ["joy", "anger"] and dataset["speaker"][:] == ["s1", "s2"]


@pytest.mark.parametrize("heading", ["Path", "filename", "File Name", "file", "audio", "WAV", "file-path"])
def test_headings_of_the_path(put, heading):
    assert load(put(COMMAS.replace("path", heading)))["id"][:] == ["own/a.wav", "own/b.wav"]


@pytest.mark.parametrize(
    ("heading", "synonyms"),
    [
        ("text", ["Transcript", "transcription", "Sentence", "utterance"]),
        ("emotion", ["Label", "class", "Emotion"]),
        ("speaker", ["speaker_id", "SpeakerID", "spk", "Speaker ID"]),
    ],
)
def test_other_headings(put, heading, synonyms):
    expected = load(put(COMMAS)).to_dict()
    for synonym in synonyms:
        assert load(put(COMMAS.replace(heading, synonym))).to_dict() == expected, synonym


@pytest.mark.parametrize(
    ("name", "split"),
    [("train", "train"), ("Training", "train"), ("val", "validation"), ("DEV", "validation"), ("eval", "validation")]
    + [("validation", "validation"), ("valid", "validation"), ("test", "test")],
)
@pytest.mark.parametrize("heading", ["split", "subset", "Partition"])
def test_splits(put, heading, name, split):
    file = put(f"path,emotion,{heading}\na.wav,joy,{name}\nb.wav,joy, {name} \n")
    assert load(file)["split"][:] == [split, split]


def test_labels_are_the_fields_own(put):
    pairs = {"happy": "joy", "Joyful": "joy", "excited": "joy", "exc": "joy", "HAP": "joy", "angry": "anger"}
    pairs |= {"ang": "anger", "mad": "anger", "sad": "sadness", "fearful": "fear", "scared": "fear", "neu": "neutral"}
    pairs |= {"surprised": "surprise", "Pleasant_Surprise": "surprise", "ps": "surprise", "disgusted": "disgust"}
    pairs |= {name: emotion for emotion, names in NAMES_OF_EMOTIONS.items() for name in names}
    assert set(pairs.values()) == set(EMOTIONS)
    file = put("text,label\n" + "".join(f"words,{label}\n" for label in pairs))
    dataset = load(file)
    assert dict(zip(dataset["source_label"], dataset["emotion"], strict=True)) == pairs
    assert describe_table(file).labels == {label: (emotion, 1) for label, emotion in pairs.items()}


def test_calm_keeps_its_words_without_an_emotion(put):
    dataset = load(put("text,emotion\nwords,Calm\nwords,\n"))
    assert dataset["emotion"][:] == [None, None] and dataset["source_label"][:] == ["Calm", None]


def test_labels_outside_the_seven_are_refused_by_name_with_their_counts(put, capsys):
    file = put("text,emotion\na,joy\nb,fru\nc,bored\nd,fru\ne,3\nf,None\n")
    with pytest.raises(CorpusError) as caught:
        load(file)
    message = str(caught.value)
    assert (
        "mine.csv line 3: unknown label 'fru' (2 rows); also 'bored' (1), '3' (1), 'None' (1); accepted: anger"
        in message
    )
    assert "\n" not in message and len(message) < 300
    problems = []
    assert load(file, on_error="skip", problems=problems)["text"][:] == ["a"]
    assert Counter(problem.kind for problem in problems) == {"unknown label": 5}
    assert own.main([str(file)]) == 2
    assert "REFUSED labels: 'fru' (2), 'bored' (1), '3' (1), 'None' (1); accepted: anger" in capsys.readouterr().out


def test_an_unknown_heading_is_reported(put, caplog):
    file = put(COMMAS.replace("speaker", "Utterer"))
    with caplog.at_level(logging.WARNING):
        assert load(file)["speaker"][:] == [None, None]
    assert "NOT USED, heading unknown: 'Utterer'" in caplog.text
    assert "no column for speaker (known headings: speaker, speaker_id" in caplog.text


def test_the_reading(put):
    reading = describe_table(
        put(SYNONYMS + "gone.wav;oh;sad;s3;holdout\nb.wav;oh;sad;s3;dev;surplus\n", encoding="utf-16")
    )
    assert (reading.encoding, reading.delimiter, reading.rows) == ("utf-16", "semicolon", 4)
    assert reading.columns == {
        "Filename": "path", "Transcript": "text", "Label": "emotion", "Speaker_ID": "speaker", "Subset": "split",
    }  # fmt: skip
    assert reading.labels == {"joyful": ("joy", 1), "ANG": ("anger", 1), "sad": ("sadness", 1)}
    assert (reading.splits, reading.refused_splits) == ({"train": 1, "validation": 1}, {"holdout": 1})
    assert (reading.clips, reading.missing) == (2, {"gone.wav": "no clip at gone.wav"})
    assert reading.damaged == ("line 5: 6 cells under 5 headings; a text with the delimiter in it needs quotes",)
    assert reading.ignored == () and reading.refused_labels == {} and reading.refused
    assert all("\n" not in line for line in reading.lines())


def test_the_command(put, capsys, tmp_path):
    assert own.main([str(put(SYNONYMS))]) == 0
    out = capsys.readouterr().out
    for line in ("mine.csv: 2 rows, utf-8, semicolon", "'Filename' is path", "'ANG' is anger: 1 row", "clips found: 2"):
        assert line in out
    assert own.main([str(own_folder(tmp_path / "folder"))]) == 0
    assert capsys.readouterr().out.count("metadata.jsonl: 2 rows") == 2
    for wrong in (tmp_path / "gone.csv", put("a,b\n1,2\n"), put(""), tmp_path / "sub"):
        assert own.main([str(wrong)]) == 2
        captured = capsys.readouterr()
        assert captured.out == "" and captured.err.startswith("error: own: ") and captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("path,file,emotion\na.wav,a.wav,joy\n", "the columns 'path' and 'file' both mean path"),
        ("text,emotion,Label\nhi,joy,joy\n", "the columns 'emotion' and 'Label' both mean emotion"),
        ("text,Text\nhi,ho\n", "both mean text"),
        ("a.wav,hi there,happy\nb.wav,no way,angry\n", "in its first line; it needs path or text"),
        ("", "mine.csv is empty"),
        (b"PK\x03\x04" + bytes(100), "is a workbook or an archive; save it as CSV"),
        (b"\xd0\xcf\x11\xe0" + bytes(100), "is an old Excel workbook"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt \x00\x00\x00\x00", "is not a table in text"),
        (COMMAS.encode("utf-16") + b"a", "is not a table in text"),
        (COMMAS.replace("hi there", "\x81").encode("latin-1"), "in neither UTF-8, UTF-16 nor Windows-1252"),
        ("path,text\na.wav,café\n".encode() + "b.wav,café\n".encode("cp1252"), "is UTF-8, but for line 3"),
        ('path,text\na.wav,hi\nb.wav,"no way\na.wav,so\n', "line 3: a quotation mark is never closed"),
        ("path,text\na.wav," + "x" * 200_000 + "\n", "line 2: field larger than field limit"),
    ],
)
def test_tables_that_are_refused(put, content, said):
    with pytest.raises(CorpusError, match="^own: mine.csv") as caught:
        load(put(content), on_error="skip")
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["sub\\b.wav", ".\\sub\\b.wav", "SUB/B.WAV", "Sub\\b.Wav", "./sub/b.wav"])
def test_relative_paths_of_other_systems(put, tmp_path, path):
    assert load(put(f"path;text\n{path};hi\n"))["audio"][0]["path"].endswith("sub/b.wav")


def test_composed_and_decomposed_names(put, tmp_path):
    write_clip(tmp_path / "cafe\u0301.wav")
    assert load(put("path\ncaf\u00e9.wav\n"))["audio"][0]["path"] == str(tmp_path / "cafe\u0301.wav")


@pytest.mark.parametrize("root", ["C:\\Users\\Zoë\\clips\\", "\\\\server\\share\\", "/home/zoe/clips/", "D:/", "C:"])
def test_absolute_paths_of_other_machines(put, root):
    separator = "\\" if "\\" in root else "/"
    table = f"path,text\n{root}a.wav,hi\n{root}sub{separator}b.wav,no\n{root}b.wav,way\n{root}gone.wav,out\n"
    problems = []
    dataset = load(put(table), on_error="skip", problems=problems)
    assert dataset["id"][:2] == ["own/a.wav", "own/sub/b.wav"]
    assert [problem.message for problem in problems] == [
        f"no clip at {root}b.wav, and 2 files of this name beside the table",
        f"no clip at {root}gone.wav",
    ]


def test_a_relative_path_is_never_guessed_by_its_name(put):
    with pytest.raises(CorpusError, match="no clip at other/a.wav"):
        load(put("path\nother/a.wav\n"))


def test_words_that_look_like_nothing_are_words(put):
    file = put("path,text,speaker\na.wav,None,NA\nb.wav,nan,null\n")
    dataset = load(file)
    assert dataset["text"][:] == ["None", "nan"] and dataset["speaker"][:] == ["NA", "null"]


def test_json_lines_of_any_kind(put):
    lines = [
        json.dumps({"file_name": "a.wav", "label": "happy", "speaker_id": 7}),
        "",
        json.dumps({"file_name": "b.wav", "sentence": "late key", "label": None}),
        '{"file_name": "b.wav"',
        "[1, 2]",
        json.dumps({"file_name": ["b.wav"]}),
        '{"file_name": "b.wav", "sentence": "half \\ud83d"}',
        '{"file_name": "\\u0000.wav"}',
    ]
    file, problems = put("\n".join(lines), "mine.jsonl"), []
    reading = describe_table(file)
    assert (reading.delimiter, reading.rows, len(reading.damaged)) == ("JSON lines", 7, 4)
    dataset = load(file, on_error="skip", problems=problems)
    assert dataset["speaker"][:] == [None] and dataset["text"][:] == ["late key"]
    said = [problem.message for problem in problems]
    assert said[:5] == [
        "empty transcript",
        "not a JSON object",
        "not a JSON object",
        "'file_name' is not a text",
        said[4],
    ]
    assert "lone surrogate" in said[4] and said[5].startswith("no clip at")


def test_lines_are_counted_as_an_editor_does(put):
    problems = []
    load(put('path,text\na.wav,"two\nlines"\n\ngone.wav,hi\n'), on_error="skip", problems=problems)
    assert [problem.where for problem in problems] == ["mine.csv line 5"]


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_bad_clips_never_end_a_run_that_skips(put, tmp_path, on_error):
    bad = {
        "empty.wav": b"",
        "noise.mp3": os.urandom(2000),
        "head.wav": b"RIFF\xff\xff\xff\xffWAVEfmt ",
        "text.m4a": b"words",
        "box.mp4": b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00" + bytes(64),
        "page.ogg": b"OggS" + bytes(30),
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.wav").mkdir()
    os.symlink("gone", tmp_path / "link.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    long = "x" * 300 + ".wav"
    names = [*bad, "folder.wav", "link.wav", "pipe.wav", long, "", "~nobody-here/x.wav", "..", "\\", "C:"]
    rows = "".join(f"{name},hi,joy,s{n}\n" for n, name in enumerate(names))
    file = put(COMMAS + rows)
    if on_error == "raise":
        with pytest.raises(CorpusError, match="mine.csv line 4: corrupt clip") as caught:
            load(file)
        assert str(tmp_path) not in str(caught.value)
        return
    problems = []
    assert load(file, on_error="skip", problems=problems)["text"][:] == CELLS
    assert len(problems) == len(names)
    assert not any(str(tmp_path) in problem.message for problem in problems)


def test_only_the_first_process_tells(tmp_path, caplog, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with caplog.at_level(logging.WARNING):
        load(own_csv(tmp_path))
    assert "is path" not in caplog.text
