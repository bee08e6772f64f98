import type { Outcome } from './trial.js';

const HEAD = ['scenario', 'share', 'outage', 'acknowledged', 'received', 'lost', 'duplicates', 'moves', 'verdict'];

/** The outcomes as a table of Markdown. */
export function table(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(cells).map((row) => `| ${row.join(' | ')} |`);
  return [`| ${HEAD.join(' | ')} |`, `|${HEAD.map(() => '---').join('|')}|`, ...rows].join('\n');
}

/** The verdict of one scenario, in a line. */
export function verdict(outcome: Outcome): string {
  const { scenario, share, judgement, faults, seconds } = outcome;
  const figures = judgement === null ? 'no history' : `outage ${outage(judgement.outageMs)}, ${judgement.acknowledged} acknowledged, ${judgement.lost} lost, ${judgement.duplicates} duplicates`;
  return `${faults.length === 0 ? 'ok    ' : 'FAILED'} ${share} · ${scenario}: ${figures} (${seconds.toFixed(0)} s)`;
}

function cells({ scenario, share, judgement, moves, faults }: Outcome): string[] {
  const figures = judgement === null ? ['', '', '', '', ''] : [outage(judgement.outageMs), ...[judgement.acknowledged, judgement.received, judgement.lost, judgement.duplicates].map(String)];
  return [scenario, share.toUpperCase(), ...figures, moves, faults.length === 0 ? 'ok' : 'FAILED'];
}

function outage(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
