# SPDX-License-Identifier: Apache-2.0
"""`./gremsy clean` removes what the suite made, when it is told to, and nothing of anybody else's."""

import os

import pytest

from gremsy_tool.clean import clean, leftovers
from gremsy_tool.errors import GremsyError
from gremsy_tool.layout import find_layout
from gremsy_tool.state_folder import claim


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A checkout that was set up and used, and what lies beside it."""
    env = {'GREMSY_STATE': str(tmp_path / 'state'), 'XDG_CACHE_HOME': str(tmp_path / 'cache'), 'TMPDIR': str(tmp_path)}
    layout = find_layout(env, None, tmp_path / 'checkout')
    claim(layout)
    for path in (
        'state/venv/bin/python',
        'checkout/src/gremsy_x/__pycache__/x.pyc',
        'checkout/src/gremsy_x/x.py',
        'checkout/gremsy_report/one/demo.mp4',
        'checkout/my_robot.yaml',
        'cache/gremsy/vtest.avi',
        'cache/gremsy/engines/a.engine',
        'cache/gremsy/of_the_user.onnx',
        'cache/uv/wheel',
        'cache/matplotlib/fontlist-v3.11.0.json',
        'cache/Microsoft/DeveloperTools/.onnxruntime/deviceid',
        'cache/other/thing',
        f'gremsy-{os.getuid()}/node.lock',
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(bytes(5000))
    monkeypatch.chdir(tmp_path / 'checkout')
    return layout, env


def there(tmp_path):
    return sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob('*') if path.is_file())


def test_without_yes_it_lists_and_removes_nothing(machine, tmp_path, capsys):
    layout, env = machine
    before = there(tmp_path)
    assert clean([], layout, env) == 0
    assert there(tmp_path) == before
    said = capsys.readouterr().out
    for each in leftovers(layout, env):
        assert str(each.path) in said or each.path.name == '__pycache__'
    for program, path in (('Matplotlib', 'matplotlib'), ('ONNX Runtime', 'Microsoft/DeveloperTools/.onnxruntime')):
        assert f'{path}\n          made by {program}, shared with other programs' in said
    assert 'reports of the demo, yours (left alone)' in said and './gremsy clean --yes --cache' in said


def test_yes_removes_the_workspace_and_cache_what_was_fetched_and_built(machine, tmp_path, capsys):
    layout, env = machine
    kept = {
        f'gremsy-{os.getuid()}/node.lock',
        'cache/gremsy/of_the_user.onnx',
        'cache/Microsoft/DeveloperTools/.onnxruntime/deviceid',
        'cache/matplotlib/fontlist-v3.11.0.json',
        'cache/other/thing',
        'cache/uv/wheel',
        'checkout/gremsy_report/one/demo.mp4',
        'checkout/my_robot.yaml',
        'checkout/src/gremsy_x/x.py',
    }
    assert clean(['--yes'], layout, env) == 0
    assert set(there(tmp_path)) == kept | {'cache/gremsy/vtest.avi', 'cache/gremsy/engines/a.engine'}
    assert capsys.readouterr().out.endswith('freed.\n')
    assert clean(['--yes', '--cache'], layout, env) == 0
    assert set(there(tmp_path)) == kept
    capsys.readouterr()
    assert clean(['--yes', '--cache'], layout, env) == 0
    assert capsys.readouterr().out == 'There is nothing to remove.\n'


def test_a_folder_that_set_up_did_not_make_stays(machine, tmp_path):
    layout, env = machine
    (tmp_path / 'state' / 'gremsy_state.txt').unlink()
    before = there(tmp_path)
    with pytest.raises(GremsyError, match='so it is left as it is: remove it by hand'):
        clean(['--yes'], layout, env)
    assert there(tmp_path) == before


def test_a_link_to_a_folder_is_removed_and_not_what_it_leads_to(machine, tmp_path):
    layout, env = machine
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'model.onnx').write_text('x')
    engines = tmp_path / 'cache' / 'gremsy' / 'engines'
    (engines / 'a.engine').unlink()
    engines.rmdir()
    engines.symlink_to(tmp_path / 'mine')
    assert clean(['--yes', '--cache'], layout, env) == 0
    assert (tmp_path / 'mine' / 'model.onnx').exists() and not engines.is_symlink()


def test_an_unknown_option_removes_nothing(machine, tmp_path):
    layout, env = machine
    before = there(tmp_path)
    with pytest.raises(GremsyError, match='clean has no option "--all": it takes --yes and --cache'):
        clean(['--yes', '--all'], layout, env)
    assert there(tmp_path) == before
