# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a video source.

SourceError            it cannot be used now; opening it again later may work (a device unplugged, a server away)
├── SourceUnusable     it can never work as configured (no such file, unknown scheme): the node ends with the sentence
└── SourceEnded        it has played to its end, and `at_end` is `stop`
"""

from __future__ import annotations

from typing import ClassVar

from gremsy_common.errors import SuiteError


class SourceError(SuiteError):
    """The source gives no images now; `permanent` where opening it again cannot help."""

    permanent: ClassVar[bool] = False


class SourceUnusable(SourceError):
    """The source can never give images as it is configured."""

    permanent: ClassVar[bool] = True


class SourceEnded(SourceError):
    """The source came to its end and was told to stop there."""
