# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass

import pytest

from gremsy_common.parameters.parameter_docs import markdown_table, with_table, yaml_template
from gremsy_common.parameters.parameter_fields import ParameterError, Span, from_values, live_param, param, specs_of


@dataclass(frozen=True)
class Example:
    gain: float = live_param(1.5, 'Proportional gain.', Span(0.0, 5.0, '1/s'))
    count: int = param(3, 'How many.', Span(1))
    take: str = param('newest', 'Which.', example='newest', choices=('newest', 'next'))
    names: tuple[str, ...] = param((), 'Names.')
    enabled: bool = param(True, 'Whether.')

    def check(self):
        if self.gain > 4 and self.count > 4:
            raise ParameterError('Parameters `gain` and `count` are both large: lower one.')


def refusal(**values):
    with pytest.raises(ParameterError) as refused:
        from_values(Example, values)
    return str(refused.value)


def test_defaults_stand_where_nothing_is_given():
    assert from_values(Example, {}) == Example()


def test_an_integer_is_taken_for_a_float():
    gain = from_values(Example, {'gain': 2}).gain
    assert (gain, type(gain)) == (2.0, float)


@pytest.mark.parametrize('gain', [0.0, 5.0])
def test_the_ends_of_a_range_belong_to_it(gain):
    assert from_values(Example, {'gain': gain}).gain == gain


@pytest.mark.parametrize(
    ('values', 'sentence'),
    [
        ({'gain': 5.01}, 'Parameter `gain` is 5.01, out of its range: use 0 .. 5 1/s.'),
        ({'gain': -0.01}, 'Parameter `gain` is -0.01, out of its range: use 0 .. 5 1/s.'),
        ({'gain': float('nan')}, 'Parameter `gain` is nan, out of its range: use 0 .. 5 1/s.'),
        ({'count': 0}, 'Parameter `count` is 0, out of its range: use 1 or more.'),
        ({'count': 2.5}, 'Parameter `count` is 2.5: use a whole number.'),
        ({'count': True}, 'Parameter `count` is True: use a whole number.'),
        ({'enabled': 1}, 'Parameter `enabled` is 1: use true or false.'),
        ({'names': 3}, 'Parameter `names` is 3: use a list of str.'),
        ({'take': 3}, 'Parameter `take` is 3: use a text, as newest.'),
        ({'take': 'all'}, "Parameter `take` is 'all': use one of newest, next."),
        ({'names': 'person'}, "Parameter `names` is 'person': use a list of str."),
        ({'gian': 1.0}, 'There is no parameter `gian`: did you mean `gain`?'),
        ({'gain': 4.5, 'count': 5}, 'Parameters `gain` and `count` are both large: lower one.'),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence(values, sentence):
    assert refusal(**values) == sentence


def test_specs_keep_the_order_of_declaration():
    assert [spec.name for spec in specs_of(Example)] == ['gain', 'count', 'take', 'names', 'enabled']


def test_readme_table_has_unit_range_and_default():
    rows = markdown_table(Example).splitlines()
    assert rows[2] == '| `gain` | float | 1/s | 0 .. 5 | `1.5` | yes | Proportional gain. |'
    assert rows[4] == '| `take` | str |  | one of newest, next | `newest` |  | Which. |'
    assert rows[5] == '| `names` | list of str |  |  | `[]` |  | Names. |'


def test_yaml_template_is_a_parameter_file():
    import yaml

    loaded = yaml.safe_load(yaml_template('example', Example))
    assert loaded == {
        '/**/example': {'ros__parameters': {'gain': 1.5, 'count': 3, 'take': 'newest', 'names': [], 'enabled': True}}
    }


def test_table_replaces_only_what_stands_between_its_marks():
    marks = '<!-- parameters of x: written by gremsy_common.parameters.parameter_docs -->', '<!-- end of parameters -->'
    text = f'before\n{marks[0]}\nold\n{marks[1]}\nafter\n'
    assert with_table(text, 'x', 'new') == f'before\n{marks[0]}\n\nnew\n\n{marks[1]}\nafter\n'


def test_readme_without_marks_is_said():
    with pytest.raises(ValueError, match='The README has no'):
        with_table('nothing', 'x', 'new')
