# SPDX-License-Identifier: Apache-2.0
"""Which of GStreamer's decoders is used: the first of a fixed order that is installed and starts on this machine.

The order: a Jetson's own (`nvv4l2decoder`), NVDEC, VA-API, V4L2 (boards with a decoder behind the kernel), software.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from gremsy_camera.errors import SourceUnusable
from gremsy_camera.gstreamer.gst_library import GStreamer, how_to_get


@dataclass(frozen=True, slots=True)
class GstDecoder:
    """One decoder.

    Attributes:
        element: its name in GStreamer.
        kind: in words, as diagnostics have it.
        hardware: whether it takes no CPU.
        settings: properties for low delay, set where this version has them.
        then: what brings its pictures into the machine's own memory, as a piece of a pipeline.
    """

    element: str
    kind: str
    hardware: bool
    settings: Mapping[str, object] = field(default_factory=dict)
    then: str = ''


# A Jetson's decoder holds back as many pictures as the level allows, unless it knows that none is out of order.
_JETSON = {'enable-max-performance': True, 'disable-dpb': True, 'low-latency-mode': True}
_FROM_JETSON = 'nvvidconv ! video/x-raw,format=NV12'
_NVDEC = {'max-display-delay': 0, 'num-output-surfaces': 1}
# Frames decoded in parallel by threads would each wait for the next ones; slices of one picture do not.
_LIBAV = {'thread-type': 'slice', 'output-corrupt': False}
# Errors end nothing, and what they spoilt is left out.
_ALL = {'max-errors': -1, 'discard-corrupted-frames': True}


def _decoders(codec: str, other_software: str) -> tuple[GstDecoder, ...]:
    return (
        GstDecoder('nvv4l2decoder', "the Jetson's decoder", True, _JETSON, _FROM_JETSON),
        GstDecoder(f'nv{codec}dec', 'NVDEC', True, _NVDEC),
        GstDecoder(f'va{codec}dec', 'VA-API', True),
        GstDecoder(f'vaapi{codec}dec', 'VA-API', True, {'low-latency': True}),
        GstDecoder(f'v4l2{codec}dec', 'V4L2', True),
        GstDecoder(f'avdec_{codec}', 'software', False, _LIBAV),
        GstDecoder(other_software, 'software', False),
    )


_DECODERS: Mapping[str, tuple[GstDecoder, ...]] = {
    'H264': _decoders('h264', 'openh264dec'),
    'H265': _decoders('h265', 'libde265dec'),
}
_PROMISE_NO_REORDER = ('disable-dpb', 'low-latency-mode', 'low-latency')


@dataclass(frozen=True, slots=True)
class ChosenDecoder:
    """A decoder that starts here.

    Attributes:
        element: ready to be put into a pipeline.
        passed_over: why each one before it in the order is not used, in a few words, by its element.
        promised_no_reorder: whether it was configured for pictures in order.
    """

    decoder: GstDecoder
    element: Any
    passed_over: Mapping[str, str]
    promised_no_reorder: bool


def choose_decoder(
    gstreamer: GStreamer,
    encoding: str,
    wanted: str,
    failed: Mapping[str, str],
    in_order: Collection[str] = (),
) -> ChosenDecoder:
    """The first decoder in the order that can be used.

    Args:
        gstreamer: where to look.
        encoding: of RTP: 'H264' or 'H265'.
        wanted: 'auto', 'hardware' or 'software'.
        failed: what failed before on this stream, with the reason.
        in_order: decoders that may not be configured for pictures in order, since the stream has B-frames.

    Raises:
        SourceUnusable: none can be used.
    """
    passed_over: dict[str, str] = {}
    for decoder in _DECODERS[encoding]:
        if wanted != 'auto' and decoder.hardware != (wanted == 'hardware'):
            continue
        reason, element = _try(gstreamer, decoder, failed, decoder.element in in_order)
        if element is not None:
            promised = decoder.element not in in_order and any(
                element.find_property(name) is not None for name in _PROMISE_NO_REORDER if name in decoder.settings
            )
            return ChosenDecoder(decoder, element, passed_over, promised)
        passed_over[decoder.element] = reason
    tried = ', '.join(f'{element} {reason}' for element, reason in passed_over.items())
    way_out = 'set `decoder` to auto' if wanted == 'hardware' else how_to_get(f'avdec_{encoding.lower()}')
    name = encoding.replace('H', 'H.')
    kind = '' if wanted == 'auto' else f' in {wanted}'
    raise SourceUnusable(f'GStreamer has no decoder for {name}{kind} that works here ({tried}): {way_out}.')


def _try(
    gstreamer: GStreamer, decoder: GstDecoder, failed: Mapping[str, str], in_order: bool
) -> tuple[str, Any | None]:
    if decoder.element in failed:
        return failed[decoder.element], None
    if not gstreamer.has(decoder.element):
        return 'is not installed', None
    settings = {**decoder.settings, **_ALL}
    if in_order:
        settings = {name: value for name, value in settings.items() if name not in _PROMISE_NO_REORDER}
    element = gstreamer.make(decoder.element)
    # As gst-launch reads them, whatever type a vendor's element has.
    as_text = {name: str(value).lower() for name, value in settings.items()}
    gstreamer.set_properties(element, as_text, known_only=True)
    # READY opens the device: a plugin may be installed where its hardware is not.
    gst = gstreamer.gst
    if element.set_state(gst.State.READY) == gst.StateChangeReturn.FAILURE:
        element.set_state(gst.State.NULL)
        return 'does not start on this machine', None
    return '', element
