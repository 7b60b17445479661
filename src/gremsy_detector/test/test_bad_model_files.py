# SPDX-License-Identifier: Apache-2.0
"""Whatever lies where the model should be: one sentence that names the file and the way out, never a crash."""

import os
import socket

import numpy as np
import pytest

from gremsy_detector.backends.onnxruntime_backend import BACKEND
from gremsy_detector.detector import Detector
from gremsy_detector.errors import ModelError
from gremsy_detector.model.default_model import default_model_path

onnxruntime = pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')

KNOWN_OUTPUTS = (
    '[1, 4+classes, N] (YOLOv8, 11, 26), [1, N, 4+classes] (transposed, or RT-DETR), [1, N, 6] (end-to-end), '
    '[1, N, 5+classes] (YOLOX), [1, N, classes+32] (NanoDet-Plus), two outputs [1, N, 4] and [1, N, classes] (DETR) or '
    '[1, N, 5] and [1, N] (MMDeploy), and three [1, N, 4], [1, N] and [1, N] (D-FINE)'
)


def refusal(path):
    with pytest.raises(ModelError) as refused:
        Detector(BACKEND(path)).open()
    return str(refused.value)


def test_a_missing_file_is_named_with_the_way_out(tmp_path):
    path = tmp_path / 'none.onnx'
    assert refusal(path) == (
        f"Model file {path} does not exist: set `model` to an existing file, or to 'default' for the one shipped."
    )


def test_a_folder_is_not_a_model(tmp_path):
    assert refusal(tmp_path) == f'Model file {tmp_path} is a folder: set `model` to a file in it.'


def test_an_empty_file_is_named(tmp_path):
    path = tmp_path / 'empty.onnx'
    path.touch()
    assert refusal(path) == f'Model file {path} is empty: copy or export it again.'


@pytest.mark.skipif(os.geteuid() == 0, reason='root reads every file')
def test_a_file_without_permission_is_named(tmp_path):
    path = tmp_path / 'secret.onnx'
    path.write_bytes(b'x')
    path.chmod(0)
    assert refusal(path) == (
        f'Model file {path} cannot be read (Permission denied): check its permissions and its disk.'
    )


@pytest.mark.parametrize('kind', ['pipe', 'socket', 'device', 'link_to_a_pipe'])
def test_what_is_no_file_is_refused_without_waiting_for_it(kind, tmp_path):
    path = tmp_path / 'm.onnx'
    said = kind
    if kind == 'pipe':
        os.mkfifo(path)
    elif kind == 'socket':
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    elif kind == 'device':
        path.symlink_to('/dev/zero')
    else:
        os.mkfifo(tmp_path / 'pipe')
        path.symlink_to('pipe')
        said = 'pipe'
    assert refusal(path) == f'Model file {path} is a {said}: set `model` to a regular file.'


def test_a_link_to_a_model_is_a_model_and_a_dangling_one_says_where_it_points(tmp_path):
    path = tmp_path / 'm.onnx'
    path.symlink_to(default_model_path())
    detector = Detector(BACKEND(path))
    assert len(detector.open().class_names) == 80
    detector.close()
    path.unlink()
    path.symlink_to('gone.onnx')
    assert refusal(path) == (
        f'Model file {path} is a link to gone.onnx, which does not exist: copy the file itself, or fix the link.'
    )


def test_a_link_to_itself_is_named(tmp_path):
    path = tmp_path / 'm.onnx'
    path.symlink_to('m.onnx')
    assert refusal(path) == (
        f'Model file {path} cannot be read (Too many levels of symbolic links): check its permissions and its disk.'
    )


def test_a_file_beyond_2_gb_is_refused_unread(tmp_path):
    path = tmp_path / 'm.onnx'
    with path.open('wb') as file:
        file.truncate(3_000_000_000)  # sparse: takes no disk
    assert refusal(path) == (
        f'Model file {path} has 3000000000 bytes, more than the 2 GB that an ONNX file may have: '
        'export it with external data, or take a smaller model.'
    )


