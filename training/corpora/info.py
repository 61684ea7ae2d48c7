"""What is said of a corpus: name, licence, citation, language, where it is to be had. One record beside each loader.

The model card, NOTICE and the error for a missing corpus read these records and nothing else.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

TAUGHT = "en"  # the language that recognisers and text towers here are trained in


@dataclass(frozen=True)
class CorpusInfo:
    """A published corpus.

    name: the name for `load_corpus`. title: as its authors write it. what: who speaks, and what (one line of the card).
    licence, citation: as the authors state them; where no licence is stated, that is said.
    language: BCP-47 code; "mul" where rows differ (their `language` column says which).
    home: page that it is to be had from. files: what to take there, or on what terms.
    hub: data set id on the Hugging Face Hub, where one is known; else None.
    archives: name patterns (`fnmatch`, any case) of the official archives and folders, besides NAME*.
    """

    name: str
    title: str
    what: str
    licence: str
    citation: str
    language: str
    home: str
    files: str = ""
    hub: str | None = None
    archives: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Where to get it, in one line: page, files and licence."""
        return f"{self.home} ({', '.join(part for part in (self.files, self.licence) if part)})"


# A user's recordings are no published corpus; what is not said of them is not known.
OWN = CorpusInfo(
    name="own",
    title="own recordings",
    what="the user's own recordings",
    licence="the user's own",
    citation="not published",
    language="en",
    home="your own recordings",
    files="see training/corpora/own.py for the columns",
)


def teaches_words(language: str | None) -> bool:
    """Whether words in this language (BCP-47 code) may reach a recogniser or a text tower: English ones only.

    Speech in other languages teaches the voice; its text is never read. None (not known) teaches no words either.
    """
    return (language or "").split("-")[0].lower() == TAUGHT


def taught_texts(texts: Iterable[str | None], languages: Iterable[str | None]) -> list[str]:
    """The texts, with "" where there is none or its language teaches no words; both have one entry a row."""
    rows = zip(texts, languages, strict=True)
    return [text if text and teaches_words(language) else "" for text, language in rows]


def taught_transcripts(heard: dict[str, str], ids: Iterable[str], languages: Iterable[str | None]) -> dict[str, str]:
    """Clip -> what a recogniser heard, without the clips whose language teaches no words."""
    taught = {name for name, language in zip(ids, languages, strict=True) if teaches_words(language)}
    return {name: text for name, text in heard.items() if name in taught}


def notice(infos: Iterable[CorpusInfo]) -> str:
    """The lines of NOTICE for these corpora: title, citation, licence, home page."""
    parts = []
    for info in infos:
        lines = [line for text in (info.citation, info.licence, info.home) for line in textwrap.wrap(text, 92)]
        head, *rest = lines
        parts.append("\n".join([f"{info.title:<26} {head}", *(f"{'':<27}{line}" for line in rest)]))
    return "\n".join(parts) + "\n"
