"""The embedded release is in the Hub's format: it could be published as it lies."""

import json

import pytest
from huggingface_hub import ModelCard

from training.hub.package import CODE_FILES, PACKAGE, collect


@pytest.mark.release
@pytest.mark.parametrize("kind", ["fusion", "multitask"])
def test_the_embedded_release_could_be_published(release, kind, repo_id):
    bundle = collect(release / kind, repo_id)
    assert bundle.kind == kind
    card = ModelCard(next(f for f in bundle.files if f.path == "README.md").source.decode())
    assert card.data.base_model == ["openai/whisper-tiny.en", "sentence-transformers/all-MiniLM-L6-v2"]
    assert {result.dataset_type for result in card.data.eval_results} >= {"narad/ravdess", "declare-lab/MELD"}
    config = json.loads(next(f for f in bundle.files if f.path == "config.json").source)
    assert config["asr"] == (None if kind == "multitask" else "openai/whisper-tiny.en")


@pytest.mark.release
@pytest.mark.parametrize("kind", ["fusion", "multitask"])
def test_code_that_lies_beside_the_weights_is_the_packages(release, kind):
    for name in CODE_FILES:
        beside = release / kind / name
        assert beside.read_bytes() == (PACKAGE / name).read_bytes(), f"{beside}: run training.publish ... --to again"