FOREIGN = {
    b'<!DOCTYPE html><html>404</html>': 'a web page, perhaps the error page of a failed download',
    b'\xef\xbb\xbf\n<HTML><body>': 'a web page, perhaps the error page of a failed download',
    b'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7600000\n': (
        'a Git LFS pointer, not the file it points to (run git lfs pull)'
    ),
    b'\x89PNG\r\n\x1a\n' + bytes(50): 'a PNG image',
    b'PK\x03\x04' + bytes(50): 'a ZIP archive or a PyTorch .pt file (export it as ONNX)',
    b'\x1c\0\0\0TFL3' + bytes(50): 'a TensorFlow Lite model (export it as ONNX)',
    b'ftrt' + bytes(50): 'a TensorRT engine (name it .engine)',
    b'\x10\x02\0\0{"description": "Ultralytics"}': (
        'a TensorRT engine with metadata, as Ultralytics writes it (name it .engine)'
    ),
    b'<?xml version="1.0"?><net>': 'an XML file, perhaps an OpenVINO model (export it as ONNX)',
    b'{"message": "not found"}': 'a JSON text',
    b'this is not a model\n' * 50: 'a text',
    bytes(10_000): 'nothing but zeros, as a copy leaves that was cut short',
    b'\x7fELF' + bytes(50): 'a Linux program or library',
}


@pytest.mark.parametrize(('content', 'what'), FOREIGN.items(), ids=str)
def test_a_foreign_file_is_called_what_it_seems_to_be(content, what, tmp_path):
    path = tmp_path / 'm.onnx'
    path.write_bytes(content)
    assert refusal(path) == f'Model file {path} is not an ONNX model: it seems to be {what}.'


@pytest.mark.parametrize('share', [0.02, 0.5, 0.999])
def test_a_truncated_file_says_how_much_is_missing_at_least(share, tmp_path):
    whole = default_model_path().read_bytes()
    size = int(len(whole) * share)
    path = tmp_path / 'm.onnx'
    path.write_bytes(whole[:size])
    sentence = refusal(path)
    start = f'Model file {path} is truncated or corrupt: it has {size} bytes, and at least '
    assert sentence.startswith(start)
    missing, end = sentence[len(start) :].split(' ', 1)
    assert end == 'are missing, so copy or export it again.'
    assert 0 < int(missing) <= len(whole) - size


@pytest.mark.parametrize(
    ('content', 'what'),
    [
        (b'\x08', 'is truncated or corrupt: it has 1 bytes, and at least 1 are missing'),
        (b'\x08\x08', 'is corrupt or not ONNX (it has no graph)'),
        (b'\x3a\x00', 'is corrupt or not ONNX (it has no graph)'),
        (b'\x00\x01', 'is corrupt or not ONNX (it has a field number 0)'),
        (b'\x0b\x01', 'is corrupt or not ONNX (it has a wire type 3)'),
        (b'\x08' + b'\xff' * 11, 'is corrupt or not ONNX (it has a number of more than 10 bytes)'),
        (b'\x08\x01' * 2_000_001, 'is corrupt or not ONNX (it has more than 2000000 fields)'),
    ],
)
def test_a_file_that_is_no_such_message_is_named(content, what, tmp_path):
    path = tmp_path / 'm.onnx'
    path.write_bytes(content)
    assert refusal(path) == f'Model file {path} {what}, so copy or export it again.'


def test_nesting_without_end_is_refused(tmp_path):
    def field(number, content):
        length, size = b'', len(content)
        while size >= 128:
            length, size = length + bytes([size % 128 | 128]), size // 128
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    graph = b''
    for _ in range(1000):
        graph = field(1, field(5, field(6, graph)))  # a node's attribute's graph
    path = tmp_path / 'm.onnx'
    path.write_bytes(b'\x08\x08' + field(7, graph))
    assert refusal(path) == (
        f'Model file {path} is corrupt or not ONNX (it nests deeper than 32 messages), so copy or export it again.'
    )


def test_random_bytes_are_refused_in_a_sentence_that_names_the_file(tmp_path):
    path = tmp_path / 'm.onnx'
    for seed in range(50):
        path.write_bytes(b'\x99' + np.random.default_rng(seed).bytes(5000))
        sentence = refusal(path)
        assert sentence.startswith(f'Model file {path} is ')
        assert sentence.endswith('so copy or export it again.')


