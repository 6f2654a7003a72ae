"""What codecs share that may have a grammar: masks, a tracker, and what the corpus breaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from seqgen.errors import DataError
from seqgen.grammar import IndexedMasks
from seqgen.plugin import Ids, Tracker, refuse_condition
from seqgen_text.codecs.text_codec import TextCodec
from seqgen_text.grammars.structure import Structure

#: The key of a codec's state that has what training pieces have against the grammar.
EXCEPTIONS = "exceptions"


class StructuredCodec(TextCodec):
    """A codec whose new pieces may follow the grammar of a language.

    Attributes
    ----------
    structure : Structure or None
        The grammar, if there is one.
    """

    structure: Structure | None = None

    def set_structure(self, structure: Structure | None) -> None:
        """Set the grammar. Its tracker allows less than masks: no end where something is open."""
        self.structure, self.limited = structure, structure is not None

    def learn_grammar(self, pieces: Iterable[Ids]) -> None:
        """Learn what training pieces have against the grammar."""
        if self.structure is not None:
            self.structure.learn(pieces)

    def structure_state(self) -> dict[str, Any]:
        """Return what was learned, as a part of `state`."""
        if self.structure is None:
            return {}
        return {EXCEPTIONS: self.structure.named_exceptions()}

    def restore_structure(self, state: Mapping[str, Any]) -> None:
        """Set what `structure_state` returned."""
        if self.structure is not None:
            try:
                self.structure.restore_exceptions(state.get(EXCEPTIONS))
            except (TypeError, ValueError) as error:
                raise DataError(
                    f"{EXCEPTIONS} must be pairs of a situation and a token ({error}); prepare "
                    f"the corpus again"
                ) from error

    def masks(self, ids: Ids) -> IndexedMasks | None:
        """Return what may come by the grammar, and by what training pieces have against it."""
        return None if self.structure is None else self.structure.masks(ids)

    def tracker(self, condition: Any = None) -> Tracker | None:
        """Return the grammar's tracker; text takes no condition."""
        refuse_condition(condition)
        return None if self.structure is None else self.structure.tracker()
