# SPDX-License-Identifier: Apache-2.0
"""What is known of another driver's camera: who publishes, and how fast and how regularly its images come.

Its topics are named by `external:` or `external:/usb_cam/image_raw?info=/usb_cam/camera_info`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from gremsy_camera.errors import SourceUnusable
from gremsy_camera.external.foreign_frames import ForeignFrames
from gremsy_camera.lens.camera_lens import same_aspect
from gremsy_camera.sources.source import SourceUri
from gremsy_common.parameters.parameter_forms import TextForm, complaint

SCHEME = 'external'
_COMPRESSED = '/compressed'
_OWN_IMAGE, _OWN_INFO = 'image_raw', 'camera_info'


class Transport(Enum):
    """How images come; the value is what the option `transport` says."""

    AUTO = 'auto'
    RAW = 'raw'
    COMPRESSED = 'compressed'


@dataclass(frozen=True, slots=True)
class ExternalTopics:
    """The names as they are given, relative ones in the camera's namespace; or resolved.

    Attributes:
        image: of raw images.
        compressed: of JPEG or PNG.
        info: of the intrinsics.
        transport: which of the two images; AUTO takes raw ones where there are any.
    """

    image: str = _OWN_IMAGE
    compressed: str = _OWN_IMAGE + _COMPRESSED
    info: str = _OWN_INFO
    transport: Transport = Transport.AUTO


def external_topics(uri: SourceUri) -> ExternalTopics:
    """The topics that the URI names; those it does not name lie where image_transport puts them.

    Raises:
        SourceUnusable: for what is no topic or no transport.
    """
    uri.allow_options('info', 'transport')
    # As after any scheme, two slashes may follow.
    path = '/' + uri.path.lstrip('/') if uri.path.startswith('//') else uri.path
    wanted = uri.option('transport', Transport.COMPRESSED.value if path.endswith(_COMPRESSED) else Transport.AUTO.value)
    if wanted not in [each.value for each in Transport]:
        raise SourceUnusable(
            f"`source` {uri.text} asks for the transport '{wanted}': use {', '.join(each.value for each in Transport)}."
        )
    image = path.removesuffix(_COMPRESSED) or _OWN_IMAGE
    parent = image.rpartition('/')[0]
    # As image_transport's camera subscriber does: beside the image.
    beside = f'{parent}/{_OWN_INFO}' if parent or image.startswith('/') else _OWN_INFO
    info = uri.option('info', '') or beside
    for topic in (image, info):
        wrong = complaint(TextForm.TOPIC, topic)
        if wrong:
            raise SourceUnusable(f"`source` {uri.text} names the topic '{topic}', which {wrong}.")
    return ExternalTopics(image, image + _COMPRESSED, info, Transport(wanted))


_NS_PER_S = 1_000_000_000
# Longer than a driver takes to start, shorter than a pilot waits.
SILENT_AFTER_S = 2.0
# Discovery reports a driver's publishers one after the other: one with both images must not be taken for one without.
_SETTLED_AFTER_S = 1.0
_WINDOW_S = 5.0
_WINDOW_IMAGES = 1500  # 300 Hz
_LEAST_STEPS, _PAIRED_SHARE = 10, 0.8
_GAP = 1.5


@dataclass(frozen=True, slots=True)
class ForeignPublisher:
    """A publisher elsewhere: its node's full name, its type, and its quality in words."""

    node: str
    type_name: str
    quality: str


@dataclass(frozen=True, slots=True)
class Senders:
    """Who publishes raw images, compressed ones and the intrinsics."""

    raw: tuple[ForeignPublisher, ...] = ()
    compressed: tuple[ForeignPublisher, ...] = ()
    info: tuple[ForeignPublisher, ...] = ()


class ForeignState(Enum):
    """Where another driver's camera stands, in words for the diagnostics."""

    WAITING = 'waiting for the first image'
    PLAYING = 'playing'
    SILENT = 'silent'
    IDLE = 'idle: nobody takes its images from here'


@dataclass(frozen=True, slots=True)
class _Arrived:
    arrived_ns: int
    stamp_ns: int


