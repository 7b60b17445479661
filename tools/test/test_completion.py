# SPDX-License-Identifier: Apache-2.0
"""What the Tab key offers, asked of bash itself."""

import shutil
import subprocess

import pytest

from gremsy_tool import cli
from gremsy_tool.completion import SCRIPTS, script, words_after
from gremsy_tool.errors import GremsyError
from gremsy_tool.layout import REPOSITORY

COMMANDS = ('setup', 'demo', 'run', 'param', 'log-level', 'bench', 'doctor', 'help', 'completion')


def test_commands_options_choices_and_launch_arguments_come_from_the_help_itself():
    def after(*words):
        return words_after(words, COMMANDS, cli.help_of)

    assert after() == sorted(COMMANDS)
    assert after('setup') == ['--clean', '--distro', '--extra', '--relock']
    assert after('demo', '--preset') == ['ideal', 'gremsy', 'realistic', 'moving']
    assert '--headless' in after('demo') and '--headless' not in after('demo', '--headless')
    assert {'cameras:=', 'params_file:=', 'web:='} <= set(after('run'))
    assert after('param') == ['list', 'describe', 'get', 'set']
    assert 'log_format:=' in after('run') and '--timeout' in after('log-level')
    assert {'loop', 'pointing', 'all', '--json'} <= set(after('bench'))
    assert after('doctor', '--robot') == ['--bundle', '--env-file', '--json', '--params-file']
    assert after('completion') == ['bash', 'zsh']
    assert after('nothing') == []


def test_another_shell_is_refused_in_words():
    for words in ([], ['fish'], ['bash', 'zsh']):
        with pytest.raises(GremsyError, match='completion takes the name of a shell: bash or zsh'):
            script(words)


@pytest.mark.parametrize(
    ('line', 'offered'),
    [('de', 'demo'), ('demo --pr', '--preset'), ('demo --preset re', 'realistic'), ('exec no_such_', '')],
)
def test_bash_offers_them(line, offered):
    *before, current = line.split(' ')
    words = ' '.join(f'"{word}"' for word in ('./gremsy', *before, current))
    program = (
        f'eval "$(./gremsy completion bash)"; COMP_WORDS=({words}); COMP_CWORD={len(before) + 1}; _gremsy; '
        'echo "${COMPREPLY[@]}"'
    )
    told = subprocess.run(['bash', '-c', program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == offered


@pytest.mark.parametrize('shell', SCRIPTS)
def test_the_shell_can_read_it(shell):
    if shutil.which(shell) is None:
        pytest.skip(f'{shell} is not installed')
    subprocess.run([shell, '-n'], input=script([shell]), text=True, check=True)
