import { counted } from '../core/counted.js';
import { Account } from '../core/history/account.js';
import type { HistoryHeader } from '../core/history/events.js';
import { Judge } from '../core/history/judge.js';
import { CHECKS, type Verdict } from '../core/history/verdict.js';
import { LineRefused } from '../core/history/read.js';
import { formatDuration } from '../profile/values.js';
import type { Console } from './console.js';
import { ExitCode } from './exit-codes.js';
import { CommandFailure } from './failure.js';
import { readHistory } from './history-file.js';

/**
 * Judges a history (docs/history.md) and says the verdict. Reads each file twice, a line at a time.
 * @throws CommandFailure LOCKSTEP_HISTORY_VIOLATED when a promise was broken (exit code 1); LOCKSTEP_HISTORY_UNREADABLE, _MALFORMED or
 * _PROVES_NOTHING when there is nothing to judge (exit code 2) (rejects)
 */
export async function verify(console: Console, paths: readonly string[], options: { readonly json?: boolean }): Promise<void> {
  const verdict = await judge(paths);
  if (options.json === true) console.out(JSON.stringify(verdict));
  else for (const line of describe(verdict)) console.out(line);
  if (!verdict.holds) {
    const broken = verdict.violations.map(({ check, count }) => `${check} ${count}`).join(', ');
    throw new CommandFailure(ExitCode.failed, 'LOCKSTEP_HISTORY_VIOLATED', `the history breaks what was promised: ${broken}`, 'Keep the files, and the logs and journals of both servers; please report it.');
  }
  if (verdict.figures.owed === 0) {
    throw new CommandFailure(ExitCode.usage, 'LOCKSTEP_HISTORY_PROVES_NOTHING', 'no acknowledged message was owed to anybody, so nothing could have been lost', 'Subscribe before publishing, at QoS 1 or 2, and let the consumer say drained at the end.');
  }
}

/** @throws CommandFailure as `verify` (rejects) */
async function judge(paths: readonly string[]): Promise<Verdict> {
  const account = new Account();
  for (const path of paths) {
    await readHistory(path, { header: (header) => account.beginFile(header), event: (event) => account.add(event), end: () => account.endFile() });
  }
  const second = new Judge(account);
  for (const path of paths) {
    let clock: HistoryHeader | null = null;
    await readHistory(path, {
      header: (header) => (clock = header),
      event: (event) => {
        if (event.event !== 'received') return;
        if (clock === null) throw new LineRefused('an event before the header');
        second.add(event, clock);
      },
      end: () => undefined,
    });
  }
  return second.verdict();
}

function describe({ holds, violations, figures, outages, undrained }: Verdict): string[] {
  const row = (name: string, value: string | number): string => `${`${name}:`.padEnd(14)}${value}`;
  return [
    row('messages', `${figures.messages} sent, ${figures.acknowledged} acknowledged, ${figures.unanswered} unanswered`),
    row('received', `${figures.received} deliveries; ${figures.owed} were owed, ${figures.lost} of them lost`),
    row('duplicates', `${figures.duplicates} at QoS 0 and 1 (allowed), ${figures.repeated} at QoS 2 (not allowed)`),
    ...outages.map(({ mark, longestMs, from }) => row('outage', `${formatDuration(Math.round(longestMs))} without an acknowledgement${from === null ? '' : ` from ${Math.round(from)} on`}, ${mark === null ? 'longest of all' : `after: ${mark}`}`)),
    ...(undrained.length === 0 ? [] : [row('not judged', `losses of ${undrained.slice(0, 10).join(', ')}${undrained.length > 10 ? ` and ${undrained.length - 10} others` : ''}: never drained`)]),
    ...violations.flatMap(({ check, count, examples }) => [row('VIOLATED', `${check}, ${counted(count, 'time')}: ${CHECKS[check]}`), ...examples.map((example) => `  ${example}`), ...(count > examples.length ? [`  and ${count - examples.length} more`] : [])]),
    row('verdict', holds ? (figures.owed === 0 ? 'nothing was owed, nothing is proven' : 'holds') : 'VIOLATED'),
  ];
}
