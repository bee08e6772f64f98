import { printable } from '../../core/printable.js';

/** One thing that `lockstep check` looked at. `fails`: a start would be refused, or the pair could not do its work. */
export interface Finding {
  readonly area: 'profile' | 'server' | 'folder' | 'ports' | 'tls' | 'users' | 'gateway' | 'share' | 'peer' | 'failover';
  readonly level: 'ok' | 'warning' | 'fails';
  readonly text: string;
}

const MARKS = { ok: 'ok     ', warning: 'WARNING', fails: 'FAILS  ' } as const;

export function renderFinding({ area, level, text }: Finding): string {
  return printable(`${MARKS[level]}  ${area.padEnd(8)}  ${text}`);
}
