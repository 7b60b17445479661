# SPDX-License-Identifier: Apache-2.0
"""The archive of `doctor --robot --bundle`: all of it is there, and no secret, wherever and however it was written."""

import base64
import errno
import io
import itertools
import json
import re
import tarfile
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
import yaml

from gremsy_bringup.robot_doctor import robot_doctor_command
from gremsy_bringup.robot_doctor.bundle import Entry, collect, known_names, known_secrets, packed
from gremsy_bringup.robot_doctor.redaction import GONE, Redactor, is_secret_name
from gremsy_common.errors import SuiteError
from src.gremsy_bringup.test.fake_machine import HOME, NOW_S, Machine

# Made up, each of another kind: plain, with what addresses encode, with what JSON and shells escape, short, not ASCII.
SECRETS = {
    'api_key': 'b1946ac92492d2347c6235b4d2611184',
    'camera_user': 'operateur',
    'camera_password': 'p@ss/w:rd #7"\'x',
    'inline_password': 'hunter22!&=',
    'file_key': 'kFile+Key/With==Signs',
    'grafana': 'Grafana Pass phrase',
    'loose_secret': 'only-in-the-secrets-folder',
    'environment_token': 'tok_3nv1r0nm3nt',
    'bearer_of_a_stranger': 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl',
    'opaque_bearer_of_a_stranger': 'opaque.0paque',
    'query_of_a_stranger': 'qqq-query-stranger',
    'mqtt_password': 'mqtt-geheim-ü',
    'wifi': 'WlanOfTheLab',
    'short': '4711',
    'serial': 'A50285BI',
}
PATHS = {'session of WHEP': '0f8fad5b-d9cb-469f-a165-70867728950e', 'MAC': '48:b0:2d:5c:11:7e'}


@pytest.fixture
def machine(tmp_path):
    return robot_with_secrets(tmp_path / 'root')


@pytest.fixture(scope='module')
def seen(tmp_path_factory):
    """Each file of its archive, and what can be read out of it."""
    files = files_of(archive_of(robot_with_secrets(tmp_path_factory.mktemp('robot') / 'root')))
    return {name: {name, *read_back(text)} for name, text in files.items()}


def robot_with_secrets(root):
    """A robot with a secret in every place that has one."""
    made = Machine(root)
    s = SECRETS
    made.containers(
        f'API_KEY={s["api_key"]}\nCAMERA_USER={s["camera_user"]}\nCAMERA_PASSWORD="{s["short"]}"\nROBOT=alpha\n'
        f"EO_SOURCE='rtsp://{s['camera_user']}:{quote(s['camera_password'], safe='')}@10.1.2.3/eo'\n"
        'KEYS_FILE=./secrets/keys.yaml\nGRAFANA_PASSWORD_FILE=./secrets/grafana\nIMAGE=gremsy-vision\n'
    )
    made.file('/src/docker/secrets/keys.yaml', f'# who\ncontrol: "{s["file_key"]}"\nview: {s["api_key"]}\n', 0o600)
    made.file('/src/docker/secrets/grafana', s['grafana'] + '\n', 0o600)
    made.file('/src/docker/secrets/other.env', f'NAME={s["loose_secret"]}\n', 0o600)
    made.file(
        '/src/docker/config/my_robot.yaml',
        '/**/eo/camera:\n  ros__parameters:\n'
        f'    source: rtsp://admin:{s["inline_password"]}@10.1.2.3/eo\n'
        f'    mqtt_password: "{s["mqtt_password"]}"\n    horizontal_field_deg: 60.0\n',
    )
    made.file('/src/docker/compose.yaml', 'services: {gremsy: {image: "${IMAGE}"}}\n')
    made.environment = {
        'SOME_TOKEN': s['environment_token'],
        'ROS_DOMAIN_ID': '7',
        'ROS_SECRET_KEY': s['environment_token'],
    }
    made.file('/etc/hostname', 'lab-robot-17\n')
    made.file('/sys/bus/usb/devices/1-2/serial', f'{s["serial"]}\n')
    made.file('/src/docker/logs/ros/loop_1.log', everything_in_every_form())
    made.file(
        '/src/docker/logs/web.log',
        f'GET /api/status?key={s["query_of_a_stranger"]} HTTP/1.1\nAuthorization: Bearer {s["bearer_of_a_stranger"]}\n'
        f'[web] bearer {s["opaque_bearer_of_a_stranger"]}\nssid="{s["wifi"]}" wlan0 {PATHS["MAC"]}\n'
        f'POST /video/eo/whep/{PATHS["session of WHEP"]}\nfile /home/somebody-else/x.onnx of lab-robot-17\n'
        'the camera sends 30.0 pictures a second\n',
    )
    row = {
        'Names': 'gremsy-gremsy-1',
        'Labels': 'com.docker.compose.project=gremsy',
        'State': 'running',
        'Status': 'Up',
    }
    made.says('docker ps -a --filter', json.dumps(row))
    made.says(
        'docker logs',
        f'2026 started\nGREMSY_WEB_KEY={s["api_key"]}\n',
        errors=f'password: {s["query_of_a_stranger"]}\n',
    )
    made.says('ls -l', f'usb-FTDI_FT232R_USB_UART_{s["serial"]}-if00-port0 -> ../../ttyUSB0 {HOME}\n')
    made.says('uname -a', 'Linux lab-robot-17 5.15.148-tegra aarch64\n')
    made.pages['http://127.0.0.1:6783/health'] = (200, '{"status":"alive"}')
    made.pages['http://127.0.0.1:6783/api/status'] = (
        200,
        json.dumps({'url': f'rtsp://u:{s["inline_password"]}@h/eo', 'ok': 1}),
    )
    made.pages['http://127.0.0.1:6783/metrics'] = (200, 'gremsy_frames_total 17\n')
    made.pages['http://127.0.0.1:6783/api/nodes'] = (200, '[{"name": "gimbal_driver", "firmware": "7.8.9"}]')
    return made


