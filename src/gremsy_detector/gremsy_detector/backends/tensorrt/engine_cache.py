# SPDX-License-Identifier: Apache-2.0
"""A folder of engines: finds the one that fits, builds it where there is none, and keeps it whole.

Processes that want the same engine at once build it once: the key's file lock is held while one builds. Of one model
file, the engines that a new one makes useless go: those of an older content, all else being equal. Engines of other
models, precisions, shapes, GPUs and TensorRT versions stay, so a folder may be shared between machines and containers.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from gremsy_common.atomic_file import write_whole
from gremsy_common.claims import try_lock
from gremsy_detector.backends.backend import say_nothing
from gremsy_detector.backends.gpu.graph_maker import (
    FORM,
    GpuGraphs,
    GraphRefused,
    installed_graphs,
    keep_refusal,
    refuse_again,
)
from gremsy_detector.backends.tensorrt.engine_builder import BuildRecipe, BuiltEngine, EngineBuilder, PrecisionStep
from gremsy_detector.backends.tensorrt.engine_file import (
    EngineFile,
    EngineHeader,
    read_engine,
    read_header,
    write_engine,
)
from gremsy_detector.backends.tensorrt.engine_key import PRECISIONS, EngineKey, EngineTarget, sha256_of_model
from gremsy_detector.backends.tensorrt.kernel_file import KERNELS_SUFFIX
from gremsy_detector.errors import ModelError
from gremsy_detector.model.model_description import describe_input
from gremsy_detector.model.model_facts import ModelFacts
from gremsy_detector.model.onnx_facts import moves_bytes, read_onnx_facts
from gremsy_detector.model.onnx_file_check import check_onnx_file

_LOOK_AGAIN_S = 0.5
_MOST_WORKSPACE_BYTES = 4 << 30
PICTURE = 'picture'
"""Name and `EngineKey.graph` of the engines that make a network's input of pictures."""
# Of four cameras with tiles; 0.1 MB each.
_MOST_FRONTS = 80


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """Which engine is wanted.

    Attributes:
        model: the ONNX file.
        precision: one of `PRECISIONS`.
        lean: see `EngineKey.lean`; an engine that is lean serves a request that does not ask for it, too.
        images: how many images a run may have, where the file leaves the number open.
        best_boxes: whether the best boxes are to be chosen in the graph, where that can be.
        calibration: frames for int8, looked at only when it is built.
        check: frames on which the prepared model is held against the user's, looked at only when it is built.
    """

    model: Path
    precision: str = 'model'
    lean: bool = False
    images: int = 1
    best_boxes: bool = False
    calibration: Path | None = None
    check: Path | None = None


