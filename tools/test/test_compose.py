# SPDX-License-Identifier: Apache-2.0
"""docker/compose*.yaml: what they start, in which order, with which rights, and that .env reaches where it must."""

import json
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tools.test.compose_files import NoVariableError, filled_in, load, settings_of, variables_of

DOCKER = Path(__file__).resolve().parents[2] / 'docker'
ROBOT, SIM, BASE = (DOCKER / f'compose{which}.yaml' for which in ('', '.sim', '.base'))
# With the robot's own services; the base station's file has none of them.
FILES = (ROBOT, SIM)
EXAMPLE = DOCKER / '.env.example'
# Asked of whoever builds the simulation alone.
OF_THE_SIMULATION = {'SIM_IMAGE', 'SIM_CPUS'}


def services(environment=None):
    return [
        pytest.param(path, name, service, id=f'{path.stem}-{name}')
        for path in (*FILES, BASE)
        for name, service in load(path, environment or {})['services'].items()
    ]


every_service = pytest.mark.parametrize(('path', 'name', 'service'), services())


@pytest.mark.parametrize(
    ('text', 'environment', 'result'),
    [
        # The examples of compose-spec's 12-interpolation.md.
        ('${A:-b}', {}, 'b'),
        ('${A:-b}', {'A': ''}, 'b'),
        ('${A-b}', {'A': ''}, ''),
        ('${A:+b}', {'A': 'x'}, 'b'),
        ('${A:+b}', {'A': ''}, ''),
        ('${A+b}', {'A': ''}, 'b'),
        ('$A and $$A', {'A': 'x'}, 'x and $A'),
        ('http://h:${PORT:-6783}/x', {'PORT': '80'}, 'http://h:80/x'),
    ],
)
def test_the_loader_itself(text, environment, result):
    assert filled_in(text, environment) == result


@pytest.mark.parametrize('text', ['${A:?needed}', '${A}', '$A', 'costs $ 5'])
def test_the_loader_misses_what_is_missing(text):
    with pytest.raises(NoVariableError):
        filled_in(text, {})


