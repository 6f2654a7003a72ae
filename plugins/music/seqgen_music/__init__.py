"""Music for seqgen: the plugin hook, without heavy imports."""

from collections.abc import Iterable

from seqgen.plugin import DomainSpec, hookimpl

__version__ = "0.1.0"


@hookimpl
def seqgen_domains() -> Iterable[DomainSpec]:
    """Announce the domain."""
    suffixes = (".mid", ".midi", ".mxl", ".musicxml", ".xml", ".abc", ".krn")
    summary = "music from MIDI, MusicXML, ABC or kern; writes MIDI, MusicXML, sound and pictures"
    place = "seqgen_music.domain:MusicDomain"
    return [DomainSpec("music", summary, suffixes, place, contract=2)]
