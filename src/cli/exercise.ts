import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { plainReason, systemCode } from '../adapters/network-errors.js';
import { parseBytes, parseDuration } from '../profile/values.js';
import type { Console } from './console.js';
import { Exercise, ExerciseFailed, type ExercisePlan } from './exercise/exercise.js';
import { Recorder } from './exercise/recorder.js';
import { ExitCode } from './exit-codes.js';
import { CommandFailure } from './failure.js';
import { verify } from './verify.js';

/** As they stand on the command line. */
export interface ExerciseOptions {
  readonly to: readonly string[];
  readonly for: string;
  readonly rate: string;
  readonly publishers: string;
  readonly consumers: string;
  readonly bytes: string;
  readonly patience: string;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly ca?: string;
}

const RATE_MAX = 10_000;
const CLIENTS_MAX = 100;
const PAYLOAD_BYTES_MAX = 1024 * 1024;
const HOUR_MS = 3_600_000;

/**
 * Runs clients against a pair, writes what they did and met to `path`, and judges it.
 * @throws CommandFailure LOCKSTEP_EXERCISE_OPTION (exit code 2), LOCKSTEP_EXERCISE_FILE (2; 1 when it could not be written to its end), LOCKSTEP_EXERCISE_FAILED (1), and what `verify` throws (rejects)
 */
export async function exercise(console: Console, path: string, options: ExerciseOptions): Promise<void> {
  const plan = planOf(options);
  const name = `exercise-${randomBytes(4).toString('hex')}`;
  const recorder = await Recorder.create(path, `${hostname()}-${name}`).catch((error: unknown) => {
    throw new CommandFailure(ExitCode.usage, 'LOCKSTEP_EXERCISE_FILE', `${resolve(path)} ${whyNotMade(error)}`, 'Name a file that is not there yet, in a folder that this user may write to.', { cause: error });
  });
  let stopped = false;
  const stop = (): void => void (stopped = true);
  process.once('SIGINT', stop);
  try {
    const { default: mqtt } = await import('mqtt');
    await new Exercise(mqtt, name, plan, recorder, (line) => console.err(line)).run(() => stopped);
  } catch (error) {
    if (!(error instanceof ExerciseFailed)) throw error;
    const nothing = recorder.isEmpty;
    throw new CommandFailure(ExitCode.failed, 'LOCKSTEP_EXERCISE_FAILED', error.message, `See lockstep status of both servers. ${nothing ? 'Nothing was recorded' : `What was seen until then is in ${path}`}.`, { cause: error });
  } finally {
    process.off('SIGINT', stop);
    // The same command can be given again once the address is right.
    if (recorder.isEmpty) await recorder.discard().catch(() => undefined);
    else await recorder.end().catch((error: unknown) => {
      throw new CommandFailure(ExitCode.failed, 'LOCKSTEP_EXERCISE_FILE', `${resolve(path)} could not be written to its end: ${plainReason(error)}`, 'It is no whole history, and proves nothing. Name a file on a disk with room.', { cause: error });
    });
  }
  await verify(console, [path], {});
}

function whyNotMade(error: unknown): string {
  const code = systemCode(error);
  if (code === 'EEXIST') return 'is there already, and is not overwritten';
  return `cannot be made: ${code === 'ENOENT' ? 'its folder is not there' : plainReason(error)}`;
}

function planOf(options: ExerciseOptions): ExercisePlan {
  return {
    target: { addresses: options.to.map(addressOf), user: options.user ?? null, password: options.passwordFile === undefined ? null : firstLine('--password-file', options.passwordFile), ca: options.ca === undefined ? null : fileOf('--ca', options.ca) },
    forMs: inRange('--for', options.for, parseDuration(options.for), 1_000, 24 * HOUR_MS, 'a time from 1s to 24h'),
    rate: whole('--rate', options.rate, RATE_MAX),
    publishers: whole('--publishers', options.publishers, CLIENTS_MAX),
    consumers: whole('--consumers', options.consumers, CLIENTS_MAX),
    bytes: inRange('--bytes', options.bytes, parseBytes(options.bytes), 1, PAYLOAD_BYTES_MAX, 'a size from 1 to 1MiB'),
    patienceMs: inRange('--patience', options.patience, parseDuration(options.patience), 5_000, HOUR_MS, 'a time from 5s to 1h'),
  };
}

function addressOf(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) throw wrong('--to', text, 'host:port, as clients reach it');
  return { host: match[1] ?? match[2] ?? '', port };
}

function whole(option: string, text: string, max: number): number {
  return inRange(option, text, /^\d{1,9}$/.test(text) ? Number(text) : null, 1, max, `a whole number from 1 to ${max}`);
}

function inRange(option: string, text: string, value: number | null, min: number, max: number, expected: string): number {
  if (value === null || value < min || value > max) throw wrong(option, text, expected);
  return value;
}

function fileOf(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw wrong(option, path, `a file that can be read (${plainReason(error)})`);
  }
}

function firstLine(option: string, path: string): string {
  return fileOf(option, path).split(/\r?\n/)[0] ?? '';
}

function wrong(option: string, found: string, expected: string): CommandFailure {
  return new CommandFailure(ExitCode.usage, 'LOCKSTEP_EXERCISE_OPTION', `${option} must be ${expected}; found "${found}"`, 'lockstep exercise --help tells all options.');
}
