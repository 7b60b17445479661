# SPDX-License-Identifier: Apache-2.0
"""What the documents tell a reader to type, to look at and to change is there.

Commands, options, tools, launch arguments, parameters, topics, services, files, and sentences quoted as the suite's.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from functools import cache
from importlib import import_module

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not set up: run ./gremsy setup')
pytest.importorskip('fastapi', reason='run ./gremsy setup --extra web')

from gremsy_bringup.describe.suite_arguments import SuiteArguments
from gremsy_common.parameters.parameter_docs import DOCUMENTED
from gremsy_common.parameters.parameter_fields import specs_of
from gremsy_common.ros import topics
from gremsy_common.ros.transport.topic import Topic
from gremsy_docs.error_index import GAP, sentences
from gremsy_docs.generated_pages import WRITTEN, openapi, services
from gremsy_docs.site_pages import REPOSITORY
from gremsy_tool import cli

DOCUMENTS = sorted(
    str(path.relative_to(REPOSITORY))
    for pattern in ('README.md', 'CONTRIBUTING.md', 'docs/**/*.md', 'docker/README.md', 'src/*/README.md')
    for path in REPOSITORY.glob(pattern)
)
# Guides: here every name in code is looked for.
GUIDES = [
    name for name in DOCUMENTS if name.startswith('docs/') and 'figures' not in name and 'dependencies' not in name
]
LAUNCH_ARGUMENTS = {spec.name for spec in specs_of(SuiteArguments)}
PARAMETERS = {
    node: {spec.name for spec in specs_of(getattr(import_module(module), name))} for _, node, module, name in DOCUMENTED
}
# Programs of others, whose names no source of ours has.
OTHERS = {
    'foxglove_bridge', 'realsense2_camera', 'usb_cam', 'v4l2_camera', 'mavros_msgs', 'MNT1_TYPE', 'AP_Mount_Gremsy',
    'GB_FW_FLAG', 'RC_MODE',
}  # fmt: skip


def text_of(document):
    return (REPOSITORY / document).read_text(encoding='utf-8')


def command_lines(document):
    """Of the fenced shell blocks, with continued lines joined and comments left out."""
    for block in re.findall(r'^```sh\n(.*?)^```', text_of(document), re.DOTALL | re.MULTILINE):
        for line in block.replace('\\\n', ' ').splitlines():
            yield from (
                part.strip() for part in re.split(r' && |; ', line) if part.strip() and not part.startswith('#')
            )


def commands(document):
    """Those lines, and what stands between backticks and begins as one of our commands does."""
    spans = re.findall(r'`((?:\./gremsy|ros2|gremsy_gimbal|docker/deploy) [^`]+)`', text_of(document))
    for line in [*command_lines(document), *spans]:
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue
        if words:
            yield words


ALL = [(document, words) for document in DOCUMENTS for words in commands(document)]


def wrong(said):
    """The complaints, each with its document."""
    return sorted({f'{document}: {complaint}' for document, complaint in said})


def test_there_are_commands_to_look_at():
    assert len(ALL) > 150
    assert {document for document, _ in ALL} >= {'README.md', 'docs/quick_start/robot.md', 'docs/safety.md'}


def test_every_gremsy_command_and_option_is_one():
    names = {line.split()[0] for line in cli.USAGE.splitlines() if line.startswith('  ')} | {'completion'}
    said = []
    for document, words in ALL:
        if words[0] != './gremsy' or len(words) < 2 or not re.fullmatch(r'[a-z]+', words[1]):
            continue
        name, rest = words[1], words[2:]
        if name not in names:
            said.append((document, f'./gremsy {name} is no command'))
        elif name == 'run':
            said += [(document, f'{word} is no launch argument') for word in foreign_arguments(rest)]
        elif name not in ('exec', 'shell', 'test'):
            offered = cli.help_of(name) if name != 'help' else ''
            said += [
                (document, f'./gremsy {name} has no {word}')
                for word in rest
                if word.startswith('--') and word.partition('=')[0] not in offered
            ]
    assert wrong(said) == []


def foreign_arguments(words):
    return [word for word in words if ':=' in word and word.partition(':=')[0] not in LAUNCH_ARGUMENTS]


def test_every_launch_file_and_launch_argument_is_there():
    said = []
    for document, words in ALL:
        if words[:3] == ['ros2', 'launch', 'gremsy_bringup'] and len(words) > 3:
            if not (REPOSITORY / 'src/gremsy_bringup/launch' / words[3]).is_file():
                said.append((document, f'there is no launch file {words[3]}'))
            said += [(document, f'{word} is no launch argument') for word in foreign_arguments(words[4:])]
    assert wrong(said) == []


def tools():
    """Package and program of each `ros2 run` in the documents, with the options that are given to it."""
    found = {}
    for document, words in ALL:
        for position in range(len(words) - 3):
            if words[position : position + 2] == ['ros2', 'run'] and re.fullmatch(r'gremsy_\w+', words[position + 2]):
                options = {word.partition('=')[0] for word in words[position + 4 :] if re.match(r'--[a-z]', word)}
                found.setdefault((words[position + 2], words[position + 3]), {}).setdefault(document, set()).update(
                    options
                )
    return found


@cache
def programs(package):
    text = (REPOSITORY / 'src' / package / 'setup.py').read_text(encoding='utf-8')
    return dict(re.findall(r"'(\w+) = gremsy_common\.programs:\w+\.([\w.]+)\.main'", text))


def test_every_tool_is_installed_by_its_package():
    said = [
        (document, f'{package} has no program {name}')
        for (package, name), uses in tools().items()
        for document in uses
        if name not in programs(package) and name.isidentifier()
    ]
    assert len(tools()) >= 8
    assert wrong(said) == []


HELPED = sorted({key for key in tools() if key[1] in programs(key[0]) and not key[1].endswith('_node')})


@pytest.mark.parametrize(('package', 'name'), HELPED, ids=lambda word: word)
def test_every_tool_starts_and_has_the_options_that_are_told_of_it(package, name):
    """Run for real, with --help: it begins nothing and moves nothing."""
    command = [sys.executable, '-m', programs(package)[name]]
    # Some say what they can do with a choice only when it is made.
    choices = {'--robot'} & set().union(*tools()[package, name].values())
    shown = subprocess.run([*command, *choices, '--help'], capture_output=True, text=True, check=False, env=os.environ)
    assert shown.returncode == 0, shown.stderr
    said = [
        (document, f'{name} has no {option}')
        for document, options in tools()[package, name].items()
        for option in options - {'--help', '--ros-args', '--params-file'}
        if option not in shown.stdout
    ]
    assert wrong(said) == []


def test_every_service_and_topic_that_is_called_is_there():
    known_services = {name.removeprefix('~/') for _, name, _ in services()}
    known_topics = {topic.name.removeprefix('~/') for topic in vars(topics).values() if isinstance(topic, Topic)}
    said = []
    for document, words in ALL:
        asked = 'param' if 'param' in words[:2] else 'service' if {'service', 'call'} & set(words[:2]) else 'topic'
        named = (word for word in words if word.startswith('/robot/') and '$' not in word and asked != 'param')
        for name in (word for word in named if word.rpartition('/')[2] not in PARAMETERS):
            if asked == 'service' and name.rpartition('/')[2] not in known_services:
                said.append((document, f'there is no service {name}'))
            if asked == 'topic' and not any(name.endswith(f'/{known}') for known in known_topics):
                said.append((document, f'there is no topic {name}'))
    assert wrong(said) == []


def test_every_parameter_that_is_set_is_there():
    said = []
    for document, words in ALL:
        line = ' '.join(words)
        for node, name in re.findall(r'param (?:set|get) \S*?/(\w+) (\w+)', line):
            known = PARAMETERS.get(node)
            if known is not None and name not in known and not name.startswith('qos_overrides'):
                said.append((document, f'{node} has no parameter {name}'))
    everything = set.union(*PARAMETERS.values())
    for document in GUIDES:
        for name in re.findall(r'`([a-z]\w*_\w+): [^`]+`', text_of(document)):
            if name not in everything and name not in LAUNCH_ARGUMENTS:
                said.append((document, f'no node has a parameter {name}'))
    assert wrong(said) == []


@cache
def words_of_the_sources():
    folders = ('src', 'tools', 'docker', 'benchmarks', 'underlay')
    suffixes = {'.py', '.yaml', '.xml', '.json', '.sh', '.rules', '.service', '.cfg', '.ts', '.xacro', '.in', ''}
    found = set()
    for folder in folders:
        for path in (REPOSITORY / folder).rglob('*'):
            if path.suffix in suffixes and path.is_file() and 'node_modules' not in path.parts:
                found.update(re.findall(r'[A-Za-z_]\w*', path.read_text(encoding='utf-8', errors='replace')))
    return found


@cache
def files_of_the_checkout():
    """Without what is made in it: `git ls-files` is not at hand in every copy."""
    found = []
    for folder, inner, names in os.walk(REPOSITORY):
        inner[:] = [name for name in inner if name not in ('node_modules', '__pycache__') and name[0] != '.']
        found += [f'{folder}/{name}' for name in names]
    return found


@pytest.mark.parametrize('document', GUIDES)
def test_every_name_and_file_in_code_is_in_the_sources(document):
    text = re.sub(r'^```mermaid.*?^```', '', text_of(document), flags=re.DOTALL | re.MULTILINE)
    spans = [span for span in re.findall(r'`([^`\n]+)`', text) if GAP not in span]
    names = {span for span in spans if re.fullmatch(r'[A-Za-z]\w*_\w+', span)}
    assert sorted(names - words_of_the_sources() - OTHERS) == []
    files = {
        span for span in spans if re.fullmatch(r'[\w.]+(/[\w.-]+)*/[\w.-]+\.(rules|yaml|json|ts|service|md)', span)
    }
    there = files_of_the_checkout()
    assert sorted(file for file in files if not any(path.endswith(f'/{file}') for path in there)) == []


def test_every_sentence_that_is_quoted_is_said_by_the_suite():
    """In the guides, what stands between backticks and is a sentence; a gap, or a value in it, stands for any."""
    said = [each.text for modules in sentences().values() for texts in modules.values() for each in texts]
    quotes = {
        (document, quote.strip())
        for document in GUIDES
        for quote in re.findall(r'``? ?([A-Z…][^`\n]*(?:`\w+`[^`\n]*)?[a-z…)][.,]?) ?``?', text_of(document))
        if len(quote.split()) >= 5
    }
    assert len(quotes) >= 10
    assert wrong((document, quote) for document, quote in quotes if not any(quote in text for text in said)) == []


def test_the_index_of_errors_has_what_known_lines_of_the_code_say():
    index = WRITTEN['reference/errors.md']()
    # gremsy_gimbal_driver/links/udp_link.py, gremsy_tool/cli.py, gremsy_web/http/web_application.py.
    assert '* Nothing is listening on the gimbal link …: wait for the payload to start, or correct the port' in index
    assert '* There is no group "…" in pyproject.toml: choose from ….' in index
    assert '* There is nothing at this address: /docs lists the addresses.' in index
    every = [each for modules in sentences().values() for texts in modules.values() for each in texts]
    assert sum(each.error != '' for each in every) > 400


def test_the_page_of_topics_has_every_topic_with_its_sides_and_every_service():
    page = WRITTEN['reference/topics.md']()
    rows = {row.split('`')[1]: row for row in page.splitlines() if row.startswith('| `')}
    names = {topic.name for topic in vars(topics).values() if isinstance(topic, Topic)}
    assert names | {name for _, name, _ in services()} | {'/diagnostics'} == set(rows)
    published, taken = rows['detections/candidates'].split(' | ')[3:5]
    assert 'gremsy_detector' in published and 'gremsy_tracker' in taken
    published, taken = rows['~/cmd/rate'].split(' | ')[3:5]
    assert 'gremsy_web' in published and 'gremsy_gimbal_driver' in taken
    # The driver's own README, which a test there holds to the running node.
    driver = {name for package, name, _ in services() if package == 'gremsy_gimbal_driver'}
    table = text_of('src/gremsy_gimbal_driver/README.md').partition('\n## Services\n')[2].partition('\n## ')[0]
    assert driver == set(re.findall(r'^\| `(~/\w+)`', table, re.MULTILINE))


def test_the_page_of_parameters_and_that_of_the_api_have_all_of_them():
    parameters = WRITTEN['reference/parameters.md']()
    for node, names in PARAMETERS.items():
        section = parameters.partition(f'## {node}\n')[2].partition('\n## ')[0]
        assert set(re.findall(r'^\| `(\w+)` \|', section, re.MULTILINE)) == names
    api = WRITTEN['reference/api.md']()
    headings = set(re.findall(r'^## ([A-Z]+ \S+)', api, re.MULTILINE))
    assert headings == {f'{way.upper()} {path}' for path, ways in openapi()['paths'].items() for way in ways}
    assert '| `azimuth_rad_s` | number' in api.partition('## POST /api/gimbal/rate')[2].partition('\n## ')[0]
