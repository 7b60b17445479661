# SPDX-License-Identifier: Apache-2.0
"""Which folders set-up takes for its own: there it replaces `venv`, `build`, `install` and `log`."""

import pytest

from gremsy_tool.errors import GremsyError
from gremsy_tool.layout import find_layout
from gremsy_tool.stamps import write_json
from gremsy_tool.state_folder import MARK_NAME, claim


def layout(root, distro=None):
    return find_layout({'GREMSY_STATE': str(root)}, distro, root.parent / 'repository')


def refusal_of(root):
    with pytest.raises(GremsyError) as caught:
        claim(layout(root))
    return str(caught.value)


@pytest.mark.parametrize('name', ['build', 'log', 'notes.txt'])
def test_a_folder_of_the_user_is_refused_and_stays_as_it_is(tmp_path, name):
    state = tmp_path / 'work'
    (state / name).mkdir(parents=True)
    assert refusal_of(state) == (
        f'GREMSY_STATE is {state}, which holds files that ./gremsy did not make, and set-up replaces folders there: '
        'set it to a new or an empty folder.'
    )
    assert [path.name for path in state.iterdir()] == [name]


def test_a_new_folder_is_marked_and_taken_again_with_what_set_up_put_there(tmp_path):
    claim(layout(tmp_path / 'state'))
    (tmp_path / 'state' / 'build').mkdir()
    claim(layout(tmp_path / 'state'))
    assert (tmp_path / 'state' / MARK_NAME).is_file()


def test_the_folder_is_one_for_every_ros(tmp_path):
    kilted = layout(tmp_path / 'state', 'kilted')
    claim(kilted)
    kilted.build.mkdir(parents=True)
    claim(layout(tmp_path / 'state'))


def test_an_empty_disk_will_do(tmp_path):
    (tmp_path / 'state' / 'lost+found').mkdir(parents=True)
    claim(layout(tmp_path / 'state'))


def test_a_mark_that_is_not_ours_marks_nothing(tmp_path):
    (tmp_path / 'state' / 'build').mkdir(parents=True)
    (tmp_path / 'state' / MARK_NAME).write_bytes(b'\xff\xfe')
    assert 'which holds files that ./gremsy did not make' in refusal_of(tmp_path / 'state')


@pytest.mark.parametrize('distro', ['jazzy', 'kilted'])
def test_a_workspace_from_before_the_mark_is_known_by_its_virtual_environment(tmp_path, distro):
    old = layout(tmp_path / 'state', distro)
    write_json(old.groups_file, {'path': str(old.venv)})
    claim(old)
    assert (tmp_path / 'state' / MARK_NAME).is_file()


def test_the_home_folder_is_refused_even_when_empty(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    assert refusal_of(tmp_path) == f'GREMSY_STATE is {tmp_path}, which cannot hold a workspace: set it to a new folder.'
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_its_place_is_named(tmp_path):
    (tmp_path / 'state').touch()
    assert refusal_of(tmp_path / 'state') == (
        f'The folder {tmp_path}/state cannot be written to (File exists): set GREMSY_STATE to one that can.'
    )
