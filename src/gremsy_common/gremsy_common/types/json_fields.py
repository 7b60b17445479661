# SPDX-License-Identifier: Apache-2.0
"""Messages that the driver and the tracker send each other as JSON: the fields of one dataclass, all and no others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gremsy_common.errors import SuiteError


def json_fields(text: str, names: Sequence[str], error: type[SuiteError], what: str, origin: str) -> dict[str, Any]:
    """The values by name.

    Args:
        text: of the message.
        names: of the fields; nothing may be missing and nothing may be added.
        error: to raise.
        what: the message is, to begin a sentence with.
        origin: which topic must come from whom.

    Raises:
        SuiteError: `error`, with a sentence on what is wrong.
    """
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise error(f'{what} is not JSON ({fault}): {origin}.') from fault
    if not isinstance(content, dict) or sorted(content) != sorted(names):
        has = ', '.join(sorted(content)) if isinstance(content, dict) else type(content).__name__
        raise error(
            f'{what} must have the fields {", ".join(names)}, but has {has or "none"}: '
            'run the driver and the tracker from the same version of the suite.'
        )
    return content