class EngineCache:
    """The engines in one folder, for one TensorRT and what it builds for."""

    def __init__(
        self,
        folder: Path,
        target: EngineTarget,
        builder: EngineBuilder | None,
        prepare: PrecisionStep,
        say: Callable[[str], None] = say_nothing,
        graphs: Callable[[], GpuGraphs] = installed_graphs,
    ) -> None:
        """Nothing is read or made yet.

        Args:
            folder: made when the first engine is built.
            target: what will run the engines.
            builder: None where there is none: then engines are only found.
            prepare: makes the ONNX file of a precision other than `model`.
            say: takes sentences on progress.
            graphs: gives what rewrites graphs, looked for when it is needed.
        """
        self._folder = folder
        self._target = target
        self._builder = builder
        self._prepare = prepare
        self._say = say
        self._graphs = graphs

    def key_of(self, request: EngineRequest) -> EngineKey:
        """What the wanted engine is built from and for.

        Raises:
            ModelError: when the model cannot be read or takes no image.
        """
        if request.precision not in PRECISIONS:
            raise ModelError(f"Precision '{request.precision}' is unknown: use one of {', '.join(PRECISIONS)}.")
        if request.lean and self._target.kind.portable:
            raise ModelError(f'{self._target.kind.title} has no lean engines: build one that is not lean.')
        facts = read_onnx_facts(request.model)
        graph = f'best{FORM}' if request.best_boxes else ''
        shape = _shape_of(facts, request.images)
        return self._key(sha256_of_model(request.model), request.precision, shape, lean=request.lean, graph=graph)

    def obtain(self, request: EngineRequest, *, force: bool = False) -> EngineFile:
        """The engine, whole and checked; built when there is none, or with `force` in any case.

        Its header says what it computes in: a precision that loses too much is given up for the next finer one. Where
        the graph cannot be rewritten, it is that of the file as it is.

        Raises:
            ModelError: when there is none and none can be built; nothing half-written is left.
        """
        if not request.best_boxes:
            return self._obtain(request, force)
        try:
            return self._obtain(request, force)
        except ModelError as refusal:
            # There may be an engine of the file as it is, from before or from elsewhere.
            file = self._obtain(replace(request, best_boxes=False), force)
            return replace(file, as_it_is=str(refusal).rstrip('. '))

    def picture_front(self, graph: bytes, shape: tuple[int, ...]) -> EngineFile:
        """The engine that makes a network's input of pictures, kept like all others.

        Args:
            graph: an ONNX file of its own.
            shape: of what it takes.

        Raises:
            ModelError: when there is none and none can be built.
        """
        key = self._key(hashlib.sha256(graph).hexdigest(), 'model', shape, graph=PICTURE)
        found = self._find(PICTURE, key)
        if found is not None:
            return found
        if self._builder is None:
            raise ModelError('this machine has no TensorRT builder')
        with self._locked(key, PICTURE):
            # The previous holder of the lock may have built this very engine.
            found = self._find(PICTURE, key)
            return found if found is not None else self._build_front(self._builder, graph, key)

    def _key(
        self, model_sha256: str, precision: str, shape: tuple[int, ...], *, lean: bool = False, graph: str = ''
    ) -> EngineKey:
        return EngineKey(
            model_sha256=model_sha256,
            tensorrt_version=self._target.version,
            gpu=self._target.gpu,
            compute_capability=self._target.compute_capability,
            precision=precision,
            shape=shape,
            lean=lean,
            kind=self._target.kind.name,
            graph=graph,
        )

    def _obtain(self, request: EngineRequest, force: bool) -> EngineFile:
        key = self.key_of(request)
        found = None if force else self._find(request.model.name, key)
        if found is not None:
            return found
        if request.best_boxes:
            self._refuse_to_rewrite(key)
            if not force:
                refuse_again(self._refusal_of(request, key))
        if self._builder is None:
            raise ModelError(
                f'Model file {request.model} has no engine in {self._folder} for {self._target.title} on '
                f'{self._target.gpu}, and this machine has no TensorRT builder: install the full TensorRT, or build '
                'it with `build_engine --lean` on a machine with the same GPU and copy it there.'
            )
        with self._locked(key, request.model.name):
            # The previous holder of the lock may have built this very engine.
            found = None if force else self._find(request.model.name, key)
            return found if found is not None else self._build(self._builder, request, key)

    def _find(self, model: str, key: EngineKey) -> EngineFile | None:
        """A whole engine that serves the key; damaged ones are skipped, and replaced by the build that follows."""
        for path in sorted(self._engines()):
            header = read_header(path)
            if header is None or not header.key.serves(key):
                continue
            try:
                return read_engine(path)
            except ModelError as error:
                self._say(f'{error} It is not used for {model}.')
        return None

    def _build(self, builder: EngineBuilder, request: EngineRequest, key: EngineKey) -> EngineFile:
        # TensorRT's parser opens whatever file a model points to.
        check_onnx_file(request.model)
        started_s = time.monotonic()
        with self._scratch(key) as scratch:
            onnx, precision = self._prepared(request, scratch)
            if request.best_boxes:
                onnx = self._rewritten(request, key, onnx, scratch)
            facts = read_onnx_facts(onnx)
            kept = 'kept' if self._target.kind.portable else 'kept for this GPU'
            self._say(
                f'Building {key.file_name(request.model.stem)} with {self._target.title}: this takes '
                f'{self._target.kind.build_takes}, and is {kept}.'
            )
            timings = self._folder / f'timing-trt{self._target.version}-sm{self._target.compute_capability}.cache'
            recipe = BuildRecipe(
                shape=_shape_of(facts, request.images),
                lean=request.lean,
                compute_capability=key.compute_capability,
                workspace_bytes=self._workspace_bytes(),
                timing_cache=_content_or_nothing(timings),
            )
            built = builder.build(onnx, recipe, self._say)
            if sha256_of_model(request.model) != key.model_sha256:
                raise ModelError(
                    f'Model file {request.model} changed while its engine was being built: start it again.'
                )
            with self._disk_errors_named():
                path = self._write(built, key, precision, str(request.model.resolve()), facts.metadata, scratch)
                for verdict in scratch.glob('*.json'):
                    write_whole(path.with_name(f'{path.stem}.{verdict.name}'), verdict.read_bytes(), scratch=scratch)
                if built.timing_cache:
                    write_whole(timings, built.timing_cache, scratch=scratch)
        file = replace(read_engine(path), fresh=True)
        assert file.header is not None
        self._prune(path, file.header)
        self._say(f'Built {path} in {time.monotonic() - started_s:.0f} s, {len(built.plan) / 1e6:.1f} MB.')
        return file

    def _build_front(self, builder: EngineBuilder, graph: bytes, key: EngineKey) -> EngineFile:
        with self._scratch(key) as scratch, self._disk_errors_named():
            onnx = scratch / f'{PICTURE}.onnx'
            onnx.write_bytes(graph)
            recipe = BuildRecipe(
                key.shape, compute_capability=key.compute_capability, workspace_bytes=self._workspace_bytes()
            )
            built = builder.build(onnx, recipe, say_nothing)
            path = self._write(built, key, 'model', PICTURE, {}, scratch)
            # A source that changes its size for ever must not fill the disk.
            fronts = [each for each in self._engines() if (head := read_header(each)) and head.key.graph == PICTURE]
            for old in sorted(fronts, key=lambda each: each.stat().st_mtime_ns)[:-_MOST_FRONTS]:
                old.unlink(missing_ok=True)
        return read_engine(path)

    def _write(
        self, built: BuiltEngine, key: EngineKey, precision: str, model: str, metadata: Mapping[str, str], scratch: Path
    ) -> Path:
        header = EngineHeader(
            key=key,
            precision=precision,
            model=model,
            inputs=built.inputs,
            outputs=built.outputs,
            metadata=dict(metadata),
            built_at=datetime.now(timezone.utc).isoformat(timespec='seconds'),
        )
        path = self._folder / key.file_name(Path(model).stem)
        write_engine(path, header, built.plan, scratch)
        return path

    def _refuse_to_rewrite(self, key: EngineKey) -> None:
        """Before anything is prepared, which takes seconds to minutes.

        Raises:
            ModelError: when no graph can be made here.
        """
        if key.shape[0] > 1:
            raise ModelError('it takes several images at a time')
        if self._builder is None:
            raise ModelError('this machine has no TensorRT builder')
        self._graphs()

    def _rewritten(self, request: EngineRequest, key: EngineKey, onnx: Path, scratch: Path) -> Path:
        try:
            return self._graphs().engine_model(onnx, scratch)
        except GraphRefused as refusal:
            keep_refusal(self._refusal_of(request, key), refusal, self._say)
            raise

    def _refusal_of(self, request: EngineRequest, key: EngineKey) -> Path:
        """Where it is kept that the graph for this key was refused."""
        return self._folder / f'{key.file_name(request.model.stem)}.refused.json'

    def _workspace_bytes(self) -> int:
        """A Jetson's GPU shares the machine's memory: a build that takes all of it gets the node killed."""
        gpu = self._target.hardware
        return 0 if gpu is None else min(_MOST_WORKSPACE_BYTES, gpu.memory_bytes // 4)

    def _prepared(self, request: EngineRequest, scratch: Path) -> tuple[Path, str]:
        """The file to build, and what it computes in."""
        own = request.precision == 'model'
        if own and not moves_bytes(request.model):
            return request.model, request.precision
        prepared = self._prepare(
            request.model,
            request.precision,
            scratch,
            calibration=request.calibration,
            check=request.check,
            say=self._say,
        )
        self._say(prepared.sentence)
        return prepared.path, request.precision if own else prepared.precision

    def _prune(self, kept: Path, header: EngineHeader) -> None:
        """Remove the engines that the new one supersedes; see the module's docstring for which."""
        for path in self._engines():
            old = read_header(path)
            if path == kept or old is None or old.model != header.model:
                continue
            if path.name != old.key.file_name(Path(old.model).stem):
                # Renamed or copied by somebody who wants to keep it.
                continue
            if replace(old.key, model_sha256=header.key.model_sha256) == header.key:
                with contextlib.suppress(OSError):
                    path.unlink()
                    for ending in ('.agreement.json', KERNELS_SUFFIX):
                        for beside in self._folder.glob(f'{glob.escape(path.stem)}.*{ending}'):
                            beside.unlink()
                    self._say(f'Removed {path.name}, which {kept.name} replaces.')

    def _engines(self) -> Iterator[Path]:
        try:
            names = sorted(entry.name for entry in os.scandir(self._folder) if entry.name.endswith('.engine'))
        except FileNotFoundError:
            return
        except OSError as error:
            raise ModelError(
                f'Engine folder {self._folder} cannot be read ({error.strerror}): set `engine_dir` to another folder.'
            ) from error
        yield from (self._folder / name for name in names if not name.startswith('.'))

    @contextlib.contextmanager
    def _locked(self, key: EngineKey, model: str) -> Iterator[None]:
        """Hold the key's lock; the kernel frees it however the process ends. The file stays (see `InstanceLock`)."""
        with self._disk_errors_named():
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._folder / f'.{_short(key)}.lock', os.O_RDWR | os.O_CREAT, 0o644)
        try:
            waiting = False
            while not try_lock(descriptor):
                if not waiting:
                    self._say(f'Another process builds the engine of {model}: waiting for it.')
                    waiting = True
                time.sleep(_LOOK_AGAIN_S)
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _scratch(self, key: EngineKey) -> Iterator[Path]:
        """A temporary folder for the build; leftovers of a killed build of this key are removed first."""
        prefix = f'.build-{_short(key)}-'
        with self._disk_errors_named():
            for left in self._folder.glob(f'{prefix}*'):
                shutil.rmtree(left, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=self._folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def _disk_errors_named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ModelError(
                f'Engine folder {self._folder} cannot be written ({error.strerror}): free space there, or set '
                '`engine_dir` to a folder that can.'
            ) from error


def default_engine_folder() -> Path:
    """The user's cache folder.

    Raises:
        ModelError: when the user has no home, as some services.
    """
    base = os.environ.get('XDG_CACHE_HOME', '')
    try:
        return (Path(base) if base.startswith('/') else Path.home() / '.cache') / 'gremsy' / 'engines'
    except RuntimeError as error:
        raise ModelError('There is no home folder to keep engines in: set `engine_dir`.') from error


def _short(key: EngineKey) -> str:
    return hashlib.sha256(key.file_name('').encode()).hexdigest()[:16]


def _shape_of(facts: ModelFacts, images: int) -> tuple[int, ...]:
    """Of the largest input of the engine: the file's own number of images where it has one."""
    shape = describe_input(facts).shape
    return shape if isinstance(facts.inputs[0].shape[0], int) else (images, *shape[1:])


def _content_or_nothing(path: Path) -> bytes:
    """A timing cache only saves time: one that cannot be read is as good as none."""
    try:
        return path.read_bytes()
    except OSError:
        return b''
