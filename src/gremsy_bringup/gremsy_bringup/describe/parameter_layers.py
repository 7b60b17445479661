# SPDX-License-Identifier: Apache-2.0
"""Parameters from several places, one over the other: files, and what comes of the launch arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import yaml

from gremsy_common.parameters.parameter_sections import matches, sections_of

# By node (a full name or a pattern), then by parameter.
Sections: TypeAlias = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class SectionFile:
    """Parameters that become a file when processes are started; `name` is the file's, without its ending."""

    name: str
    sections: Sections


Layer: TypeAlias = Path | SectionFile


def section_file(name: str, sections: Sections) -> tuple[SectionFile, ...]:
    """None where there is nothing to say: ROS takes no empty parameter file."""
    return (SectionFile(name, sections),) if sections else ()


def written(layers: Sequence[Layer], folder: Path) -> tuple[Path, ...]:
    """Every layer as a file, in the same order; those of the arguments in `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(layer if isinstance(layer, Path) else _write(layer, folder) for layer in layers)


def given(files: Sequence[Path], node: str, parameter: str) -> object | None:
    """What those files, later ones over earlier ones, set of a node, by its full name or a pattern; None for nothing.

    A file that cannot be read says nothing here: the node that reads it says what is wrong with it.
    """
    return values_for(node, (section for path in files for section in sections_of(path))).get(parameter)


def values_for(node: str, sections: Iterable[tuple[str, Mapping[str, object]]]) -> dict[str, object]:
    """What they set of a node, later ones over earlier ones, its full name over patterns."""
    by_pattern: dict[str, object] = {}
    by_name: dict[str, object] = {}
    for pattern, values in sections:
        if matches(pattern, node):
            (by_name if pattern == node else by_pattern).update(values)
    return by_pattern | by_name


def _write(layer: SectionFile, folder: Path) -> Path:
    path = folder / f'{layer.name}.yaml'
    content = {node: {'ros__parameters': dict(values)} for node, values in layer.sections.items()}
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding='utf-8')
    return path
