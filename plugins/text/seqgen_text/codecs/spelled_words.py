"""Words, gaps and letters as tokens, from which any text comes back exactly.

::

    Don't shout, HAMLET!  ->  <cap> don't shout ", " <upper> <spell> h a m l e t </spell> !

A blank between two words costs no token. Another gap is one token if it is frequent, or else
several. A word that is no token is spelled. The grammar depends on the last token only.
"""

from __future__ import annotations

import copy
from array import array
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from seqgen.plugin import Ids
from seqgen_text.codecs.automaton import Automaton
from seqgen_text.codecs.counting import Counts
from seqgen_text.codecs.text_codec import is_whole, unknown_characters
from seqgen_text.codecs.word_parts import APOSTROPHES, Case, cased, split, uncased, word_characters

#: Kinds of tokens. CASED words differ in capitals, WORDs do not.
CAP, UPPER, SPELL, CLOSE, LETTER, GAP, WORD, CASED = range(8)

#: Names of the marks, in the order of their kinds. No word or gap has such a name, nor a letter's.
MARKS = ("<cap>", "<upper>", "<spell>", "</spell>")

#: States of the grammar: a word or gap may begin, a word must follow its mark, a spelled word
#: begins, it goes on.
OPEN, MARKED, FIRST, INSIDE = range(4)

#: The kinds that may come in each state, and END (8).
ALLOWED = {
    OPEN: (CAP, UPPER, SPELL, GAP, WORD, CASED, 8),
    MARKED: (SPELL, CASED),
    FIRST: (LETTER,),
    INSIDE: (LETTER, CLOSE),
}

#: The state after each kind, whatever it was before.
MOVES = (MARKED, MARKED, FIRST, OPEN, INSIDE, OPEN, OPEN, OPEN)

#: Longest word and gap that are one token, and most gaps that are.
LONGEST_WORD, LONGEST_GAP, MOST_GAPS = 40, 16, 1000

#: Words and gaps whose tokens are remembered.
MOST_CACHED = 2**16