def test_a_model_of_another_kind_is_refused_with_what_it_answers(write_model):
    path = write_model(np.zeros((1, 1000)))
    assert refusal(path) == (
        f'Model file {path} answers with the outputs [1, 1000] and has 3 class names: supported are {KNOWN_OUTPUTS}.'
    )


def test_a_model_whose_names_do_not_fit_its_output_is_refused(write_model):
    path = write_model(np.zeros((1, 84, 100)))
    assert refusal(path) == (
        f'Model file {path} answers with the outputs [1, 84, 100] and has 3 class names: supported are {KNOWN_OUTPUTS}.'
    )


def test_a_model_that_takes_no_image_is_refused(write_model):
    path = write_model(np.zeros((1, 7, 100)), input_shape=(1, 10))
    assert refusal(path) == (
        f'Model file {path} has the inputs images float32 [1, 10]: one input is supported, '
        '[1, 3, height, width] float32, float16 or uint8, or [1, height, width, 3] uint8.'
    )


def test_a_model_that_asks_for_an_absurd_image_is_refused_before_memory_is(write_model):
    path = write_model(np.zeros((1, 7, 100)), input_shape=(1, 3, 200000, 200000))
    assert refusal(path) == (
        f'Model file {path} asks for an input of 200000x200000 pixels: export it with a side of at most 4096.'
    )


def test_a_model_that_loads_but_does_not_run_is_refused(write_model):
    path = write_model(np.zeros((1, 7, 100)), input_shape=('batch', 3, 'h', 'w'), reshape_input_to=(1, 3, 32, 32))
    sentence = refusal(path)
    assert sentence.startswith(
        f'Model file {path} loads but does not run on an input of [1, 3, 64, 64] (onnxruntime failed on {path}: '
    )
    assert sentence.endswith('): export it again, or free memory if that is what it lacks.')


def test_an_answer_that_no_memory_holds_is_refused_before_it_is_made(write_model):
    path = write_model(np.zeros((1, 7, 100)), output_shape=(1, 7, 40_000_000))
    assert refusal(path) == (
        f'Model file {path} has a tensor of [1, 7, 40000000], more than 268435456 numbers: '
        'export it for a smaller image.'
    )


@pytest.fixture
def edit_model(write_model):
    """A function that changes a small model through the onnx package and writes it."""
    onnx = pytest.importorskip('onnx')

    def edit(change, path=None):
        path = path or write_model(np.zeros((1, 7, 20)))
        model = onnx.load(write_model(np.zeros((1, 7, 20)), name='whole.onnx'))
        change(model, onnx)
        path.write_bytes(model.SerializeToString())
        return path

    return edit


def version():
    return f'ONNX Runtime {onnxruntime.__version__}'


def test_a_sparse_tensor_that_unfolds_beyond_memory_is_refused(edit_model):
    def change(model, onnx):
        sparse = model.graph.sparse_initializer.add()
        sparse.dims.extend([2**20, 2**20])

    path = edit_model(change)
    assert refusal(path) == (
        f'Model file {path} has a tensor of [1048576, 1048576], more than 268435456 numbers: '
        'export it for a smaller image.'
    )


def test_a_file_of_a_newer_format_says_what_is_read(edit_model):
    path = edit_model(lambda model, onnx: setattr(model, 'ir_version', 999))
    sentence = refusal(path)
    assert sentence.startswith(f'Model file {path} has ONNX format version 999, and {version()} reads up to ')
    assert sentence.endswith(': export it with an older onnx package, or update ONNX Runtime.')


def test_a_newer_opset_says_what_is_known(edit_model):
    path = edit_model(lambda model, onnx: setattr(model.opset_import[0], 'version', 999))
    sentence = refusal(path)
    assert sentence.startswith(f'Model file {path} uses opset 999, and {version()} knows up to ')
    assert sentence.endswith(' or less, or update ONNX Runtime.')


