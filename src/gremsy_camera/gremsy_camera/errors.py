# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a video source, and with recording it.

SourceError            it cannot be used now; opening it again later may work (a device unplugged, a server away)
├── SourceRefused      it wants other credentials: asked again rarely, so that no account is locked
├── SourceUnusable     it can never work as configured (no such file, unknown scheme): the node ends with the sentence
├── SourceEnded        it has played to its end, and `at_end` is `stop`
└── PictureDamaged     one picture cannot be decoded, the next may be: nothing is opened again

RecordingError         nothing can be recorded as it is wanted (no room, no such folder, a library that is missing)
"""

from __future__ import annotations

from typing import ClassVar

from gremsy_common.errors import SuiteError


class SourceError(SuiteError):
    """The source gives no images now; where it is not `permanent`, it may be opened again after `least_pause_s`."""

    permanent: ClassVar[bool] = False
    least_pause_s: ClassVar[float] = 0.0


class SourceRefused(SourceError):
    """The source wants other credentials."""

    least_pause_s: ClassVar[float] = 10.0


class SourceUnusable(SourceError):
    """The source can never give images as it is configured."""

    permanent: ClassVar[bool] = True


class SourceEnded(SourceError):
    """The source ended, and `at_end` is `stop`."""


class PictureDamaged(SourceError):
    """One picture cannot be decoded and is left out; the next may be good, so nothing need be opened again."""


class RecordingError(SuiteError):
    """Nothing can be recorded, or not as it is wanted; the source goes on."""
