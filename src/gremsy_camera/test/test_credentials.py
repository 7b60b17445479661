# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gremsy_camera.errors import SourceUnusable
from gremsy_camera.streams.credentials import fill_in, read_secrets, redacted
from gremsy_camera.streams.stream_address import StreamAddress


@pytest.mark.parametrize(
    ('text', 'shown'),
    [
        ('rtsp://10.1.2.3/eo', 'rtsp://10.1.2.3/eo'),
        ('rtsp://operator:secret@10.1.2.3/eo', 'rtsp://10.1.2.3/eo'),
        ('rtsp://operator:p@ss/word@10.1.2.3/eo', 'rtsp://10.1.2.3/eo'),
        (
            'rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@10.1.2.3/eo',
            'rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@10.1.2.3/eo',
        ),
        ('rtsp://admin:${CAMERA_PASSWORD}@10.1.2.3/eo', 'rtsp://10.1.2.3/eo'),
        ('rtsp://10.1.2.3/user=admin&password=secret&channel=1', 'rtsp://10.1.2.3/user=…&password=…&channel=1'),
        ('rtsp://10.1.2.3/eo?token=abc.def&x=1', 'rtsp://10.1.2.3/eo?token=…&x=1'),
        ('rtsp://10.1.2.3/eo?token=${TOKEN}', 'rtsp://10.1.2.3/eo?token=${TOKEN}'),
        ('a rtsp://u:p@one/x and a http://u:p@two/y', 'a rtsp://one/x and a http://two/y'),
        ('operator:secret@10.1.2.3/eo', '10.1.2.3/eo'),
        ('rtsp://operator:it is secret@10.1.2.3/eo', 'rtsp://10.1.2.3/eo'),
        ("rtsp://operator:it's@h x@10.1.2.3/eo", 'rtsp://10.1.2.3/eo'),
        ('rtsp://operator:"secret`\n@10.1.2.3/eo', 'rtsp://10.1.2.3/eo'),
        ('rtsp:/operator:secret@10.1.2.3/eo', 'rtsp:/10.1.2.3/eo'),
        ('http//operator:secret@10.1.2.3/eo', 'http//10.1.2.3/eo'),
        ("operator:it's secret@10.1.2.3/eo", '10.1.2.3/eo'),
        ('rtsp://10.1.2.3:8554/eo has users at me@example.com', 'rtsp://10.1.2.3:8554/eo has users at me@example.com'),
        ("gst: rtspsrc user-pw='it is secret' ! x", 'gst: rtspsrc user-pw=… ! x'),
        ('gst: tee name=t ! x location=a@b', 'gst: tee name=t ! x location=a@b'),
        ('someone@example.com wrote', 'someone@example.com wrote'),
        ('gst: rtspsrc user-id=me user-pw=secret ! x', 'gst: rtspsrc user-id=… user-pw=… ! x'),
        (r'gst: rtspsrc user-pw = "a /b\" c" ! x', 'gst: rtspsrc user-pw = … ! x'),
        ('gst: rtspsrc user-pw=a/b"c ! x', 'gst: rtspsrc user-pw=… ! x'),
        ('gst: rtspsrc user-pw=${P} ! x', 'gst: rtspsrc user-pw=${P} ! x'),
    ],
)
def test_what_is_shown_is_without_credentials(text, shown):
    assert redacted(text) == shown


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_user_and_password_come_through_an_address_as_they_are(user, password):
    try:
        (user + password).encode()
    except UnicodeEncodeError:
        return
    filled = fill_in('rtsp://${U}:${P}@[fe80::1]:8554/eo?x=1', 'source', {'U': user, 'P': password})
    address = StreamAddress.of(filled, 'source')
    assert (address.user, address.password) == (user, password)
    assert (address.host, address.port, address.target) == ('fe80::1', 8554, '/eo?x=1')
    assert address.location == address.shown == 'rtsp://[fe80::1]:8554/eo?x=1'
    assert StreamAddress.of(address.url, 'source') == address


def test_the_text_form_of_an_address_has_no_credentials():
    address = StreamAddress.of('rtsp://operator:sesame@10.1.2.3/eo', 'source')
    assert 'sesame' not in f'{address!r}' and 'operator' not in f'{address!r}'
    assert address.url == 'rtsp://operator:sesame@10.1.2.3/eo'


