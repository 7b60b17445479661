# SPDX-License-Identifier: Apache-2.0
"""Services whose answer comes when the work is done, asked by a plain program over DDS."""

import threading
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
from std_srvs.srv import Trigger

from gremsy_common.parameters.parameter_fields import NodeParameters
from gremsy_common.ros.late_response import allow_late_responses
from gremsy_common.ros.suite_node import SuiteNode

pytestmark = pytest.mark.integration

# Two requests at the slow one, then one at the quick one; what comes is said as it comes.
ASKING = """
from std_srvs.srv import Trigger
slow, quick = (node.create_client(Trigger, f'/worker/{name}') for name in ('slow', 'quick'))
while spin_some() and not (slow.service_is_ready() and quick.service_is_ready()):
    pass
waiting = [slow.call_async(Trigger.Request()) for _ in range(2)]
while not waiting[0].done() and not waiting[1].done():
    asked = quick.call_async(Trigger.Request())
    while spin_some() and not asked.done():
        pass
    print(asked.result().message, flush=True)
while spin_some() and not all(each.done() for each in waiting):
    pass
print(*sorted(each.result().message for each in waiting), flush=True)
while spin_some():
    pass
"""


@dataclass(frozen=True)
class NoParameters(NodeParameters):
    pass


class Busy(SuiteNode[NoParameters]):
    node_name = 'worker'
    parameters_type = NoParameters

    def activate(self):
        self.waiting = []
        self.asked = threading.Semaphore(0)
        self.service(Trigger, '~/slow', self._later)
        self.service(Trigger, '~/quick', self._now)

    def _later(self, _request, response):
        self.waiting.append((Future(), response))
        self.asked.release()
        return self.waiting[-1][0]

    def _now(self, _request, response):
        response.message = f'{len(self.waiting)} wait'
        return response


def test_the_executor_answers_others_until_the_work_is_done(host, foreign):
    (node,) = host.run(Busy)
    asking = foreign(ASKING)
    for _ in range(2):
        assert node.asked.acquire(timeout=30.0)
    while asking.line() != '2 wait':
        pass
    for number, (answer, response) in enumerate(node.waiting):
        response.message = f'done{number}'
        answer.set_result(response)
    while (said := asking.line()) == '2 wait':
        pass
    assert said == 'done0 done1'
    with pytest.raises(InvalidStateError):
        node.waiting[0][0].set_result(node.waiting[0][1])
    assert host.crash is None


def test_an_answer_that_is_given_before_the_callback_returns_is_sent():
    sent = []
    service = SimpleNamespace(send_response=lambda response, header: sent.append((response, header)))
    allow_late_responses(service, lambda: None)
    answer = Future()
    answer.set_result('early')
    service.send_response(answer, 'header')
    assert sent == [('early', 'header')]


def test_an_answer_after_the_end_of_its_service_is_nobodys(host, foreign):
    (node,) = host.run(Busy)
    foreign(ASKING)
    assert node.asked.acquire(timeout=30.0)
    host.on_executor(node.trigger_deactivate)
    for answer, response in node.waiting:
        answer.set_result(response)
    assert host.crash is None
    assert node.diagnostics.values()['answers after the end of their service'] == str(len(node.waiting))
