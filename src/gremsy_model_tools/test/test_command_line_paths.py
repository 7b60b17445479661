# SPDX-License-Identifier: Apache-2.0
"""Paths that a user types: `~` is filled in, and one that is no path ends every command in one sentence."""

from __future__ import annotations

import pytest

from gremsy_model_tools import build_engine, export, model_info, quantize

UNKNOWN = '~nosuchuser/a'
WHY = 'begins with the home folder of an unknown user: write the whole path'


@pytest.mark.parametrize('tool', [build_engine, model_info, quantize])
def test_a_model_in_the_home_of_nobody_is_one_sentence(tool, capsys):
    assert tool.main([f'{UNKNOWN}.onnx']) == 1
    assert capsys.readouterr().err == f"Model file '{UNKNOWN}.onnx' {WHY}.\n"


@pytest.mark.parametrize(
    ('tool', 'arguments', 'named'),
    [
        (export, [UNKNOWN], 'weights'),
        (export, ['a.pt', '--out', UNKNOWN], '--out'),
        (quantize, ['--out', UNKNOWN], '--out'),
        (quantize, ['--calibration', UNKNOWN], '--calibration'),
        (quantize, ['--check', UNKNOWN], '--check'),
        (build_engine, ['--engine-dir', UNKNOWN], '--engine-dir'),
        (build_engine, ['--calibration', UNKNOWN], '--calibration'),
        (build_engine, ['--check', UNKNOWN], '--check'),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_option_with_the_home_of_nobody_is_refused(tool, arguments, named, capsys):
    with pytest.raises(SystemExit) as ended:
        tool.main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(f"error: argument {named}: '{UNKNOWN}' {WHY}\n")


def test_no_folder_is_made_that_is_called_like_the_home_folder(tmp_path, monkeypatch, capsys):
    """`--out=~/models`: the shell leaves it as it is."""
    pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')
    home, here = tmp_path / 'home', tmp_path / 'here'
    home.mkdir()
    here.mkdir()
    monkeypatch.setenv('HOME', str(home))
    monkeypatch.chdir(here)
    assert quantize.main(['--precision', 'fp16', '--out=~/models']) == 0
    assert list(here.iterdir()) == []
    assert [path.name for path in (home / 'models').iterdir()] == ['nanodet_g_416.fp16.bgr8.onnx']
    assert capsys.readouterr().out.endswith(f'{home}/models/nanodet_g_416.fp16.bgr8.onnx\n')
