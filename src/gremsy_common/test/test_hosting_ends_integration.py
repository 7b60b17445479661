# SPDX-License-Identifier: Apache-2.0
"""How a process of nodes ends that is stuck in a library, and what one says that was started again: real processes."""

import os
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')

pytestmark = pytest.mark.integration

NODES = """
import sys, threading
from dataclasses import dataclass
from gremsy_common.parameters.parameter_fields import NodeParameters
from gremsy_common.ros.hosting import leave, run_nodes
from gremsy_common.ros.suite_node import SuiteNode

@dataclass(frozen=True)
class NoParameters(NodeParameters):
    pass

class Stuck(SuiteNode[NoParameters]):
    node_name = 'stuck'
    parameters_type = NoParameters

    def activate(self):
        self.worker('endless', threading.Event().wait)
        self.every(0.05, lambda: self.host.abandon(self, 'The network of /stuck cannot be ended.'))

    def deactivate(self):
        print('the stuck node was waited for', flush=True)

class Other(SuiteNode[NoParameters]):
    node_name = 'other'
    parameters_type = NoParameters

    def activate(self):
        self.every(0.05, self.say)

    def say(self):
        print('last error:', self.diagnostics.last_error, flush=True)

    def deactivate(self):
        print('the other node has stopped', flush=True)
"""


def run(nodes, **environment):
    code = f'{textwrap.dedent(NODES)}\nleave(run_nodes([{nodes}], sys.argv))'
    return subprocess.run(
        [sys.executable, '-c', code, '--ros-args', '--log-level', 'fatal'],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_stuck_process_ends_with_status_1_when_its_other_nodes_have_stopped():
    ended = run('Other, Stuck')
    assert ended.returncode == 1
    assert ended.stderr.strip().splitlines()[-1] == 'The network of /stuck cannot be ended.'
    assert 'the other node has stopped' in ended.stdout
    assert 'waited for' not in ended.stdout


def test_a_node_of_a_process_that_was_started_again_says_why():
    sentence = 'The process loop was ended by signal 9 and was started again.'
    ended = run('Other, Stuck', GREMSY_STARTED_AGAIN=sentence)
    assert f'last error: {sentence}' in ended.stdout
