"""What the model card says that no run measures: corpora with their licences, caveats, words for the architecture."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CorpusFacts:
    """A corpus as the card names it: `hub` is its data set id on the Hub, where there is one."""

    name: str
    what: str
    licence: str
    citation: str
    hub: str | None = None


CORPORA = {
    "ravdess": CorpusFacts(
        "RAVDESS",
        "24 actors (12 women, 12 men; North American English), 8 acted emotions, 2 fixed sentences",
        "CC BY-NC-SA 4.0",
        "Livingstone and Russo 2018, PLoS ONE 13(5): e0196391",
        "narad/ravdess",
    ),
    "tess": CorpusFacts(
        "TESS",
        'two actresses (26 and 64 years), 7 acted emotions, "Say the word ..."',
        "CC BY-NC-ND 4.0",
        "Pichora-Fuller and Dupuis 2020, Scholars Portal Dataverse",
    ),
    "goemotions": CorpusFacts(
        "GoEmotions",
        "Reddit comments, 27 labels mapped to seven; text only",
        "Apache-2.0",
        "Demszky et al. 2020, ACL",
        "google-research-datasets/go_emotions",
    ),
    "meld": CorpusFacts(
        "MELD",
        "utterances of a television series, seven labels; text only",
        "GPL-3.0 (repository)",
        "Poria et al. 2019, ACL",
        "declare-lab/MELD",
    ),
    "speechocean762": CorpusFacts(
        "speechocean762",
        "English read by Mandarin speakers, with transcripts and without emotions; for recognition, and for how far "
        "calm voices in another room differ",
        "free for commercial and non-commercial use",
        "Zhang et al. 2021, Interspeech (OpenSLR 101)",
        "mispeech/speechocean762",
    ),
    "cremad": CorpusFacts(
        "CREMA-D",
        "91 actors, 6 acted emotions, 12 fixed sentences",
        "Open Database License 1.0",
        "Cao et al. 2014, IEEE Transactions on Affective Computing",
    ),
    "savee": CorpusFacts(
        "SAVEE",
        "four men, 7 acted emotions",
        "research use on registration",
        "Haq and Jackson 2009",
    ),
    "iemocap": CorpusFacts(
        "IEMOCAP",
        "ten actors in dialogue, scripted and improvised",
        "research use on application",
        "Busso et al. 2008, Language Resources and Evaluation",
    ),
    "librispeech": CorpusFacts(
        "LibriSpeech",
        "read audio books, with transcripts and without emotions; for recognition",
        "CC BY 4.0",
        "Panayotov et al. 2015, ICASSP",
        "openslr/librispeech_asr",
    ),
    "synthetic": CorpusFacts(
        "synthetic read speech",
        "training utterances of MELD and GoEmotions read by flite and espeak-ng; for recognition only",
        "made for this project (training/release/speak.py)",
        "flite; espeak-ng",
    ),
}

# Names of test sets that are no corpora.
CORPORA["constructed pairs"] = CorpusFacts(
    "constructed pairs", "test clips and test utterances put together", "as its corpora", "training/inputs/pairs.py"
)

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
    """Facts of a corpus by its loader's name; a bare entry for one that is not listed here."""
    return CORPORA.get(name) or CorpusFacts(name, "see the code repository", "see the code repository", name)
