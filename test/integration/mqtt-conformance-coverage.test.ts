import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NOT_TESTED, STATEMENTS } from './support/mqtt-statements.js';

/* Every numbered statement of the standard has a test that bears its number, or a reason why it has none. */

const FOLDER = import.meta.dirname;
/** Numbers in the names of tests, rows of their tables included; not those in comments. */
const named = new Set(
  readdirSync(FOLDER)
    .filter((file) => /^mqtt-conformance-(?!coverage).*\.test\.ts$/.test(file))
    .flatMap((file) => readFileSync(join(FOLDER, file), 'utf8').split('\n'))
    .filter((line) => /^\s*(test|describe|name:|\['|\])/.test(line))
    .flatMap((line) => line.match(/MQTT-3-8\.3-4|MQTT-3\.1\.2\.7|MQTT-[\d.]+-\d+/g) ?? []),
);

test('the list has all statements of appendix B', () => {
  expect([STATEMENTS.length, new Set(STATEMENTS).size]).toEqual([141, 141]);
});

test('every statement is tested, or it is said why not', () => {
  expect(STATEMENTS.filter((one) => !named.has(one) && !(one in NOT_TESTED))).toEqual([]);
});

test('no reason is left over, and no number is invented', () => {
  expect(Object.keys(NOT_TESTED).filter((one) => named.has(one) || !STATEMENTS.includes(one))).toEqual([]);
  expect([...named].filter((one) => !STATEMENTS.includes(one))).toEqual([]);
});
