"""Architectures of the network: the hook that names them."""

__version__ = "0.1.0"

from collections.abc import Iterable

from seqgen.plugin import ArchitectureSpec, hookimpl

SUMMARIES = {
    "gru.GRU": "GRU, a state of one vector and three gates (Cho et al. 2014)",
    "layernorm.LayerNormLSTM": "LSTM with normalised gates and cells (Ba et al. 2016)",
    "mogrifier.MogrifierLSTM": "LSTM whose input and state first gate each other "
    "(Melis et al. 2020)",
    "multiplicative.MultiplicativeLSTM": "LSTM whose recurrent weights depend on the input "
    "(Krause et al. 2016)",
    "peephole.PeepholeLSTM": "LSTM whose gates see the cells (Gers and Schmidhuber 2000)",
    "projection.ProjectionLSTM": "LSTM with twice as many cells as outputs (Sak et al. 2014)",
    "slstm.SLSTM": "sLSTM, with exponential gates and normalised cells (Beck et al. 2024)",
}


@hookimpl
def seqgen_architectures() -> Iterable[ArchitectureSpec]:
    """Return the architectures; each is called like its module."""
    return [
        ArchitectureSpec(
            place.partition(".")[0], summary, f"seqgen_cells.{place.replace('.', ':')}", contract=2
        )
        for place, summary in SUMMARIES.items()
    ]
