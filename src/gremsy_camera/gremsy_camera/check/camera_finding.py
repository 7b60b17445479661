# SPDX-License-Identifier: Apache-2.0
"""`camera_check --find`: the cameras of this machine, and those of its network that answer WS-Discovery (ONVIF)."""

from __future__ import annotations

import re
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from gremsy_camera.v4l2.camera_list import FoundCamera, found_cameras

# OASIS WS-Discovery 1.1, 3.1.1: group and port of its UDP binding.
GROUP = ('239.255.255.250', 3702)
# Answers are spread over half a second (its APP_MAX_DELAY).
_WAIT_S = 1.0
_MOST_BYTES, _MOST_ANSWERS, _LONGEST = 65_507, 200, 80
_PROBE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" '
    'xmlns:n="http://www.onvif.org/ver10/network/wsdl"><e:Header><w:MessageID>uuid:{number}</w:MessageID>'
    '<w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>'
    '<w:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action></e:Header>'
    '<e:Body><d:Probe><d:Types>n:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>'
)
# Two elements of an answer that anybody may send: looked for, rather than read as XML.
_ADDRESSES = re.compile(r'<(?:[\w.-]+:)?XAddrs[^>]*>([^<]{0,2000})</')
_SCOPES = re.compile(r'<(?:[\w.-]+:)?Scopes[^>]*>([^<]{0,8000})</')


@dataclass(frozen=True, slots=True)
class NetworkCamera:
    """One that answered.

    Attributes:
        host: its address.
        name, hardware: as it calls itself; '' where it says nothing.
    """

    host: str
    name: str
    hardware: str


def find_network_cameras(group: tuple[str, int] = GROUP, wait_s: float = _WAIT_S) -> list[NetworkCamera]:
    """Ask once, and take the answers of a second; by address.

    Raises:
        OSError: there is no network to ask.
    """
    found: dict[str, NetworkCamera] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        # Of this network only.
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        asking.sendto(_PROBE.format(number=uuid.uuid4()).encode(), group)
        for answer in _answers(asking, wait_s):
            camera = _camera(answer)
            if camera is not None:
                found[camera.host] = camera
    return sorted(found.values(), key=lambda camera: camera.host)


def _answers(asking: socket.socket, wait_s: float) -> Iterator[str]:
    until_s = time.monotonic() + wait_s
    for _ in range(_MOST_ANSWERS):
        left_s = until_s - time.monotonic()
        if left_s <= 0.0:
            return
        asking.settimeout(left_s)
        try:
            data, _ = asking.recvfrom(_MOST_BYTES)
        except TimeoutError:
            return
        yield data.decode('utf-8', errors='replace')


def _camera(answer: str) -> NetworkCamera | None:
    addresses = _ADDRESSES.search(answer)
    hosts = [_host(each) for each in addresses[1].split()] if addresses else []
    host = next(filter(None, hosts), '')
    if not host:
        return None
    scopes = _SCOPES.search(answer)
    words = scopes[1].split() if scopes else []
    return NetworkCamera(host, _scope(words, 'name'), _scope(words, 'hardware'))


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ''
    except ValueError:
        return ''


def _scope(words: list[str], kind: str) -> str:
    """ONVIF Core Specification, 7.3.2.2: `onvif://www.onvif.org/name/My%20Camera`."""
    begin = f'onvif://www.onvif.org/{kind}/'
    text = next((unquote(word[len(begin) :]) for word in words if word.startswith(begin)), '')
    return ''.join(letter for letter in text if letter.isprintable())[:_LONGEST]


@dataclass(frozen=True, slots=True)
class FoundCameras:
    """The kernel's cameras, the network's, and why the network could not be searched; '' where it was."""

    cameras: list[FoundCamera]
    network_cameras: list[NetworkCamera]
    problem: str = ''


def find() -> FoundCameras:
    """Look for cameras, for a second."""
    try:
        return FoundCameras(found_cameras(), find_network_cameras())
    except OSError as error:
        return FoundCameras(found_cameras(), [], f'The network could not be searched ({error.strerror}).')


def found_lines(found: FoundCameras) -> list[str]:
    """A line each, beginning with what `source` takes."""
    lines = [_kernel_line(each) for each in found.cameras]
    lines += [_network_line(each) for each in found.network_cameras]
    lines += [found.problem] if found.problem else []
    return lines or ['No camera was found: neither /dev/video*, nor one that answers ONVIF discovery.']


def _kernel_line(camera: FoundCamera) -> str:
    if camera.denied_to:
        what = f'no permission: sudo usermod -aG {camera.denied_to} $USER, and log in again'
    else:
        what = camera.fault or ', '.join(camera.formats) or 'no format that is decoded here'
    return f'{camera.source}  {camera.name}: {what}'


def _network_line(camera: NetworkCamera) -> str:
    # Which path of it has the stream is the maker's: only a login to ONVIF would tell.
    title = ' '.join(filter(None, (camera.name, camera.hardware))) or 'a camera without a name'
    return f'rtsp://${{CAMERA_USER}}:${{CAMERA_PASSWORD}}@{camera.host}/…  {title}: its path is in its manual'
