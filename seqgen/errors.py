"""All errors that seqgen raises on purpose.

::

    SeqgenError                exit status 1
    ├── ConfigError            2   an invalid setting
    │   └── ClusterError       2   a cluster that cannot be used
    ├── PluginError            3   a plugin that is missing, broken or too new
    │   └── PluginFault        3   an exception of plugin code (in seqgen.plugins.faults)
    ├── DataError              4   an unusable file, piece or prompt
    │   └── CorpusError        4   a corpus folder that is empty, damaged or the wrong one
    ├── RunError               1   a run folder that is missing, damaged or already there
    │   └── InUse              1   a folder that another process works on
    └── Diverged               1   a training with an unusable loss

A message names the place, the expected value, the found value and the way out.
`ChangedPlugin` is a warning.
"""


class SeqgenError(Exception):
    """The base class of all errors, with a message for the user.

    Attributes
    ----------
    exit_status : int
        Exit status of the command when this error ends it.
    """

    exit_status = 1


class ConfigError(SeqgenError):
    """A setting has an invalid value or an unknown name."""

    exit_status = 2


class ClusterError(ConfigError):
    """A cluster does not answer, or its workers cannot do the work."""


class PluginError(SeqgenError):
    """What a plugin offers is not installed, or the plugin is broken, too old or too new."""

    exit_status = 3


class DataError(SeqgenError):
    """A file, a piece or a prompt cannot be read, encoded or decoded.

    Plugins raise it for one file or one piece; `prepare` then skips that source and lists the
    message.
    """

    exit_status = 4


class CorpusError(DataError):
    """A corpus is empty, damaged, or not the expected one."""


class RunError(SeqgenError):
    """A run folder is missing, damaged, or already there."""


class InUse(RunError):
    """Another process works on a folder."""


class Diverged(SeqgenError):
    """The loss of a training is NaN, or worse than that of guessing."""


class ChangedPlugin(UserWarning):
    """The plugin file of a corpus or run has changed since it was made."""


def reason_of(error: BaseException) -> str:
    """Return the message of an exception, with its type unless it is seqgen's own for users."""
    said, kind = str(error), type(error).__name__
    if isinstance(error, DataError | PluginError):
        return said
    return f"{kind}: {said}" if said else kind
