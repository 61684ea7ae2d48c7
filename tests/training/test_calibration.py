"""Temperature, calibration error and the uncertain threshold, against what they must be on made data."""

import numpy as np
import pytest
import torch

from phonolinguistic.calibration import (
    chance_calibration_error,
    choose_uncertain_threshold,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability,
    softmax,
)


def drawn(temperature: float, rows: int = 20_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose labels were drawn with this temperature."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (rows, 7))
    chances = softmax(logits, temperature).cumsum(1)
    return logits, (random.random((rows, 1)) > chances[:, :-1]).sum(1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_temperature_is_found_again_and_calibrates(temperature):
    logits, labels = drawn(temperature)
    found = fit_temperature(torch.tensor(logits, dtype=torch.float16), torch.tensor(labels))
    assert found == pytest.approx(temperature, rel=0.05)
    assert expected_calibration_error(softmax(logits, found), labels) < 0.015
    for other in (found * 0.9, found * 1.1):
        assert negative_log_likelihood(logits, labels, found) < negative_log_likelihood(logits, labels, other)


def test_soft_labels_give_the_same_temperature_as_hard_ones():
    logits, labels = drawn(2.0, rows=500)
    assert fit_temperature(logits, np.eye(7)[labels]) == pytest.approx(fit_temperature(logits, labels))


def test_no_mistake_at_all_ends_at_the_bound():
    assert fit_temperature(np.eye(7) * 3, np.arange(7)) == pytest.approx(0.05, rel=0.01)


def test_calibration_error_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    # Bin of 0.9: accuracy 0.5, gap 0.4. Bin of 0.6: accuracy 1, gap 0.4.
    assert expected_calibration_error(probabilities, [0, 1, 1, 1]) == pytest.approx(0.4)
    assert expected_calibration_error(np.eye(3), [0, 1, 2]) == 0
    table = reliability(probabilities, np.array([0, 1, 1, 1]), bins=10)
    assert table.counts.tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 2, 0]


def test_uncertain_threshold_parts_guesses_from_knowledge():
    random = np.random.default_rng(0)
    confidence = random.uniform(0.2, 1, 4000)
    right = random.random(4000) < np.where(confidence < 0.35, 0.2, 0.9)
    probabilities = np.stack([confidence, *[(1 - confidence) / 6] * 6], 1)
    labels = np.where(right, 0, 1)
    labels = np.where(probabilities.argmax(1) == 0, labels, probabilities.argmax(1))
    found = choose_uncertain_threshold(probabilities, labels)
    assert found == pytest.approx(0.35, abs=0.02)


def test_uncertain_threshold_has_bounds():
    always_right = np.tile([0.6, 0.4], (100, 1))
    assert choose_uncertain_threshold(always_right, np.zeros(100, int)) == 0.0
    random = np.random.default_rng(1)
    logits = random.normal(size=(1000, 2))
    never_right = (logits.argmax(1) + 1) % 2
    probabilities = softmax(logits)
    found = choose_uncertain_threshold(probabilities, never_right, most=0.2)
    assert (probabilities.max(1) < found).mean() == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(
    "logits, labels, words",
    [
        (np.zeros((0, 7)), np.zeros(0), "at least one row"),
        (np.zeros((2, 7)), np.zeros(3), "one per row"),
        (np.full((1, 7), np.nan), np.zeros(1, int), "NaN"),
    ],
)
def test_bad_input_is_named(logits, labels, words):
    with pytest.raises(ValueError, match=words):
        fit_temperature(logits, labels)


def test_a_calibrated_model_errs_by_chance_less_on_more_rows():
    random = np.random.default_rng(0)
    chances = random.dirichlet(np.full(7, 0.4), 4000)
    labels = np.array([random.choice(7, p=row) for row in chances])
    few, many = chance_calibration_error(chances[:200]), chance_calibration_error(chances)
    assert 0 < many[0] < many[1] < few[0] < few[1]
    assert expected_calibration_error(chances, labels) < 1.5 * many[1]
    assert expected_calibration_error(chances**0.3 / (chances**0.3).sum(1, keepdims=True), labels) > 2 * many[1]
