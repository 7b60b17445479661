# SPDX-License-Identifier: Apache-2.0
"""Every route as its OpenAPI says it: schemathesis makes requests of the description, right and wrong ones.

The truth is the description itself, which users have: what it allows is taken, what it forbids is refused, and every
answer has a status and a body that it lists.
"""

from __future__ import annotations

import pytest

pytest.importorskip('fastapi', reason='run ./gremsy setup --extra web')
schemathesis = pytest.importorskip('schemathesis', reason='run ./gremsy setup --extra dev (Python 3.11 or newer)')

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

from gremsy_web.robot.robot_picture import NodeState
from src.gremsy_web.test.web_stand_ins import Stand

QUICK = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


@schemathesis.serializer('application/sdp', 'application/trickle-ice-sdpfrag')
def _as_text(_context, value):
    return str(value).encode('utf-8', 'surrogatepass')


def robot():
    stand = Stand(requests_per_s=1e9, video_url='http://127.0.0.1:9')
    stand.see()
    stand.arm()
    stand.picture.on_node_state(NodeState('eo/tracker', 0, '', {'tracks rate (Hz)': '10'}, 0.0))
    stand.picture.on_node_state(NodeState('eo/camera', 0, '', {'recording': 'going on'}, 0.0))
    return stand


def operations():
    with robot().client as client:
        schema = schemathesis.openapi.from_dict(client.get('/openapi.json').json())
    return {f'{each.ok().method.upper()} {each.ok().path}': each.ok() for each in schema.get_all_operations()}


OPERATIONS = operations()
# What the description cannot say: who holds the controls, what is there, that only our page signs in.
KNOWN = {'camera': 'eo', 'path': 'eo', 'node': 'eo/tracker', 'live': ''}


@pytest.fixture(scope='module')
def stand():
    made = robot()
    with made.client:
        yield made


def answered(stand, case):
    words = case.as_transport_kwargs(base_url=str(stand.client.base_url))
    words.pop('cookies', None)
    answer = stand.client.request(**words)
    if answer.status_code >= 400 and case.path != '/health/ready':
        content = answer.json()
        assert set(content) == {'error', 'field'} and content['error'].endswith('.'), answer.text
    return answer


def with_known(stand, case):
    """The same request, by who holds the controls, about what there is."""
    known = {**KNOWN, 'lease': stand.take(take_over=True)}
    if isinstance(case.body, dict) and isinstance(case.body.get('pixel'), list):
        known |= {'pixel': [640.0, 360.0], 'stamp_ns': '0'}
    for part in (case.body, case.path_parameters, case.query):
        if isinstance(part, dict):
            part.update({name: value for name, value in known.items() if name in part})
    case.headers = {**dict(case.headers or {}), 'X-Gremsy': '1'}
    return case


def test_the_description_lists_every_command():
    assert {'POST /api/gimbal/stop', 'POST /api/target', 'GET /api/status', 'POST /video/{path}/whep'} <= set(
        OPERATIONS
    )
    assert len(OPERATIONS) >= 35


@pytest.mark.parametrize('name', OPERATIONS)
def test_what_the_description_allows_is_answered_as_it_says(stand, name):
    operation = OPERATIONS[name]

    @QUICK
    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE), is_known=st.booleans())
    def check(case, is_known):
        answer = answered(stand, with_known(stand, case) if is_known else case)
        assert answer.status_code != 500, answer.text
        # 503 is that the robot or the video server is not there, in words: it is listed.
        case.validate_response(answer, excluded_checks=[not_a_server_error])

    check()


@pytest.mark.parametrize('name', [name for name, each in OPERATIONS.items() if each.body])
def test_what_the_description_forbids_is_refused(stand, name):
    operation = OPERATIONS[name]

    @QUICK
    @given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def check(case):
        answer = answered(stand, case)
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        case.validate_response(answer, excluded_checks=[not_a_server_error])

    check()
