# SPDX-License-Identifier: Apache-2.0
"""`python -m gremsy_bringup.supervise.interruptible MODULE [ARGUMENT ...]`: a module that may be interrupted early.

A Ctrl-C in the half second before the module's own signal handlers stand ends it in one line, not in a traceback.
"""

from __future__ import annotations

import runpy
import sys

EXIT_INTERRUPTED = 130  # what a shell says of a program that SIGINT ended


def main() -> None:
    """Run the module named first as the main program."""
    if len(sys.argv) < 2:
        sys.exit('usage: python -m gremsy_bringup.supervise.interruptible MODULE [ARGUMENT ...]')
    del sys.argv[0]
    try:
        runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)
    except KeyboardInterrupt:
        print('Interrupted.', file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)


if __name__ == '__main__':
    main()