def forms_of(secret):
    """As others write it; base64 at each place in a group of three."""
    yield secret
    yield quote(secret, safe='')
    yield quote(quote(secret, safe=''), safe='')
    yield quote(secret, safe='').lower() if '%' in quote(secret) else secret
    yield json.dumps(secret)
    yield secret.encode().hex()
    for before, after in itertools.product(('', 'u', 'us', 'admin:'), ('', '@', '@h')):
        yield base64.b64encode((before + secret + after).encode()).decode()
        yield base64.urlsafe_b64encode((before + secret + after).encode()).decode()


def everything_in_every_form():
    """Of the secrets that stand in a place for secrets."""
    known = [
        *('api_key', 'camera_user', 'camera_password', 'inline_password', 'file_key', 'grafana', 'loose_secret'),
        *('environment_token', 'mqtt_password', 'short'),
    ]
    return ''.join(
        f'[INFO] [1796.1] [camera]: said {form} and went on\n' for name in known for form in forms_of(SECRETS[name])
    )


def archive_of(machine, **options):
    robot = machine.robot()
    entries = collect(
        robot,
        **{
            'checks': {'checks': []},
            'table': 'ok  Clock',
            'inside': lambda words: None,
            'repository': None,
            'logs': [],
            'seconds': 2,
            'sleep': lambda _seconds: None,
            **options,
        },
    )
    data, _ = packed(list(entries), Redactor(known_secrets(robot), known_names(robot)), NOW_S)
    return data


def files_of(data):
    with tarfile.open(fileobj=io.BytesIO(data), mode='r:gz') as tar:
        return {each.name: tar.extractfile(each).read().decode() for each in tar.getmembers()}


