"""Music for seqgen: the plugin hook, without heavy imports."""

from collections.abc import Iterable

from seqgen.plugin import DomainSpec, hookimpl

__version__ = "0.1.0"


@hookimpl
def seqgen_domains() -> Iterable[DomainSpec]:
    """Announce the domain."""
    midi, notation = (".mid", ".midi", ".kar", ".rmi"), (".abc", ".krn", ".mei")
    suffixes = (*midi, ".mxl", ".musicxml", ".xml", *notation)
    summary = "music from MIDI, MusicXML, ABC, kern, MEI; writes MIDI, MusicXML, sound and pictures"
    place = "seqgen_music.domain:MusicDomain"
    return [DomainSpec("music", summary, suffixes, place, contract=2, model="model")]
