"""Chess for seqgen: the hook, and nothing heavy."""

from collections.abc import Iterable

from seqgen.plugin import DomainSpec, hookimpl


@hookimpl
def seqgen_domains() -> Iterable[DomainSpec]:
    """Announce the domain."""
    place = "seqgen_chess.domain:Chess"
    return [DomainSpec("chess", "games of chess", (".pgn",), place, contract=2)]
