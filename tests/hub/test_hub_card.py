"""The model card: rendered from config and figures, complete, and valid by the Hub's own tools."""

import json
import shutil

import pytest
from huggingface_hub import ModelCard
from tiny_release import METRICS

from training.hub import card
from training.hub.card_metrics import read_results


def with_metrics(folder, tmp_path, metrics):
    copy = shutil.copytree(folder, tmp_path / "model")
    (copy / "metrics.json").write_text(json.dumps(metrics))
    return copy


def test_it_passes_the_hubs_validation_and_our_own(hub, tiny):
    for kind in ("fusion", "multitask"):
        text = card.render(tiny / kind, f"team/{kind}")
        card.check(text)
        ModelCard(text).validate()


def test_metadata_and_model_index(tiny):
    data = ModelCard(card.render(tiny / "multitask", "team/name")).data
    assert (data.license, data.language, data.library_name) == ("cc-by-nc-sa-4.0", "en", "transformers")
    assert data.base_model == ["openai/whisper-tiny.en", "sentence-transformers/all-MiniLM-L6-v2"]
    assert data.model_name == "name" and set(data.metrics) == {"accuracy", "recall"}
    found = {(r.dataset_name, r.dataset_config, r.metric_name): r.metric_value for r in data.eval_results}
    assert found["RAVDESS", "audio", "UAR"] == 50.0 and found["RAVDESS", "multitask", "accuracy"] == 55.0


def test_what_the_law_and_the_data_ask_for_is_said(tiny):
    text = card.render(tiny / "multitask", "team/name")
    words = (
        "Article 5(1)(f)", "Article 50(3)", "2024/1689", "workplace", "education", "surveillance", "clinical", "hiring",
        "CC BY-NC-SA 4.0", "CC BY-NC-ND 4.0", "**acted**", "**constructed pairs**", "48.1 %",
    )  # fmt: skip
    assert [word for word in words if word not in text] == []


def test_figures_with_intervals_groups_and_cost(tiny):
    text = card.render(tiny / "multitask", "team/name")
    assert "| RAVDESS (test) | `audio` | 192 | 50.0 [40.0, 60.0] | 55.0 |" in text
    assert "| RAVDESS | `audio` | gender | female | UAR 52.0 |" in text
    assert "took 1.00 hours (CPU, 2 threads)" in text and "was not measured, so no emission is claimed" in text


def test_every_repository_id_in_the_snippets_is_the_one_published(tiny):
    text = card.render(tiny / "fusion", "team/name")
    assert text.count('"team/name"') == 4 and "PHONOLINGUISTIC_FUSION=team/name python app.py" in text


def test_results_of_one_corpus_that_differ_in_their_note_stay_apart(tiny, tmp_path):
    rows = [
        {"corpus": "goemotions", "mode": "text", "n": 9, "note": note, "metrics": {"macro_f1": {"value": value}}}
        for note, value in (("several labels", 0.61), ("texts with one label", 0.55))
    ]
    text = card.render(with_metrics(tiny / "multitask", tmp_path, {"results": rows}), "team/name")
    values = {(r.dataset_name, r.metric_value) for r in ModelCard(text).data.eval_results}
    assert values == {("GoEmotions (several labels)", 61.0), ("GoEmotions (texts with one label)", 55.0)}


def test_word_error_rates_and_notes_of_the_evaluation(tiny, tmp_path):
    metrics = METRICS | {"notes": ["measured on half of the test speakers"], "provenance": {"processor": "a CPU"}}
    row = {"corpus": "speechocean762", "mode": "multitask", "n": 7, "metrics": {"wer": {"value": 0.1215}}}
    metrics["results"] = [*METRICS["results"], row | {"note": "recognition"}]
    metrics["training"] = {"seconds": 7200, "watts": 50}
    text = card.render(with_metrics(tiny / "multitask", tmp_path, metrics), "team/name")
    found = next(r for r in ModelCard(text).data.eval_results if r.metric_type == "wer")
    assert found.task_type == "automatic-speech-recognition" and found.metric_value == 12.15
    assert "measured on half of the test speakers" in text and "2.00 hours (a CPU)" in text and "0.100 kWh" in text


@pytest.mark.parametrize("metrics", [{}, {"results": []}, {"results": [{"corpus": "ravdess", "mode": "audio"}]}])
def test_without_figures_there_is_no_card(tiny, tmp_path, metrics):
    with pytest.raises(card.CardError, match="results|lacks metrics"):
        card.render(with_metrics(tiny / "multitask", tmp_path, metrics), "team/name")


@pytest.mark.parametrize("key", ["base_models", "corpora", "version"])
def test_a_missing_fact_is_named(tiny, key):
    config = json.loads((tiny / "multitask" / "config.json").read_text())
    del config["release"][key]
    with pytest.raises(card.CardError, match=f"release.{key}"):
        card.render(tiny / "multitask", "team/name", config)


def test_missing_fields_and_sections_are_all_named(tiny):
    text = card.render(tiny / "multitask", "team/name")
    broken = text.replace("license: cc-by-nc-sa-4.0\n", "").replace("### Out-of-Scope Use\n", "") + "\n{{ hole }}\n"
    with pytest.raises(card.CardError) as caught:
        card.check(broken)
    assert all(words in str(caught.value) for words in ("'license'", "'Out-of-Scope Use'", "placeholder"))


def test_the_command_writes_the_file(tiny, tmp_path, capsys):
    out = tmp_path / "model_card.md"
    assert card.main([str(tiny / "multitask"), "--repo", "team/name", "--out", str(out)]) == 0
    card.check(out.read_text())
    assert card.main([str(tmp_path), "--repo", "team/name"]) == 2
    assert "config.json is missing" in capsys.readouterr().err


def test_figures_may_be_plain_numbers_or_have_intervals():
    row = {"corpus": "meld", "mode": "text", "metrics": {"uar": 0.5, "wer": {"value": 0.1, "interval": [0.05, 0.2]}}}
    (result,) = read_results({"results": [row]})
    assert result.metrics["uar"].text() == "50.0" and result.metrics["wer"].text() == "10.0 [5.0, 20.0]"
