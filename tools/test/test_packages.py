# SPDX-License-Identifier: Apache-2.0
import pytest

from gremsy_tool.errors import GremsyError
from gremsy_tool.packages import find_packages, with_dependants


def write_package(repository, name, group='src', depends=(), files=()):
    folder = repository / group / name
    folder.mkdir(parents=True)
    lines = ''.join(f'<exec_depend>{other}</exec_depend>' for other in depends)
    (folder / 'package.xml').write_text(f'<package format="3"><name>{name}</name>{lines}</package>')
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text('x')
    return folder


@pytest.fixture
def camera(tmp_path):
    files = ['setup.py', 'config/camera.yaml', 'cam/core.py', 'launch/camera.launch.py', 'msg/Frame.msg', 'test/t.py']
    return write_package(tmp_path, 'cam', files=files)


def fingerprint(folder):
    return find_packages(folder.parents[1])[0].fingerprint


@pytest.mark.parametrize('file', ['package.xml', 'setup.py', 'msg/Frame.msg'])
def test_what_the_build_reads_asks_for_a_new_build(camera, file):
    before = fingerprint(camera)
    text = (camera / file).read_text()
    (camera / file).write_text(text.replace('</name>', '</name> ') + ' ')
    assert fingerprint(camera) != before


@pytest.mark.parametrize('file', ['config/other.yaml', 'launch/other.launch.py', 'msg/Other.msg'])
def test_a_new_data_file_asks_for_a_new_build(camera, file):
    before = fingerprint(camera)
    (camera / file).write_text('')
    assert fingerprint(camera) != before


@pytest.mark.parametrize(
    'file', ['cam/core.py', 'cam/new.py', 'config/camera.yaml', 'test/t.py', 'cam/__pycache__/core.pyc', '.hidden']
)
def test_what_is_linked_or_not_installed_asks_for_none(camera, file):
    before = fingerprint(camera)
    (camera / file).parent.mkdir(exist_ok=True)
    (camera / file).write_text('edited')
    assert fingerprint(camera) == before


def test_users_of_a_changed_interface_are_built_with_it(tmp_path):
    write_package(tmp_path, 'base_msgs', 'underlay', files=['CMakeLists.txt'])
    write_package(tmp_path, 'more_msgs', 'underlay', depends=['base_msgs'], files=['CMakeLists.txt'])
    write_package(tmp_path, 'node', depends=['more_msgs'])
    packages = find_packages(tmp_path)
    assert with_dependants(['base_msgs'], packages) == {'base_msgs', 'more_msgs'}
    assert with_dependants([], packages) == set()


def test_an_ignored_package_is_not_found(camera):
    (camera / 'COLCON_IGNORE').touch()
    assert find_packages(camera.parents[1]) == []


@pytest.mark.parametrize(
    ('text', 'sentence'), [('<package', 'is not valid XML'), ('<package/>', 'names no package: add its')]
)
def test_a_broken_manifest_is_named(camera, text, sentence):
    (camera / 'package.xml').write_text(text)
    with pytest.raises(GremsyError, match=sentence) as caught:
        find_packages(camera.parents[1])
    assert 'cam/package.xml' in str(caught.value)
