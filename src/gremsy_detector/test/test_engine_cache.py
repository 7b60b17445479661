# SPDX-License-Identifier: Apache-2.0
"""The engine cache with a fake builder: what is built, what is found, what is never run, and what is left behind."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from gremsy_detector.backends.tensorrt import engine_cache
from gremsy_detector.backends.tensorrt.engine_cache import EngineCache, EngineRequest, default_engine_folder
from gremsy_detector.backends.tensorrt.engine_key import EngineTarget
from gremsy_detector.backends.tensorrt.tensorrt_kinds import FULL
from gremsy_detector.errors import ModelError
from src.gremsy_detector.test.tensorrt_fakes import NANO, ORIN, FakeBuilder, fake_prepare

PEOPLE = "{0: 'person', 1: 'car', 2: 'dog'}"


class Bench:
    """A folder, a model, a builder that counts, and what was said."""

    def __init__(self, folder, write_model):
        self.folder = folder
        self.write_model = write_model
        self.model = write_model(np.zeros((1, 7, 20)))
        self.builder = FakeBuilder()
        self.said = []
        self.prepared = []

    def prepare(self, model, precision, out_dir, *, calibration, check, say):
        self.prepared.append((precision, calibration))
        return fake_prepare(model, precision, out_dir, calibration=calibration, check=check, say=say)

    def cache(self, version='10.3.0', gpu=ORIN, builder=None, folder=None, kind=FULL):
        self.builder.version = version
        chosen = self.builder if builder is None else builder or None
        target = EngineTarget(kind, version, gpu)
        return EngineCache(folder or self.folder, target, chosen, self.prepare, self.said.append)

    def obtain(self, *, force=False, version='10.3.0', gpu=ORIN, builder=None, kind=FULL, **request):
        request.setdefault('model', self.model)
        return self.cache(version, gpu, builder, kind=kind).obtain(EngineRequest(**request), force=force)

    @property
    def builds(self):
        return len(self.builder.built)

    @property
    def engines(self):
        return sorted(path.name for path in self.folder.glob('*.engine'))

    @property
    def leftovers(self):
        return [each.name for each in self.folder.iterdir() if each.name.startswith('.') and each.suffix != '.lock']


@pytest.fixture
def bench(tmp_path, write_model):
    return Bench(tmp_path / 'engines', write_model)


@pytest.mark.parametrize(
    ('batch', 'images', 'shape'),
    [
        ('images', 1, (1, 3, 64, 64)),
        ('images', 4, (4, 3, 64, 64)),
        (1, 4, (1, 3, 64, 64)),
    ],
)
def test_an_engine_is_for_as_many_images_as_are_asked_for_and_the_file_takes(bench, batch, images, shape):
    model = bench.write_model(np.zeros((1, 7, 20)), input_shape=(batch, 3, 64, 64))
    built = bench.obtain(model=model, images=images)
    assert built.header.key.shape == shape
    assert bench.builder.built[-1][1].shape == shape
    # One for fewer images does not stand in for it, nor is it made useless by it.
    bench.obtain(model=model)
    assert bench.builds == (2 if shape[0] > 1 else 1)
    assert bench.obtain(model=model, images=images).path == built.path


def test_the_first_start_builds_and_the_second_finds(bench):
    first = bench.obtain()
    again = bench.obtain()
    assert bench.builds == 1
    assert again.path == first.path and again.plan == first.plan
    assert again.header.model == str(bench.model)
    assert again.metadata['names'] == PEOPLE
    assert [str(each) for each in again.header.inputs] == ['images float32 [1, 3, 64, 64]']
    assert bench.said[0] == (
        f'Building {first.path.name} with TensorRT 10.3.0: this takes minutes, and is kept for this GPU.'
    )
    assert bench.said[-1].startswith(f'Built {first.path} in 0 s, ')
    assert bench.leftovers == []


def test_a_model_that_moves_bytes_is_prepared_for_tensorrt_which_takes_them_only_into_a_cast(bench):
    image = {'input_shape': (1, 64, 64, 3), 'input_type': 'UINT8'}
    cast = bench.write_model(np.zeros((1, 7, 20)), name='cast.onnx', **image)
    moved = bench.write_model(np.zeros((1, 7, 20)), name='moved.onnx', reshape_input_to=(1, 64, 192), **image)
    assert bench.obtain(model=cast).header.precision == 'model'
    assert bench.prepared == []
    assert bench.obtain(model=moved).header.precision == 'model'
    assert bench.prepared == [('model', None)]


def test_a_found_engine_needs_no_builder(bench):
    bench.obtain()
    bench.obtain(builder=False)
    assert bench.builds == 1


def test_without_a_builder_and_an_engine_nothing_is_made(bench):
    with pytest.raises(ModelError, match='this machine has no TensorRT builder: install the full TensorRT'):
        bench.obtain(builder=False)
    assert not bench.folder.exists()


@pytest.mark.parametrize(
    'other',
    [{'version': '10.9.0'}, {'gpu': NANO}, {'precision': 'fp16'}, {'lean': True}],
    ids=['tensorrt', 'gpu', 'precision', 'lean'],
)
def test_another_machine_or_precision_builds_its_own_and_leaves_the_first(bench, other):
    bench.obtain()
    bench.obtain(**other)
    assert bench.builds == 2 and len(bench.engines) == 2
    bench.obtain()
    bench.obtain(**other)
    assert bench.builds == 2


def test_a_changed_model_is_built_anew_and_its_old_engine_goes(bench):
    old = bench.obtain()
    bench.write_model(np.ones((1, 7, 20)))
    new = bench.obtain()
    assert bench.builds == 2
    assert bench.engines == [new.path.name]
    assert bench.said[-2] == f'Removed {old.path.name}, which {new.path.name} replaces.'


def test_what_a_person_put_into_the_folder_stays(bench):
    old = bench.obtain()
    verdict = old.path.with_name(f'{old.path.stem}.tiny.fp16.onnx.agreement.json')
    verdict.touch()
    mine = [bench.folder / name for name in ('kept.engine', 'notes.txt', f'{old.path.stem}.mine.json', 'other.engine')]
    mine[0].write_bytes(old.path.read_bytes())
    for path in mine[1:]:
        path.write_text('mine')
    bench.write_model(np.ones((1, 7, 20)))
    bench.obtain()
    assert not old.path.exists() and not verdict.exists()
    assert all(path.exists() for path in mine)


def test_a_model_of_another_input_size_is_another_engine(bench):
    bench.obtain()
    bench.write_model(np.zeros((1, 7, 20)), input_shape=(1, 3, 32, 64))
    assert bench.obtain().header.key.shape == (1, 3, 32, 64)


def test_a_model_of_the_same_name_elsewhere_keeps_its_engine(bench, tmp_path):
    bench.obtain()
    elsewhere = tmp_path / 'other' / 'tiny.onnx'
    elsewhere.parent.mkdir()
    bench.write_model(np.ones((1, 7, 20))).rename(elsewhere)
    bench.obtain(model=elsewhere)
    assert len(bench.engines) == 2


def test_the_same_model_elsewhere_uses_the_engine_there_is(bench, tmp_path):
    bench.obtain()
    copy = tmp_path / 'renamed.onnx'
    copy.write_bytes(bench.model.read_bytes())
    bench.obtain(model=copy)
    assert bench.builds == 1


def test_a_lean_engine_serves_a_start_that_does_not_ask_for_one_also_under_a_later_version(bench):
    bench.obtain(lean=True)
    bench.obtain()
    bench.obtain(version='10.16.1', builder=False)
    assert bench.builds == 1


@pytest.mark.parametrize('damage', ['truncated', 'emptied', 'flipped', 'foreign', 'head'])
def test_a_damaged_engine_is_built_anew(bench, damage):
    path = bench.obtain().path
    whole = path.read_bytes()
    flipped = whole[:-1] + bytes([whole[-1] ^ 1])
    contents = {
        'truncated': whole[:-5],
        'emptied': b'',
        'flipped': flipped,
        'foreign': b'\x7fELF' * 99,
        'head': whole[:40],
    }
    path.write_bytes(contents[damage])
    assert bench.obtain().path == path
    assert bench.builds == 2
    assert bench.obtain().plan == bench.obtain(force=True).plan
    assert bench.builds == 3
    if damage in ('truncated', 'flipped'):
        assert any(sentence.endswith(' It is not used for tiny.onnx.') for sentence in bench.said)


def test_an_engine_is_known_by_its_head_and_not_by_its_name(bench):
    path = bench.obtain().path
    path.rename(path.with_name('renamed.engine'))
    bench.obtain()
    assert bench.builds == 1
    # The name of one engine on another's content is no way to get it run.
    bench.obtain(precision='fp16').path.replace(path)
    (bench.folder / 'renamed.engine').unlink()
    assert bench.obtain().header.key.precision == 'model'
    assert bench.builds == 3


@pytest.mark.parametrize('error', [ModelError('Model file x cannot be built.'), KeyboardInterrupt(), MemoryError()])
def test_a_build_that_ends_early_leaves_nothing(bench, error):
    bench.builder.error = error
    with pytest.raises(type(error)):
        bench.obtain(precision='fp16')
    assert bench.engines == [] and bench.leftovers == []
    bench.builder.error = None
    bench.obtain(precision='fp16')
    assert len(bench.engines) == 1


def test_a_rebuild_that_fails_leaves_the_old_engine(bench):
    path = bench.obtain().path
    before = path.read_bytes()
    bench.builder.error = ModelError('Model file x cannot be built.')
    with pytest.raises(ModelError):
        bench.obtain(force=True)
    assert path.read_bytes() == before
    assert bench.obtain().path == path


def test_what_a_killed_build_left_is_cleared_by_the_next(bench):
    bench.folder.mkdir()
    key = bench.cache().key_of(EngineRequest(bench.model))
    left = bench.folder / f'.build-{engine_cache._short(key)}-abc'
    left.mkdir()
    (left / 'half.engine').write_bytes(b'half')
    bench.obtain()
    assert bench.leftovers == []


def test_a_model_that_changes_while_it_is_built_is_not_kept_under_its_old_content(bench):
    build = bench.builder.build

    def changing(onnx, recipe, say):
        built = build(onnx, recipe, say)
        bench.write_model(np.ones((1, 7, 20)))
        return built

    bench.builder.build = changing
    with pytest.raises(ModelError) as refused:
        bench.obtain()
    assert str(refused.value) == (f'Model file {bench.model} changed while its engine was being built: start it again.')
    assert bench.engines == []


def test_force_builds_in_any_case(bench):
    bench.obtain()
    bench.obtain(force=True)
    assert bench.builds == 2 and len(bench.engines) == 1


def test_the_file_of_the_precision_is_built_and_its_metadata_kept(bench, tmp_path):
    frames = tmp_path / 'frames'
    bench.obtain(precision='int8', calibration=frames)
    assert bench.prepared == [('int8', frames)]
    assert bench.builder.built[0][0] != bench.model
    bench.obtain()
    assert bench.builder.built[1][0] == bench.model, "`model` builds the user's own file"


def test_an_unknown_precision_is_refused(bench):
    with pytest.raises(ModelError) as refused:
        bench.obtain(precision='fp4')
    assert str(refused.value) == "Precision 'fp4' is unknown: use one of model, fp32, fp16, int8."


def test_the_verdict_of_a_check_lies_beside_the_engine_and_goes_with_it(bench, tmp_path):
    first = bench.obtain(precision='int8', check=tmp_path / 'good')
    assert first.header.precision == 'int8'
    verdict = first.path.with_name(f'{first.path.stem}.tiny.int8.onnx.agreement.json')
    assert verdict.read_text() == '{"passed": true}'
    bench.write_model(np.ones((1, 7, 20)))
    bench.obtain(precision='int8')
    assert list(bench.folder.glob('*.json')) == []


def test_a_precision_that_lost_too_much_is_known_as_what_it_became(bench, tmp_path):
    engine = bench.obtain(precision='int8', check=tmp_path / 'spoiled')
    assert (engine.header.key.precision, engine.header.precision) == ('int8', 'fp16')
    assert bench.said[-2] == 'Building the engine.' and 'tiny.onnx runs in fp16.' in bench.said
    assert bench.obtain(precision='int8').header.precision == 'fp16'
    assert bench.builds == 1, 'the next start does not try int8 again'


def test_the_timing_cache_is_kept_per_version_and_gpu(bench):
    bench.obtain()
    bench.obtain(precision='fp16')
    bench.obtain(version='10.9.0')
    given = [recipe.timing_cache for _, recipe in bench.builder.built]
    assert given == [b'', b'timings', b'']
    assert sorted(each.name for each in bench.folder.glob('*.cache')) == [
        'timing-trt10.3.0-sm8.7.cache',
        'timing-trt10.9.0-sm8.7.cache',
    ]


def test_a_build_takes_no_more_than_a_quarter_of_the_gpus_memory(bench):
    bench.obtain(gpu=NANO)
    bench.obtain(gpu=replace(ORIN, memory_bytes=80 << 30))
    assert [recipe.workspace_bytes for _, recipe in bench.builder.built] == [NANO.memory_bytes // 4, 4 << 30]


def test_a_dynamic_model_is_built_for_the_size_it_states(bench):
    bench.write_model(np.zeros((1, 7, 20)), input_shape=('batch', 3, 'h', 'w'))
    bench.obtain()
    assert bench.builder.built[0][1].shape == (1, 3, 64, 64)


def test_two_threads_that_want_one_engine_build_it_once(bench):
    begun, go_on = threading.Event(), threading.Event()
    build = bench.builder.build

    def slow(onnx, recipe, say):
        begun.set()
        assert go_on.wait(30)
        return build(onnx, recipe, say)

    bench.builder.build = slow
    first, second = (threading.Thread(target=bench.obtain) for _ in range(2))
    first.start()
    assert begun.wait(30)
    second.start()
    waiting = 'Another process builds the engine of tiny.onnx: waiting for it.'
    while waiting not in bench.said:
        assert second.is_alive()
        time.sleep(0.01)
    go_on.set()
    first.join(30)
    second.join(30)
    assert bench.builds == 1 and len(bench.engines) == 1


def test_a_killed_process_does_not_keep_the_lock(bench):
    bench.folder.mkdir()
    key = bench.cache().key_of(EngineRequest(bench.model))
    lock = bench.folder / f'.{engine_cache._short(key)}.lock'
    code = 'import fcntl, sys, time; fcntl.flock(open(sys.argv[1], "w"), 2); print(1, flush=True); time.sleep(60)'
    other = subprocess.Popen([sys.executable, '-c', code, str(lock)], stdout=subprocess.PIPE)
    assert other.stdout.readline() == b'1\n'
    other.kill()
    other.wait()
    bench.obtain()
    assert bench.builds == 1


@pytest.mark.skipif(os.geteuid() == 0, reason='root writes everywhere')
def test_a_folder_without_permission_is_named(bench):
    bench.folder.mkdir(mode=0o500)
    with pytest.raises(ModelError) as refused:
        bench.obtain()
    assert str(refused.value) == (
        f'Engine folder {bench.folder} cannot be written (Permission denied): free space there, or set `engine_dir` '
        'to a folder that can.'
    )


def test_a_folder_that_is_a_file_is_named(bench):
    bench.folder.write_bytes(b'')
    with pytest.raises(ModelError) as refused:
        bench.obtain()
    assert str(refused.value) == (
        f'Engine folder {bench.folder} cannot be read (Not a directory): set `engine_dir` to another folder.'
    )


def test_a_full_disk_is_named_and_leaves_nothing(bench, monkeypatch):
    def full(*parts, **options):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(engine_cache, 'write_engine', full)
    with pytest.raises(ModelError, match=r'cannot be written \(No space left on device\): free space there'):
        bench.obtain()
    assert bench.engines == [] and bench.leftovers == []


def test_the_users_cache_folder_is_the_default(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert default_engine_folder() == tmp_path / 'gremsy' / 'engines'
    monkeypatch.setenv('XDG_CACHE_HOME', 'relative')
    monkeypatch.setenv('HOME', '/home/pilot')
    assert str(default_engine_folder()) == '/home/pilot/.cache/gremsy/engines'


def test_a_model_that_points_out_of_its_folder_never_reaches_the_builder(bench):
    onnx = pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')
    model = onnx.load(str(bench.model))
    weights = model.graph.initializer[0]
    weights.ClearField('raw_data')
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.external_data.add(key='location', value='../../etc/passwd')
    bench.model.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match='passwd'):
        bench.obtain()
    assert bench.builds == 0
    assert bench.engines == bench.leftovers == []
