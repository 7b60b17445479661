# SPDX-License-Identifier: Apache-2.0
"""Fetching against a server on this machine: everything that a network does to a file, and what is left then."""

import ast
import contextlib
import hashlib
import http.server
import inspect
import io
import json
import os
import re
import resource
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from gremsy_common.errors import SuiteError
from gremsy_model_tools import fetch_model
from gremsy_model_tools.fetch.download import Route, download
from gremsy_model_tools.fetch.model_table import COCO_CLASSES, NOT_TRIED, model_rows
from gremsy_model_tools.fetch_model import fetch, main, record_path, table
from tools.test.document_tables import by_name, rows

onnx = pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')

DOCUMENT = 'src/gremsy_model_tools/README.md'
ROW = model_rows()['yolox_nano']
PATH = '/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/yolox_nano.onnx'


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith('_proxy'):
            monkeypatch.delenv(name)
    monkeypatch.delenv(fetch_model.MIRROR_VARIABLE, raising=False)


@contextlib.contextmanager
def serving(answers, tls=None):
    """A server on a free port of this machine; `answers` maps a path to what is done with the request."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.0'

        def do_GET(self):
            asked.append(self.path)
            answer = answers.get(self.path, lambda handler: handler.send_error(404))
            with contextlib.suppress(ConnectionError):
                answer(self)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.02})
    thread.start()
    try:
        server.asked = asked
        server.base = f'http{"s" if tls else ""}://127.0.0.1:{server.server_port}'
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send(content, *, length=None, code=200, **headers):
    def answer(handler):
        handler.send_response(code)
        if length != 'none':
            handler.send_header('Content-Length', str(len(content) if length is None else length))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def tiny_model(seed=0, **metadata):
    helper, kinds = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        [helper.make_node('Identity', ['images'], ['output'])],
        f'tiny{seed}',
        [helper.make_tensor_value_info('images', kinds.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info('output', kinds.FLOAT, [1, 3, 8, 8])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 11)], ir_version=6)
    helper.set_model_props(model, metadata)
    return model.SerializeToString()


MODEL = tiny_model()
SHA256 = hashlib.sha256(MODEL).hexdigest()


class Said(list):
    def __call__(self, sentence):
        self.append(sentence)


def fetched(target, base, row=ROW, **options):
    return fetch(row, target, mirror=base, say=Said(), **({'sha256': SHA256} | options))


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def refused(action):
    with pytest.raises(SuiteError) as caught:
        action()
    return str(caught.value)


def test_the_file_is_the_makers_with_what_the_detector_must_know_behind_it(tmp_path):
    target = tmp_path / 'yolox_nano.onnx'
    with serving({PATH: send(MODEL)}) as server:
        said = Said()
        assert fetch(ROW, target, mirror=f'{server.base}/', sha256=SHA256, say=said) == target
    written = target.read_bytes()
    assert written.startswith(MODEL)
    assert {entry.key: entry.value for entry in onnx.load(str(target)).metadata_props} == ROW.metadata
    assert json.loads(record_path(target).read_text()) == {
        'name': 'yolox_nano',
        'address': f'{server.base}{PATH}',
        'sha256': SHA256,
        'file_sha256': hashlib.sha256(written).hexdigest(),
        'licence': 'Apache-2.0',
    }
    assert files(tmp_path) == ['yolox_nano.onnx', 'yolox_nano.onnx.fetched.json']
    assert said == [
        f'Fetching YOLOX-Nano (Apache-2.0) from {server.base}{PATH}.',
        f'SHA-256 {SHA256}, as --sha256 pins it.',
    ]


def test_of_two_texts_under_one_key_onnx_runtime_takes_ours(tmp_path):
    runtime = pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')
    model = tiny_model(names='theirs', kept='yes')
    with serving({PATH: send(model)}) as server:
        target = fetched(tmp_path / 'm.onnx', server.base, sha256=hashlib.sha256(model).hexdigest())
    session = runtime.InferenceSession(str(target), providers=['CPUExecutionProvider'])
    assert session.get_modelmeta().custom_metadata_map == {**ROW.metadata, 'kept': 'yes'}


def test_a_second_fetch_finds_the_file_and_asks_nobody(tmp_path):
    target = tmp_path / 'yolox_nano.onnx'
    with serving({PATH: send(MODEL)}) as server:
        fetched(target, server.base)
        said = Said()
        assert fetch(ROW, target, mirror=server.base, say=said) == target
        assert server.asked == [PATH]
    assert said == [f'YOLOX-Nano is there already, as it was fetched (SHA-256 {SHA256}).']


def test_a_hash_that_nobody_publishes_is_kept_and_must_agree_the_next_time(tmp_path, tls):
    server_side, client_side = tls
    target = tmp_path / 'yolox_nano.onnx'
    answers = {PATH: send(MODEL)}
    route = Route(tls=client_side)
    with serving(answers, server_side) as server:
        said = Said()
        fetch(ROW, target, mirror=server.base, route=route, say=said)
        assert said[-1] == (
            f'SHA-256 {SHA256}; its maker publishes none, so it is kept in {record_path(target)} for the next time.'
        )
        record = record_path(target).read_text()
        target.unlink()
        other = tiny_model(1)
        answers[PATH] = send(other)
        got = hashlib.sha256(other).hexdigest()
        assert refused(lambda: fetch(ROW, target, mirror=server.base, route=route, say=said)) == (
            f'What came from {server.base}{PATH} has the SHA-256 {got}, and {record_path(target)} of an earlier '
            f'download keeps {SHA256}: nothing was written. Try again, or, if you trust what came, pin it with '
            f'--sha256 {got}.'
        )
        assert (files(tmp_path), record_path(target).read_text()) == ([record_path(target).name], record)
        fetch(ROW, target, mirror=server.base, route=route, sha256=got, say=said)
    assert json.loads(record_path(target).read_text())['sha256'] == got


@pytest.mark.parametrize(
    ('row', 'pinned', 'who'),
    [
        (ROW, 'a' * 64, '--sha256 pins'),
        (replace(ROW, sha256='a' * 64), '', 'its publisher states'),
    ],
)
def test_a_wrong_hash_names_both_and_leaves_nothing(tmp_path, row, pinned, who):
    with serving({PATH: send(MODEL)}) as server:
        said = refused(lambda: fetched(tmp_path / 'm.onnx', server.base, row, sha256=pinned))
    assert said == (
        f'What came from {server.base}{PATH} has the SHA-256 {SHA256}, and {who} {"a" * 64}: nothing was written. Try '
        f'again, or, if you trust what came, pin it with --sha256 {SHA256}.'
    )
    assert files(tmp_path) == []


WEB_PAGE = b'<!DOCTYPE html><html><body>Sign in</body></html>'


@pytest.mark.parametrize(
    ('answer', 'sentence'),
    [
        (
            None,
            '{at} answers 404 Not Found: the file has moved or wants a login, so look for it with a browser and give '
            'its place with --mirror, or try again later.',
        ),
        (
            send(b'busy', code=503),
            '{at} answers 503 Service Unavailable: the file has moved or wants a login, so look for it with a browser '
            'and give its place with --mirror, or try again later.',
        ),
        (
            send(MODEL[:10], code=206),
            '{at} answers 206 Partial Content: the file has moved or wants a login, so look for it with a browser and '
            'give its place with --mirror, or try again later.',
        ),
        (
            send(b'', code=304),
            '{at} answers 304 Not Modified: the file has moved or wants a login, so look for it with a browser and '
            'give its place with --mirror, or try again later.',
        ),
        (
            lambda handler: handler.wfile.write(b'HTTP/1.1 503 \x1b[2Jcleared\r\n\r\n'),
            '{at} answers 503 ?[2Jcleared: the file has moved or wants a login, so look for it with a browser and give '
            'its place with --mirror, or try again later.',
        ),
        (
            lambda handler: handler.wfile.write(b'\x1b[2Jcleared\r\n\r\n'),
            '{at} cannot be reached (?[2Jcleared): check the network, and name a proxy with --proxy or HTTPS_PROXY, or '
            'a mirror with --mirror.',
        ),
        (
            send(MODEL[:-10], length=len(MODEL)),
            f'{{at}} broke off after {len(MODEL) - 10} of {len(MODEL)} bytes: nothing was written, so try again.',
        ),
        (
            send(WEB_PAGE),
            'What came from {at} is not an ONNX model (it seems to be a web page, perhaps the error page of a failed '
            'download): nothing was written, so look at the address with a browser, or take another place with '
            '--mirror.',
        ),
        (
            send(MODEL[:-3]),
            'What came from {at} is not an ONNX model (3 bytes are missing): nothing was written, so look at the '
            'address with a browser, or take another place with --mirror.',
        ),
        (
            send(MODEL[:2]),
            'What came from {at} is not an ONNX model (it has no graph): nothing was written, so look at the address '
            'with a browser, or take another place with --mirror.',
        ),
        (
            send(b''),
            '{at} is empty: look at it with a browser, or take another place with --mirror.',
        ),
        (
            send(b'', length=513 * 2**20),
            '{at} has more than 536870912 bytes: that is not the model, so nothing was written.',
        ),
        (
            send(MODEL, code=302, Location='ftp://127.0.0.1/m.onnx'),
            '{at} leads to ftp://127.0.0.1/m.onnx, which is not https: nothing was fetched, so take another place with '
            '--mirror.',
        ),
        (
            send(MODEL, code=302, Location='file:///etc/passwd'),
            '{at} leads in a circle, or to what is no https address: nothing was fetched, so take another place with '
            '--mirror.',
        ),
        (
            send(MODEL, code=302, Location=PATH),
            '{at} leads in a circle, or to what is no https address: nothing was fetched, so take another place with '
            '--mirror.',
        ),
    ],
    ids=[
        '404',
        '503',
        '206',
        '304',
        'steers_the_terminal',
        'no_http',
        'broken_off',
        'web_page',
        'cut_short',
        'no_graph',
        'empty',
        'too_large',
        'to_ftp',
        'to_file',
        'circle',
    ],
)
def test_what_is_not_the_model_is_refused_in_one_sentence_and_leaves_nothing(tmp_path, answer, sentence):
    sent = MODEL[:-3] if 'missing' in sentence else MODEL[:2] if 'no graph' in sentence else WEB_PAGE
    with serving({PATH: answer} if answer else {}) as server:
        said = refused(lambda: fetched(tmp_path / 'm.onnx', server.base, sha256=hashlib.sha256(sent).hexdigest()))
    assert said == sentence.format(at=f'{server.base}{PATH}')
    assert files(tmp_path) == []


def test_a_file_without_end_is_cut_off_at_the_limit():
    def endless(handler):
        send(b'', length='none')(handler)
        while True:
            handler.wfile.write(bytes(2**16))

    with serving({'/x': endless}) as server:
        said = refused(lambda: download(f'{server.base}/x', Route(largest_bytes=2**20), lambda *_: None))
    assert said == f'{server.base}/x has more than 1048576 bytes: that is not the model, so nothing was written.'


def test_silence_ends_after_the_timeout():
    release = threading.Event()
    with serving({'/x': lambda _: release.wait(20)}) as server:
        said = refused(lambda: download(f'{server.base}/x', Route(timeout_s=0.2), lambda *_: None))
        release.set()
    assert said == (
        f'{server.base}/x cannot be reached (nothing came for 0.2 s): check the network, and name a proxy with --proxy '
        'or HTTPS_PROXY, or a mirror with --mirror.'
    )


def test_a_file_that_stops_coming_ends_after_the_timeout_too():
    release = threading.Event()

    def stall(handler):
        send(MODEL[:5], length=len(MODEL))(handler)
        release.wait(20)

    with serving({'/x': stall}) as server:
        said = refused(lambda: download(f'{server.base}/x', Route(timeout_s=0.2), lambda *_: None))
        release.set()
    assert said.startswith(f'{server.base}/x cannot be reached (nothing came for 0.2 s): ')


def test_a_server_that_is_not_there_is_one_sentence(tmp_path):
    with serving({}) as server:
        base = server.base
    said = refused(lambda: fetched(tmp_path / 'm.onnx', base))
    assert said == (
        f'{base}{PATH} cannot be reached ([Errno 111] Connection refused): check the network, and name a proxy with '
        '--proxy or HTTPS_PROXY, or a mirror with --mirror.'
    )


def test_a_redirect_is_followed(tmp_path):
    with serving({PATH: send(b'', code=302, Location='/elsewhere'), '/elsewhere': send(MODEL)}) as server:
        fetched(tmp_path / 'm.onnx', server.base)
        assert server.asked == [PATH, '/elsewhere']


@pytest.fixture(scope='session')
def tls(tmp_path_factory):
    """Contexts of a server whose certificate only the client of this test trusts."""
    openssl = shutil.which('openssl')
    if openssl is None:
        pytest.skip('openssl is not installed: it makes the certificate of the test server')
    folder = tmp_path_factory.mktemp('tls')
    key, certificate = folder / 'key.pem', folder / 'certificate.pem'
    command = [openssl, 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost']
    names = ['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', str(key), '-out', str(certificate)]
    subprocess.run(command + names, check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return server, ssl.create_default_context(cafile=str(certificate))


def test_https_is_never_left_for_http(tls):
    server_side, client_side = tls
    with serving({'/m': send(MODEL)}) as plain:
        away = {'/m': send(b'', code=302, Location=f'{plain.base}/m')}
        with serving(away, server_side) as server:
            said = refused(lambda: download(f'{server.base}/m', Route(tls=client_side), lambda *_: None))
        assert plain.asked == []
    assert said == (
        f'{server.base}/m leads to {plain.base}/m, which is not https: nothing was fetched, so take another place with '
        '--mirror.'
    )


def test_an_unknown_certificate_is_refused(tls):
    with serving({'/m': send(MODEL)}, tls[0]) as server:
        said = refused(lambda: download(f'{server.base}/m', Route(), lambda *_: None))
    assert 'CERTIFICATE_VERIFY_FAILED' in said


def test_a_proxy_is_asked_in_place_of_the_host(tmp_path):
    whole = f'http://models.invalid{PATH}'
    with serving({whole: send(MODEL)}) as proxy:
        fetched(tmp_path / 'm.onnx', 'http://models.invalid', route=Route(proxy=proxy.base))
        assert proxy.asked == [whole]


def test_the_proxy_of_the_environment_is_used(tmp_path, monkeypatch):
    whole = f'http://models.invalid{PATH}'
    with serving({whole: send(MODEL)}) as proxy:
        monkeypatch.setenv('http_proxy', proxy.base)
        fetched(tmp_path / 'm.onnx', 'http://models.invalid')
        assert proxy.asked == [whole]


@pytest.mark.parametrize(
    'mirror',
    [
        *('ftp://host', 'host/folder', 'https://', 'https://me:secret@host', 'https://h/?a=1', 'https://h/#a'),
        *('https://h/?', 'https://[::1', 'https://h:port', 'https://h:99999'),
    ],
)
def test_a_mirror_that_is_no_base_address_is_refused(tmp_path, mirror):
    assert refused(lambda: fetched(tmp_path / 'm.onnx', mirror)) == (
        f"Mirror '{mirror}' is no base address: write it as https://host/folder, without a name and password."
    )


def test_a_plain_mirror_needs_a_known_hash(tmp_path):
    with serving({PATH: send(MODEL)}) as server:
        said = refused(lambda: fetched(tmp_path / 'm.onnx', server.base, sha256=''))
        assert server.asked == []
    assert said == (
        f"Mirror '{server.base}' is not https, and the hash of yolox_nano is not known: on the way anybody could "
        'exchange the file, so pin it with --sha256, or use https.'
    )


STAYS = 'it stays as it is, so move it away or name another place with --output.'


@pytest.mark.parametrize(
    ('content', 'sentence'),
    [
        (b'my own weights', f'{{target}} exists and is not what fetch_model wrote: {STAYS}'),
        (
            MODEL,
            '{target} exists: it is YOLOX-Nano as its maker offers it, without what the detector must know. It stays '
            'as it is; name another place with --output.',
        ),
    ],
)
def test_a_file_of_the_users_is_never_touched(tmp_path, content, sentence):
    target = tmp_path / 'yolox_nano.onnx'
    target.write_bytes(content)
    with serving({PATH: send(MODEL)}) as server:
        assert refused(lambda: fetched(target, server.base)) == sentence.format(target=target)
        assert server.asked == []
    assert (files(tmp_path), target.read_bytes()) == ([target.name], content)


def test_a_fetched_file_that_was_changed_is_the_users_now(tmp_path):
    target = tmp_path / 'yolox_nano.onnx'
    with serving({PATH: send(MODEL)}) as server:
        fetched(target, server.base)
        target.write_bytes(b'changed')
        assert refused(lambda: fetched(target, server.base)) == (
            f'{target} exists and is not what fetch_model wrote: {STAYS}'
        )
    assert target.read_bytes() == b'changed'


def test_a_dangling_link_is_not_replaced(tmp_path):
    target = tmp_path / 'yolox_nano.onnx'
    target.symlink_to(tmp_path / 'gone')
    assert refused(lambda: fetched(target, 'http://127.0.0.1:9')) == (
        f'{target} exists and cannot be read (No such file or directory): move it away, or name another place with '
        '--output.'
    )
    assert target.is_symlink()


@pytest.mark.parametrize('path_of', [lambda target: target, record_path], ids=['model', 'record'])
def test_a_pipe_is_not_waited_for(tmp_path, path_of):
    target = tmp_path / 'm.onnx'
    os.mkfifo(path_of(target))
    said = refused(lambda: fetched(target, 'http://127.0.0.1:9'))
    assert '(it is no regular file): ' in said
    assert said.startswith(f'{path_of(target)} ')
    assert path_of(target).is_fifo()


def test_another_pin_than_the_one_it_was_fetched_with_is_told(tmp_path):
    target = tmp_path / 'yolox_nano.onnx'
    with serving({PATH: send(MODEL)}) as server:
        fetched(target, server.base)
    assert refused(lambda: fetched(target, 'http://127.0.0.1:9', sha256='b' * 64)) == (
        f'{target} was fetched with the SHA-256 {SHA256}, and --sha256 pins {"b" * 64}: move it away, with '
        f'{record_path(target)}, to fetch it again.'
    )


def test_a_file_that_an_older_table_described_is_told(tmp_path):
    target = tmp_path / 'yolox_nano.onnx'
    family = replace(ROW.family, fed={**ROW.family.fed, 'resize': 'letterbox'})
    older = replace(ROW, family=family)
    with serving({PATH: send(MODEL)}) as server:
        fetched(target, server.base, older)
    assert refused(lambda: fetched(target, 'http://127.0.0.1:9')) == (
        f'{target} was fetched by another version of fetch_model, which gave it other metadata: move '
        f'it away, with {record_path(target)}, to fetch it again.'
    )


@pytest.mark.parametrize('content', [b'{"mine": 1}', b'not json', b'[]', b'{"name": 1}', b'\xff'])
def test_a_strangers_file_in_the_place_of_the_record_is_never_touched(tmp_path, content):
    target = tmp_path / 'm.onnx'
    record_path(target).write_bytes(content)
    said = refused(lambda: fetched(target, 'http://127.0.0.1:9'))
    assert said.startswith(f'{record_path(target)} is not a record that fetch_model wrote (')
    assert said.endswith('): move it away, or name another place with --output.')
    assert record_path(target).read_bytes() == content


def test_the_record_of_another_model_is_told(tmp_path):
    target = tmp_path / 'm.onnx'
    with serving({PATH: send(MODEL)}) as server:
        fetched(target, server.base)
    assert refused(lambda: fetched(target, 'http://127.0.0.1:9', model_rows()['yolox_tiny'])) == (
        f"{record_path(target)} describes model 'yolox_nano': give 'yolox_tiny' another place with --output."
    )


def archive_of(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, each in members.items():
            archive.writestr(name.replace('__', '/'), each)
    return content.getvalue()


def test_a_model_is_taken_out_of_its_archive(tmp_path):
    row = replace(ROW, member='sdk/end2end.onnx')
    archive = archive_of(sdk__end2end=b'x', **{'sdk/end2end.onnx': MODEL})
    with serving({PATH: send(archive)}) as server:
        target = fetched(tmp_path / 'm.onnx', server.base, row, sha256=hashlib.sha256(archive).hexdigest())
    assert target.read_bytes().startswith(MODEL)


@pytest.mark.parametrize(
    ('archive', 'sentence'),
    [
        (
            archive_of(other=b'x'),
            '{at} has no sdk/end2end.onnx in it: its makers have changed the archive, so nothing was written.',
        ),
        (
            archive_of(other=b'x')[:-30],
            '{at} is no archive that can be read (File is not a zip file): nothing was written, so try again, or take '
            'another place with --mirror.',
        ),
    ],
    # An archive holds the time: as a name it would be another one in each of the workers.
    ids=['without it', 'cut'],
)
def test_an_archive_without_the_model_is_refused(tmp_path, archive, sentence):
    row = replace(ROW, member='sdk/end2end.onnx')
    with serving({PATH: send(archive)}) as server:
        said = refused(
            lambda: fetched(tmp_path / 'm.onnx', server.base, row, sha256=hashlib.sha256(archive).hexdigest())
        )
    assert said == sentence.format(at=f'{server.base}{PATH}')
    assert files(tmp_path) == []


def command(folder, base, *options, **changes):
    """The command in a process of its own."""
    arguments = [sys.executable, '-m', 'gremsy_model_tools.fetch_model', 'yolox_nano', '--mirror', base, *options]
    return subprocess.Popen(arguments, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **changes)


def test_ctrl_c_leaves_nothing(tmp_path):
    begun, release = threading.Event(), threading.Event()

    def stall(handler):
        send(MODEL[:5], length=len(MODEL))(handler)
        begun.set()
        release.wait(60)

    with serving({PATH: stall}) as server:
        running = command(tmp_path, server.base, '--sha256', SHA256)
        try:
            assert begun.wait(60)
            time.sleep(0.1)
            running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=60)
        finally:
            running.kill()
            release.set()
    assert (running.returncode, said.splitlines()[-1]) == (130, 'Stopped: nothing was written.')
    assert files(tmp_path) == []


def test_a_full_disk_leaves_nothing(tmp_path):
    def hardly_any_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))  # room for the record, not for the model

    with serving({PATH: send(MODEL)}) as server:
        running = command(tmp_path, server.base, '--sha256', SHA256, preexec_fn=hardly_any_room)
        _, said = running.communicate(timeout=60)
    assert said.splitlines()[-1] == (
        f'{tmp_path}/yolox_nano.onnx cannot be written (File too large): make room, or name another place with '
        '--output.'
    )
    assert (running.returncode, files(tmp_path)) == (1, [])


def test_the_command_prints_the_path(tmp_path, capsys):
    with serving({PATH: send(MODEL)}) as server:
        assert main(['yolox_nano', '--mirror', server.base, '--sha256', SHA256.upper(), '--output', str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert printed.out == f'{tmp_path}/yolox_nano.onnx\n'
    assert printed.err.splitlines() == [
        f'Fetching YOLOX-Nano (Apache-2.0) from {server.base}{PATH}.',
        f'SHA-256 {SHA256}, as --sha256 pins it.',
    ]


def test_on_a_terminal_it_shows_how_far_it_is(tmp_path, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr('sys.stderr', terminal)
    with serving({PATH: send(MODEL)}) as server:
        assert main(['yolox_nano', '--mirror', server.base, '--sha256', SHA256, '--output', str(tmp_path)]) == 0
    assert '\r\x1b[KFetching yolox_nano 0.0 of 0.0 MB  0 s' in terminal.getvalue()


def test_a_folder_that_does_not_exist_is_made_for_what_came(tmp_path, capsys):
    folder = tmp_path / 'models'
    asked = ['yolox_nano', '--sha256', SHA256, '--output', str(folder)]
    with serving({}) as server:
        assert main([*asked, '--mirror', server.base]) == 1
    assert files(tmp_path) == [], 'nothing came'
    with serving({PATH: send(MODEL)}) as server:
        assert main([*asked, '--mirror', server.base]) == 0
    assert capsys.readouterr().out == f'{folder}/yolox_nano.onnx\n'
    assert files(folder) == ['yolox_nano.onnx', 'yolox_nano.onnx.fetched.json']


def test_the_mirror_may_come_from_the_environment(tmp_path, monkeypatch):
    with serving({f'/models{PATH}': send(MODEL)}) as server:
        monkeypatch.setenv('GREMSY_MODEL_MIRROR', f'{server.base}/models')
        assert main(['yolox_nano', '--sha256', SHA256, '--output', str(tmp_path / 'mine.onnx')]) == 0
    assert files(tmp_path) == ['mine.onnx', 'mine.onnx.fetched.json']


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['yolo'], f"There is no model 'yolo': use one of {', '.join(model_rows())}."),
        ([], f'Which model? Name one of {", ".join(model_rows())}, or read about them with --list.'),
        (
            ['yolox_s', '--output', 'weights.pt'],
            'Option --output is weights.pt: give a folder, or a file that ends in .onnx.',
        ),
        (
            ['yolox_s', '--output', 'nowhere/m.onnx'],
            'Option --output is nowhere/m.onnx: folder nowhere does not exist, so make it first.',
        ),
        (
            ['yolox_s', '--output', 'nowhere/models'],
            'Option --output is nowhere/models: folder nowhere does not exist, so make it first.',
        ),
    ],
)
def test_what_the_command_is_told_must_make_sense(arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    assert capsys.readouterr().err == f'{sentence}\n'


@pytest.mark.parametrize(
    'options', [['--sha256', 'abc'], ['--sha256', 'g' * 64], ['--timeout', '0'], ['--timeout', 'x']]
)
def test_options_out_of_range_are_refused(options, capsys):
    with pytest.raises(SystemExit) as ended:
        main(['yolox_s', *options])
    assert ended.value.code == 2
    assert f'argument {options[0]}: give ' in capsys.readouterr().err


def test_the_list_has_every_model_and_says_what_was_never_tried(capsys):
    assert main(['--list']) == 0
    printed = capsys.readouterr().out
    assert printed == table(model_rows()) + '\n'
    assert printed.startswith(
        'yolox_nano\n'
        '    YOLOX-Nano, input [416, 416], COCO AP 25.8, Apache-2.0, not tried\n'
        '    https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/yolox_nano.onnx\n'
        '    SHA-256 not published by its maker\n'
    )


@pytest.mark.parametrize('row', model_rows().values(), ids=lambda row: row.name)
def test_every_row_says_where_it_was_read(row):
    assert row.address.startswith('https://')
    assert row.licence == 'Apache-2.0'
    assert row.tried == NOT_TRIED
    assert set(row.sources) >= {'address', 'licence', 'input'}
    assert ('sha256' in row.sources) == bool(row.sha256)
    assert not row.sha256 or (len(row.sha256) == 64 and int(row.sha256, 16))
    assert all(row.sources.values())


def test_the_coco_classes_are_those_of_the_shipped_model():
    from gremsy_detector.model.default_model import default_model_path

    metadata = {entry.key: entry.value for entry in onnx.load(str(default_model_path())).metadata_props}
    assert metadata['names'] == repr(dict(enumerate(COCO_CLASSES)))


def test_the_readmes_table_is_the_tables():
    listed = [[cell.strip('`') for cell in row] for row in rows(DOCUMENT, '## fetch_model')]
    told = []
    for row in model_rows().values():
        side = row.metadata['imgsz'].strip('[]').replace(', ', 'x')
        precision = 'people only' if row.average_precision is None else f'{row.average_precision:g}'
        told.append([row.name, side, precision, row.licence, bool(row.sha256), row.tried])
    assert [[*cells[:4], cells[4] != 'no', cells[5]] for cells in listed] == told


def test_the_readmes_options_are_those_of_the_tool(capsys):
    with pytest.raises(SystemExit):
        main(['--help'])
    shown = set(re.findall(r'^  (--\w+ [A-Z]+)', capsys.readouterr().out, re.MULTILINE))
    told = by_name(DOCUMENT, '## fetch_model', 1)
    assert set(told) == shown
    assert f'`{fetch_model.MIRROR_VARIABLE}`' in told['--mirror URL']
    timeout_s = re.findall(
        r"'--timeout',\s+type=given_number\([^)]*\),\s+default=([\d.]+)", inspect.getsource(fetch_model)
    )
    assert told['--timeout S'].endswith(f'(default {float(timeout_s[0]):g})')


@pytest.mark.parametrize('row', model_rows().values(), ids=lambda row: row.name)
def test_what_was_fetched_opens_in_the_detector_as_its_row_says(tmp_path, row):
    """A head of the row's kind, size and classes, random weights, no metadata: as the maker's files come."""
    pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')
    from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
    from gremsy_detector.detector import Detector
    from src.gremsy_detector.test import model_heads as heads

    side, _ = json.loads(row.metadata['imgsz'])
    layout = row.metadata.get('layout', 'detr')
    write = {
        'yolox': heads.write_yolox,
        'nanodet_plus': heads.write_nanodet_plus,
        'dets_labels': heads.write_rtmdet,
        'detr': heads.write_detr,
    }[layout]
    classes = len(ast.literal_eval(row.metadata['names']))
    content = write(tmp_path / 'head.onnx', (side, side), metadata={}, classes=classes).read_bytes()
    sent = archive_of(**{row.member: content}) if row.member else content
    target = tmp_path / f'{row.name}.onnx'
    with serving({urlsplit(row.address).path: send(sent)}) as server:
        fetched(target, server.base, row, sha256=hashlib.sha256(sent).hexdigest())
    detector = Detector(OnnxRuntimeBackend(target))
    model = detector.open()
    detector.close()
    fed = model.input
    assert (fed.width_px, fed.height_px, model.title) == (side, side, row.metadata['description'])
    assert fed.resize.value == row.metadata['resize']
    assert fed.bgr == (row.metadata.get('channel_order') == 'bgr')
    assert list(fed.mean) == json.loads(row.metadata.get('mean', '[0, 0, 0]'))
    assert list(fed.std) == json.loads(row.metadata.get('std', '[255, 255, 255]'))
    assert model.layout.name.lower() == ('two_outputs' if layout == 'detr' else layout)
    assert model.class_names == tuple(ast.literal_eval(row.metadata['names']).values())
