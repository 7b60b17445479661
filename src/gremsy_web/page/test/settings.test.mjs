// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isChanged, matches, readSettings, shown, sliderStep, typed, yamlLines, yamlValue } from '../logic/setting_values.js';

const gain = {
  name: 'gain_per_s', type: 'float', value: 2, description: 'How quick it follows.', constraints: '0 .. 10',
  read_only: false, low: 0, high: 10, unit: '1/s', choices: [], default: 1.5,
};
const [GAIN] = readSettings([gain]);

test('what is no setting is left out, and the others are read', () => {
  assert.deepEqual(readSettings(null), []);
  assert.deepEqual(readSettings([null, 3, {}, { name: '' }]), []);
  assert.equal(GAIN.readOnly, false);
  assert.equal(GAIN.default, 1.5);
  assert.equal(readSettings([{ ...gain, value: [1, null] }])[0].value, null);
});

test('changed is what differs from a default that is known', () => {
  assert.ok(isChanged(GAIN));
  assert.ok(!isChanged({ ...GAIN, value: 1.5 }));
  assert.ok(!isChanged({ ...GAIN, default: null }));
  assert.ok(!isChanged({ ...GAIN, type: 'str list', value: ['a'], default: ['a'] }));
  assert.ok(isChanged({ ...GAIN, type: 'str list', value: [], default: ['a'] }));
});

test('a search finds name, node and meaning, with spaces for underscores', () => {
  for (const words of ['gain', 'gain per s', 'tracker quick', 'EO follows', '']) assert.ok(matches(GAIN, 'eo/tracker', words), words);
  assert.ok(!matches(GAIN, 'eo/tracker', 'gain zoom'));
});

test('a slider has steps that a finger can find, or there is none', () => {
  assert.equal(sliderStep(GAIN), 0.05);
  assert.equal(sliderStep({ ...GAIN, low: 0, high: 1, value: 0.5, default: 0.5 }), 0.005);
  assert.equal(sliderStep({ ...GAIN, type: 'int', low: 0, high: 100 }), 1);
  assert.equal(sliderStep({ ...GAIN, type: 'int', low: 0, high: 65535 }), null);
  assert.equal(sliderStep({ ...GAIN, low: 0, high: 10000, value: 3, default: 3 }), null);
  assert.equal(sliderStep({ ...GAIN, high: null }), null);
});

test('what is typed becomes of its own type or is said to be wrong', () => {
  assert.deepEqual(typed('float', ' 0,5 '), { value: 0.5 });
  assert.deepEqual(typed('int', '2.5'), { wrong: 'whole' });
  assert.deepEqual(typed('float', ''), { wrong: 'number' });
  assert.deepEqual(typed('str', ' a '), { value: ' a ' });
  assert.deepEqual(typed('str list', 'person, car'), { value: ['person', 'car'] });
  assert.deepEqual(typed('str list', '["a, b"]'), { value: ['a, b'] });
  assert.deepEqual(typed('str list', '[a'), { wrong: 'list' });
  assert.deepEqual(typed('float list', '1, 2.5'), { value: [1, 2.5] });
  assert.deepEqual(typed('int list', '1, x'), { wrong: 'number' });
  assert.deepEqual(typed('float list', ''), { value: [] });
  for (const value of [['a', 'b'], ['a, b'], [], [' a']]) assert.deepEqual(typed('str list', shown(value)), { value });
});

test('YAML keeps every value what it is', () => {
  // Held against PyYAML 6 and rcl: a text that looks like something else is quoted, a float has its point.
  const pairs = [
    ['float', 2, '2.0'], ['float', 1e-7, '1.0e-7'], ['float', 2.5, '2.5'], ['int', 2, '2'], ['bool', true, 'true'],
    ['str', 'follow', 'follow'], ['str', '', "''"], ['str', 'no', "'no'"], ['str', '12', "'12'"], ['str', "it's: so", "'it''s: so'"],
    ['str', 'rtsp://a:b@c/d', 'rtsp://a:b@c/d'], ['str', '~/gremsy', "'~/gremsy'"], ['str', '/dev/video0', '/dev/video0'],
    ['str list', ['person', 'a, b'], "[person, 'a, b']"], ['float list', [1, 0.5], '[1.0, 0.5]'], ['str list', [], '[]'],
  ];
  for (const [type, value, wanted] of pairs) assert.equal(yamlValue(type, value), wanted);
});

test('the lines are those of a parameter file', () => {
  assert.equal(
    yamlLines([{ node: 'eo/tracker', settings: [GAIN] }, { node: 'web', settings: [] }]),
    '/**/eo/tracker:\n  ros__parameters:\n    gain_per_s: 2.0  # 1/s, default 1.5\n',
  );
  assert.equal(yamlLines([]), '');
});
