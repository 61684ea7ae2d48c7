"""Every recipe end to end on tiny networks of its classes: in one process, in two, and the same figures from both."""

import json

import pytest
import torch
import train_kit
from safetensors.torch import load_file

from phonolinguistic.model.modeling_phonolinguistic import PhonoLinguisticModel
from phonolinguistic.model.processing_phonolinguistic import PhonoLinguisticProcessor
from training.train import train

# One of each task, and each loss: CTC, Whisper's tokens, several labels, towers that run once.
EQUAL = (
    "audio_hubert_large", "text_bert", "multitask_hubert_large", "multitask_whisper_base", "fusion_hubert_base",
    "release/text", "own",
)  # fmt: skip


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    root = tmp_path_factory.mktemp("recipes")
    return root, train_kit.make_sources(root / "sources"), train_kit.make_corpus(root / "corpus")


@pytest.fixture(scope="module")
def alone(material):
    """Recipe -> its run in this process, with as many batches a step as two processes have."""
    root, sources, corpus = material
    torch.set_num_threads(1)
    more = ("precision=fp32", "gradient_accumulation_steps=2")
    return {
        recipe: train(train_kit.settings_of(recipe, sources, corpus, *more), root / "one" / recipe, progress=False)
        for recipe in train_kit.RECIPES
    }


@pytest.fixture(scope="module")
def together(material, alone):
    root, sources, corpus = material
    jobs = [
        {
            "config": str(train_kit.CONFIGS / f"{recipe}.yaml"),
            "overrides": train_kit.overrides(recipe, sources, corpus, "precision=fp32"),
            "out": str(root / "two" / recipe),
        }
        for recipe in train_kit.RECIPES
    ]
    done = train_kit.launch_two(jobs, root)
    assert done.returncode == 0, done.stderr[-3000:]
    return {recipe: json.loads((root / "two" / recipe / "training_run.json").read_text()) for recipe in alone}


def test_recipes_of_all_tasks_are_there():
    sizes = {f"{task}_hubert_{size}" for task in ("audio", "fusion", "multitask") for size in ("base", "large")}
    assert sizes | {"audio_ast", "text_bert", "own", "multitask_whisper_base", "release/text"} <= set(train_kit.RECIPES)


@pytest.mark.parametrize("recipe", train_kit.RECIPES)
def test_recipe_trains_and_its_model_loads(recipe, material, alone):
    root, run = material[0], alone[recipe]
    assert run["steps"] == 2
    assert run["provenance"]["seed"] == 0 and run["provenance"]["threads"] == 1
    assert 0 <= run["training"]["data_share"] <= 1
    folder = root / "one" / recipe / "model"
    model = PhonoLinguisticModel.from_pretrained(folder)
    processor = PhonoLinguisticProcessor.from_pretrained(folder)
    task = run["task"]
    assert model.config.multitask == (task == "multitask")
    assert set(model.config.release["trained_heads"]) >= {task if task in ("audio", "text") else "fusion"}
    assert task in model.config.temperatures
    assert (processor.asr_tokenizer is not None) == (task == "multitask")
    assert ("wer" in run["epochs"][-1]) == (task == "multitask")


@pytest.mark.parametrize("recipe", train_kit.RECIPES)
def test_two_processes_give_the_figures_of_one(recipe, alone, together):
    one, two = alone[recipe], together[recipe]
    assert two["processes"] == 2 and two["steps"] == one["steps"] == 2
    assert two["epochs"][-1]["loss"] == pytest.approx(one["epochs"][-1]["loss"], abs=2e-4)
    for head in ("audio", "text", "fusion"):
        if head in one["epochs"][-1]:
            # 9 rows do not fill two processes' batches: a row counted twice would show here.
            assert two["epochs"][-1][head] == one["epochs"][-1][head]


@pytest.mark.parametrize("recipe", EQUAL)
def test_two_processes_take_the_steps_of_two_accumulated_batches(recipe, material, alone, together):
    root = material[0]
    one, two = (load_file(root / number / recipe / "model" / "model.safetensors") for number in ("one", "two"))
    assert one.keys() == two.keys()
    for name in one:
        assert torch.allclose(one[name], two[name], atol=2e-5), name
