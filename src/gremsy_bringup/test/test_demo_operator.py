# SPDX-License-Identifier: Apache-2.0
from concurrent.futures import Future

import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')

from gremsy_bringup.demo.demo_operator_node import ask


class Client:
    """Of a server that hears the requests from the `heard`th on."""

    def __init__(self, heard: int) -> None:
        self._heard = heard
        self.asked: list[Future[str]] = []
        self.dropped: list[Future[str]] = []

    def call_async(self, request: str) -> Future[str]:
        self.asked.append(Future())
        if len(self.asked) >= self._heard:
            self.asked[-1].set_result(f'{request} heard')
        return self.asked[-1]

    def remove_pending_request(self, future: Future[str]) -> None:
        self.dropped.append(future)


def test_what_a_killed_server_did_not_hear_is_asked_again() -> None:
    client = Client(heard=3)
    assert ask(client, 'arm', patience_s=60.0, again_s=0.01) == 'arm heard'
    assert client.dropped == client.asked[:2]


def test_an_answer_to_the_first_request_counts_when_more_were_sent() -> None:
    client = Client(heard=1000)
    call = client.call_async

    def late(request: str) -> Future[str]:
        if len(client.asked) == 1:
            client.asked[0].set_result('late')
        return call(request)

    client.call_async = late  # type: ignore[method-assign]
    assert ask(client, 'arm', patience_s=60.0, again_s=0.01) == 'late'


def test_nobody_who_answers_is_none() -> None:
    client = Client(heard=1000)
    assert ask(client, 'arm', patience_s=0.03, again_s=0.01) is None
    assert client.dropped == client.asked
    assert len(client.asked) >= 1
