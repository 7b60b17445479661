# SPDX-License-Identifier: Apache-2.0
"""The reference pages, written from the declarations while the site is built."""

from __future__ import annotations

import ast
import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import httpx

from gremsy_common.parameters.parameter_docs import DOCUMENTED, markdown_table
from gremsy_common.ros import topics
from gremsy_common.ros.transport.topic import Topic
from gremsy_docs.error_index import errors_text
from gremsy_docs.site_pages import REPOSITORY
from gremsy_web.access.access_keys import keys_from
from gremsy_web.http.api_page import field_default, field_type
from gremsy_web.http.web_application import make_application
from gremsy_web.http.web_services import WebServices
from gremsy_web.robot.robot_picture import RobotPicture
from gremsy_web.web_parameters import WebParameters

if TYPE_CHECKING:
    from gremsy_web.robot.robot_commands import RobotCommands

PUBLISHES, TAKES = 'publishes', 'takes'
# The methods of `SuiteNode`, as the nodes call them.
_PUBLISHER, _SERVICE = 'publisher', 'service'
# Of every node, by SuiteNode itself.
_STATE = 'once a second: whether it does its work, and if not, why; rates, drops, latencies'
_SERVICE_KINDS = ('SetBool', 'Trigger')


def parameters_text() -> str:
    lines: list[str] = []
    for package, node, module, name in DOCUMENTED:
        lines += [f'## {node}', '', f'More in [{package}](../../src/{package}/README.md).', '']
        lines += [markdown_table(getattr(import_module(module), name)), '']
    return '\n'.join(lines)


def topics_text() -> str:
    lines = [
        '| topic | message | QoS | published by | taken by | what |',
        '|---|---|---|---|---|---|',
    ]
    used = topic_uses()
    for name, topic in sorted(_by_name().items()):
        published, taken = sorted(used[name, PUBLISHES]), sorted(used[name, TAKES])
        message = f'{topic.message_type.__module__.split(".")[0]}/{topic.message_type.__name__}'
        what = next(filter(None, (_meanings(package).get(name) for package in [*published, *taken])), '')
        cells = [f'`{name}`', message, topic.quality.name.lower(), _linked(published), _linked(taken), what]
        lines.append(f'| {" | ".join(cells)} |')
    lines += [
        f'| `/diagnostics` | diagnostic_msgs/DiagnosticArray | result | all | {_linked(["gremsy_web"])} | {_STATE} |',
        '',
        '## Services',
        '',
        '| service | type | of | what |',
        '|---|---|---|---|',
    ]
    for package, name, kind in sorted(services()):
        lines.append(f'| `{name}` | std_srvs/{kind} | {_linked([package])} | {_meanings(package).get(name, "")} |')
    return '\n'.join([*lines, ''])


def _linked(packages: Sequence[str]) -> str:
    return (
        ', '.join(f'[{package.removeprefix("gremsy_")}](../../src/{package}/README.md)' for package in packages)
        or 'you'
    )


def _by_name() -> dict[str, Topic[Any]]:
    """Each topic once; of two with one name, the first is how it is published."""
    found: dict[str, Topic[Any]] = {}
    for topic in vars(topics).values():
        if isinstance(topic, Topic):
            found.setdefault(topic.name, topic)
    return found


@cache
def _meanings(package: str) -> dict[str, str]:
    """What the package's README says of its topics and services, without which way each goes."""
    text = (REPOSITORY / 'src' / package / 'README.md').read_text(encoding='utf-8')
    rows = re.findall(r'^\| `([^|]+)` \| `?[a-z_]+/\w+`? \| (.+?) \|$', text, re.MULTILINE)
    return {
        name.strip('`'): re.sub(r'^(in|out|published|subscribed)\b[^a-z]*', '', words).removesuffix(', see above')
        for name, words in rows
    }


def topic_uses() -> dict[tuple[str, str], set[str]]:
    """Packages by topic's name and what they do with it."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for package, tree in _modules_with('topics.'):
        if package != 'gremsy_common':
            for attribute, way in _uses_in(tree):
                topic = getattr(topics, attribute, None)
                if isinstance(topic, Topic):
                    found[topic.name, way].add(package)
    return found


def _modules_with(word: str) -> Iterator[tuple[str, ast.Module]]:
    """Package and syntax tree of each module in which that stands."""
    for path in sorted((REPOSITORY / 'src').glob('gremsy_*/gremsy_*/**/*.py')):
        text = path.read_text(encoding='utf-8')
        if word in text:
            yield path.relative_to(REPOSITORY / 'src').parts[0], ast.parse(text)


def _uses_in(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names out of the table of topics, and whether a call publishes them; `topics.X.name` does not count."""
    parents = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    # Also a function of the module that hands a topic on to `publisher`.
    publishing = {_PUBLISHER} | {
        function.name
        for function in _functions(tree)
        for call in _calls(function, _PUBLISHER)
        if _hands_on(call, 'topic')
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == 'topics'):
            continue
        above: ast.AST | None = parents.get(id(node))
        if isinstance(above, ast.Attribute):
            continue
        way = TAKES
        while isinstance(above, ast.expr):
            if isinstance(above, ast.Call) and _called(above) in publishing:
                way = PUBLISHES
            above = parents.get(id(above))
        yield node.attr, way


