"""Run the command line: ``semigen``, or ``python -m semigen``."""

import sys

from semigen.common import interrupts


def main() -> None:
    """Run the command line, which takes a while to load, ready for an interrupt from the first moment."""
    interrupts.listen()
    try:
        from semigen.cli import main as run

        run()
    except KeyboardInterrupt:
        print(f"error: {interrupts.message()}", file=sys.stderr)
        sys.exit(interrupts.exit_code())
    finally:
        interrupts.ignore()


if __name__ == "__main__":
    main()