def test_an_operator_that_the_runtime_lacks_is_named(edit_model):
    def change(model, onnx):
        model.graph.node[-1].op_type, model.graph.node[-1].domain = 'Secret', 'com.example'
        model.opset_import.add(domain='com.example', version=1)

    path = edit_model(change)
    assert refusal(path) == (
        f"Model file {path} uses the operator 'com.example:Secret', which {version()} does not have: "
        'export it with standard operators only.'
    )


def external(location, **more):
    def change(model, onnx):
        tensor = model.graph.initializer[0]
        tensor.ClearField('raw_data')
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key='location', value=str(location))
        for key, value in more.items():
            tensor.external_data.add(key=key, value=value)

    return change


NEEDED = 7 * 20 * 4
ONLY = 'weights may lie only beside the model, in its own folder'


@pytest.mark.parametrize(
    ('location', 'more', 'what'),
    [
        ('../secret', {}, f"'../secret', outside its folder: {ONLY}"),
        ('sub/../../secret', {}, f"'sub/../../secret', outside its folder: {ONLY}"),
        ('/etc/passwd', {}, f"'/etc/passwd': {ONLY}"),
        ('link', {}, f"'link', outside its folder: {ONLY}"),
        ('', {}, f"'': {ONLY}"),
        ('*/_ORT_MEM_ADDR_/*', {'offset': '4096', 'length': str(NEEDED)}, (
            "'*/_ORT_MEM_ADDR_/*', which cannot be read (No such file or directory): "
            'copy that file too, or export the model in one file'
        )),
        ('gone.bin', {}, (
            "'gone.bin', which cannot be read (No such file or directory): "
            'copy that file too, or export the model in one file'
        )),
        ('pipe', {}, "'pipe', which is no regular file"),
        ('weights.bin', {'offset': '560', 'length': '560'}, (
            f"'weights.bin', which has {NEEDED} bytes, fewer than the model asks for: "
            'copy it again, or export the model in one file'
        )),
        ('weights.bin', {'offset': '-5'}, (
            f"'weights.bin', which has {NEEDED} bytes, fewer than the model asks for: "
            'copy it again, or export the model in one file'
        )),
    ],
)  # fmt: skip
def test_weights_outside_the_models_folder_or_not_there_are_refused(location, more, what, edit_model, tmp_path):
    (tmp_path / 'secret').write_bytes(bytes(NEEDED))
    folder = tmp_path / 'models'
    folder.mkdir()
    (folder / 'weights.bin').write_bytes(bytes(NEEDED))
    (folder / 'link').symlink_to('../secret')
    os.mkfifo(folder / 'pipe')
    path = edit_model(external(location, **more), folder / 'm.onnx')
    assert refusal(path) == f'Model file {path} keeps weights in {what}.'


def test_weights_in_a_nested_graph_are_found_too(edit_model, tmp_path):
    def change(model, onnx):
        inner = onnx.helper.make_tensor('inner', onnx.TensorProto.FLOAT, [1], [0.0])
        inner.data_location = onnx.TensorProto.EXTERNAL
        inner.external_data.add(key='location', value='/etc/passwd')
        body = onnx.helper.make_graph([onnx.helper.make_node('Constant', [], ['c'], value=inner)], 'body', [], [])
        model.graph.node.append(onnx.helper.make_node('If', ['x'], ['y'], then_branch=body, else_branch=body))

    path = edit_model(change)
    assert refusal(path) == f"Model file {path} keeps weights in '/etc/passwd': {ONLY}."


def test_a_location_that_is_stated_twice_is_refused(edit_model, tmp_path):
    def change(model, onnx):
        external('weights.bin')(model, onnx)
        model.graph.initializer[0].external_data.add(key='location', value='/etc/passwd')

    path = edit_model(change)
    assert refusal(path) == (
        f"Model file {path} is corrupt or not ONNX (it states 'location' of external data twice), "
        'so copy or export it again.'
    )


def test_weights_beside_the_model_are_read(edit_model, tmp_path):
    weights = np.zeros((7, 20), np.float32)
    weights[:5, 0] = [30, 30, 20, 20, 0.9]
    (tmp_path / 'weights.bin').write_bytes(weights.tobytes())
    detector = Detector(BACKEND(edit_model(external('weights.bin', length=str(NEEDED)))))
    assert detector.open().box_count == 20
    detector.close()
