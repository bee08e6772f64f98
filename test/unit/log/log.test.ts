import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONSOLE_WAITING_BYTES_MAX, createLog, type LogOptions, type ProcessLog } from '../../../src/log/log.js';

let folder: string;
let printed: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-log-'));
  printed = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function make(changes: Partial<LogOptions> = {}): ProcessLog {
  return createLog({ server: 'primary', folder, console: 'text', level: 'info', output: { write: (text) => printed.push(text) }, ...changes });
}

const linesOf = (name: string): { message: string }[] =>
  readFileSync(join(folder, name), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { message: string });

describe('createLog', () => {
  it('writes each line to the console at once and to the file by the flush', async () => {
    const log = make();
    for (let i = 0; i < 1000; i += 1) log.write('info', `line ${i}`);
    expect(printed).toHaveLength(1000);
    await log.flush();
    expect(linesOf('lockstep-primary.jsonl').map(({ message }) => message)).toEqual(Array.from({ length: 1000 }, (_, i) => `line ${i}`));
  });

  it('has a critical line where it belongs between the others', async () => {
    const log = make();
    log.write('info', 'before');
    log.write('info', 'Primary Server switched to ACTIVE', { critical: true, event: 'state' });
    log.write('info', 'after');
    await log.flush();
    expect(linesOf('lockstep-primary.jsonl')).toMatchObject([{ message: 'before' }, { message: 'Primary Server switched to ACTIVE', fields: { event: 'state' } }, { message: 'after' }]);
    expect(JSON.stringify(linesOf('lockstep-primary.jsonl'))).not.toContain('critical');
  });

  it('leaves lines out on a console that nobody reads, says how many when it is read again, and has them all in the file', async () => {
    const output = { writableLength: 0, write: (text: string) => printed.push(text) };
    const log = make({ output });
    output.writableLength = CONSOLE_WAITING_BYTES_MAX + 1;
    for (let i = 0; i < 3; i += 1) log.write('info', `line ${i}`);
    expect(printed).toEqual([]);
    output.writableLength = 0;
    log.write('info', 'line 3');
    expect(printed.map((line) => line.trim())).toEqual([expect.stringContaining('3 lines left out here: nobody read this console; the log file has them'), expect.stringContaining('line 3')]);
    await log.flush();
    expect(linesOf('lockstep-primary.jsonl').map(({ message }) => message)).toEqual(['line 0', 'line 1', 'line 2', 'line 3']);
  });

  it('does not wait for a terminal, not for a critical line either', () => {
    const blocks: boolean[] = [];
    // A number of a file that cannot be written: who tries it gets an error.
    const output = { isTTY: true, fd: -1, _handle: { setBlocking: (on: boolean) => blocks.push(on) }, write: (text: string) => printed.push(text) };
    make({ output }).write('info', 'Primary Server switched to ACTIVE', { critical: true });
    expect(blocks).toEqual([false]);
    expect(printed).toHaveLength(1);
  });

  it('leaves out what is below its level', async () => {
    const log = make({ level: 'warn' });
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log.write(level, level);
    await log.flush();
    expect(linesOf('lockstep-primary.jsonl').map(({ message }) => message)).toEqual(['warn', 'error']);
    expect(printed).toHaveLength(2);
  });

  it('rotates: no file above its size, no more files than allowed, nothing lost between them', async () => {
    const log = make({ console: 'none', fileBytesMax: 4096, files: 3 });
    for (let i = 0; i < 200; i += 1) {
      log.write('info', `line ${i}`);
      await log.flush();
    }
    const names = readdirSync(folder).sort();
    expect(names).toEqual(['lockstep-primary.1.jsonl', 'lockstep-primary.2.jsonl', 'lockstep-primary.jsonl']);
    for (const name of names) expect(readFileSync(join(folder, name)).length).toBeLessThanOrEqual(4096);
    const kept = ['lockstep-primary.2.jsonl', 'lockstep-primary.1.jsonl', 'lockstep-primary.jsonl'].flatMap(linesOf).map(({ message }) => message);
    expect(kept.at(-1)).toBe('line 199');
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => `line ${200 - kept.length + i}`));
  });

  it('goes on in the file of the run before', async () => {
    const first = make();
    first.write('info', 'one');
    await first.flush();
    const second = make();
    second.write('info', 'two');
    await second.flush();
    expect(linesOf('lockstep-primary.jsonl').map(({ message }) => message)).toEqual(['one', 'two']);
  });

  it('prints JSON lines when asked to', () => {
    make({ console: 'json', folder: null }).write('warn', 'hm', { a: 1 });
    expect(JSON.parse(printed[0] as string)).toMatchObject({ server: 'primary', level: 'warn', message: 'hm', fields: { a: 1 } });
  });

  it('writes nothing anywhere with neither console nor folder', async () => {
    const log = make({ console: 'none', folder: null });
    log.write('error', 'unheard');
    await log.flush();
    expect([printed, readdirSync(folder)]).toEqual([[], []]);
  });

  it('says once that the file cannot be written, and goes on on the console', async () => {
    const log = make();
    rmSync(folder, { recursive: true });
    for (let i = 0; i < 3; i += 1) {
      log.write('info', `line ${i}`);
      await log.flush();
    }
    expect(printed.filter((line) => line.includes('cannot write the log file'))).toHaveLength(1);
    expect(printed.filter((line) => line.includes('line '))).toHaveLength(3);
  });

  it('refuses a folder that cannot be', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => make({ folder: join(folder, 'file') })).toThrow(expect.objectContaining({ code: 'LOCKSTEP_LOG_FOLDER_REFUSED' }));
  });
});
