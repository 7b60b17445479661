# SPDX-License-Identifier: Apache-2.0
"""The house has an order: rooms that a newcomer finds the way in, held here to what the modules really import."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
MOST_AT_THE_TOP = 10
# Every package may have one of these.
COMMON_NAMES = {'__init__', '__main__', 'errors', 'setup', 'conftest'}
PACKAGES = sorted(path.name for path in (REPOSITORY / 'src').glob('gremsy_*'))
ROS = re.compile(
    r'(rclpy|rcl_interfaces|builtin_interfaces|rosidl_\w+|\w+_msgs|std_srvs|launch|launch_ros|tf2_\w+)(\.|$)'
)
# Where ROS is spoken, besides nodes and what makes messages; everything else is tested without it.
ROS_ROOMS = (
    'gremsy_common.ros',
    'gremsy_common.parameters.parameter_declaration',
    'gremsy_camera.ros',
    'gremsy_gimbal_driver.ros',
    'gremsy_web.ros',
    'gremsy_gimbal_facades',
    'gremsy_bringup.describe.launch_actions',
)


def module_name(path: Path, root: Path) -> str:
    return '.'.join(path.relative_to(root).with_suffix('').parts).removesuffix('.__init__')


@cache
def modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        root = REPOSITORY / 'src' / package
        found |= {module_name(path, root): path for path in sorted((root / package).rglob('*.py'))}
    for folder in ('gremsy_tool', 'gremsy_docs'):
        found |= {
            module_name(path, REPOSITORY / 'tools'): path for path in (REPOSITORY / 'tools' / folder).glob('*.py')
        }
    return found | {
        module_name(path, REPOSITORY): path
        for path in (REPOSITORY / 'benchmarks').rglob('*.py')
        if 'test' not in path.relative_to(REPOSITORY).parts
    }


@cache
def imports_of(module: str) -> frozenset[str]:
    """Everything that a module imports, inside functions too; `TYPE_CHECKING` blocks do not count, they never run."""
    found: set[str] = set()
    tree = ast.parse(modules()[module].read_text(encoding='utf-8'))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and 'TYPE_CHECKING' in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f'{node.module}.{alias.name}'
                found.add(inner if inner in modules() else node.module)
    return frozenset(found)


def circles() -> list[list[str]]:
    """Strongly connected components of more than one module (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in sorted(imports_of(module) & modules().keys()):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            circle = []
            while not circle or circle[-1] != module:
                circle.append(stack.pop())
            if len(circle) > 1:
                found.append(sorted(circle))

    for module in sorted(modules()):
        if module not in index:
            visit(module)
    return found


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert circles() == []


@pytest.mark.parametrize('folder', [*(f'src/{package}/{package}' for package in PACKAGES), 'benchmarks'])
def test_a_package_has_at_most_ten_modules_at_its_top(folder: str) -> None:
    top = sorted(path.stem for path in (REPOSITORY / folder).glob('*.py') if path.stem != '__init__')
    assert len(top) <= MOST_AT_THE_TOP, top


def test_no_file_name_is_there_twice() -> None:
    paths = defaultdict(list)
    for module, path in modules().items():
        if path.stem not in COMMON_NAMES:
            paths[path.stem].append(module)
    assert {name: where for name, where in paths.items() if len(where) > 1} == {}


def test_no_public_class_name_is_there_twice() -> None:
    """One name for one thing in packages, tools, deployment and benchmarks; tests and the underlay do not count."""
    places = defaultdict(list)
    for folder in ('src', 'tools', 'docker', 'benchmarks'):
        for path in sorted((REPOSITORY / folder).rglob('*.py')):
            relative = path.relative_to(REPOSITORY)
            if 'test' in relative.parts:
                continue
            for node in ast.parse(path.read_text(encoding='utf-8')).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith('_'):
                    places[node.name].append(str(relative))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_ros_is_spoken_only_in_nodes_and_in_the_rooms_for_it() -> None:
    strangers = {
        module: sorted(name for name in imports_of(module) if ROS.match(name))
        for module in modules()
        if module.startswith('gremsy_')
        and not module.startswith((*ROS_ROOMS, 'gremsy_tool'))
        and not module.endswith(('_node', '_messages'))
    }
    assert {module: names for module, names in strangers.items() if names} == {}


@pytest.mark.parametrize(
    ('package', 'never'),
    [
        ('gremsy_common', r'gremsy_(?!common)'),
        ('gremsy_detector', r'gremsy_(model_tools|tracker|camera|gimbal|bringup|web)'),
        ('gremsy_model_tools', r'gremsy_(tracker|gimbal|bringup|web)'),
        ('gremsy_tracker', r'gremsy_(detector|model_tools|camera|gimbal|bringup|web)'),
        ('gremsy_camera', r'gremsy_(detector|model_tools|tracker|gimbal_driver|gimbal_facades|bringup|web)'),
        ('gremsy_gimbal_driver', r'gremsy_(gimbal_sim|gimbal_facades|detector|tracker|camera|bringup|web)'),
        ('gremsy_gimbal_sim', r'gremsy_(gimbal_facades|detector|tracker|camera|bringup|web)'),
        ('gremsy_gimbal_facades', r'gremsy_(gimbal_sim|detector|tracker|camera|bringup|web)'),
    ],
)
def test_a_package_knows_only_those_below_it(package: str, never: str) -> None:
    upwards = {
        module: sorted(name for name in imports_of(module) if re.match(never, name))
        for module in modules()
        if module == package or module.startswith(f'{package}.')
    }
    assert {module: names for module, names in upwards.items() if names} == {}


WAY = re.compile(r'^## [^\n]*\bway\b[^\n]*\n(.*?)(?=^## |\Z)', re.DOTALL | re.MULTILINE)
# A package that only holds its place in the workspace has nothing to find a way in.
FURNISHED = [package for package in PACKAGES if any(module.startswith(f'{package}.') for module in modules())]


def readme_of(package: str) -> str:
    return (REPOSITORY / 'src' / package / 'README.md').read_text(encoding='utf-8')


@pytest.mark.parametrize('package', FURNISHED)
def test_the_way_in_the_readme_is_the_way_of_the_imports(package: str) -> None:
    """Each module that the way names is joined by an import to one that was named before it."""
    way = WAY.search(readme_of(package))
    assert way is not None, f'{package}/README.md has no section on the way of one message'
    by_stem = {path.stem: module for module, path in modules().items() if module.startswith('gremsy_')}
    steps = list(dict.fromkeys(by_stem[name] for name in re.findall(r'`(\w+)`', way[1]) if name in by_stem))
    assert len([module for module in steps if module.startswith(f'{package}.')]) >= 3, steps
    for position, module in enumerate(steps[1:], start=1):
        before = steps[:position]
        joined = any(module in imports_of(other) or other in imports_of(module) for other in before)
        assert joined, f'{module} is named in the way of {package}, and no module before it imports it or is imported'


def topics_of(module: str) -> frozenset[str]:
    """Names of the topics that a module uses by the suite's table of topics."""
    table = modules()['gremsy_common.ros.topics'].read_text(encoding='utf-8')
    names = dict(re.findall(r"^(\w+)(?:: .*)? = \w+\(\s*'([^']+)'", table, re.MULTILINE))
    used = re.findall(r'\btopics\.([A-Z_]+)\b', modules()[module].read_text(encoding='utf-8'))
    return frozenset(names[constant].replace('~', 'gimbal_driver') for constant in used if constant in names)


def test_a_clicks_way_through_the_packages_is_the_way_of_imports_and_topics() -> None:
    """As in the READMEs; from one package to the next it goes by a topic that both use and the way names."""
    text = (REPOSITORY / 'docs' / 'architecture.md').read_text(encoding='utf-8')
    way = WAY.search(text)
    assert way is not None
    named = re.findall(r'`([^`]+)`', way[1])
    by_stem = {path.stem: module for module, path in modules().items() if module.startswith('gremsy_')}
    steps = list(dict.fromkeys(by_stem[name] for name in named if name in by_stem))
    assert {module.partition('.')[0] for module in steps} == {'gremsy_web', 'gremsy_tracker', 'gremsy_gimbal_driver'}
    for position, module in enumerate(steps[1:], start=1):
        before = steps[:position]
        joined = any(
            module in imports_of(other)
            or other in imports_of(module)
            or topics_of(module) & topics_of(other) & set(named)
            for other in before
        )
        assert joined, f'{module} is named in the way of a click, and nothing before it leads there'
    page = REPOSITORY / 'src' / 'gremsy_web' / 'page' / 'source'
    assert [name for name in named if name.endswith('.ts') and not (page / name).is_file()] == []


@pytest.mark.parametrize('package', FURNISHED)
def test_the_readme_begins_with_the_rooms(package: str) -> None:
    """Every room is named, as `room/`, before anything else is said of the package, and none that is not there."""
    opening = '\n'.join(readme_of(package).split('\n## ')[:2])
    folder = REPOSITORY / 'src' / package
    rooms = {path.parent.name for path in (folder / package).glob('*/__init__.py')}
    assert sorted(room for room in rooms if f'`{room}/`' not in opening) == []
    there = {path.name for path in folder.rglob('*') if path.is_dir()}
    assert sorted(set(re.findall(r'`(\w+)/`', opening)) - there) == []


DOCUMENTS = sorted(
    str(path.relative_to(REPOSITORY))
    for pattern in ('*.md', 'docs/**/*.md', 'benchmarks/*.md', 'src/*/README.md')
    for path in REPOSITORY.glob(pattern)
    if path.name != 'CHANGELOG.md'
)


@pytest.mark.parametrize('document', DOCUMENTS)
def test_the_files_and_modules_that_a_document_names_are_there(document: str) -> None:
    text = (REPOSITORY / document).read_text(encoding='utf-8')
    files = [
        f'/{path.relative_to(REPOSITORY)}'
        for folder in ('src', 'tools', 'benchmarks', 'underlay')
        for path in (REPOSITORY / folder).rglob('*.py')
    ]
    named = set(re.findall(r'`([\w/]+\.py)`', text))
    assert sorted(name for name in named if not any(file.endswith(f'/{name}') for file in files)) == []
    known = modules().keys() | set(PACKAGES)
    dotted = set(re.findall(r'(?<![\w/])gremsy_\w+(?:\.[a-z_0-9]+)+(?![\w(])', text))
    # The last part may be what a module holds.
    assert sorted(name for name in dotted if name not in known and name.rpartition('.')[0] not in known) == []
