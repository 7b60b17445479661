# SPDX-License-Identifier: Apache-2.0
"""The command line of the video server; what it does is in the integration tests."""

from __future__ import annotations

import pytest

from gremsy_web.listening_socket import Address
from gremsy_web.video_server.video_server_command import parser


@pytest.mark.parametrize(
    ('text', 'address'),
    [
        ('127.0.0.1:8554', Address('127.0.0.1', 8554)),
        ('[::1]:8554', Address('::1', 8554)),
        (':8554', Address('0.0.0.0', 8554)),
    ],
)
def test_addresses(text, address):
    assert parser().parse_args(['--rtsp', text]).rtsp == address


def test_an_address_is_written_as_it_is_read():
    assert [str(Address('::1', 1)), str(Address('127.0.0.1', 2))] == ['[::1]:1', '127.0.0.1:2']


@pytest.mark.parametrize(
    ('words', 'sentence'),
    [
        (
            ['--rtsp', '8554'],
            "argument --rtsp: '8554' is not an address: write HOST:PORT, as 127.0.0.1:8889 or [::1]:8889",
        ),
        (
            ['--whep', 'x:70000'],
            "argument --whep: 'x:70000' is not an address: write HOST:PORT, as 127.0.0.1:8889 or [::1]:8889",
        ),
        (['--ice-host', 'robot'], "argument --ice-host: 'robot' is not an IP address: write one as 192.168.1.20"),
        (
            ['--ice-server', 'x'],
            "argument --ice-server: 'x' is not a STUN or TURN server: write one as stun:stun.example:3478",
        ),
        (['--most-viewers', '0'], "argument --most-viewers: '0' is not a number of viewers: write one from 1 to 9999"),
    ],
)
def test_what_cannot_be_used_is_said_with_the_way_out(words, sentence, capsys):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f'video_server: error: {sentence}'