@pytest.mark.parametrize('path', (*FILES, BASE), ids=lambda path: path.name)
def test_it_fits_the_schema_of_compose(path):
    pytest.importorskip('check_jsonschema')
    command = [sys.executable, '-m', 'check_jsonschema', '--builtin-schema', 'vendor.compose-spec', str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert 'version' not in load(path, {})


def test_every_variable_has_a_default_and_its_words_in_the_example():
    named = {}
    for path in (*FILES, BASE):
        for name, defaults in variables_of(path).items():
            named.setdefault(name, set()).update(defaults)
    example = settings_of(EXAMPLE)
    assert set(example) == set(named) - OF_THE_SIMULATION
    assert not {name for name, (_, explained) in example.items() if not explained}
    for name, (value, _) in example.items():
        # A default that is given in several places is the same in all; empty is what `.env` leaves to the nodes.
        assert named[name] == {value}, name


def test_the_example_changes_nothing():
    example = {name: value for name, (value, _) in settings_of(EXAMPLE).items()}
    for path in (*FILES, BASE):
        assert load(path, example) == load(path, {})


@every_service
def test_rights_limits_and_restarts(path, name, service):
    assert service['restart'] == 'unless-stopped'
    assert service['read_only'] is True
    assert service['cap_drop'] == ['ALL']
    assert service['security_opt'] == ['no-new-privileges:true']
    assert re.fullmatch(r'[1-9]\d*:[1-9]\d*', service['user'])
    assert not service.get('privileged')
    resources = service['deploy']['resources']
    assert {'cpus', 'memory', 'pids'} <= set(resources['limits'])
    assert {'cpus', 'memory'} <= set(resources['reservations'])
    assert set(service['logging']['options']) == {'max-size', 'max-file'}


@every_service
def test_health_is_asked_within_its_own_time(path, name, service):
    check = service['healthcheck']
    seconds = {key: int(check[key].removesuffix('s')) for key in ('interval', 'timeout', 'start_period')}
    assert check['test'][0] == 'CMD'
    assert seconds['timeout'] <= 10 and seconds['interval'] <= 10 and seconds['start_period'] <= 60
    assert check['retries'] >= 2


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_they_start_in_the_order_of_their_health(path):
    content = load(path, {})['services']
    order = TopologicalSorter()
    for name, service in content.items():
        needed = service.get('depends_on', {})
        order.add(name, *needed)
        for other, how in needed.items():
            assert how['condition'] == 'service_healthy'
            assert 'healthcheck' in content[other]
            # What is always on must not wait for what only a profile starts.
            assert set(content[other].get('profiles', [])) <= set(service.get('profiles', []))
    started = list(order.static_order())
    assert started.index('mediamtx') < started.index('gremsy') < started.index('web-ui')


@every_service
def test_images_are_pinned_and_folders_are_there(path, name, service):
    tag = service['image'].rpartition(':')[2]
    assert tag == 'local' or re.match(r'v?\d+\.\d+\.\d+', tag)
    for volume in service.get('volumes', []):
        source = DOCKER / volume['source']
        assert source.exists(), source
        if volume['target'] in ('/models', '/config', '/mediamtx.yml'):
            assert volume['read_only'] is True


def test_the_robots_container_has_gpu_devices_network_and_shared_memory():
    service = load(ROBOT, {})['services']['gremsy']
    assert service['runtime'] == 'nvidia'
    (gpu,) = service['deploy']['resources']['reservations']['devices']
    assert gpu['driver'] == 'nvidia' and 'gpu' in gpu['capabilities']
    assert (service['network_mode'], service['ipc']) == ('host', 'host')
    assert '/dev/null:/dev/gimbal' in service['devices']
    assert '/dev/ttyUSB0:/dev/gimbal' in load(ROBOT, {'GIMBAL_DEVICE': '/dev/ttyUSB0'})['services']['gremsy']['devices']
    assert service['group_add'] == ['20', '44']
    assert {volume['target'] for volume in service['volumes']} == {'/config', '/models', '/engines', '/logs'}


def test_the_page_is_at_7777_by_a_network_of_its_own():
    for path in FILES:
        service = load(path, {})['services']['web-ui']
        assert service['networks'] == ['web']
        assert service['ports'] == ['7777:7777']
        assert service['extra_hosts'] == ['host.docker.internal:host-gateway']
        assert load(path, {'WEB_UI_PORT': '80'})['services']['web-ui']['ports'] == ['80:7777']


def test_port_reaches_everybody_who_must_know_it():
    for path in FILES:
        content = load(path, {'PORT': '7000'})
        assert content['services']['gremsy']['environment']['PORT'] == '7000'
        assert 'host.docker.internal:7000' in content['services']['web-ui']['command']
        mediamtx = content['services']['mediamtx']['environment']
        assert mediamtx['MTX_AUTHHTTPADDRESS'] == 'http://127.0.0.1:7000/api/video/auth'
        assert '6783' not in json.dumps(content)
    assert '127.0.0.1:7000' in content_of_prometheus({'PORT': '7000'})


def content_of_prometheus(environment):
    return load(ROBOT, environment)['configs']['prometheus']['content']


def test_key_and_addresses_reach_the_nodes():
    said = {'API_KEY': 'k' * 16, 'GREMSY_IP': '192.168.12.240', 'EO_FIELD_DEG': '60', 'MODEL': '/models/m.onnx'}
    environment = load(ROBOT, said)['services']['gremsy']['environment']
    assert environment['GREMSY_WEB_KEY'] == 'k' * 16
    assert all(environment[name] == value for name, value in said.items() if name != 'API_KEY')
    parameters = pytest.importorskip('gremsy_bringup.deployment.environment_parameters')
    written = parameters.parameters_of(environment, {}, lambda path: False)
    assert written['/**/gimbal_driver']['ros__parameters'] == {'link': 'udp://192.168.12.240:14566'}
    assert written['/**/detector']['ros__parameters'] == {'model': '/models/m.onnx', 'engine_dir': '/engines'}


def test_profiles():
    content = load(ROBOT, {})['services']
    profiles = {}
    for name, service in content.items():
        for profile in service.get('profiles', []):
            profiles.setdefault(profile, set()).add(name)
    assert profiles == {'ir': {'gremsy-ir'}, 'recording': {'recording'}, 'monitoring': {'prometheus', 'grafana'}}


@pytest.mark.parametrize(
    'command',
    [[word for word in param.values[2].get('command', []) if ':=' in word] for param in services()],
    ids=[param.id for param in services()],
)
def test_launch_arguments_are_those_of_the_suite(command):
    arguments = pytest.importorskip('gremsy_bringup.describe.suite_arguments')
    # The file is made in the container.
    assert arguments.from_command_line([word for word in command if not word.startswith('params_file')])


@pytest.mark.parametrize('name', ['.env', '.env.production', 'secrets/keys.yaml', 'logs/a.log', 'models/mine.onnx'])
def test_what_is_secret_or_yours_is_in_no_commit_and_no_image(name):
    ask = ['git', '-C', str(DOCKER), 'check-ignore', '-q', name]
    if subprocess.run(['git', '-C', str(DOCKER), 'rev-parse'], capture_output=True, check=False).returncode != 0:
        pytest.skip('This is no checkout.')
    assert subprocess.run(ask, check=False).returncode == 0
    assert subprocess.run([*ask[:-1], '.env.example'], check=False).returncode == 1
    # The build context is what .dockerignore lets in: see test_images for what is in an image.
    ignored = (DOCKER.parent / '.dockerignore').read_text().splitlines()
    assert '**/.env*' in ignored and '!docker/.env.example' in ignored
    assert ignored.index('**/.env*') < ignored.index('!docker/.env.example')


def test_the_network_is_closed_unless_env_opens_it():
    for path in FILES:
        assert load(path, {})['services']['gremsy']['environment']['ROS_NETWORK'] == 'local'
        said = {'ROS_NETWORK': 'server', 'ROS_SERVER': '10.0.0.5', 'ROS_SHARED_MEMORY': 'off'}
        environment = load(path, said)['services']['gremsy']['environment']
        network = pytest.importorskip('gremsy_bringup.describe.ros_network').network_of(environment)
        assert (network.kind, network.servers, network.shared_memory) == ('server', ('10.0.0.5:11811',), False)


def test_a_router_of_zenoh_keeps_the_robot_to_itself_but_for_the_base_station():
    text = re.sub(r'^\s*//.*$', '', (DOCKER / 'zenoh_router.json5').read_text(), flags=re.MULTILINE)
    router = json.loads(text)
    # As rmw_zenoh's DEFAULT_RMW_ZENOH_ROUTER_CONFIG.json5 (2024-10-16) names them.
    assert set(router) == {'mode', 'connect', 'listen', 'scouting', 'timestamping'}
    assert router['listen']['endpoints'] == ['tcp/127.0.0.1:7447']
    assert router['scouting']['multicast']['enabled'] is False


def test_the_dashboard_shows_what_is_measured():
    prometheus = pytest.importorskip('gremsy_web.robot.prometheus_text')
    # mediamtx.org/docs/features/metrics, 1.20.
    known = {*prometheus._HELP, 'paths_readers', 'paths_inbound_bytes'}
    board = json.loads((DOCKER / 'grafana/dashboards/gremsy.json').read_text())
    shown = set()
    for panel in board['panels']:
        assert panel['title'] and panel['description']
        for target in panel['targets']:
            shown |= set(re.findall(r'\b(?:gremsy|paths)_\w+', target['expr']))
    assert shown <= known
    # Whatever stops the work is on it.
    assert {'gremsy_ready', 'gremsy_node_level', 'gremsy_camera_age_seconds', 'gremsy_gimbal_armed'} <= shown
    assert '/run/secrets/view_key' in content_of_prometheus({})
