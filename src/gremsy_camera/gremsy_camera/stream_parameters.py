# SPDX-License-Identifier: Apache-2.0
"""The stream node's parameters, and what they mean together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from gremsy_camera.streaming.encoder_choice import WAYS
from gremsy_camera.streams.credentials import fill_in, redacted
from gremsy_camera.streams.stream_address import StreamAddress
from gremsy_common.parameters.parameter_fields import NodeParameters, ParameterError, Span, live_param, param
from gremsy_common.parameters.parameter_forms import TextForm

# As MediaMTX takes them, and without what an address would need encoded.
_PATH = re.compile(r'[A-Za-z0-9_.~\-]+(/[A-Za-z0-9_.~\-]+)*')


@dataclass(frozen=True)
class StreamParameters(NodeParameters):
    """Of `stream_node`."""

    server: str = param(
        'rtsp://127.0.0.1:8554',
        'Video server to publish to, MediaMTX or the built-in one: `rtsp://${USER}:${PASSWORD}@127.0.0.1:8554`; '
        'empty for none.',
    )
    server_api: str = param(
        'http://127.0.0.1:9997',
        "The server's API, which reports whether a path has readers (`/v3/paths/get/PATH`); empty for none.",
    )
    picture: str = param(
        'both',
        'What can be watched: `image_raw` (`clean`), `overlay`, or both, each under its own path.',
        choices=('both', 'clean', 'overlay'),
    )
    path: str = param('', "Path of the clean video at the server; empty for the camera's name, such as `eo`.")
    overlay_path: str = param(
        '', "Path of the video with the overlay; empty for the camera's name with `_overlay`, such as `eo_overlay`."
    )
    when: str = live_param(
        'watched',
        '`watched` encodes only while somebody watches; `always` is for a server that records.',
        choices=('watched', 'always'),
    )
    encoder: str = param(
        'auto',
        '`auto` takes hardware where that works, else software; or an encoder by name: `x264` and `openh264` are '
        "PyAV's, `x264enc` and `openh264enc` GStreamer's.",
        choices=WAYS,
    )
    rate_hz: float = live_param(30.0, 'Highest frame rate; frames beyond it are left out.', Span(1.0, 120.0, 'Hz'))
    bitrate_kbps: int = live_param(
        3000,
        'Highest bit rate of each path; no frame takes more than its share, so that none waits for another.',
        Span(100, 50_000, 'kbit/s'),
    )
    gop: int = live_param(30, 'Frames from one key frame to the next; a new viewer gets one at once.', Span(1, 600))
    widest_px: int = live_param(
        1920,
        'Wider frames are scaled down to this: 3840x2160 takes four times as long to encode as 1920x1080. 0 for '
        'no limit.',
        Span(0, 16_384, 'px'),
    )
    secrets_file: str = param(
        '',
        'File of NAME=VALUE lines for `${NAME}` in `server`, in addition to the environment; empty for none.',
        form=TextForm.PATH,
    )

    def paths(self, camera: str) -> Mapping[str, str]:
        """What is published, 'clean' and 'overlay', and under which path; nothing where there is no server."""
        clean = self.path or camera
        both = {'clean': clean, 'overlay': self.overlay_path or f'{clean}_overlay'}
        return {kind: path for kind, path in both.items() if self.server and self.picture in ('both', kind)}

    def address(self, path: str, secrets: Mapping[str, str]) -> StreamAddress:
        """The server's with a path behind it.

        Args:
            path: as the server knows it.
            secrets: what `${NAME}` stands for.

        Raises:
            SourceUnusable: for an invalid address, or a name that has no value.
            ParameterError: for one of another kind.
        """
        address = StreamAddress.of(f'{fill_in(self.server, "server", secrets).rstrip("/")}/{path}', 'server')
        if address.scheme not in ('rtsp', 'rtsps'):
            raise ParameterError(
                f"Parameter `server` is '{redacted(self.server)}': video is published by rtsp:// or rtsps://."
            )
        return address

    def check(self) -> None:
        """Paths and the API's address.

        Raises:
            ParameterError: for the first that cannot be.
        """
        for name, path in (('path', self.path), ('overlay_path', self.overlay_path)):
            if path and not _PATH.fullmatch(path):
                raise ParameterError(
                    f"Parameter `{name}` is '{path}', which is not a path of a video server: use letters, digits and "
                    '_.-~, with single / between its parts, as in eo.'
                )
        if self.path and self.path == self.overlay_path:
            raise ParameterError(
                f"Parameters `path` and `overlay_path` are both '{self.path}': give each a name of its own."
            )
        if self.server_api and not _is_web_address(self.server_api):
            raise ParameterError(
                f"Parameter `server_api` is '{redacted(self.server_api)}', which is not an address: write it as "
                'http://127.0.0.1:9997, or leave it empty.'
            )


def _is_web_address(text: str) -> bool:
    try:
        address = urlsplit(text)
        return address.scheme in ('http', 'https') and bool(address.hostname) and address.port != 0
    except ValueError:
        return False
