"""Handwriting and drawings for seqgen: the hook, and nothing heavy."""

from collections.abc import Iterable

from seqgen.plugin import DomainSpec, hookimpl

__version__ = "0.1.0"


@hookimpl
def seqgen_domains() -> Iterable[DomainSpec]:
    """Announce the domain."""
    suffixes = (".inkml", ".xml", ".unp", ".dat", ".npz", ".ndjson", ".svg", ".json", ".csv")
    summary = "handwriting and drawings, stroke by stroke; writes SVG, InkML and G-code"
    return [DomainSpec("handwriting", summary, suffixes, "seqgen_handwriting.domain:Handwriting")]
