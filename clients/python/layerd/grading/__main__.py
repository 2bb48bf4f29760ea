"""python3 -m layerd.grading: see command.py."""
import sys

from .command import main

sys.exit(main())
