# SPDX-License-Identifier: Apache-2.0
"""What the camera and the video server of GStreamer have in common: one path on loopback, and who may use it."""

from __future__ import annotations

import sys
from typing import Any

import gi

gi.require_version('GstRtspServer', '1.0')
from gi.repository import Gio, GstRtspServer  # noqa: E402 -- their versions are chosen first

_METHODS = {'basic': 1, 'digest': 2}


def offer(server: Any, factory: Any, options: dict[str, Any]) -> None:
    """Have a server listen and take the factory's media, with the port, path and credentials of its options."""
    server.set_address('127.0.0.1')
    server.set_service(str(options['port']))
    certificate = options.get('certificate')
    if options['user'] or certificate:
        _ask_for_credentials(server, factory, options, certificate)
    server.get_mount_points().add_factory(options['path'], factory)
    if server.attach(None) == 0:
        raise SystemExit(f'port {options["port"]} is taken')


def _ask_for_credentials(server: Any, factory: Any, options: dict[str, Any], certificate: str | None) -> None:
    auth = GstRtspServer.RTSPAuth()
    if certificate:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(certificate))
    token = GstRtspServer.RTSPToken()
    token.set_string('media.factory.role', 'user')
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role('user', 'media.factory.access', True)
    permissions.add_permission_for_role('user', 'media.factory.construct', True)
    user, password, method = (options[key] for key in ('user', 'password', 'authentication'))
    if not user:
        auth.set_default_token(token)
    else:
        auth.set_supported_methods(_METHODS[method])
        if method == 'digest':
            auth.add_digest(user, password, token)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    factory.set_permissions(permissions)
    server.set_auth(auth)


def write_line(line: str) -> None:
    """To whoever started this process."""
    sys.stdout.write(f'{line}\n')
    sys.stdout.flush()
