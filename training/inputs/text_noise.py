"""Written text made to look like what a speech recogniser writes.

Two steps, for text models that train on typed words and must read transcripts:
`spoken_form` takes out what no recogniser writes (emoji, [NAME], links, markup, shouting, stretched words), always;
`TextNoise` adds what one does (lost case and punctuation, contractions, homophones, dropped and mistaken words), at
random.
"""

from __future__ import annotations

import html
import random
import re
from dataclasses import dataclass

NAME = re.compile(r"\[NAME\]")  # GoEmotions' anonymisation
BRACKETS = re.compile(r"\[[^\]]*\]|\([^)]*\)")  # [RELIGION], and MELD's stage directions: (laughs)
LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
MARKUP_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
HANDLE = re.compile(r"(?<!\w)(?:/?[ru]/\w+|[@#](?=\w))")
SARCASM = re.compile(r"(?<!\S)/s\b")
MARKUP = re.compile(r"[*_~`^|<>\\{}]+|&\w+;|(?m:^\s*>+)")
# Emoji, pictographs, dingbats, flags, variation selectors and joiners; and typed faces such as :-) ;P <3 xD.
EMOJI = re.compile("[\U0001f000-\U0001faff\u2190-\u21ff\u2300-\u27bf\u2b00-\u2bff\ufe00-\ufe0f\u200b-\u200d\u20e3]")
FACE = re.compile(r"(?<!\w)(?:[:;=8][-'o^]?[()\[\]DPpOo3/\\|]+|<3+|[xX]D+|\^_*\^|-_+-)(?!\w)")
REPEATED_MARK = re.compile(r"([!?.,])(?:\s*[!?.,])+")
STRETCHED = re.compile(r"([a-zA-Z])\1{2,}")
SPACES = re.compile(r"\s+")
TYPOGRAPHY = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": ", ", "—": ", ", "…": "...", "\u00a0": " "})

# What people type and what a recogniser writes when they say it.
SHORTHAND = {
    "u": "you", "ur": "your", "r": "are", "thx": "thanks", "ty": "thank you", "pls": "please", "plz": "please",
    "omg": "oh my god", "idk": "I don't know", "btw": "by the way", "tbh": "to be honest", "imo": "in my opinion",
    "imho": "in my humble opinion", "wtf": "what the fuck", "smh": "shaking my head", "ppl": "people", "bc": "because",
    "cuz": "because", "w/": "with", "w/o": "without", "b4": "before", "np": "no problem", "nvm": "never mind",
    "afaik": "as far as I know", "irl": "in real life", "jk": "just kidding", "rn": "right now", "ikr": "I know right",
    "im": "I'm", "dont": "don't", "cant": "can't", "wont": "won't", "didnt": "didn't", "doesnt": "doesn't",
    "isnt": "isn't", "wasnt": "wasn't", "ive": "I've", "thats": "that's", "youre": "you're", "theyre": "they're",
    "&": "and", "%": "percent", "lmao": "", "lol": "", "lmfao": "", "rofl": "",
}  # fmt: skip
CONTRACTIONS = (
    ("do not", "don't"), ("does not", "doesn't"), ("did not", "didn't"), ("can not", "can't"), ("cannot", "can't"),
    ("will not", "won't"), ("is not", "isn't"), ("are not", "aren't"), ("was not", "wasn't"), ("i am", "I'm"),
    ("i have", "I've"), ("i will", "I'll"), ("i would", "I'd"), ("it is", "it's"), ("that is", "that's"),
    ("you are", "you're"), ("they are", "they're"), ("we are", "we're"), ("he is", "he's"), ("she is", "she's"),
    ("let us", "let's"), ("going to", "gonna"), ("want to", "wanna"), ("got to", "gotta"),
)  # fmt: skip
# Words that small recognisers take for one another: homophones, and near ones with a lost or changed sound.
CONFUSED = (
    ("their", "there", "they're"), ("your", "you're"), ("to", "too", "two"), ("its", "it's"), ("hear", "here"),
    ("know", "no"), ("new", "knew"), ("right", "write"), ("for", "four"), ("by", "buy", "bye"), ("son", "sun"),
    ("see", "sea"), ("one", "won"), ("our", "hour", "are"), ("which", "witch"), ("wear", "where"), ("week", "weak"),
    ("would", "wood"), ("son", "some"), ("than", "then"), ("of", "have"), ("in", "and", "an"), ("a", "the", "uh"),
    ("he", "she"), ("is", "was", "it's"), ("this", "the"), ("him", "them"), ("want", "won't"), ("can", "can't"),
    ("feel", "fill"), ("live", "leave"), ("mad", "man"), ("said", "sad"), ("bad", "bed"), ("great", "grade"),
    ("mean", "me"), ("hate", "ate"), ("fear", "fair"), ("cry", "try"), ("when", "went"), ("walk", "work"),
    ("think", "thing"), ("thought", "that"), ("where", "were"), ("kids", "kid"), ("day", "they"), ("god", "got"),
)  # fmt: skip
ALTERNATIVES: dict[str, tuple[str, ...]] = {}
for _group in CONFUSED:
    for _word in _group:
        others = tuple(word for word in _group if word != _word)
        ALTERNATIVES[_word] = ALTERNATIVES.get(_word, ()) + others
