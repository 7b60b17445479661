# SPDX-License-Identifier: Apache-2.0
"""Every number and name a user may set on the operator's page and its API."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_common.parameters.parameter_fields import NodeParameters, ParameterError, Span, param
from gremsy_common.parameters.parameter_forms import TextForm


@dataclass(frozen=True)
class WebParameters(NodeParameters):
    """Parameters of `web_node`."""

    host: str = param(
        '127.0.0.1',
        'Address to serve the page at; 0.0.0.0 or :: for all addresses of this machine, which needs a key: '
        'without one the page is served at 127.0.0.1 only.',
    )
    port: int = param(6783, 'Port to serve the page at; 0 for any free one.', Span(0, 65535))
    certificate: str = param(
        '', 'PEM file of a certificate, to serve the page over TLS; empty for plain HTTP.', form=TextForm.PATH
    )
    certificate_key: str = param('', "PEM file of the certificate's private key.", form=TextForm.PATH)
    keys_file: str = param(
        '',
        'File of the access keys, readable by its owner only, with lines `control: KEY`, `view: KEY`, `publish: '
        'KEY`; they can also be set in the environment (GREMSY_WEB_KEY, GREMSY_WEB_VIEW_KEY, GREMSY_WEB_PUBLISH_KEY).',
        form=TextForm.PATH,
    )
    cameras: tuple[str, ...] = param(
        ('eo',), "Namespaces of the cameras within the robot's; the page opens with the first.", form=TextForm.TOPIC
    )
    level_frame: str = param(
        '',
        'Level frame of the gimbal, in which rates and bearings are sent; empty for <robot>/gimbal_level.',
        form=TextForm.FRAME,
    )
    video_url: str = param('http://127.0.0.1:8889', "URL of the video server's WHEP.")
    video_api_url: str = param('http://127.0.0.1:9997', "URL of the video server's control API.")
    session_hours: float = param(12.0, 'How long a sign-in on the page lasts.', Span(0.01, 8760.0, 'h'))
    lease_s: float = param(
        10.0,
        'Whoever holds the controls without a live socket loses them after this long without a command.',
        Span(1.0, 3600.0, 's'),
    )
    rate_time_to_live_s: float = param(
        0.2, 'How long a rate from the live socket moves the gimbal unless it is repeated.', Span(0.05, 1.0, 's')
    )
    stale_after_s: float = param(
        0.5, 'A picture older than this is greyed out on the page, and its controls are locked.', Span(0.1, 10.0, 's')
    )
    requests_per_s: float = param(
        300.0, 'Highest average rate of requests from one address.', Span(1.0, 100000.0, '1/s')
    )
    live_clients: int = param(600, 'Most live sockets at the same time.', Span(1, 10000))

    def check(self) -> None:
        """Checks across parameters."""
        if not self.cameras:
            raise ParameterError('Parameter `cameras` names none: name at least one camera.')
        if len(set(self.cameras)) < len(self.cameras):
            raise ParameterError('Parameter `cameras` names one twice: name each camera once.')
        if bool(self.certificate) != bool(self.certificate_key):
            raise ParameterError('Parameters `certificate` and `certificate_key` go together: set both or none.')
        for name in ('video_url', 'video_api_url'):
            if not getattr(self, name).startswith(('http://', 'https://')):
                raise ParameterError(
                    f"Parameter `{name}` is '{getattr(self, name)}': write it as http://127.0.0.1:8889."
                )
