"""metrics.json of tiny models: complete, the same twice, and readable by the card."""

import json

import numpy as np
import pytest
import torch
from corpus_layouts import goemotions, meld
from made_sets import clips, texts
from PIL import Image
from tiny import tiny_asr
from tiny_release import write_tiny_model

from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor
from training import evaluate
from training.__main__ import main
from training.hub.card_metrics import read_results
from training.scoring import report
from training.scoring.asr import normaliser
from training.scoring.classification import classification
from training.scoring.evaluation import Evaluator, Result, difference, transcripts
from training.whole_files import write_json


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name in ("fusion", "multitask"):
        shape = {"head_hidden_size": 0, "pooling": "mean_std", "pooled_layers": [1, 2], "spectrum_statistics": True}
        write_tiny_model(folder / name, multitask=name == "multitask", **shape)
    tiny_asr(folder / "asr")
    return folder


@pytest.fixture(scope="module")
def sets():
    read = clips("speechocean762", ("test",) * 2, takes=1)
    silent = np.full(len(read), -100)
    labelled = {"ravdess": clips(splits=("test",) * 2, takes=1), "tess": clips("tess", ("test",), takes=1)}
    labelled["speechocean762"] = read.__class__(**{**read.__dict__, "labels": silent})
    return labelled, {"goemotions": texts(each=4), "meld": texts("meld", several=False, each=4)}


@pytest.fixture(scope="module")
def done(models, sets, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    found = {}
    for name in ("fusion", "multitask"):
        evaluator = Evaluator(models / name, cache, models / "asr", progress=False, heard=10)
        found[name] = evaluator, evaluate.evaluate(evaluator, *sets, normaliser())
    comparison = evaluate.compare(found["multitask"][1], found["fusion"][1])
    written = {}
    for name, (_, result) in found.items():
        written[name] = evaluate.document(evaluate.subject(models / name), result, comparison)
        write_json(models / name / "metrics.json", written[name])
    return cache, found, written


def test_every_mode_on_every_set(done):
    _, _, written = done
    for kind, metrics in written.items():
        found = {(r["corpus"], r["mode"], r.get("note") == "recognition") for r in metrics["results"]}
        reader = "multitask" if kind == "multitask" else "off-the-shelf recogniser"
        expected = {(c, m, False) for c in ("ravdess", "tess", "constructed pairs") for m in ("audio", "text", kind)}
        expected |= {("goemotions", "text", False), ("meld", "text", False)}
        expected |= {(c, reader, True) for c in ("speechocean762", "ravdess", "tess")}
        assert found == expected
        assert metrics["runaways"]["clips"] > 10 and metrics["provenance"]["versions"]
        assert metrics["calibration"]["temperatures"][kind] > 0
        assert {row["what"] for row in metrics["targets"]} >= {"MELD: weighted F1", "runaway transcripts"}
        line = metrics["summary"]["MELD, text"]
        assert line["count"] == 28 and line["accuracy"] <= 100
        own = {"audio": 1.5, "text": 0.8, "multitask": 1.2, "fusion": 1.1}  # as write_tiny_model leaves them
        found = {r["mode"]: r["temperature"] for r in metrics["results"] if "temperature" in r}
        assert found == {mode: own[mode] for mode in ("audio", "text", kind)}


def test_figures_are_those_of_the_model_itself(done, models, sets):
    _, found, written = done
    evaluator = found["multitask"][0]
    some, processor = sets[0]["ravdess"], PhonoLinguisticProcessor.from_pretrained(models / "multitask")
    heard = evaluator.hear(some.select(evaluator.read_rows(some)))
    rows = evaluator.read_rows(some)
    right = 0
    for row, text in zip(rows, heard, strict=True):
        batch = processor(audio=[some.audio[row]], text=[text])
        with torch.inference_mode():
            states = evaluator.model.encode_speech(batch["input_features"], batch["attention_mask"])
            own = processor.decode_transcripts(evaluator.model.transcribe(states))[0]
            answer = evaluator.model(**batch).fusion_logits.argmax(1)
        assert own == text
        right += int(answer) == some.labels[row]
    result = report.find(written["multitask"]["results"], "ravdess", "multitask")
    assert result["n"] == 10 and report.rate(result, "accuracy") == pytest.approx(right / 10)


def test_the_card_reads_it(done):
    _, _, written = done
    results = read_results(written["fusion"])
    audio = next(r for r in results if (r.corpus, r.mode) == ("ravdess", "audio"))
    assert audio.metrics["accuracy"].low <= audio.metrics["accuracy"].value <= audio.metrics["accuracy"].high
    assert set(audio.groups["gender"]) == {"female", "male"}
    wer = next(r for r in results if (r.corpus, r.note) == ("speechocean762", "recognition"))
    assert wer.metrics["wer"].value > 0


def test_the_two_models_are_compared_on_the_same_rows(done):
    _, _, written = done
    gaps = written["multitask"]["multitask_against_fusion"]
    assert set(gaps) == {"ravdess", "tess", "constructed pairs"}
    for gap in gaps.values():
        assert gap["multitask"] - gap["fusion"] == pytest.approx(gap["difference"], abs=0.002)
        assert gap["low"] <= gap["difference"] <= gap["high"]
    assert written["multitask"]["recognition_against_asr"]["speechocean762"]["count"] == 10


def test_plots_are_small_pictures(done, models):
    _, _, written = done
    assert "plots/reliability.png" in written["fusion"]["plots"] and len(written["fusion"]["plots"]) >= 6
    for name in written["fusion"]["plots"]:
        file = models / "fusion" / name
        assert file.stat().st_size < 60_000
        assert min(Image.open(file).size) > 200


def test_a_second_run_reads_the_cache(done, models, sets, monkeypatch):
    cache, found, _ = done
    monkeypatch.setattr("training.scoring.evaluation.load_recogniser", lambda *_: pytest.fail("transcribed again"))
    again = Evaluator(models / "fusion", cache, models / "asr", progress=False, heard=10)
    monkeypatch.setattr(again.model, "encode_speech", lambda *_: pytest.fail("encoded again"))
    figures = evaluate.evaluate(again, *sets, normaliser())
    assert [r.to_dict() for r in figures.results] == [r.to_dict() for r in found["fusion"][1].results]


def test_transcripts_go_on_after_a_torn_line(tmp_path, models):
    made = clips(splits=("test",), takes=1)
    whole = transcripts(models / "asr", made, tmp_path, progress=False)
    file = next(tmp_path.glob("transcripts/*/ravdess.jsonl"))
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:3]) + '\n{"id": "ravd')
    assert transcripts(models / "asr", made, tmp_path, batch_size=2, progress=False) == whole
    given = {made.ids[0]: "by hand"}
    assert transcripts(models / "asr", made, tmp_path / "other", given, progress=False)[0] == "by hand"


