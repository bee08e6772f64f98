import type { RepositoryView } from '../../../src/core/control/repository.js';
import { createLog, type ConsoleOutput } from '../../../src/log/log.js';
import { CLEAR_LINE } from '../../../src/log/progress-bar.js';
import { ConsoleFoot } from '../../../src/run/console-foot.js';

class FakeTerminal implements ConsoleOutput {
  readonly isTTY: boolean;
  readonly screen: string[] = [];
  readonly events: string[] = [];

  constructor(isTTY = true) {
    this.isTTY = isTTY;
  }

  write(text: string): void {
    this.screen.push(text);
  }

  readonly makeBar = (name: string): { show(progress: { readonly bytesDone: number; readonly bytesPerSecond: number; readonly leftMs: number | null }): void; end(): void } => ({
    show: ({ bytesDone, bytesPerSecond, leftMs }) => this.events.push(`${name} ${bytesDone} ${bytesPerSecond} ${leftMs}`),
    end: () => this.events.push(`${name} end`),
  });
}

function view(name: string, bytesDone: number | null): RepositoryView {
  const progress = bytesDone === null ? null : ({ phase: 'copying', filesDone: 1, filesTotal: 2, bytesDone, bytesTotal: 1_000, wireBytes: bytesDone, elapsedMs: 500 } as const);
  return { name, path: `/data/${name}`, syncType: 'FULL', when: 'join', condition: 'syncing', detail: null, since: 0, syncedAt: null, progress, exchange: 'atomic', kept: [] };
}

describe('the foot of the console', () => {
  test('shows a bar of the repository that is being synced, one after the other, and takes it away', () => {
    const terminal = new FakeTerminal();
    const foot = new ConsoleFoot(terminal, terminal.makeBar);
    foot.show([view('applications', null), view('peers', 100)]);
    foot.show([view('applications', null), view('peers', 500)]);
    foot.show([view('applications', 250), view('peers', null)]);
    foot.show([view('applications', null), view('peers', null)]);
    foot.end();
    expect(terminal.events).toEqual(['Repository peers: 100 200 4500', 'Repository peers: 500 1000 500', 'Repository peers: end', 'Repository applications: 250 500 1500', 'Repository applications: end']);
  });

  test('makes room for a line of the log while a bar stands there, and only then', () => {
    const terminal = new FakeTerminal();
    const foot = new ConsoleFoot(terminal, terminal.makeBar);
    const log = createLog({ server: 'primary', folder: null, console: 'text', level: 'info', output: foot });
    log.write('info', 'before');
    foot.show([view('peers', 100)]);
    log.write('info', 'while', { critical: true });
    foot.end();
    log.write('info', 'after');
    expect(terminal.screen.map((line) => line.startsWith(CLEAR_LINE))).toEqual([false, true, false]);
    expect(terminal.screen[1]?.endsWith('while\n')).toBe(true);
  });

  test('ends a bar that still stands when the server stops', () => {
    const terminal = new FakeTerminal();
    const foot = new ConsoleFoot(terminal, terminal.makeBar);
    foot.show([view('peers', 100)]);
    foot.end();
    foot.end();
    expect(terminal.events.at(-1)).toBe('Repository peers: end');
    expect(terminal.events).toHaveLength(2);
  });
});
