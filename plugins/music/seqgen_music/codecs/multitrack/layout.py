"""The layout of a multitrack piece's tokens: the table, the bars, and the ids of values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen.plugin import Ids
from seqgen_music import keys
from seqgen_music.bars import bar_length
from seqgen_music.codecs.multitrack.features import feature_sizes
from seqgen_music.codecs.multitrack.grid import DRUMS
from seqgen_music.codecs.multitrack.header import DENSITIES, WRITTEN, Header, density_number
from seqgen_music.codecs.multitrack.score import GridScore, program_name
from seqgen_music.codecs.multitrack.spelling import ids_of_values
from seqgen_music.codecs.multitrack.values import TEMPOS, Learned, Numbers
from seqgen_music.codecs.refusals import refuse_metre
from seqgen_music.codecs.tokens import TokenTable


class MultitrackLayout:
    """Which ids there are, and what each means.

    Parameters
    ----------
    learned : Learned
    steps : int
        Steps in a quarter.

    Attributes
    ----------
    table : TokenTable
    bars : list of int
        Steps in a bar of each metre.
    programs : int64 array (programs,)
    feature_sizes : tuple of int
    numbers : Numbers
    values : ValueIds
    """

    def __init__(self, learned: Learned, steps: int) -> None:
        self.learned = learned
        self.bars = [bar_length(metre, steps) for metre in learned.metres]
        self.programs = np.array(learned.programs)
        names = ["drums" if program == DRUMS else program for program in learned.programs]
        self.table = TokenTable(
            {
                "composer": learned.composers,
                "key": keys.NAMES,
                "density": DENSITIES[learned.densities[0] : learned.densities[1] + 1],
                "instrument": names,
                "tempo": TEMPOS[learned.tempos[0] : learned.tempos[1] + 1],
                "metre": learned.metres,
                "bar": (None,),
                "position": range(max(self.bars)),
                "program": names,
                "velocity": range(learned.velocities[0], learned.velocities[1] + 1),
                "pitch": WRITTEN,
                "drum": learned.drums,
                "duration": learned.durations,
                "thinned": (None,),
            }
        )
        self.feature_sizes = feature_sizes(self.table)
        self.numbers = Numbers(learned, steps)
        self.values = ids_of_values(self.numbers, self.table)

    def are(self, ids: Ids, *kinds: str) -> NDArray[np.bool_]:
        """Return which ids ``(N,)`` are of these kinds; -1 is of none."""
        return self.table.mask(*kinds)[ids]

    def header_ids(self, header: Header, composer: str) -> Ids:
        """Return composer, if known, key, density and instruments as ids."""
        table, (low, high) = self.table, self.learned.densities
        density = min(max(header.density, low), high) - low
        programs = self.numbers.program[header.programs]
        opening = [table.start("key") + header.key, table.start("density") + density]
        if table.has("composer", composer):
            opening.insert(0, table.id("composer", composer))
        return np.concatenate([opening, table.start("instrument") + programs])

    def composer_id(self, name: str) -> int:
        """Return the id of a composer.

        Raises
        ------
        DataError
            If the corpus had no composer of this name.
        """
        if not self.table.has("composer", name):
            known = ", ".join(self.learned.composers)
            none = "all its files came from one folder, so none can be given"
            raise DataError(f"{name!r} is not a composer of this model's corpus: {known or none}")
        return self.table.id("composer", name)

    def key_id(self, key: int) -> int:
        """Return the id of a key."""
        return self.table.start("key") + key

    def density_id(self, notes: float) -> int:
        """Return the id of the nearest density, in notes per bar."""
        low, high = self.learned.densities
        return self.table.start("density") + min(max(density_number(notes), low), high) - low

    def tempo_id(self, tempo: float) -> int:
        """Return the id of the nearest tempo, in quarters per minute."""
        return self.table.start("tempo") + int(self.numbers.tempo(np.array([tempo]))[0])

    def metre_id(self, metre: tuple[int, int]) -> int:
        """Return the id of a metre.

        Raises
        ------
        DataError
            If the corpus did not have it.
        """
        refuse_metre(metre, self.learned.metres)
        return self.table.id("metre", metre)

    def refuse_unknown(self, score: GridScore) -> None:
        """Refuse instruments, drums and metres that the corpus did not have."""
        program = self.numbers.program[score.program]
        pitch = self.numbers.pitch[(score.program == DRUMS).astype(np.intp), score.pitch]
        if len(unknown := np.flatnonzero(program < 0)):
            raise DataError(
                f"{program_name(int(score.program[unknown[0]]))} is not an instrument of this "
                f"model's corpus: {', '.join(map(program_name, self.learned.programs))}"
            )
        if len(unknown := np.flatnonzero(pitch < 0)):
            raise DataError(f"this model's corpus has no drum {score.pitch[unknown[0]]}")
        for metre in set(score.metres):
            refuse_metre(metre, self.learned.metres)
