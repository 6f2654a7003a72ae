"""The settings of sampling for one vocabulary, and the positions at which they apply.

Next: `seqgen.drawing.sampling` draws by them. B sequences, V' ids.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.bounds import Within
from seqgen.config import SampleConfig
from seqgen.errors import ConfigError
from seqgen.plugin import Ids
from seqgen.vocab import END_NAME, Vocab

Floats: TypeAlias = NDArray[np.float64]

#: Bounds of a bias, which is added to a log-probability; a ban excludes the token.
BIASES = Within(-1000, 1000)

#: Escapes in token names for characters that are hard to type.
_ESCAPE = re.compile(r"\\(?:[nrtf\\]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})")


class Rules(NamedTuple):
    """A `SampleConfig` for one vocabulary, in the types of the compiled functions.

    Attributes
    ----------
    bias : float64 array (V',)
        Added to the log-probabilities; minus infinity for banned tokens.
    cooling : int
        Tokens over which the temperature moves.
    groups : int64 array (V',)
        Group of each id; END is a group of its own. Empty if there is one group.

    The other fields are those of `SampleConfig`.
    """

    temperature: float
    final_temperature: float
    cooling: int
    top_k: int
    typical_p: float
    top_p: float
    min_p: float
    repetition_penalty: float
    no_repeat_ngram: int
    repetition_window: int
    bias: Floats
    groups: Ids

    @property
    def are_direct(self) -> bool:
        """Whether they look at ids one by one, so that nothing is sorted."""
        return (
            self.top_k == 0
            and self.typical_p == 1
            and self.top_p == 1
            and self.repetition_penalty == 1
            and self.no_repeat_ngram == 0
            and len(self.groups) == 0
        )

    @property
    def look_back(self) -> int | None:
        """Number of last tokens that the rules look at; None for all."""
        if self.repetition_penalty == 1 and not self.no_repeat_ngram:
            return 0
        return self.repetition_window or None


class Positions(NamedTuple):
    """The inputs of a step for B pieces.

    Attributes
    ----------
    ids : int64 array (B,)
        The last token of each piece, which the step reads.
    features : int64 array (B, K)
        Of the next position.
    possible : bool array (B, V')
        Ids over which the model's probabilities are taken: those of the grammar it learned under.
    allowed : bool array (B, V')
        Ids that may come next.
    recent : int64 array (B, N)
        The last tokens, as far as the rules look back, with free places for drawn ones.
    counts : int64 array (B,)
        Number of tokens in each row of `recent`.
    drawn : int64 array (B,)
        Number of tokens of each piece drawn so far.
    """

    ids: Ids
    features: Ids
    possible: NDArray[np.bool_]
    allowed: NDArray[np.bool_]
    recent: Ids
    counts: Ids
    drawn: Ids


def rules_for(
    config: SampleConfig, vocab: Vocab, longest: int, groups: Sequence[int] = ()
) -> Rules:
    """Return the settings for a vocabulary.

    Parameters
    ----------
    config : SampleConfig
        A missing temperature becomes 1, a missing min-p 0.
    vocab : Vocab
    longest : int
        Tokens over which the temperature moves by default.
    groups : sequence of int
        `Codec.groups`.

    Raises
    ------
    ConfigError
        If a bias or ban names an unknown token, or a bias is not a number.
    """
    bias = np.zeros(vocab.targets)
    for entry in config.bias:
        name, equals, value = entry.rpartition("=")
        try:
            amount = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise ConfigError(f"bias must be like NAME=NUMBER, found {entry!r}")
        BIASES.check(f"the bias of {name!r}", amount, whole=False)
        bias[token_id(name, vocab)] += amount
    for name in config.ban:
        bias[token_id(name, vocab)] = -np.inf
    temperature = 1.0 if config.temperature is None else config.temperature
    final = temperature if config.final_temperature is None else config.final_temperature
    return Rules(
        float(temperature),
        float(final),
        config.cooling or longest,
        config.top_k,
        float(config.typical_p),
        float(config.top_p),
        float(config.min_p or 0.0),
        float(config.repetition_penalty),
        config.no_repeat_ngram,
        config.repetition_window,
        bias,
        np.array([*groups, max(groups) + 1] if len(groups) else [], np.int64),
    )


def token_id(name: str, vocab: Vocab) -> int:
    """Return the id of a token name; raise `ConfigError` if there is none."""
    names = (*vocab.names, END_NAME)
    if name not in names:
        # A shell passes the newline \n as two characters.
        name = _ESCAPE.sub(lambda found: found[0].encode().decode("unicode_escape"), name)
    if name not in names:
        close = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(names[:5])} ..."
        raise ConfigError(f"there is no token {name!r} in this model's vocabulary; {hint}")
    return names.index(name)
