import { HAPPENINGS } from './happenings.js';
import { MOVES_TO_SEE, sumOf, type Outcome } from './plan.js';

/** Columns as wide as their widest cell; numbers stand to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const cell = (text: string, column: number): string => (/^[\d.,/]+$/.test(text) ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0));
  return rows.map((row) => row.map(cell).join('  ').trimEnd()).join('\n');
}

export function count(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ',');
}

function faultsOf({ task }: Outcome): string {
  return task.kinds === null ? `${task.faults} of any kind` : `${task.faults}: ${[...Object.keys(task.kinds), 'cut'].join(', ')}`;
}

export function exploredTable(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map((outcome) => {
    const { task, result, seconds } = outcome;
    const states = `${count(result.states)}`;
    const events = Object.keys(result.happened).length;
    return [task.root, faultsOf(outcome), `${task.bounds.logMax}`, `${task.bounds.termsMax}`, states, String(result.depth), seconds.toFixed(1), `${result.moves.length}/${MOVES_TO_SEE.length}`, `${events}/${HAPPENINGS.length}`, result.finding?.problem ?? (result.isComplete ? 'nothing; no state is left' : 'nothing')];
  });
  return table([['root', 'faults', 'log', 'terms', 'states', 'depth', 's', 'moves', 'events', 'found'], ...rows]);
}

/** @param clean the same explorations with the rule in force */
export function flawTable(flawed: readonly Outcome[], clean: readonly Outcome[]): string {
  const rows = flawed.map((outcome, i) => {
    const { task, result } = outcome;
    const without = clean[i];
    const also = without === undefined ? '' : (without.result.finding?.problem ?? `nothing in ${count(without.result.states)}`);
    return [task.flaw, task.root, faultsOf(outcome), count(result.states), String(result.depth), result.finding?.problem ?? 'NOT FOUND', also];
  });
  return table([['rule left out', 'root', 'faults', 'states', 'depth', 'found', 'with the rule'], ...rows]);
}

export function happenedText(outcomes: readonly Outcome[]): string {
  const sum = sumOf(outcomes);
  return HAPPENINGS.map((what) => `${what.replace(/^'s /, '')} ${count(sum.get(what) ?? 0)}`).join(', ');
}
