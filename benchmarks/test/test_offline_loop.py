# SPDX-License-Identifier: Apache-2.0
"""The closed loop in invented time: the same figures on every machine with the same libraries."""

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_person_is_followed_within_two_degrees_at_five_results_a_second(vtest_footage):
    command = [sys.executable, '-m', 'benchmarks.offline_loop', '--inference-ms', '170', '--duration', '10']
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    figures = json.loads(printed.splitlines()[-1])
    assert figures['rms_deg'] < 2.0
    assert figures['locked_fraction'] > 0.9