def test_without_a_recogniser_the_words_are_the_corpus_own(models, sets, tmp_path):
    evaluator = Evaluator(models / "fusion", tmp_path, progress=False)
    some = sets[0]["ravdess"]
    assert evaluator.hear(some) == some.references
    found = evaluate.evaluate(evaluator, {"ravdess": some}, {}, normaliser())
    assert found.find("ravdess", "fusion").note == "words as the corpus has them"
    assert found.find("ravdess", "off-the-shelf recogniser") is None  # no error rate of what no recogniser wrote


def test_heads_that_were_not_trained_have_no_figures(models, sets, tmp_path):
    folder = write_tiny_model(tmp_path / "voice", multitask=False)
    config = json.loads((folder / "config.json").read_text())
    config["release"]["trained_heads"] = ["audio"]
    (folder / "config.json").write_text(json.dumps(config))
    found = evaluate.evaluate(Evaluator(folder, tmp_path, progress=False), *sets, normaliser())
    assert {result.mode for result in found.results} == {"audio"}


def test_difference_by_hand():
    labels = np.zeros(200, int)

    def result(right: int, mode: str) -> Result:
        chances = np.tile(np.eye(7)[1], (200, 1))
        chances[:right] = np.eye(7)[0]
        return Result("ravdess", "test", mode, classification(chances, labels, resamples=0), None, chances, labels)

    gap = difference(result(150, "multitask"), result(140, "fusion"))
    assert gap["difference"] == 5.0 and gap["low"] < 5.0 < gap["high"] and gap["count"] == 200
    with pytest.raises(ValueError, match="same rows"):
        difference(result(1, "a"), Result("r", "test", "b", {}, None, np.eye(7), np.arange(7)))


def test_command_writes_metrics_and_prints_tables(models, tmp_path, capsys):
    places = {"goemotions": goemotions(tmp_path / "g"), "meld": meld(tmp_path / "m", clips=False)}
    corpora = [f"{name}={place}" for name, place in places.items()]
    folder = str(models / "multitask")
    assert main(["evaluate", folder, "--cache", str(tmp_path / "c"), "--corpora", *corpora]) == 0
    printed = capsys.readouterr().out
    assert "| MELD, text |" in printed and 'MELD, always "' in printed
    assert main(["evaluate", folder, "--markdown"]) == 0
    assert capsys.readouterr().out == printed


def test_command_names_what_is_wrong(models, tmp_path, capsys):
    model = str(models / "fusion")
    (tmp_path / "half" / "checkpoints").mkdir(parents=True)
    for arguments, message in (
        ([model], "is no run: name corpora to evaluate on"),
        ([str(tmp_path)], "holds no model"),
        ([str(tmp_path / "half")], "not finished"),
        ([model, "--corpora", "own"], "accepted: NAME=PATH"),
        ([model, "--corpora", f"own={tmp_path}/none.csv"], "own"),
        ([model, "--corpora", "own=x.csv", "--asr", str(tmp_path)], "own"),
        ([model, "--corpora", "own=x.csv", "--crossval", f"{tmp_path}/none.json"], "none.json cannot be read"),
        ([model, "--corpora", "own=x.csv", "--transcripts", str(tmp_path / "none")], "own"),
    ):
        assert main(["evaluate", *arguments, "--cache", str(tmp_path / "c")]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    bare = write_tiny_model(tmp_path / "bare")
    (bare / "metrics.json").write_text("{}")
    assert main(["evaluate", str(bare), "--markdown"]) == 2
    assert "no list of results" in capsys.readouterr().err


def test_what_falls_short_is_shown():
    made = {"results": [{"corpus": "meld", "split": "test", "mode": "text", "n": 9, "metrics": {"weighted_f1": 0.5}}]}
    made["targets"] = report.targets(made | {"runaways": {"runaways": 0}})
    assert [(row["reached"], row["value"]) for row in made["targets"]] == [(False, 0.5), (True, 0)]
    table = report.markdown([("fusion", made)])
    assert "- MELD: weighted F1 0.5 (wanted at least 0.58)" in table and "runaway" not in table
