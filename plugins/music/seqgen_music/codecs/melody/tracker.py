"""The tracker of the codec `melody`: what may come next, and when a piece may end."""

from __future__ import annotations

from seqgen.errors import DataError
from seqgen_music.bars import Metre
from seqgen_music.codecs.machine import MachineTracker
from seqgen_music.codecs.melody.grammar import MelodyGrammar
from seqgen_music.codecs.melody.steps import MACHINE, PLACE


class MelodyTracker(MachineTracker):
    """Knows the place in the bar, the events some bars ago, and when the piece may end.

    Parameters
    ----------
    grammar : MelodyGrammar
    metre : (int, int), optional
        The requested metre.
    bars : int, optional
        Number of bars after the upbeat. After a longer prompt the piece ends at the next bar line.
    """

    def __init__(
        self,
        grammar: MelodyGrammar,
        metre: Metre | None = None,
        bars: int | None = None,
    ) -> None:
        self._layout = grammar.layout
        given = grammar.new_state(), grammar.table, len(self._layout.feature_sizes)
        super().__init__(MACHINE, grammar.constants(metre, bars), *given)

    def push(self, token: int) -> None:
        """Update the state with a token.

        Raises
        ------
        DataError
            If a prompt does not have the requested metre.
        """
        forced, names = self.forced(), self._layout.table.names
        if self._state[PLACE] == 0 and forced not in (None, token):
            raise DataError(
                f"the prompt contradicts what is given: it has {names[token]!r}, not "
                f"{names[forced]!r}; leave out one of the two"
            )
        super().push(token)
