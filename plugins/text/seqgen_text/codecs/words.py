"""The codec `words`: words and what is between them as tokens; rare words are spelled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

from seqgen.errors import DataError
from seqgen.grammar import IndexedMasks
from seqgen.plugin import Ids, OpenEnd, Within, check_fields, refuse_condition
from seqgen.unknown import Mended, Unknown, mend_text
from seqgen_text.codecs.automaton import AutomatonTracker
from seqgen_text.codecs.plain_words import PlainWords
from seqgen_text.codecs.spelled_words import SpelledWords
from seqgen_text.codecs.text_codec import TextCodec, check_whole_characters

#: Fewest occurrences of a word that is a token, by form, unless the user says otherwise.
RAREST = {"text": 3, "ptb": 1}


@dataclass(frozen=True)
class WordOptions:
    """Options of the codec `words`."""

    form: Literal["text", "ptb"] = "text"
    """`text` keeps every character; `ptb` splits at blanks and keeps words and line ends only, as
    in the Penn Treebank, with `<unk>` for every word that is no token."""
    most: Annotated[int, Within(1, 10**6)] = 10_000
    """Most words that are tokens; the most frequent are."""
    rarest: Annotated[int, Within(0, 10**15)] = 0
    """Fewest occurrences of a word that is a token. 0 chooses 3, or 1 for `form=ptb`."""

    def __post_init__(self) -> None:
        check_fields(self)


class WordCodec(TextCodec):
    """One token for each frequent word; rare words are spelled letter by letter between two marks.

    Lossless, unless the option `form` is "ptb" (`seqgen_text.codecs.plain_words`).
    `seqgen_text.codecs.spelled_words` explains the tokens.

    Parameters
    ----------
    tokens : SpelledWords or PlainWords
    options : WordOptions
    """

    options_type: ClassVar[type[Any]] = WordOptions
    # Chosen by counting faults: docs/sampling.md.
    temperature = 0.9

    def __init__(self, tokens: SpelledWords | PlainWords, options: WordOptions) -> None:
        self.options = options
        self.vocab = tokens.vocab
        self._tokens = tokens

    @classmethod
    def fit(cls, pieces: Iterable[str], options: WordOptions) -> Self:
        """Count words and gaps, and keep the frequent ones."""
        form = PlainWords if options.form == "ptb" else SpelledWords
        rarest = options.rarest or RAREST[options.form]
        return cls(form.of(pieces, options.most, rarest), options)

    def state(self) -> dict[str, Any]:
        """Return words, gaps and letters."""
        if isinstance(self._tokens, PlainWords):
            return {"words": [*self._tokens.words]}
        return {
            "words": [*self._tokens.words],
            "gaps": [*self._tokens.gaps],
            "letters": [*self._tokens.letters],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: WordOptions) -> Self:
        """Rebuild the codec."""
        words = _texts(state, "words")
        if options.form == "ptb":
            return cls(PlainWords(words), options)
        letters = "".join(_texts(state, "letters"))
        return cls(SpelledWords(words, _texts(state, "gaps"), letters), options)

    def encode(self, piece: str) -> Ids:
        """Return the ids of a text ``(N,)``.

        Raises
        ------
        DataError
            For a lone surrogate, or a character that the corpus does not have, with its position.
        """
        check_whole_characters(piece)
        return self._tokens.encode(piece)

    def mend_prompt(self, piece: str, unknown: Unknown) -> Mended:
        """Drop unknown characters or replace them by the nearest known ones."""
        if isinstance(self._tokens, PlainWords):
            return Mended(piece)
        return mend_text(piece, self._tokens.known, unknown)

    def text_stream(self) -> Callable[[int], str]:
        """Return a function from the next id to the text that it adds."""
        return self._tokens.stream()

    def open_end(self, ids: Ids) -> OpenEnd | None:
        """Return the last word or gap of a prompt; none for `form=ptb`, which has whole words."""
        if isinstance(self._tokens, PlainWords) or not len(ids):
            return None
        kept = self._tokens.certain(ids)
        text = self.decode(ids).removeprefix(self.decode(ids[:kept]))
        return OpenEnd(kept, text, self._tokens.spellings)

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the rest, with the blank before it if that is between two words."""
        if isinstance(self._tokens, PlainWords):
            return ids[start:]
        return self._tokens.continuation(ids, start)

    def units(self, ids: Ids) -> dict[str, float]:
        """Count words, characters and bytes; line ends are words for `form=ptb`, as is usual."""
        units = super().units(ids)
        return units | {"words": float(len(ids))} if self.options.form == "ptb" else units

    def masks(self, ids: Ids) -> IndexedMasks | None:
        """Return what may come: a spelled word has letters and an end, a mark has its word."""
        return None if isinstance(self._tokens, PlainWords) else self._tokens.grammar.masks(ids)

    def tracker(self, condition: Any = None) -> AutomatonTracker | None:
        """Return the grammar's tracker; words take no condition."""
        refuse_condition(condition)
        return None if isinstance(self._tokens, PlainWords) else self._tokens.grammar.tracker()


def _texts(state: Mapping[str, Any], name: str) -> Sequence[str]:
    """Return a list of texts of a saved state, or raise `DataError`."""
    texts = state[name]
    if not isinstance(texts, list) or not all(isinstance(each, str) and each for each in texts):
        raise DataError(f"{name} must be a list of texts")
    return texts
