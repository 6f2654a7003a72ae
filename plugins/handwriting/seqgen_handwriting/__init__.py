"""Handwriting and drawings for seqgen: the plugin hook, which imports nothing heavy."""

from collections.abc import Iterable

from seqgen.plugin import DomainSpec, hookimpl

__version__ = "0.1.0"

#: Suffixes of the files that the domain reads.
SUFFIXES = (".inkml", ".xml", ".unp", ".dat", ".npz", ".ndjson", ".svg", ".json", ".csv")


@hookimpl
def seqgen_domains() -> Iterable[DomainSpec]:
    """Announce the domain."""
    summary = "handwriting and drawings, stroke by stroke; writes SVG, InkML and G-code"
    place = "seqgen_handwriting.domain:Handwriting"
    return [DomainSpec("handwriting", summary, SUFFIXES, place, contract=2, model="model")]
