"""Run the command line: ``python -m semigen``."""

from semigen.cli import main

if __name__ == "__main__":
    main()
