# SPDX-License-Identifier: Apache-2.0
"""The command line of `./gremsy docs`; the standard library alone, so that help needs nothing set up."""

from __future__ import annotations

import argparse


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog='./gremsy docs',
        description="Builds the documentation into .gremsy/site (open index.html there): docs/, the packages' READMEs, "
        'and what is written from the code: parameters, topics, API, errors. A link to nothing ends it with status 1.',
    )
    made.add_argument('--serve', action='store_true', help='show it at http://127.0.0.1:8000/ and follow changes')
    return made
