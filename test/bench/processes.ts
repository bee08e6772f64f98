import { readdirSync, readFileSync } from 'node:fs';

const MICROS_PER_TICK = 10_000;

/** Processor time of a process so far, microseconds; NaN where the system does not tell it as Linux does. */
export function cpuMicrosOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MICROS_PER_TICK;
  } catch {
    return NaN;
  }
}

/** Resident memory of a process, bytes; 0 when it is gone, or where the system does not tell. */
export function residentBytesOf(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Resident memory of several processes of one program together: what each has for itself, and once what they share (the program's own pages). */
export function residentBytesTogether(pids: readonly number[]): number {
  const all = pids.map((pid) => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);
      return { own: (kib('RssAnon') + kib('RssShmem')) * 1024, shared: kib('RssFile') * 1024 };
    } catch {
      return { own: 0, shared: 0 };
    }
  });
  return all.reduce((sum, { own }) => sum + own, 0) + Math.max(0, ...all.map(({ shared }) => shared));
}

/** Open descriptors of a process; 0 when it is gone, or where the system does not tell. */
export function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

/** Descriptors that a process may have at most; infinite where the system does not tell. Node.js raises its own limit so far by itself. */
export function descriptorsMax(): number {
  try {
    const hard = /^Max open files +\d+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return hard === undefined ? Number.POSITIVE_INFINITY : Number(hard);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