def read_back(text):
    """The text, and whatever somebody who looks for secrets would make of it: addresses and base64 decoded."""
    yield text
    yield unquote(text)
    yield unquote(unquote(text))
    yield text.replace('\\"', '"').replace("\\'", "'").encode().decode('unicode_escape', errors='replace')
    for run in re.findall(r'[A-Za-z0-9+/_-]{5,}', text):
        plain = run.replace('-', '+').replace('_', '/')
        for start in range(4):
            part = plain[start:]
            part = (
                part[: len(part) // 4 * 4] + (part[len(part) // 4 * 4 :] + '===')[:4]
                if len(part) % 4 > 1
                else part[: len(part) // 4 * 4]
            )
            yield base64.b64decode(part).decode(errors='replace')
    for run in re.findall(r'(?:[0-9a-f]{2}){4,}', text):
        yield bytes.fromhex(run).decode(errors='replace')


@pytest.mark.parametrize('name', [*SECRETS, *PATHS])
def test_no_secret_is_in_any_byte_of_the_archive(seen, name):
    secret = {**SECRETS, **PATHS}[name]
    found = {file: [text for text in texts if secret in text] for file, texts in seen.items()}
    assert {file: texts for file, texts in found.items() if texts} == {}


def test_the_planted_secrets_are_found_where_nothing_takes_them_out(machine):
    """That the test above can fail."""
    robot = machine.robot()
    kept = Entry('logs/loop.log', '', everything_in_every_form())
    data, _ = packed([kept], Redactor([]), NOW_S)
    (text,) = [text for file, text in files_of(data).items() if file.endswith('loop.log')]
    seen = list(read_back(text))
    found = {name for name, secret in SECRETS.items() if any(secret in each for each in seen)}
    assert found >= {'api_key', 'camera_password', 'inline_password', 'file_key', 'grafana', 'mqtt_password'}
    assert {SECRETS[name] for name in ('api_key', 'file_key', 'grafana', 'loose_secret')} <= set(known_secrets(robot))


def test_neither_are_the_names_of_people_and_machines(machine):
    text = '\n'.join(files_of(archive_of(machine)).values())
    assert re.findall(r'gremsy-user|lab-robot-17|somebody-else|/home/(?!USER)\w+', text) == []
    assert 'Linux HOST 5.15.148-tegra aarch64' in text
    assert 'FT232R_USB_UART_' in text or 'SERIAL' in text


def test_what_helps_is_in_it_and_the_readme_names_every_file(machine):
    files = files_of(archive_of(machine))
    names = {name.removeprefix('gremsy_doctor/') for name in files}
    readme = files['gremsy_doctor/README.txt']
    assert {name for name in names if f'\n  {name} ' in readme} == names - {'README.txt'}
    assert {
        'checks.txt',
        'checks.json',
        'system.txt',
        'versions.json',
        'configuration/env.txt',
        'configuration/my_robot.yaml',
        'configuration/compose.yaml',
        'configuration/environment.json',
        'telemetry/status.jsonl',
        'telemetry/metrics.txt',
        'telemetry/metrics_before.txt',
        'telemetry/api_nodes.txt',
        'logs/container_gremsy-gremsy-1.log',
    } <= names
    assert len(files['gremsy_doctor/telemetry/status.jsonl'].splitlines()) == 2
    assert '"firmware": "7.8.9"' in files['gremsy_doctor/telemetry/api_nodes.txt']
    assert 'ROBOT=alpha' in files['gremsy_doctor/configuration/env.txt']
    assert f'API_KEY={GONE}' in files['gremsy_doctor/configuration/env.txt']
    assert 'horizontal_field_deg: 60.0' in files['gremsy_doctor/configuration/my_robot.yaml']
    assert json.loads(files['gremsy_doctor/configuration/environment.json'])['ROS_DOMAIN_ID'] == '7'
    log = next(text for name, text in files.items() if name.endswith('web.log'))
    assert 'the camera sends 30.0 pictures a second' in log


def test_the_key_is_used_to_ask_and_not_written(machine):
    keys = []
    whole = machine.page
    machine.page = lambda url, key: keys.append(key) or whole(url, key)
    archive_of(machine)
    assert SECRETS['api_key'] in keys


# Everything below the name is its value for a YAML reader (PyYAML), whatever a reader of lines makes of it.
@pytest.mark.parametrize(
    'text',
    [
        'password:\n  {}\n',
        'password: >-\n  {}\n',
        'password: |\n  other\n  {}\n',
        'api_keys:\n- {}\n',
        'api_keys:\n  - "{}"  # mine\n',
        'keys:\n  control: {}\n',
        "'password':\n    '{}'\n",
    ],
)
def test_a_secret_on_a_line_of_its_own_is_found_below_its_name(machine, text):
    written = text.format('hunter2xyz')
    assert 'hunter2xyz' in str(next(iter(yaml.safe_load(written).values())))
    machine.parameters(f'{written}rate_hz: 30.0\n')
    shown = Redactor(known_secrets(machine.robot())).text(f'{written}rate_hz: 30.0\nlogged: hunter2xyz')
    assert 'hunter2xyz' not in shown
    assert 'rate_hz: 30.0' in shown


def test_a_secret_of_several_lines_in_env_goes_with_each_of_them(machine):
    machine.containers('API_KEY="first of two\nhunter2xyz"\nROBOT=alpha\n')
    text = files_of(archive_of(machine))['gremsy_doctor/configuration/env.txt']
    assert 'hunter2xyz' not in text
    assert 'first of two' not in text
    assert 'ROBOT=alpha' in text


def test_a_log_that_may_not_be_read_is_said_and_the_others_are_there(machine, monkeypatch):
    opened = Path.open

    def refusing(path, *arguments, **options):
        if path.name == 'loop_1.log':
            raise PermissionError(errno.EACCES, 'Permission denied')  # as open(2) does for who is not root
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, 'open', refusing)
    files = files_of(archive_of(machine))
    assert next(text for name, text in files.items() if name.endswith('loop_1.log')) == (
        'This user cannot read it: Permission denied.'
    )
    assert any(name.endswith('web.log') for name in files)


def test_nothing_is_written_where_a_secret_would_get_in():
    class Blind(Redactor):
        def text(self, text):
            return text

    with pytest.raises(SuiteError) as caught:
        packed([Entry('logs/a.log', '', 'x hunter22 y')], Blind(['hunter22']), NOW_S)
    assert str(caught.value) == (
        'A secret would have got into logs/a.log of the archive: nothing was written. Report this.'
    )


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('{"password": "abc def", "rate_hz": 30.0}', f'{{"password": {GONE}, "rate_hz": 30.0}}'),
        ('api_key: abcdef', f'api_key: {GONE}'),
        ('password: ${CAMERA_PASSWORD}', 'password: ${CAMERA_PASSWORD}'),
        ('token: null', 'token: null'),
        ('Cookie: gremsy=abc; other=def', f'Cookie: {GONE}'),
        ('-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n-----END OPENSSH PRIVATE KEY-----\nafter', f'{GONE}\nafter'),
        ('ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE me@home', f'ssh-ed25519 {GONE}'),
        ('inet6 2001:db8:1::7f/64 scope global', 'inet6 xxxx::xxxx/64 scope global'),
        ('at 12:34:56.789 frame 17 took 3.2 ms', 'at 12:34:56.789 frame 17 took 3.2 ms'),
        ('udp://192.168.55.1:14566', 'udp://192.168.55.1:14566'),
        ('the keyboard, the monkey and the author', 'the keyboard, the monkey and the author'),
    ],
)
def test_what_looks_like_a_secret_goes_and_the_rest_stays(text, expected):
    assert Redactor([]).text(text) == expected


