# SPDX-License-Identifier: Apache-2.0
"""What each package.xml names is what its code imports, and what rosdep and pip find.

rosdep_keys.yaml says where its rows are from; the versions are those of uv.lock, which the tests run with.
"""

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from catkin_pkg.package import parse_package
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).resolve().parents[2]
DISTROS = ['humble', 'jazzy', 'kilted', 'lyrical']
KEYS = yaml.safe_load((Path(__file__).parent / 'rosdep_keys.yaml').read_text())
MANIFESTS = sorted([*REPOSITORY.glob('src/*/package.xml'), *REPOSITORY.glob('underlay/*/package.xml')])

# Modules by another name than their key.
KEY_OF = {
    'cv2': 'python3-opencv',
    'fastapi': 'python3-fastapi',
    'gi': 'python3-gi',
    'httpx': 'python3-httpx',
    'numpy': 'python3-numpy',
    'onnxruntime': 'python3-onnxruntime-pip',
    'pydantic': 'python3-pydantic',
    'pymavlink': 'python3-pymavlink-pip',
    'scipy': 'python3-scipy',
    'serial': 'python3-serial',
    'starlette': 'python3-fastapi',
    'uvicorn': 'python3-uvicorn',
    'websockets': 'python3-websockets',
    'yaml': 'python3-yaml',
}
# Asked for where they are there, and missed in a sentence; pytest is its user's own, whose fixtures these are.
AT_WILL = {'aiortc', 'av', 'cuda', 'matplotlib', 'mavros_msgs', 'mcap', 'onnx', 'pytest', 'tensorrt', 'tensorrt_rtx'}


def depends(manifest, distro, kinds=('build', 'buildtool', 'exec', 'test')):
    package = parse_package(manifest)
    package.evaluate_conditions({'ROS_DISTRO': distro})
    lists = [getattr(package, f'{kind}_depends') for kind in kinds]
    return {each.name for found in lists for each in found if each.evaluated_condition}


def ours():
    return {parse_package(manifest).name for manifest in MANIFESTS if manifest.parts[-3] == 'src'}


@pytest.mark.parametrize('distro', DISTROS)
@pytest.mark.parametrize('manifest', MANIFESTS, ids=lambda path: path.parent.name)
def test_rosdep_resolves_every_key(manifest, distro):
    known = {*KEYS['ros'], *KEYS['apt'], *KEYS['pip'], *ours()}
    known |= {name for name, only in KEYS['ros_only_for'].items() if distro in only}
    assert depends(manifest, distro) - known == set()


def test_every_row_of_the_list_is_used():
    named = {name for manifest in MANIFESTS for name in depends(manifest, 'jazzy')}
    rows = {*KEYS['ros'], *KEYS['apt'], *KEYS['pip'], *KEYS['ros_only_for']}
    assert rows - named == set()


def imports_of(folder):
    for path in sorted(folder.rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition('.')[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition('.')[0]


@pytest.mark.parametrize('manifest', sorted(REPOSITORY.glob('src/*/package.xml')), ids=lambda path: path.parent.name)
def test_what_the_code_imports_is_named_in_package_xml(manifest):
    package = manifest.parent.name
    named = depends(manifest, 'jazzy', kinds=('exec',))
    used = {*imports_of(manifest.parent / package), *imports_of(manifest.parent / 'launch')}
    used -= {*sys.stdlib_module_names, *AT_WILL, package}
    assert {KEY_OF.get(module, module) for module in used} - named == set()


def constraints():
    lines = (REPOSITORY / 'constraints.txt').read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith('#')]


def held(version):
    """By package the version that pip takes on Python `version` on Linux, '' where it is a bound."""
    environment = {'python_version': version, 'python_full_version': f'{version}.0'}
    chosen = {}
    for each in constraints():
        if each.marker is None or each.marker.evaluate(environment):
            assert each.name not in chosen
            chosen[each.name] = str(each.specifier).removeprefix('==')
    return chosen


@cache
def lock():
    tomllib = pytest.importorskip('tomllib', reason='tomllib came with Python 3.11')
    return tomllib.loads((REPOSITORY / 'uv.lock').read_text())['package']


def locked(version):
    names = {each.name for each in constraints()}
    versions = {}
    for package in lock():
        if package['name'] not in names:
            continue
        markers = package.get('resolution-markers', [])
        # The lock has one for each Python and machine; they differ by Python only.
        fits = [marker for marker in markers if 'x86_64' in marker]
        if not markers or any(
            Requirement(f'x; {marker}').marker.evaluate(
                {
                    'python_version': version,
                    'python_full_version': f'{version}.0',
                    'platform_machine': 'x86_64',
                    'platform_python_implementation': 'CPython',
                    'sys_platform': 'linux',
                }
            )
            for marker in fits
        ):
            versions[package['name']] = package.get('version', '')
    return versions


@pytest.mark.parametrize('version', ['3.10', '3.11', '3.12', '3.13', '3.14'])
def test_pip_is_held_to_the_versions_that_are_tested(version):
    chosen = held(version)
    # The distributions' NumPy, not ours, and the newest OpenCV and SciPy that run with it.
    for name in ('numpy', 'opencv-python-headless', 'scipy'):
        chosen.pop(name, None)
    known = locked(version)
    assert chosen == {name: known[name] for name in chosen}


def test_pip_keeps_numpy_1_where_the_distribution_has_it():
    # Ubuntu 22.04 has Python 3.10 and NumPy 1.21, 24.04 has 3.12 and 1.26, 26.04 has 3.14 and 2 (packages.ubuntu.com).
    assert held('3.10')['numpy'] == held('3.12')['numpy'] == '<2'
    assert 'numpy' not in held('3.14')


def test_every_pip_key_that_a_robot_needs_is_held():
    test_only = {'mcap-ros2-support', 'rosbags'}
    assert set(KEYS['pip'].values()) - test_only - {each.name for each in constraints()} == set()


def test_rviz_is_not_needed_to_start():
    named = {name for manifest in MANIFESTS for name in depends(manifest, 'jazzy', kinds=('exec', 'build'))}
    assert not {name for name in named if re.search(r'rviz|matplotlib|torch|rqt', name)}


def test_the_image_that_is_tested_has_what_rosdep_would_install():
    image = REPOSITORY / 'docker' / 'image'
    steps = (image / 'steps').read_text()
    words = ' '.join(re.findall(r'^skipped_keys=[\'"](.*)[\'"]$', steps, re.MULTILINE)).split()
    skipped = set(words) - {'$skipped_keys'}
    asked = {name for manifest in MANIFESTS for name in depends(manifest, 'jazzy', kinds=('exec',))}
    lines = (image / 'debian_packages').read_text().splitlines()
    listed = {line for line in lines if not line.startswith('#')}
    # The one key of these that is named otherwise than its package.
    names = {{'gstreamer1.0': 'gstreamer1.0-tools'}.get(key, key) for key in asked & set(KEYS['apt']) - skipped}
    assert names <= listed
    # What is skipped is brought by pip, or is the suite's own, or is left out on purpose.
    brought = set(re.search(r"^python_packages='(.*)'$", steps, re.MULTILINE)[1].split())
    left_out = {'cv_bridge', 'gstreamer1.0-libav'}
    by_pip = {KEYS['pip'].get(key) or key.removeprefix('python3-') for key in skipped - left_out}
    assert {{'opencv': 'opencv-python-headless'}.get(name, name) for name in by_pip} == brought
