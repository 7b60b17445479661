# SPDX-License-Identifier: Apache-2.0
"""`external:` or `external:/usb_cam/image_raw?info=/usb_cam/camera_info`: which topics another driver's camera has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gremsy_camera.errors import SourceUnusable
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
    """The names as they are given, relative ones in the camera's namespace.

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
    told = uri.option('transport', Transport.COMPRESSED.value if path.endswith(_COMPRESSED) else Transport.AUTO.value)
    if told not in [each.value for each in Transport]:
        raise SourceUnusable(
            f"`source` {uri.text} asks for the transport '{told}': use {', '.join(each.value for each in Transport)}."
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
    return ExternalTopics(image, image + _COMPRESSED, info, Transport(told))
