"""The tracker of the codec `melody`: what may come next, and when a piece may end."""

from __future__ import annotations

from seqgen.errors import DataError
from seqgen_music.codecs.machine import MachineTracker
from seqgen_music.codecs.melody.grammar import ANYTHING, MelodyGrammar, MelodyRequest
from seqgen_music.codecs.melody.steps import MACHINE, PLACE


class MelodyTracker(MachineTracker):
    """Knows the place in the bar, the events some bars ago, and when the piece may end.

    Parameters
    ----------
    grammar : MelodyGrammar
    request : MelodyRequest
        After a prompt of more bars than requested the piece ends at the next bar line.
    """

    def __init__(self, grammar: MelodyGrammar, request: MelodyRequest = ANYTHING) -> None:
        self._layout, self._is_given = grammar.layout, request.given is not None
        given = grammar.new_state(), grammar.masks(request), len(self._layout.feature_sizes)
        super().__init__(MACHINE, grammar.constants(request), *given)

    def push(self, token: int) -> None:
        """Update the state with a token.

        Raises
        ------
        DataError
            If a prompt does not have the requested metre, or the notes of a given melody.
        """
        forced, names = self.forced(), (*self._layout.table.names, "the end")
        if (self._is_given or self._state[PLACE] == 0) and forced not in (None, token):
            raise DataError(
                f"the prompt contradicts what is given: it has {names[token]!r}, not "
                f"{names[forced]!r}; leave out one of the two"
            )
        super().push(token)
