"""The command ``seqgen``, and ``python -m seqgen``: hears signals before it imports anything."""

import sys

from seqgen.storage.signals import exit_status, listen, received, stop_listening


def main() -> None:
    """Run the command line of this process; Ctrl-C ends it quietly at any moment."""
    listen()
    try:
        from seqgen.cli import main as command

        command()
    except SystemExit:
        raise
    except BaseException:
        # Interrupted while it was imported, compiled code may fail in ways of its own.
        if not received:
            raise
        sys.exit(exit_status())
    finally:
        stop_listening()


if __name__ == "__main__":
    main()
