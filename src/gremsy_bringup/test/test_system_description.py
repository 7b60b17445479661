# SPDX-License-Identifier: Apache-2.0
"""Launch arguments and the processes that come of them."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
import yaml

from gremsy_bringup.demo.status_line import StatusLine
from gremsy_bringup.describe import config_template
from gremsy_bringup.describe.suite_arguments import (
    ArgumentError,
    SuiteArguments,
    argument_help,
    from_command_line,
    from_texts,
)
from gremsy_bringup.describe.system_description import (
    GIMBAL_TOPICS,
    SimulatedPayload,
    describe,
    process_specs,
    share_folder,
)
from gremsy_bringup.supervise.free_ports import DomainClaim, free_udp_port
from gremsy_common.parameters.parameter_fields import specs_of


def test_the_arguments_are_nav2s_and_two_of_our_own() -> None:
    assert [spec.name for spec in specs_of(SuiteArguments)] == [
        'namespace',
        'params_file',
        'use_sim_time',
        'log_level',
        'use_respawn',
        'composed',
        'sim',
    ]


def test_words_of_the_command_line_become_arguments() -> None:
    arguments = from_command_line(['namespace:=/hexa', 'sim:=True', 'composed:=false', 'log_level:=debug'])
    assert arguments == SuiteArguments('/hexa', '', False, 'debug', True, False, True)
    assert arguments.robot == 'hexa'


@pytest.mark.parametrize(
    ('word', 'sentence'),
    [
        (
            'sim',
            "'sim' is not an argument: write name:=value with one of namespace, params_file, use_sim_time, log_level, "
            'use_respawn, composed, sim.',
        ),
        (
            'robot:=a',
            'There is no argument `robot`: the arguments are namespace, params_file, use_sim_time, log_level, '
            'use_respawn, composed, sim.',
        ),
        ('sim:=maybe', "Argument `sim` is 'maybe': use true or false."),
        ('log_level:=loud', "Argument `log_level` is 'loud': use one of debug, info, warn, error, fatal."),
        ('params_file:=/no/such.yaml', "Argument `params_file` is '/no/such.yaml': there is no such file."),
        (
            'params_file:=~nosuchuser/my.yaml',
            "Argument `params_file` is '~nosuchuser/my.yaml', which begins with the home folder of a user who is not "
            'known here: write the whole path.',
        ),
        (
            'namespace:=7up',
            "Argument `namespace` is '7up', which ROS does not accept: use letters, digits and _, not beginning with a "
            'digit.',
        ),
    ],
)
def test_a_wrong_argument_is_named_with_the_way_out(word: str, sentence: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        from_command_line([word])
    assert str(caught.value) == sentence


def test_help_lists_every_argument_with_its_default() -> None:
    text = argument_help()
    for spec in specs_of(SuiteArguments):
        assert f'  {spec.name}:=' in text
    assert '  use_respawn:=true\n' in text


def test_composed_is_one_loop_process_and_the_driver() -> None:
    processes = describe(SuiteArguments()).processes
    assert [(process.name, process.namespace) for process in processes] == [('loop', '/robot/eo'), ('gimbal', '/robot')]
    assert [node.name for node in processes[0].nodes] == ['camera', 'detector', 'tracker']
    assert describe(SuiteArguments()).payload is None


def test_not_composed_is_a_process_a_node_over_shared_memory() -> None:
    processes = describe(SuiteArguments(composed=False)).processes
    assert [process.name for process in processes] == ['camera', 'detector', 'tracker', 'gimbal']
    for process in processes[:3]:
        profile = Path(process.environment['FASTRTPS_DEFAULT_PROFILES_FILE'])
        assert profile.is_file()
    assert not processes[3].environment


def test_the_driver_stops_first_and_the_payload_last() -> None:
    specs = process_specs(describe(SuiteArguments(sim=True)))
    ranks = {spec.name: spec.stop_rank for spec in specs}
    assert sorted(ranks, key=lambda name: ranks[name]) == ['gimbal', 'loop', 'payload']
    assert specs[0].name == 'payload'


def test_the_cameras_gimbal_topics_are_the_robots() -> None:
    (loop, _) = process_specs(describe(SuiteArguments(namespace='hexa')))
    assert '__ns:=/hexa/eo' in loop.argv
    for topic in GIMBAL_TOPICS:
        assert f'{topic}:=/hexa/{topic}' in loop.argv


def test_every_gimbal_topic_of_the_suite_is_remapped() -> None:
    topics = pytest.importorskip('gremsy_common.ros.topics', reason='the message packages are not built')
    names = {each.name for each in vars(topics).values() if isinstance(each, topics.Topic)}
    named = {name for name in names if name.startswith('gimbal/')}
    assert named <= set(GIMBAL_TOPICS)


def test_parameter_files_come_from_the_general_to_the_users_own(tmp_path: Path) -> None:
    own = tmp_path / 'own.yaml'
    own.touch()
    description = describe(
        SuiteArguments(sim=True, params_file=str(own)), extra_parameter_files=[tmp_path / 'run.yaml']
    )
    assert [path.name for path in description.shipped_files] == ['gremsy.yaml', 'sim.yaml']
    assert [path.name for path in description.user_files] == ['own.yaml', 'run.yaml']
    argv = process_specs(description)[1].argv
    given = [Path(argv[index + 1]).name for index, word in enumerate(argv) if word == '--params-file']
    assert given == ['gremsy.yaml', 'sim.yaml', 'own.yaml', 'run.yaml']


def test_respawn_can_be_turned_off() -> None:
    assert not any(spec.restart.respawn for spec in process_specs(describe(from_texts({'use_respawn': 'false'}))))


def test_programs_run_in_this_interpreter() -> None:
    assert {spec.argv[0] for spec in process_specs(describe(SuiteArguments(sim=True)))} == {sys.executable}


def test_the_shipped_simulation_meets_the_simulated_payload() -> None:
    sim = yaml.safe_load((share_folder() / 'config' / 'sim.yaml').read_text())
    payload = SimulatedPayload()
    assert sim['/**/gimbal_driver']['ros__parameters']['link'] == f'udp://127.0.0.1:{payload.udp_port}'
    assert sim['/**/camera']['ros__parameters']['source'] == 'sim:'


def test_the_payloads_arguments_are_understood_by_its_program() -> None:
    sim_payload = pytest.importorskip('gremsy_gimbal_sim.sim_payload')
    payload = SimulatedPayload(4567, 'ring-1', 'realistic')
    given = sim_payload._parser().parse_args(payload.program_arguments)
    assert (given.udp, given.truth_ring, given.preset) == ('127.0.0.1:4567', 'ring-1', 'realistic')


def test_the_shipped_parameters_are_those_of_the_dataclasses() -> None:
    config_template = pytest.importorskip('gremsy_bringup.describe.config_template')
    written = (share_folder() / 'config' / 'gremsy.yaml').read_text()
    assert written == config_template.template(), 'run python -m gremsy_bringup.describe.config_template'


def test_two_claims_never_have_one_domain() -> None:
    claims = [DomainClaim() for _ in range(20)]
    try:
        for claim in claims:
            claim.open()
        assert len({claim.domain_id for claim in claims}) == 20
    finally:
        for claim in claims:
            claim.close()


def test_a_free_port_can_be_bound() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(('127.0.0.1', free_udp_port()))


class Terminal:
    """Collects what is written to a terminal, or to a file."""

    def __init__(self, is_terminal: bool) -> None:
        self.text = ''
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        return


def test_on_a_terminal_the_status_stays_below_what_is_said() -> None:
    out = Terminal(True)
    line = StatusLine(out)  # type: ignore[arg-type]
    line.show('one')
    line.say('something')
    line.show('two')
    line.end()
    assert out.text == '\r\x1b[Kone\r\x1b[Ksomething\none\r\x1b[Ktwo\n'


def test_elsewhere_the_status_is_a_line_every_five_seconds() -> None:
    now_s = [100.0]
    out = Terminal(False)
    line = StatusLine(out, lambda: now_s[0])  # type: ignore[arg-type]
    for seconds in (100.0, 104.9, 105.0):
        now_s[0] = seconds
        line.show(f'at {seconds}')
    line.end()
    assert out.text == 'at 100.0\nat 105.0\n'


def test_the_template_replaces_a_template_and_nothing_else(tmp_path):
    own = tmp_path / 'robot.yaml'
    own.write_text('/**:\n  ros__parameters: {}\n')
    with pytest.raises(SystemExit) as refused:
        config_template.main(['--file', str(own)])
    assert str(refused.value) == (
        f"'{own}' is in the way, and is no template of this tool: move it away, or name another file."
    )
    assert own.read_text() == '/**:\n  ros__parameters: {}\n'
