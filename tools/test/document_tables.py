# SPDX-License-Identifier: Apache-2.0
"""Tables of the documents, for the tests that hold them to the code."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def tables(document: str) -> list[tuple[str, list[list[str]]]]:
    """Heading (with its #) and the rows' cells of each table, the head first, in their order."""
    found: list[tuple[str, list[list[str]]]] = []
    heading, before, fenced = '', '', False
    for line in (REPOSITORY / document).read_text(encoding='utf-8').splitlines():
        fenced ^= line.startswith('```')
        if not fenced and line.startswith('#'):
            heading = line
        if not fenced and line.startswith('|'):
            if not before.startswith('|'):
                found.append((heading, []))
            found[-1][1].append([cell.strip() for cell in line.strip('|').split('|')])
        before = line
    return [(heading, [rows[0], *rows[2:]]) for heading, rows in found]


def rows(document: str, heading: str, which: int = 0) -> list[list[str]]:
    """Of the first table under that heading, or of another."""
    return [cells for title, (_, *cells) in tables(document) if title == heading][which]


def names(cell: str) -> list[str]:
    """What stands there in code."""
    return re.findall(r'`([^`]+)`', cell)


def by_name(document: str, heading: str, which: int = 0, *, column: int = 1) -> dict[str, str]:
    """That column by each name in the first."""
    return {name: row[column] for row in rows(document, heading, which) for name in names(row[0])}