def services() -> Iterator[tuple[str, str, str]]:
    """Package, name and type of every service that a node makes, from the calls that make them."""
    for package, tree in _modules_with(f'.{_SERVICE}('):
        # The kind stands in the call, or in the function around it that is called with the name alone.
        kinds = {
            function.name: kind
            for function in _functions(tree)
            for call in _calls(function, _SERVICE)
            for kind in _SERVICE_KINDS
            if _hands_on(call, kind) and _hands_on(call, 'name')
        }
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and call.args:
                first, text = (
                    call.args[0],
                    next((each for each in call.args[:2] if isinstance(each, ast.Constant)), None),
                )
                kind = kinds.get(_called(call)) or (first.id if isinstance(first, ast.Name) else '')
                if kind in _SERVICE_KINDS and text is not None and str(text.value).startswith('~/'):
                    yield package, str(text.value), kind


def _functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def _calls(function: ast.FunctionDef, name: str) -> Iterator[ast.Call]:
    return (node for node in ast.walk(function) if isinstance(node, ast.Call) and _called(node) == name)


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, 'id', '')


def _hands_on(call: ast.Call, name: str) -> bool:
    """Whether that variable is one of its arguments, as it is or within one."""
    return any(isinstance(node, ast.Name) and node.id == name for each in call.args for node in ast.walk(each))


def api_text() -> str:
    """The HTTP API out of the OpenAPI that the server itself serves."""
    description = openapi()
    schemas = description.get('components', {}).get('schemas', {})
    lines = [description['info']['description'], '']
    for path, methods in sorted(description['paths'].items()):
        for method, route in methods.items():
            lines += [
                f'## {method.upper()} {path}',
                '',
                (route.get('description') or route.get('summary', '')).strip(),
                '',
            ]
            lines += _fields(route, schemas)
    return '\n'.join(lines)


@cache
def openapi() -> dict[str, Any]:
    """As a server answers it, of which nothing runs; whoever asks from the same machine needs no key."""
    address = ('127.0.0.1', 6783)
    # The only thing of a robot that the server takes hold of before somebody asks for something.
    nobody = cast('RobotCommands', SimpleNamespace(watch=None))
    services = WebServices(WebParameters(), keys_from({}), RobotPicture('robot', ('eo',)), nobody)
    application = httpx.ASGITransport(make_application(services), client=address)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=application, base_url=f'http://{address[0]}:{address[1]}') as client:
            return await client.get('/openapi.json')

    answer = asyncio.run(ask())
    answer.raise_for_status()
    description: dict[str, Any] = answer.json()
    return description


def _fields(route: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    """What goes with a request and what comes back, as tables."""
    rows = [(each['name'], each['schema'], each.get('required', False)) for each in route.get('parameters', ())]
    schema = _schema(route.get('requestBody', {}), schemas)
    rows += [(name, field, name in schema.get('required', ())) for name, field in schema.get('properties', {}).items()]
    if rows:
        yield from ('| field | type | default | meaning |', '|---|---|---|---|')
        for name, field, required in rows:
            default = 'required' if required else field_default(field)
            words = field.get('description', '').replace('\n', ' ')
            yield f'| `{name}` | {field_type(field)} | {default} | {words} |'.replace('||', '|')
        yield ''
    answers = _schema(next(iter(route['responses'].values())), schemas)
    named = ', '.join(f'`{name}` ({field_type(field)})' for name, field in answers.get('properties', {}).items())
    if named:
        yield f'{"A list; of each: " if answers.get("listed") else "Answers "}{named}.'
        yield ''


def _schema(holder: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a body: its own, or the one that it (or each of its items) refers to."""
    found: Mapping[str, Any] = holder.get('content', {}).get('application/json', {}).get('schema', {})
    items = found.get('items', {})
    named: Mapping[str, Any] = schemas.get(str({**items, **found}.get('$ref', '')).rsplit('/', 1)[-1], found)
    return {**named, 'listed': bool(items)}


# Page, and what writes its part that comes from the code.
WRITTEN: Mapping[str, Callable[[], str]] = {
    'reference/parameters.md': parameters_text,
    'reference/topics.md': topics_text,
    'reference/api.md': api_text,
    'reference/errors.md': errors_text,
}
