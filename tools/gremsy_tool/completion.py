# SPDX-License-Identifier: Apache-2.0
"""`./gremsy completion bash|zsh`: what the Tab key offers, asked of ./gremsy itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gremsy_tool.errors import GremsyError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Where ./gremsy offers nothing, the shell offers files, as for every other program.
_BASH = """_gremsy() {
  local IFS=$'\\n' offered
  offered=$("${COMP_WORDS[0]}" completion words "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)
  COMPREPLY=($(compgen -W "$offered" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _gremsy gremsy ./gremsy
"""
_ZSH = """#compdef gremsy
_gremsy() {
  local -a offered
  offered=(${(f)"$(${words[1]} completion words ${words[2,CURRENT-1]} 2>/dev/null)"})
  (( ${#offered} )) && compadd -- $offered || _files
}
compdef _gremsy gremsy ./gremsy
"""
SCRIPTS = {'bash': _BASH, 'zsh': _ZSH}


def script(arguments: Sequence[str]) -> str:
    """What the shell is to read: `eval "$(./gremsy completion bash)"`.

    Raises:
        GremsyError: no such shell.
    """
    if len(arguments) != 1 or arguments[0] not in SCRIPTS:
        raise GremsyError(f'completion takes the name of a shell: {" or ".join(SCRIPTS)}.')
    return SCRIPTS[arguments[0]]


def words_after(words: Sequence[str], commands: Sequence[str], help_of: Callable[[str], str]) -> list[str]:
    """What may come next.

    Args:
        words: those that are there, without the one that is being typed.
        commands: of ./gremsy.
        help_of: the text of a command, in which its options stand.
    """
    if not words:
        return sorted(commands)
    name = words[0]
    if name == 'help':
        return sorted(commands) if len(words) == 1 else []
    if name == 'completion':
        return sorted(SCRIPTS) if len(words) == 1 else []
    if name not in commands:
        return []
    text = help_of(name)
    if words[-1].startswith('-'):
        # Of `{ideal,gremsy,realistic}` after an option, one.
        if choices := re.search(rf'{re.escape(words[-1])} {{([\w,-]+)}}', text):
            return choices[1].split(',')
    elif len(words) == 1 and (choices := re.search(r'^ *{([\w,-]+)}', text, re.MULTILINE)):
        return choices[1].split(',')
    offered = set(re.findall(r'--[a-z][a-z-]*', text))
    if name == 'run':
        # Launch arguments, as `ros2 launch --show-args` shows them.
        offered |= {f'{found}:=' for found in re.findall(r"^ +'?([a-z_]+)'?:", text, re.MULTILINE)}
    if name == 'bench' and len(words) == 1:
        offered |= set(re.findall(r'^  ([a-z]+) ', text.split('positional')[0], re.MULTILINE))
    return sorted(offered - set(words))