class ForeignWatch:
    """Told of everything on one thread; times are monotonic ns where nothing else is said.

    Attributes:
        names, frames, configured: as they were given.
        senders: who publishes, as seen last.
        transport: which of the two images is taken.
        taking: whether it is subscribed to.
        size: of the images that come, px.
        loss_is_reported: whether the middleware itself counts images that were lost on the way.
        elsewhere: other topics that somebody publishes images on, while nobody does on these.
    """

    def __init__(self, names: ExternalTopics, frames: ForeignFrames, configured: bool, now_ns: int) -> None:
        """Nothing seen yet.

        Args:
            names: the driver's topics, resolved.
            frames: where its intrinsics are.
            configured: whether parameters describe the camera where its driver does not.
            now_ns: the time.
        """
        self.names, self.frames, self.configured = names, frames, configured
        self.senders = Senders()
        self._images: deque[_Arrived] = deque(maxlen=_WINDOW_IMAGES)
        self._infos: deque[_Arrived] = deque(maxlen=_WINDOW_IMAGES)
        self.size = (0, 0)
        self._began_ns = self._since_ns = self._sender_since_ns = now_ns
        self._only_compressed_since_ns: int | None = None
        self._info_missing_since_ns: int | None = None
        self.taking = False
        self._ever = False
        self.transport = Transport.COMPRESSED if names.transport is Transport.COMPRESSED else Transport.RAW
        self.loss_is_reported = False
        self.elsewhere: tuple[str, ...] = ()

    @property
    def topic(self) -> str:
        """That images are taken from."""
        return self.names.compressed if self.transport is Transport.COMPRESSED else self.names.image

    @property
    def image_senders(self) -> tuple[ForeignPublisher, ...]:
        """Of the images that are taken."""
        return self.senders.compressed if self.transport is Transport.COMPRESSED else self.senders.raw

    def look(self, senders: Senders, now_ns: int) -> None:
        """Who publishes now; `transport` follows."""
        if not senders.info and self.senders.info:
            # A driver that comes back may be another camera.
            self.frames.forget_models()
        somebody = bool(self.image_senders)
        self.senders = senders
        if self.image_senders and not somebody:
            self._sender_since_ns = now_ns
        if senders.info or not (senders.raw or senders.compressed):
            self._info_missing_since_ns = None
        elif self._info_missing_since_ns is None:
            self._info_missing_since_ns = now_ns
        if self.names.transport is not Transport.AUTO:
            return
        if senders.raw or not senders.compressed:
            self._only_compressed_since_ns = None
            if senders.raw:
                self.transport = Transport.RAW
            return
        if self._only_compressed_since_ns is None:
            self._only_compressed_since_ns = now_ns
        if now_ns - self._only_compressed_since_ns >= _SETTLED_AFTER_S * _NS_PER_S:
            self.transport = Transport.COMPRESSED

    def take(self, taking: bool, now_ns: int) -> None:
        """Whether images are subscribed to."""
        if taking and not self.taking:
            self._since_ns = now_ns
            self._images.clear()
        self.taking = taking

    def on_image(self, stamp_ns: int, arrived_ns: int) -> None:
        """One image, usable or not."""
        self._images.append(_Arrived(arrived_ns, stamp_ns))
        self._ever = True

    def on_info(self, stamp_ns: int, arrived_ns: int) -> None:
        """One set of intrinsics."""
        self._infos.append(_Arrived(arrived_ns, stamp_ns))

    def info_missing(self, now_ns: int) -> bool:
        """Whether images are published and, for a while now, no intrinsics beside them."""
        since_ns = self._info_missing_since_ns
        return since_ns is not None and now_ns - since_ns >= SILENT_AFTER_S * _NS_PER_S

    def silent_s(self, now_ns: int) -> float:
        """Since the last image, or since any could have come."""
        last_ns = self._images[-1].arrived_ns if self._images else 0
        return (now_ns - max(last_ns, self._since_ns, self._sender_since_ns)) / _NS_PER_S

    def quiet_s(self, now_ns: int) -> float:
        """Since the last image, or since it was begun to look."""
        last_ns = self._images[-1].arrived_ns if self._images else 0
        return (now_ns - max(last_ns, self._began_ns)) / _NS_PER_S

    def infos(self, now_ns: int) -> int:
        """How many sets of intrinsics came in the last seconds."""
        return len(self._recent(self._infos, now_ns))

    @property
    def came(self) -> bool:
        """Whether an image has come since they are taken."""
        return bool(self._images)

    def state(self, now_ns: int) -> ForeignState:
        """In a word."""
        if not self.taking:
            return ForeignState.IDLE
        if self._images and self.silent_s(now_ns) <= SILENT_AFTER_S:
            return ForeignState.PLAYING
        return ForeignState.SILENT if self._ever else ForeignState.WAITING

    def rows(self, now_ns: int) -> dict[str, str]:
        """For the diagnostics."""
        images = self._recent(self._images, now_ns)
        rows = {
            'image topic': self.topic,
            'transport': self.transport.value,
            'images from': names_of(self.image_senders) or 'nobody',
            'camera_info from': names_of(self.senders.info) or 'nobody',
            'images a second': f'{_rate(images):.1f}',
            'images missing by their stamps': str(_missing(images)),
            'camera_info without an image': str(self.lost(now_ns)),
        }
        if len(images) > 1:
            arrivals = np.array([each.arrived_ns for each in images])
            rows['longest pause between images (ms)'] = f'{np.diff(arrivals).max() * 1e-6:.0f}'
        apart = self._apart_ms(now_ns)
        if apart is not None:
            rows['camera_info is stamped'] = 'as its image' if apart == 0.0 else f'{apart:.1f} ms from its image'
        return rows

    def lens_origin(self, own: str) -> str:
        """Whose intrinsics are used, in words for the diagnostics; `own` are those where the driver has none."""
        model = self.frames.newest_model
        width, height = self.size
        if model is None:
            return own
        if not model.usable:
            return f"{own} (the driver's camera_info has no calibration)"
        if not (width and height) or (model.width, model.height) == (width, height):
            return "the driver's"
        if same_aspect(model.width, model.height, width, height):
            return f"the driver's, of {model.width}x{model.height} px carried to {width}x{height}"
        return f"{own} (the driver's camera_info is of {model.width}x{model.height} px)"

    def lost(self, now_ns: int) -> int:
        """How many camera_info of the last seconds had no image, where they are stamped as their images at all.

        The newest of either may still wait for the other.
        """
        infos, images = self._recent(self._infos, now_ns), self._recent(self._images, now_ns)
        if not infos or not images:
            return 0
        announced, received = {each.stamp_ns for each in infos}, {each.stamp_ns for each in images}
        known = [each.stamp_ns for each in images if each.arrived_ns >= infos[0].arrived_ns]
        if not known or sum(stamp in announced for stamp in known) < _PAIRED_SHARE * len(known):
            return 0
        first, last = images[0].stamp_ns, images[-1].stamp_ns
        return sum(first <= stamp <= last and stamp not in received for stamp in announced)

    def _apart_ms(self, now_ns: int) -> float | None:
        """Of the last image, from the camera_info that is stamped nearest to it."""
        infos, images = self._recent(self._infos, now_ns), self._recent(self._images, now_ns)
        if not infos or len(images) < 2:
            return None
        # Not the newest: its camera_info may be on its way.
        stamp_ns = images[-2].stamp_ns
        return min(abs(each.stamp_ns - stamp_ns) for each in infos) * 1e-6

    @staticmethod
    def _recent(came: Sequence[_Arrived], now_ns: int) -> list[_Arrived]:
        return [each for each in came if now_ns - each.arrived_ns <= _WINDOW_S * _NS_PER_S]


def names_of(senders: Sequence[ForeignPublisher], *, with_quality: bool = True) -> str:
    """The nodes, with what each offers."""
    return ', '.join(f'{each.node} ({each.quality})' if with_quality else each.node for each in senders)


def _rate(images: Sequence[_Arrived]) -> float:
    if len(images) < 2:
        return 0.0
    return (len(images) - 1) / max(1e-9, (images[-1].arrived_ns - images[0].arrived_ns) / _NS_PER_S)


def _missing(images: Sequence[_Arrived]) -> int:
    """How many images the stamps of the last seconds leave room for that did not come."""
    steps = np.diff([each.stamp_ns for each in images])
    steps = steps[steps > 0]
    if len(steps) < _LEAST_STEPS:
        return 0
    # Of a stream that loses two of three, the shorter steps are the camera's own.
    period = float(np.percentile(steps, 10))
    return int(np.sum(np.where(steps > _GAP * period, np.rint(steps / period) - 1, 0)))
