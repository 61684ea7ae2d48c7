"""What the model card says that no run measures: corpora with their licences, caveats, words for the architecture."""

from dataclasses import dataclass

from ..corpora import CorpusError, corpus_info


@dataclass(frozen=True)
class CorpusFacts:
    """A corpus as the card names it: `hub` is its data set id on the Hub, where there is one."""

    name: str
    what: str
    licence: str
    citation: str
    hub: str | None = None


# What cards name beside the corpora of training/corpora, whose own records say what they are.
OTHERS = {
    "synthetic": CorpusFacts(
        "synthetic read speech",
        "training utterances of MELD and GoEmotions read by flite and espeak-ng; for recognition only",
        "made for this project (training/release/speak.py of release 0.2.0, since removed)",
        "flite; espeak-ng",
    ),
    "constructed pairs": CorpusFacts(
        "constructed pairs", "test clips and test utterances put together", "as its corpora", "training/inputs/pairs.py"
    ),
}

KINDS = {
    "fusion": "a speech encoder and a separate, off-the-shelf recogniser that writes the words; two speech networks",
    "multitask": "one speech network that recognises the words and whose encoder states feed the emotion heads",
}

BIAS = """\
- **Acted speech.** The voices are of actors who were told which emotion to play. People in conversation show far less.
- **Few voices.** RAVDESS has 24 speakers and TESS two, all adults, nearly all North American. Accents, ages, illness
  and recording conditions outside of that were not tested.
- **Two sentences.** RAVDESS says two sentences and TESS one; their words carry no emotion. The words' side was learned
  from Reddit comments and television subtitles, which are written by particular people and lean on their stereotypes.
- **Labels.** Seven classes are a convention of a data set, not a finding about people. Annotators disagree.
- **Recognition errors** reach the words' side: unusual names, accents and noise change the transcript, then the scores.
- Differences between women and men and between speakers are in the tables below, where they were measured."""

CAVEATS = """\
- RAVDESS and TESS are **acted**; the figures say nothing about spontaneous speech.
- RAVDESS and TESS sentences carry no emotion, and MELD and GoEmotions have no sound here. So every figure of `fusion`
  or `multitask` on *pairs* is measured on **constructed pairs**: a clip and an utterance with the same label, put
  together by `training/inputs/pairs.py`. It shows that the fusion uses both, not how it does on natural emotional
  speech.
- TESS is two voices; a model that heard one of them nearly solves it. Read it across speakers only.
- On MELD, always answering `neutral` scores 48.1 % accuracy and 31.3 weighted F1: compare with that, not with zero."""


def corpus_facts(name: str) -> CorpusFacts:
    """Facts of a corpus by its loader's name; a bare entry for one that has no loader."""
    if name in OTHERS:
        return OTHERS[name]
    try:
        info = corpus_info(name)
    except CorpusError:
        return CorpusFacts(name, "see the code repository", "see the code repository", name)
    return CorpusFacts(info.title, info.what, info.licence, info.citation, info.hub)
