"""What a grammar is made of: states, frames of a stack, and what each character does.

A language is a function from the state, the frame on top of the stack and a character to a `Move`,
or None if the character may not come there. `seqgen_text.grammars.machine` calls it once for each
combination and follows tables from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

#: Stands for every character beyond ASCII.
OTHER = "é"

#: The characters that a language tells apart.
CHARACTERS = (*map(chr, range(128)), OTHER)

#: What is on top of an empty stack.
NOTHING = ""

LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
DIGITS = frozenset("0123456789")
BLANKS = frozenset(" \t\n\r\f\v")


class Move(NamedTuple):
    """What a character does.

    Attributes
    ----------
    state : str
        The next state.
    push : str
        Frame that is opened.
    pop : bool
        Whether the frame on top is closed.
    swap : str
        Frame that takes the place of the one on top.
    keeps : bool
        Whether the character belongs to the name of the frame on top, such as a tag's.
    indent : {"", "count", "align", "open"}
        Of a language with blocks: this character is counted as indentation; it begins a line, whose
        indentation must be that of an open block, and closes the blocks beyond; or it begins the
        first line of a new block, which must be deeper.
    attribute : {"", "name", "end", "tag"}
        This character belongs to the name of an attribute; it ends a name, which must be a new one
        in its tag; or it ends the tag.
    """

    state: str
    push: str = ""
    pop: bool = False
    swap: str = ""
    keeps: bool = False
    indent: str = ""
    attribute: str = ""


@dataclass(frozen=True)
class Language:
    """A grammar.

    Attributes
    ----------
    name : str
    start, after : str
        The first state, and the state after every character that may not come.
    frames : sequence of str
    move : function of (state, top, character)
        Returns the `Move`, or None. `top` is the frame on top, or `NOTHING`.
    endings : collection of str
        States in which a text may end if no frame is open.
    closers : mapping of str to str
        Characters by the frame that they close even where they may not come, as far as it is open:
        so a real text that breaks a rule is followed.
    matching : collection of str
        States that first repeat the name of the frame on top; their moves come after it.
    unclosed : str
        Frame that may be open where a text ends: a block of indented lines.
    opening : str
        State that awaits the first line of a block.
    closed : mapping of str to str
        The state after each frame that was closed, if it is not `after`; where a frame is closed in
        several states, the one from which the end is nearest.
    alike : sequence of sequences of str
        Characters that do the same everywhere; `move` is called for the first of each only.
    is_free : function of (state, character)
        Whether the character does the same whatever is on top; `move` is then called once.
    """

    name: str
    start: str
    after: str
    frames: Sequence[str]
    move: Callable[[str, str, str], Move | None]
    endings: frozenset[str]
    closers: Mapping[str, str] = field(default_factory=dict)
    matching: frozenset[str] = frozenset()
    unclosed: str = ""
    opening: str = ""
    closed: Mapping[str, str] = field(default_factory=dict)
    alike: Sequence[Sequence[str]] = ()
    is_free: Callable[[str, str], bool] = lambda state, character: False

    def closes(self, top: str, character: str) -> str:
        """Return the frame that a character closes where it may not come, or `NOTHING`.

        It is the one on top, or the first of the mapping.
        """
        frames = [frame for frame, closer in self.closers.items() if closer == character]
        return top if top in frames else frames[0] if frames else NOTHING


def prefixes(words: Iterable[str]) -> frozenset[str]:
    """Return all beginnings of words, with the words."""
    return frozenset(word[:size] for word in words for size in range(len(word) + 1))
