"""Every error that seqgen raises on purpose.

::

    SeqgenError                exit status 1
    ├── ConfigError            2   an invalid setting
    ├── PluginError            3   a domain that is missing, broken or too new
    ├── DataError              4   a file, piece or prompt that cannot be used
    │   └── CorpusError        4   a corpus folder that is empty, damaged or another one
    ├── RunError               1   a run folder that is missing, damaged or in the way
    │   └── InUse              1   a folder on which another process works
    └── Diverged               1   a training whose loss is not usable any more

A message names the place, what was expected, what was found and the way out.
"""


class SeqgenError(Exception):
    """Anything that seqgen refuses, with a message for the user.

    Attributes
    ----------
    exit_status : int
        What the command line exits with when this error ends it.
    """

    exit_status = 1


class ConfigError(SeqgenError):
    """A setting has an invalid value or an unknown name."""

    exit_status = 2


class PluginError(SeqgenError):
    """A domain is not installed, or its plugin is broken, too old or too new."""

    exit_status = 3


class DataError(SeqgenError):
    """A file, a piece or a prompt cannot be read, encoded or decoded.

    Raised by plugins for one file or one piece: preparing a corpus then skips that
    source, counts it and lists the message.
    """

    exit_status = 4


class CorpusError(DataError):
    """A corpus has nothing in it, is damaged, or is not the one expected."""


class RunError(SeqgenError):
    """A run folder is missing, damaged, or already there."""


class InUse(RunError):
    """Another process works on a folder."""


class Diverged(SeqgenError):
    """The loss of a training is not a number, or worse than that of guessing."""


def reason_of(error: BaseException) -> str:
    """Return what an exception says, with its kind if it is not one of ours."""
    said, kind = str(error), type(error).__name__
    return said if isinstance(error, DataError) else f"{kind}: {said}" if said else kind
