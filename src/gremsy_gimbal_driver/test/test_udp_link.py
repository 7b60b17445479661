# SPDX-License-Identifier: Apache-2.0
"""A payload on UDP: who is heard, where it is looked for, and a sentence for each way of not reaching it."""

from __future__ import annotations

import errno
import socket

import pytest

from gremsy_gimbal_driver.links.link import LinkError
from gremsy_gimbal_driver.links.link_uri import link_from_uri
from gremsy_gimbal_driver.links.udp_link import UdpLink


def test_udp_speaks_first_and_hears_the_answer():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(('127.0.0.1', 0))
        link = UdpLink(*server.getsockname())
        link.open()
        assert link.write(b'hello')
        data, peer = server.recvfrom(100)
        assert data == b'hello'
        server.sendto(b'answer', peer)
        assert link.read(1.0) == b'answer'
        assert link.read(0.0) == b''
        link.close()


def test_nobody_listening_on_udp_is_not_the_loss_of_the_link():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(('127.0.0.1', 0))
        address = server.getsockname()
    link = UdpLink(*address)
    link.open()
    for _ in range(4):
        link.write(b'anybody there?')
        assert link.read(0.01) == b''
    assert link.fault.startswith('Nothing is listening')
    link.close()


def test_an_address_that_cannot_be_resolved_is_named():
    with pytest.raises(LinkError) as refused:
        UdpLink('no.such.host.invalid', 14566).open()
    assert str(refused.value).startswith(
        'The address of the gimbal link udp://no.such.host.invalid:14566 cannot be resolved ('
    )


def test_a_name_that_there_is_not_is_said_in_words(monkeypatch):
    def unknown(*_arguments, **_options):
        raise socket.gaierror(socket.EAI_NONAME, 'Name or service not known')

    monkeypatch.setattr(socket, 'getaddrinfo', unknown)
    with pytest.raises(LinkError) as refused:
        UdpLink('gremsi.local', 14566).open()
    assert str(refused.value) == (
        'The address of the gimbal link udp://gremsi.local:14566 cannot be resolved (the host name was not found): '
        'check the host in the parameter `link` and the network.'
    )


def test_only_the_payload_is_heard():
    with _udp_server() as payload, _udp_server() as stranger:
        link = UdpLink(*payload.getsockname())
        link.open()
        link.write(b'hello')
        _, ours = payload.recvfrom(100)
        stranger.sendto(b'move!', ours)
        assert link.read(0.1) == b''
        payload.sendto(b'well?', ours)
        assert link.read(1.0) == b'well?'
        link.close()


def test_nobody_listening_is_a_trouble_until_the_payload_speaks():
    with _udp_server() as payload:
        address = payload.getsockname()
    link = UdpLink(*address)
    link.open()
    assert link.fault == ''
    link.write(b'anybody there?')
    link.read(0.1)
    assert link.fault == (
        f'Nothing is listening on the gimbal link udp://127.0.0.1:{address[1]}: wait for the payload to start, '
        'or correct the port in the parameter `link` (payloads use 14566).'
    )
    with _udp_server(address[1]) as payload:
        link.write(b'now?')
        _, ours = payload.recvfrom(100)
        payload.sendto(b'yes', ours)
        assert link.read(1.0) == b'yes'
    assert link.fault == ''
    link.close()


def test_a_fixed_source_port_is_used_and_named_when_it_is_taken():
    with _udp_server() as payload, _udp_server() as holder:
        taken = holder.getsockname()[1]
        host, port = payload.getsockname()
        link = link_from_uri(f'udp://{host}:{port}?bind=127.0.0.1:{taken}')
        with pytest.raises(LinkError) as refused:
            link.open()
        assert str(refused.value) == (
            f'Another program holds 127.0.0.1:{taken}, where the gimbal link udp://{host}:{port} is to bind: '
            'close it (a ground station, a second driver) first, or bind elsewhere.'
        )
        holder.close()
        link.open()
        link.write(b'hello')
        assert payload.recvfrom(100) == (b'hello', ('127.0.0.1', taken))
        link.close()


def test_an_address_that_is_not_ours_or_of_the_other_kind_cannot_be_bound():
    with pytest.raises(LinkError) as refused:
        link_from_uri('udp://127.0.0.1:14566?bind=192.0.2.1:14550').open()
    assert str(refused.value) == (
        'The gimbal link udp://127.0.0.1:14566 cannot bind to 192.0.2.1:14550 (Cannot assign requested address): '
        "name one of this machine's addresses, or 0.0.0.0 for any, and a port above 1023."
    )
    with pytest.raises(LinkError) as refused:
        link_from_uri('udp://127.0.0.1:14566?bind=[::1]:14550').open()
    assert str(refused.value) == (
        'The gimbal link udp://127.0.0.1:14566 has no address of the kind that `bind` names (::1): '
        'bind to an IPv4 address for an IPv4 host, to an IPv6 address for an IPv6 host.'
    )


def test_a_payload_known_by_name_is_followed_to_its_new_address_after_a_silence(monkeypatch):
    now_s = 100.0
    addresses = ['127.0.0.1']

    def resolve(_host, port, **_):
        if not addresses:
            raise socket.gaierror(socket.EAI_AGAIN, 'Temporary failure in name resolution')
        # As resolvers do for `localhost`: the other kind first, although payloads speak IPv4.
        ipv6 = (socket.AF_INET6, socket.SOCK_DGRAM, 17, '', ('::1', port, 0, 0))
        return [ipv6, *((socket.AF_INET, socket.SOCK_DGRAM, 17, '', (host, port)) for host in addresses)]

    monkeypatch.setattr(socket, 'getaddrinfo', resolve)
    with _udp_server() as old, _udp_server(old.getsockname()[1], '127.0.0.2') as new:
        link = UdpLink('payload', old.getsockname()[1], clock=lambda: now_s)
        link.open()
        link.write(b'hello')
        _, ours = old.recvfrom(100)
        now_s += 4.9
        old.sendto(b'here', ours)
        assert link.read(1.0) == b'here'
        addresses[:] = ['127.0.0.2']
        now_s += 4.9
        assert link.read(0.0) == b''  # not silent for long enough
        addresses.clear()
        now_s += 0.2
        assert link.read(0.0) == b''  # no answer is no other address
        addresses[:] = ['127.0.0.2']
        now_s += 5.0
        with pytest.raises(LinkError):
            link.read(0.0)
        link.close()
        link.open()
        link.write(b'hello again')
        assert new.recvfrom(100)[0] == b'hello again'
        link.close()


@pytest.mark.parametrize('call', ['send', 'recv'])
def test_a_host_that_cannot_be_reached_is_a_loss_so_that_the_next_opening_finds_the_way_anew(monkeypatch, call):
    with _udp_server() as payload:
        link = UdpLink(*payload.getsockname())
        link.open()
        link.write(b'hello')
        payload.sendto(b'x', payload.recvfrom(100)[1])

        def unreachable(*_):
            raise OSError(errno.EHOSTUNREACH, 'No route to host')

        monkeypatch.setattr(socket.socket, call, unreachable)
        with pytest.raises(LinkError) as lost:
            link.write(b'x') if call == 'send' else link.read(1.0)
        monkeypatch.undo()
        assert str(lost.value) == (
            f'The gimbal link {link.name} cannot be reached (No route to host): '
            "check the payload's power, its cable and this machine's address."
        )
        link.close()


def _udp_server(port: int = 0, host: str = '127.0.0.1') -> socket.socket:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((host, port))
    server.settimeout(5.0)
    return server
