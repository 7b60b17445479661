# SPDX-License-Identifier: Apache-2.0
"""What a video source is. To add one, drop a module into this folder with `SCHEMES` and `create`: see `__init__`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl

from gremsy_camera.errors import SourceUnusable
from gremsy_camera.external.foreign_frames import ForeignFrames
from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.footage.pacing import Clock
from gremsy_camera.live.encoded_video import NO_TAP, EncodedTap
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.scene.scene import View
from gremsy_common.parameters.parameter_forms import TextForm, complaint
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.frame import Frame

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SourceUri:
    """`scheme:path?option=value&...`; a bare path has the scheme `file`.

    Attributes:
        text: as it may be shown: without user names and passwords.
        rest: all that follows the scheme, as it was written.
    """

    text: str
    scheme: str
    path: str = field(repr=False)
    options: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    rest: str = field(default='', repr=False)

    @property
    def file(self) -> Path:
        """The path, with `~` filled in.

        Raises:
            SourceUnusable: for what is no path.
        """
        wrong = complaint(TextForm.PATH, self.path)
        if wrong:
            raise SourceUnusable(f'`source` {self.text[:100]} {wrong}.')
        return Path(self.path).expanduser()

    def option(self, name: str, default: str) -> str:
        """The option's value, or the default."""
        return dict(self.options).get(name, default)

    def allow_options(self, *names: str) -> None:
        """Refuse options that the source does not have.

        Raises:
            SourceUnusable: naming the option and those there are.
        """
        for name, _ in self.options:
            if name not in names:
                known = f'its options are {", ".join(names)}' if names else 'it has no options'
                raise SourceUnusable(f"`source` {self.text} has no option '{name}': {known}.")

    @classmethod
    def with_options(cls, text: str, scheme: str, rest: str) -> SourceUri:
        """Split the options off what follows the scheme."""
        path, _, query = rest.partition('?')
        return cls(text, scheme, path, tuple(parse_qsl(query, keep_blank_values=True)), rest)


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What the node gives every source.

    Attributes:
        frame_id: the optical frame that the frames are in.
        rate_hz: wanted rate, 0.0 for the source's own.
        at_end: what a source with an end does there.
        clock: to stamp and to wait with.
        say: takes one sentence for the log.
        live: what the parameters want of a camera.
        tap: takes the video as it came, where the source has it encoded.
        foreign: what another driver sent; None where nobody listens for it.
    """

    frame_id: str
    rate_hz: float
    at_end: AtEnd
    clock: Clock
    say: Say
    live: LiveParameters = LiveParameters()
    tap: EncodedTap = NO_TAP
    foreign: ForeignFrames | None = None


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What an open source is.

    Attributes:
        width, height: of the frames, pixels.
        rate_hz: at which frames come.
        camera: the intrinsics at zoom 1 where the source knows them.
        stamp_source: in a few words, what the stamps are.
        details: what else is worth knowing, row by row, for diagnostics and `camera_check`: reader, codec, decoder.
    """

    width: int
    height: int
    rate_hz: float
    camera: CameraModel | None = None
    stamp_source: str = ''
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """One frame and what the source knows about it.

    Attributes:
        frame: read-only, never written to again.
        camera: the intrinsics of this very frame (its zoom included) where the source knows them.
        work_ns: what the source itself took between the stamp and now (drawing, decoding).
        footage_index: which frame of the file is shown, counted from 0; None for a live source.
        true_view: where a simulated camera truly looked; None for any other. For the trace only.
        info: the source's information, where that changed with this frame (size, rate, codec, origin of stamps).
        rtp: the RTP time that browsers get with it from the media server that it was read from; None elsewhere.
    """

    frame: Frame
    camera: CameraModel | None
    work_ns: int
    footage_index: int | None
    true_view: View | None = None
    info: SourceInfo | None = None
    rtp: int | None = None


@dataclass(frozen=True, slots=True)
class SourceCounts:
    """Since the source was opened; none while it is closed.

    Attributes:
        others: whatever else was lost or went wrong, by a reason of few words ('packets lost', 'stamps that jumped').
    """

    decode_failures: int = 0
    missed_ticks: int = 0
    loops: int = 0
    others: Mapping[str, int] = field(default_factory=dict)

    def plus(self, other: SourceCounts) -> SourceCounts:
        """Both together."""
        return SourceCounts(
            self.decode_failures + other.decode_failures,
            self.missed_ticks + other.missed_ticks,
            self.loops + other.loops,
            dict(Counter(self.others) + Counter(other.others)),
        )


class VideoSource(Protocol):
    """Gives frames until closed; used by one thread, and made without touching anything."""

    def open(self) -> SourceInfo:
        """Get ready to read.

        Raises:
            SourceUnusable: it can never work as configured.
            SourceError: it does not work now.
        """

    def read(self, timeout_s: float) -> Captured | None:
        """Wait for the next frame; None when none came within the timeout.

        Raises:
            SourceEnded: it is over, and `at_end` is `stop`.
            SourceError: it broke; `close`, then `open` again.
        """

    def counts(self) -> SourceCounts:
        """What went wrong so far; safe from any thread."""

    def close(self) -> None:
        """Let go of everything; may be called twice, and `open` may follow."""