@pytest.mark.parametrize(
    ('text', 'port'), [('rtsp://h', 554), ('RTSP://h/x', 554), ('rtsps://h/x', 322), ('rtsp://h:8554', 8554)]
)
def test_ports(text, port):
    assert StreamAddress.of(text, 'source').port == port


@pytest.mark.parametrize('text', ['rtsp://', 'rtsp:///eo', 'rtsp:10.1.2.3'])
def test_what_is_no_address_is_a_sentence(text):
    with pytest.raises(SourceUnusable) as raised:
        StreamAddress.of(text, 'source')
    assert str(raised.value) == (
        f'`source` {redacted(text)} is not a stream address: write rtsp://user:password@host:port/path, with @, :, / '
        'and % of a password as %40, %3A, %2F and %25.'
    )


@pytest.mark.parametrize('port', ['0', '65536', 'x', '80a', '٣'])
def test_what_is_no_port_is_a_sentence(port):
    with pytest.raises(SourceUnusable) as raised:
        StreamAddress.of(f'rtsp://u:sesame@h:{port}/eo', 'server_url')
    assert str(raised.value) == f'`server_url` rtsp://h:{port}/eo has an invalid port: use 1 to 65535.'


def test_an_empty_user_is_a_sentence_and_an_empty_password_is_one():
    text = 'rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@10.1.2.3/eo'
    with pytest.raises(SourceUnusable) as raised:
        fill_in(text, 'source', {'CAMERA_USER': '', 'CAMERA_PASSWORD': 'sesame'})
    assert str(raised.value) == (
        'CAMERA_USER is empty, and `source` rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@10.1.2.3/eo needs it: set it in '
        'the environment or in `secrets_file`.'
    )
    assert fill_in(text, 'source', {'CAMERA_USER': 'admin', 'CAMERA_PASSWORD': ''}) == 'rtsp://admin:@10.1.2.3/eo'


def test_a_name_without_a_value_is_a_sentence():
    with pytest.raises(SourceUnusable) as raised:
        fill_in('rtsp://${CAMERA_USER}:sesame@10.1.2.3/eo', 'source', {})
    assert str(raised.value) == (
        '`source` rtsp://10.1.2.3/eo needs CAMERA_USER, which is neither in the environment nor in `secrets_file`: set '
        'it in one of them.'
    )


def test_what_is_no_name_is_a_sentence():
    with pytest.raises(SourceUnusable) as raised:
        fill_in('rtsp://${CAMERA USER}@10.1.2.3/eo', 'source', {})
    assert str(raised.value) == '`source` has ${CAMERA USER}, which is not a valid name: use letters, digits and _.'


def secrets_file(folder, text, mode=0o600):
    path = folder / 'secrets'
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return str(path)


def test_a_secrets_file_is_read(tmp_path, said):
    text = '# names\n\nUSER_A=me\nexport PASS_A = "two words" \nB=\'a=b\'\nEMPTY=\n'
    path = secrets_file(tmp_path, text)
    assert read_secrets(path, said) == {'USER_A': 'me', 'PASS_A': 'two words', 'B': 'a=b', 'EMPTY': ''}
    assert read_secrets('', said) == {}
    assert said.sentences == []


@pytest.mark.parametrize('mode', [0o644, 0o660, 0o604])
def test_a_secrets_file_that_others_may_read_is_warned_of(tmp_path, said, mode):
    path = secrets_file(tmp_path, 'A=b\n', mode)
    assert read_secrets(path, said) == {'A': 'b'}
    assert said.sentences == [f'Others on this machine may read `secrets_file` {path}: chmod 600 {path}']


def test_a_line_that_is_none_is_named_by_its_number_and_not_shown(tmp_path, said):
    path = secrets_file(tmp_path, 'A=b\nsesame\n')
    with pytest.raises(SourceUnusable) as raised:
        read_secrets(path, said)
    assert str(raised.value) == f'Line 2 of `secrets_file` {path} is not NAME=VALUE: fix or remove it.'


@pytest.mark.parametrize(('content', 'reason'), [(None, 'No such file or directory'), (b'\xff\xfe', 'it is no text')])
def test_a_secrets_file_that_cannot_be_read_is_a_sentence(tmp_path, said, content, reason):
    path = str(tmp_path / 'secrets') if content is None else secrets_file(tmp_path, content)
    with pytest.raises(SourceUnusable) as raised:
        read_secrets(path, said)
    assert str(raised.value) == f'`secrets_file` {path} cannot be read ({reason}): check the path and its mode.'
