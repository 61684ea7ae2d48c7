"""Text that looks like a recogniser's."""

import jiwer
import pytest

from training.inputs.text_noise import TextNoise, spoken_form, without_case

LONG = "I do not know what they were doing over there, but it is the best day that we have had this year."


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("I LOVE YOU sooo much!!! 😍 https://a.b/c :)", "I LOVE YOU so much!"),
        ("NOOOO WAY", "No way"),
        ("Thanks [NAME], you rock", "Thanks, you rock"),
        ("(laughs) That’s… great", "That's. Great"),
        ("&gt; quoted **bold** u/someone /s", "Quoted bold"),
        ("[click here](http://x.y) @bob #happy", "Click here bob happy"),
        ("idk tbh", "I don't know to be honest"),
        ("what?!?!", "What?"),
        ("🎉", ""),
        ("[NAME]", ""),
        ("", ""),
    ],
)
def test_spoken_form(written, spoken):
    assert spoken_form(written) == spoken
    assert spoken_form(spoken) == spoken


def test_a_name_stands_for_the_placeholder():
    assert spoken_form("Thanks [NAME]!", name="Anna") == "Thanks Anna!"


def test_noise_is_seeded_by_key():
    noise = TextNoise(seed=3)
    texts = [noise(LONG, key) for key in range(20)]
    assert texts == [noise(LONG, key) for key in range(20)]
    assert len(set(texts)) > 10
    assert texts != [TextNoise(seed=4)(LONG, key) for key in range(20)]


def test_rate_is_about_the_word_error_rate():
    noise = TextNoise(rate=0.1, clean=0.0, contract=0.0)
    reference = without_case(LONG)
    wer = jiwer.wer([reference] * 300, [without_case(noise(LONG, key)) for key in range(300)])
    assert 0.07 < wer < 0.14


def test_without_errors_only_case_and_punctuation_change():
    noise = TextNoise(rate=0.0, clean=0.0, contract=0.0)
    texts = {noise(LONG, key) for key in range(40)}
    assert {without_case(text) for text in texts} == {without_case(LONG)}
    assert without_case(LONG) in texts and LONG in texts


def test_never_empty_for_words():
    noise = TextNoise(rate=1.0, clean=0.0)
    assert all(noise(text, key) for text in ("Yes.", "Oh no!", "I") for key in range(50))
    assert noise("🎉") == ""
