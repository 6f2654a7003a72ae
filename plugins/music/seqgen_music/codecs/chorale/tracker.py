"""The tracker of the codec `chorale`: which voice comes next, and what it may sing."""

from __future__ import annotations

from seqgen.errors import DataError
from seqgen_music.codecs.chorale.grammar import (
    ANYTHING,
    ChoraleGrammar,
    ChoraleRequest,
    VoiceLimits,
)
from seqgen_music.codecs.chorale.layout import PARTS
from seqgen_music.codecs.chorale.raster import STEPS
from seqgen_music.codecs.chorale.rules import HEADER, PLACE, new_state
from seqgen_music.codecs.chorale.steps import MACHINE
from seqgen_music.codecs.machine import MachineTracker


class ChoraleTracker(MachineTracker):
    """Knows which voice comes next, what it may sing, and when the piece may end.

    Parameters
    ----------
    grammar : ChoraleGrammar
    limits : VoiceLimits
        The limits on new pieces.
    request : ChoraleRequest
    """

    def __init__(
        self, grammar: ChoraleGrammar, limits: VoiceLimits, request: ChoraleRequest = ANYTHING
    ) -> None:
        self._layout = grammar.layout
        given = new_state(), grammar.masks(request), len(self._layout.feature_sizes)
        super().__init__(MACHINE, grammar.constants(limits, request), *given)

    def push(self, token: int) -> None:
        """Update the state with a token.

        Raises
        ------
        DataError
            If a prompt contradicts the request.
        """
        forced, layout = self.forced(), self._layout
        if forced not in (None, token):
            names, cells = (
                (*layout.table.names, "the end"),
                self._state[PLACE] - self._state[HEADER],
            )
            raise DataError(
                f"the prompt contradicts what is given: after {max(cells, 0) // PARTS / STEPS:g} "
                f"quarters it has {names[token]!r} in the place of {names[forced]!r}; leave out "
                f"one of the two"
            )
        super().push(token)
