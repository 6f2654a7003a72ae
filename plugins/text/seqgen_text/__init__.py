"""Text for seqgen: the hook, and nothing heavy."""

from collections.abc import Iterable

from seqgen.plugin import DomainSpec, hookimpl

__version__ = "0.1.0"


@hookimpl
def seqgen_domains() -> Iterable[DomainSpec]:
    """Announce the domain."""
    suffixes = (
        *(".txt", ".md", ".rst", ".tex", ".html", ".xml", ".csv", ".tsv", ".jsonl", ".json"),
        *(".toml", ".yaml", ".py", ".c", ".h", ".cpp", ".rs", ".go", ".java", ".js", ".ts", ".sh"),
    )
    summary = "prose, markup and source code as characters, bytes, subwords or words"
    place = "seqgen_text.domain:Text"
    return [DomainSpec("text", summary, suffixes, place, contract=2, model="model")]
