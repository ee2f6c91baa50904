"""Run the command line: ``semigen``, or ``python -m semigen``."""

import gc
import sys

from semigen.common import interrupts

_NEW_OBJECTS = 100_000
"""Between two collections: imports make as many and hardly any garbage, and to look for it after every few
hundred is a tenth of the time that a first prediction takes."""


def main() -> None:
    """Run the command line, which takes a while to load, ready for an interrupt from the first moment."""
    gc.set_threshold(_NEW_OBJECTS)
    try:
        interrupts.listen()
        from semigen.cli import main as run

        run()
    except KeyboardInterrupt:
        print(f"error: {interrupts.message()}", file=sys.stderr)
        sys.exit(interrupts.exit_code())
    finally:
        interrupts.ignore()


if __name__ == "__main__":
    main()