class SpelledWords:
    """The tokens of a form of text in which words are tokens or spelled.

    Parameters
    ----------
    words : sequence of str
        Words that are tokens, without the capitals that a mark gives.
    gaps : sequence of str
        Gaps that are tokens, among them every character of gaps.
    letters : str
        Characters for spelling.
    """

    def __init__(self, words: Sequence[str], gaps: Sequence[str], letters: str) -> None:
        self.words, self.gaps, self.letters = tuple(words), tuple(gaps), letters
        marks = MARKS if letters else ()
        self.vocab = (*marks, *(f"letter {each}" for each in letters), *gaps, *words)
        self._texts = (*("" for _ in marks), *letters, *gaps, *words)
        self.kinds = [
            *range(len(marks)),
            *(LETTER for _ in letters),
            *(GAP for _ in gaps),
            *(CASED if word.upper() != word else WORD for word in words),
        ]
        first = len(marks)
        self._letter_ids = {each: first + at for at, each in enumerate(letters)}
        first += len(letters)
        self._gap_ids = {each: first + at for at, each in enumerate(gaps)}
        first += len(gaps)
        self._word_ids = {each: first + at for at, each in enumerate(words)}
        #: All characters that can be encoded.
        self.known = frozenset((*letters, *(each for each in gaps if len(each) == 1)))
        allowed = [[kind in ALLOWED[state] for kind in range(9)] for state in ALLOWED]
        self.grammar = Automaton(self.kinds, allowed, [MOVES] * len(ALLOWED))
        #: Tokens of words and gaps that were encoded before.
        self._cache: dict[str, tuple[int, ...]] = {}
        #: The texts of all tokens in each state of a stream.
        self._spellings: dict[tuple[Case, bool, bool], list[bytes]] = {}

    @classmethod
    def of(cls, pieces: Iterable[str], most: int, rarest: int) -> SpelledWords:
        """Return the tokens of a corpus: its frequent words and gaps, and all its characters."""
        characters = {" "}
        with Counts() as words, Counts() as gaps:
            for piece in filter(is_whole, pieces):
                characters.update(piece)
                words.add(
                    uncased(word)[1] for _, word in split(piece) if 0 < len(word) <= LONGEST_WORD
                )
                gaps.add(gap for gap, _ in split(piece) if 1 < len(gap) <= LONGEST_GAP)
            frequent = words.most_frequent(most, rarest)
            longer = gaps.most_frequent(MOST_GAPS, rarest)
        letters = word_characters(characters)
        both_cases = {case for each in letters for case in (each, each.lower(), each.upper())}
        single = characters - letters | letters.intersection(APOSTROPHES)
        spelling = "".join(sorted(each for each in both_cases if len(each) == 1))
        return cls(frequent, sorted((*single, *longer)), spelling)

    def encode(self, text: str) -> Ids:
        """Return the ids of a text ``(N,)``.

        Raises
        ------
        DataError
            For characters that the corpus does not have, with their positions.
        """
        if unknown := set(text) - self.known:
            raise unknown_characters(text, unknown, len(self.known))
        ids = array("q")
        is_first = True
        for gap, word in split(text):
            if is_first or gap != " " or not word:
                ids.extend(self._cache.get(gap) or self._remembered(gap, self._gap_of(gap)))
            if word:
                ids.extend(self._cache.get(word) or self._remembered(word, self._word_of(word)))
            is_first = False
        return np.array(ids, np.int64)

    def _remembered(self, text: str, tokens: tuple[int, ...]) -> tuple[int, ...]:
        """Keep the tokens of a word or gap; no word is a gap."""
        if len(self._cache) >= MOST_CACHED:
            self._cache.clear()
        if len(text) <= LONGEST_WORD:
            self._cache[text] = tokens
        return tokens

    def _gap_of(self, gap: str) -> tuple[int, ...]:
        """Return the tokens of a gap, the longest first that fits."""
        ids = []
        while gap:
            size = next(size for size in range(LONGEST_GAP, 0, -1) if gap[:size] in self._gap_ids)
            ids.append(self._gap_ids[gap[:size]])
            gap = gap[size:]
        return tuple(ids)

    def _word_of(self, word: str) -> tuple[int, ...]:
        """Return the tokens of a word: its mark, and the word or its letters."""
        case, base = uncased(word)
        if base not in self._word_ids and not self._letter_ids.keys() >= set(base):
            case, base = "", word  # its lower case has a letter that no text of the corpus has
        mark = [CAP] if case == "cap" else [UPPER] if case else []
        if base in self._word_ids:
            return (*mark, self._word_ids[base])
        return (*mark, SPELL, *(self._letter_ids[each] for each in base), CLOSE)

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the rest, with the blank before it if that is between two words."""
        before = start - 1
        if start < len(ids) and self.kinds[ids[start]] == CLOSE:
            start, before = start + 1, start  # the end of a spelled word is not cut off
        while before >= 0 and self.kinds[ids[before]] in (CAP, UPPER, SPELL):
            before -= 1  # the blank comes before the marks
        rest = ids[start:]
        follows_word = before >= 0 and self.kinds[ids[before]] in (WORD, CASED, CLOSE)
        begins_word = len(rest) > 0 and self.kinds[rest[0]] not in (GAP, CLOSE)
        return np.insert(rest, 0, self._gap_ids[" "]) if follows_word and begins_word else rest

    def certain(self, ids: Ids) -> int:
        """Return the number of ids before the last word or gap of a text."""
        kinds = [self.kinds[token] for token in np.asarray(ids).tolist()]
        kept = len(kinds)
        if kinds and kinds[-1] == GAP:
            while kept and kinds[kept - 1] == GAP:
                kept -= 1
            # An apostrophe after a word may be inside it.
            if self._texts[ids[kept]] not in APOSTROPHES or len(kinds) - kept > 1:
                return kept
        if kept and kinds[kept - 1] == CLOSE:
            kept = max(at for at in range(kept) if kinds[at] == SPELL)
        elif kept and kinds[kept - 1] in (WORD, CASED):
            kept -= 1
        while kept and kinds[kept - 1] in (CAP, UPPER):
            kept -= 1
        return kept

    def spellings(self, ids: Ids) -> Sequence[bytes]:
        """Return the text that each token would add after ids ``(N,)``, as UTF-8."""
        kinds = [self.kinds[token] for token in np.asarray(ids).tolist()]
        inside = (CAP, UPPER, SPELL, LETTER)
        begin = next((at for at in range(len(kinds))[::-1] if kinds[at] not in inside), 0)
        stream = _Stream(self.kinds, self._texts)
        for token in np.asarray(ids[begin:]).tolist():
            stream(token)
        if (texts := self._spellings.get(stream.state)) is None:
            texts = self._spellings[stream.state] = [
                copy.copy(stream)(token).encode("utf-8", "surrogatepass")
                for token in range(len(self.vocab))
            ]
        return texts

    def stream(self) -> Callable[[int], str]:
        """Return a function from the next id to the text that it adds."""
        return _Stream(self.kinds, self._texts)


class _Stream:
    """Writes any ids as text, one after the other. A letter alone begins a spelled word."""

    def __init__(self, kinds: Sequence[int], texts: Sequence[str]) -> None:
        self._kinds, self._texts = kinds, texts
        self._case: Case = ""
        self._after_word = self._spells = False

    @property
    def state(self) -> tuple[Case, bool, bool]:
        """All that the text of the next token depends on."""
        return self._case, self._after_word, self._spells

    def __call__(self, token: int) -> str:
        kind, text = self._kinds[token], self._texts[token]
        if kind == LETTER and self._spells:
            return text.upper() if self._case == "upper" else text
        if self._spells or kind == CLOSE:
            self._spells, self._case = False, ""
        if kind in (CAP, UPPER):
            self._case = "cap" if kind == CAP else "upper"
        if kind in (CAP, UPPER, SPELL, CLOSE):
            return ""
        blank = " " if self._after_word and kind != GAP else ""
        self._after_word, self._spells = kind != GAP, kind == LETTER
        written = text if kind == GAP else cased(self._case, text)
        if kind != LETTER:
            self._case = ""
        return blank + written
