"""`python -m stagebook` is the command `stagebook`."""

import sys

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