@pytest.mark.parametrize(
    ('name', 'secret'),
    [
        ('API_KEY', True),
        ('CAMERA_USER', True),
        ('CAMERA_PASSWORD', True),
        ('GITHUB_TOKEN', True),
        ('wifi_psk', True),
        ('KEYS_FILE', False),
        ('USER', False),
        ('ROBOT', False),
        ('ROS_DOMAIN_ID', False),
        ('horizontal_field_deg', False),
    ],
)
def test_which_names_have_secrets(name, secret):
    assert is_secret_name(name) is secret


def test_a_file_that_is_there_stays_and_nothing_is_collected(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'mine.tar.gz').write_text('mine')
    monkeypatch.setattr(robot_doctor_command, 'ask_all', lambda *_: pytest.fail('it looked'))
    assert robot_doctor_command.main(['--robot', '--bundle', 'mine.tar.gz']) == 2
    assert capsys.readouterr().err.endswith(
        'doctor: mine.tar.gz is there already and stays as it is: name another with --bundle FILE.\n'
    )
    assert (tmp_path / 'mine.tar.gz').read_text() == 'mine'


def test_the_command_writes_one_and_says_what_is_in_it(machine, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(robot_doctor_command, 'look_at', lambda *_: machine.robot())
    monkeypatch.setattr(robot_doctor_command, 'TELEMETRY_S', 1)
    robot_doctor_command.main(['--robot', '--bundle', '--json'], host=machine.robot().host)
    said = capsys.readouterr()
    json.loads(said.out)
    (made,) = tmp_path.glob('*.tar.gz')
    assert made.name == 'gremsy_doctor_20270115T080000Z.tar.gz'
    assert f'Written: {made.name} (' in said.err
    assert '  telemetry/status.jsonl: the state that the page shows, once a second\n' in said.err
    assert SECRETS['api_key'].encode() not in made.read_bytes()
