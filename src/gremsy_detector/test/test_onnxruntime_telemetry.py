# SPDX-License-Identifier: Apache-2.0
"""Nothing of the suite lets ONNX Runtime write its device id and its queue of events for its maker."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')

REPOSITORY = Path(__file__).resolve().parents[3]
# Runs where the suite is not installed.
THROW_AWAY = 'benchmarks/make_ultralytics_cases.py'
LOADER = 'src/gremsy_detector/gremsy_detector/backends/onnxruntime_providers.py'

OPEN_THE_DEFAULT_MODEL = (
    'from gremsy_detector.backends.backend_registry import choose_backend\n'
    'from gremsy_detector.model.default_model import default_model_path\n'
    'path = default_model_path()\n'
    "backend = choose_backend(path, 'onnxruntime')(path)\n"
    'backend.open()\n'
    'backend.close()\n'
)


def files_written(home, code, **setting):
    env = {name: value for name, value in os.environ.items() if not name.startswith(('ORT_', 'XDG_'))}
    subprocess.run([sys.executable, '-c', code], env={**env, 'HOME': str(home), **setting}, check=True, timeout=100)
    return sorted(path.name for path in home.rglob('*') if path.is_file())


def test_opening_a_model_leaves_nothing_in_the_users_home(tmp_path):
    assert files_written(tmp_path, OPEN_THE_DEFAULT_MODEL) == []


def test_a_user_who_wants_it_keeps_it(tmp_path):
    # What it writes where nobody forbids it, with 1.32: without that, the test above would say nothing.
    by_its_import = files_written(tmp_path / 'bare', 'import onnxruntime')
    if by_its_import != ['deviceid', 'onnxruntime.db']:
        pytest.skip(f'this build of ONNX Runtime writes {by_its_import or "nothing"} by itself')
    assert files_written(tmp_path / 'own', OPEN_THE_DEFAULT_MODEL, ORT_DISABLE_TELEMETRY='0') == by_its_import


def test_one_module_alone_imports_it():
    imports = re.compile(
        r"""\bimport (\w+, *)*onnxruntime\b|\bfrom onnxruntime\b|(import_module|__import__)\(['"]onnxruntime['"]"""
    )
    found = set()
    for folder in ('src', 'tools', 'benchmarks', 'underlay'):
        for path in (REPOSITORY / folder).rglob('*.py'):
            # Tests import it under conftest.py, which sets the same.
            if 'test' not in path.parts and imports.search(path.read_text(encoding='utf-8')):
                found.add(str(path.relative_to(REPOSITORY)))
    assert found == {LOADER, THROW_AWAY}
    assert "os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')" in (REPOSITORY / THROW_AWAY).read_text()
