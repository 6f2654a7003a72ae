"""Speech for seqgen: the plugin hook, which imports nothing heavy."""

from collections.abc import Iterable

from seqgen.plugin import DomainSpec, hookimpl

__version__ = "0.1.0"

#: Suffixes of the files that the domain reads.
SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
    *(".aiff", ".aif", ".aifc", ".au", ".snd", ".w64", ".rf64"),
)


@hookimpl
def seqgen_domains() -> Iterable[DomainSpec]:
    """Announce the domain."""
    summary = "recordings of speech with their texts; writes WAV, FLAC, Ogg and MP3"
    return [DomainSpec("speech", summary, SUFFIXES, "seqgen_speech.domain:Speech", contract=2)]