FILLERS = ("um", "uh", "you know", "like", "oh", "well", "so")
NAMES = ("John", "Sarah", "Mike", "Anna", "David", "Emma", "Tom", "Lisa", "Alex", "Kate", "James", "Maria")
COMMON = tuple(
    "about after again all always another any around back because been before being better big call came could day "
    "did different does done down each end even every family far find first from full get girl give go going good got "
    "had hand has help her here high his home house how if into job just keep kind last late left less let life like "
    "line little long look lot made make man many may men money more most much must my name need never next nice night "
    "not now off old on only open or other out over own part people place play please put question quite read real "
    "really room run same saw say school set seem she show small so something still such sure take talk tell thank "
    "thing think time today told too took tree try turn under until up us use very wait want water way we well went "
    "what while who why wife will with word work world year yes yet young".split()
)
ENDINGS = (("ing", "in"), ("ed", ""), ("s", ""), ("'s", "s"), ("ly", "y"))
PUNCTUATION = re.compile(r"[^\w\s']|(?<!\w)'|'(?!\w)")


def spoken_form(text: str, name: str = "") -> str:
    """`text` without what a recogniser never writes; "" if nothing is left. Deterministic.

    name: what stands for [NAME]; a recogniser would write some name there.
    """
    text = NAME.sub(name or " ", html.unescape(text).translate(TYPOGRAPHY))
    text = MARKUP_LINK.sub(r"\1", text)
    for pattern in (LINK, HANDLE, SARCASM, FACE, EMOJI, BRACKETS, MARKUP):
        text = pattern.sub(" ", text)
    text = text.replace('"', "")
    text = STRETCHED.sub(r"\1", text)
    text = REPEATED_MARK.sub(lambda match: "?" if "?" in match[0] else match[1], text)
    words = [_longhand(word) for word in text.split()]
    text = " ".join(word for word in words if word)
    text = re.sub(r"\s+([,.!?;:])", r"\1", text)
    text = re.sub(r"^[\s,.;:!?'-]+", "", text)
    letters = [letter for letter in text if letter.isalpha()]
    if len(letters) > 3 and sum(letter.isupper() for letter in letters) > 0.7 * len(letters):
        text = text.lower()  # shouted in writing only
    return _sentence_case(SPACES.sub(" ", text).strip())


def _longhand(word: str) -> str:
    core = word.strip(".,!?;:")
    if core.lower() not in SHORTHAND:
        return word if core or not word.strip(".,!?;:-") == "" else word.strip("-")
    return word.replace(core, SHORTHAND[core.lower()], 1) if core else word


def _sentence_case(text: str) -> str:
    """Capital letters where a recogniser puts them: sentence starts and I."""
    text = re.sub(r"\bi\b(?=$|[\s',.!?])", "I", text)
    return re.sub(r"(^|[.!?]\s+)([a-z])", lambda match: match[1] + match[2].upper(), text)


@dataclass(frozen=True)
class TextNoise:
    """Random recogniser-like changes to a text. The same (seed, key) gives the same text.

    rate: chance per word of a recognition error (half substitutions, a third deletions, the rest insertions and broken
        endings: roughly what a small recogniser does); about the word error rate of the result.
    bare: chance that the whole text loses case and punctuation, as CTC recognisers and upper-case transcripts do.
    unpunctuated: chance that only the inner punctuation is lost.
    calm: chance that exclamation marks become full stops, where punctuation stays.
    contract: chance per possible contraction.
    clean: chance of no error at all (the cleaning of `spoken_form` is always done).
    """

    rate: float = 0.08
    bare: float = 0.25
    unpunctuated: float = 0.2
    calm: float = 0.5
    contract: float = 0.5
    clean: float = 0.3
    seed: int = 0

    def __call__(self, text: str, key: object = 0) -> str:
        """The noisy text. `key`: whatever makes this draw its own, e.g. (epoch, row)."""
        draw = random.Random(f"{self.seed}|{key!r}|{text}")
        clean = spoken_form(text, name=draw.choice(NAMES))
        if not clean or draw.random() < self.clean:
            return clean
        noisy = self._contract(clean, draw)
        noisy = " ".join(self._errors(noisy.split(), draw)) or clean
        style = draw.random()
        if style < self.bare:
            return without_case(noisy) or clean
        if style < self.bare + self.unpunctuated:
            return _sentence_case(PUNCTUATION.sub("", noisy).lower()) + "."
        if draw.random() < self.calm:
            noisy = noisy.replace("!", ".")
        return _sentence_case(noisy)

    def _contract(self, text: str, draw: random.Random) -> str:
        for long, short in CONTRACTIONS:
            if long in text.lower() and draw.random() < self.contract:
                # "It is?" keeps its verb: what is last in a sentence is not contracted.
                text = re.sub(rf"\b{long}\b(?=\s+\w)", short, text, flags=re.IGNORECASE)
        return text

    def _errors(self, words: list[str], draw: random.Random) -> list[str]:
        result: list[str] = []
        for word in words:
            if draw.random() >= self.rate:
                result.append(word)
                continue
            kind = draw.random()
            if kind < 0.33 and len(words) > 2:
                continue
            if kind < 0.43:
                result += [draw.choice(FILLERS), word]
            else:
                result.append(_mistaken(word, draw))
        return result or words[:1]


def _mistaken(word: str, draw: random.Random) -> str:
    """A word heard wrong: one of its known confusions, else a broken ending, else a common word that starts alike."""
    core = word.strip(".,!?;:")
    lower = core.lower()
    if lower in ALTERNATIVES:
        return word.replace(core, draw.choice(ALTERNATIVES[lower]), 1)
    for ending, instead in ENDINGS:
        if lower.endswith(ending) and len(lower) > len(ending) + 2:
            return word.replace(core, core[: -len(ending)] + instead, 1)
    similar = [other for other in COMMON if other[0] == lower[:1] and other != lower]
    return word.replace(core, draw.choice(similar), 1) if similar else word


def without_case(text: str) -> str:
    """Lower case, no punctuation but apostrophes inside words: what a CTC recogniser writes."""
    return SPACES.sub(" ", PUNCTUATION.sub(" ", text.lower())).strip()
