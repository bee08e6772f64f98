import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { GuestConsole, type CommandEnd } from './guest-console.js';
import { ahead, run } from './machine.js';
import type { LabHost, LabNetwork } from './network.js';
import type { Undo } from './undo.js';

const BOOT_LIMIT_MS = 60_000;
const COMMAND_LIMIT_MS = 60_000;
const END_LIMIT_MS = 10_000;
const MEMORY = '512M';
/** `scripts/lab.sh` says where the guests' kernel is, when it is not the one of this system's package. */
const KERNEL = process.env['LOCKSTEP_LAB_KERNEL'] ?? 'linux.uml';
/**
 * Disks lie in the machine's memory: its own disk, and whoever else keeps that busy, is not what is tried. A guest's power loss loses the
 * guest's page cache, and nothing of what it had synced.
 */
const DISKS = '/dev/shm/lockstep-lab-';

/** A disk of its own: what a guest had not synced is lost with its power, as on a real one. */
export interface GuestDisk {
  readonly name: string;
  readonly sizeMb: number;
}

interface Running {
  readonly child: ChildProcess;
  readonly console: GuestConsole;
  readonly ended: Promise<void>;
}

/** Guests cannot run on this machine at all. */
export class NoGuests extends Error {}

/** @param words what its kernel said */
export function whyNotBooted(name: string, words: string): Error {
  // The guests' kernel has too little room for what a processor with AMX keeps of a process, and ends with its first one.
  if (words.includes('ptrace set fp regs failed')) return new NoGuests("the guests' kernel cannot run on this processor (ptrace set fp regs failed: its registers, with AMX for one, are more than that kernel takes)");
  return new Error(`${name} ended while it booted`);
}

/** One host of the lab: a whole Linux kernel of its own, with its own clock, network stack, page cache and disks. */
export class Guest {
  private readonly diskFolder: string;
  private dead = false;
  private running: Running | null = null;
  private frozen = false;
  /** What its programs write to /dev/tty2, line by line. */
  onLine: (line: string) => void = () => undefined;

  constructor(
    readonly name: Exclude<LabHost, 'client'>,
    /** The run's folder; /mnt/lab in the guest. */
    private readonly folder: string,
    private readonly network: LabNetwork,
    private readonly disks: readonly GuestDisk[],
    undo: Undo,
  ) {
    undo.push(`disks of ${name}`, () => rmSync(this.diskFolder, { recursive: true }));
    this.diskFolder = mkdtempSync(DISKS);
    for (const disk of disks) this.makeDisk(disk);
    undo.push(`guest ${name}`, () => {
      this.dead = true;
      return this.cutPower();
    });
  }

  get address(): string {
    return this.network.address(this.name);
  }

  get isUp(): boolean {
    return this.running !== null;
  }

  /** Resolves when the guest takes commands. */
  async boot(): Promise<void> {
    if (this.running !== null || this.dead) throw new Error(`${this.name} ${this.dead ? 'is gone for good' : 'is up'}`);
    const words = join(this.folder, 'logs', `${this.name}.kernel.log`);
    const log = openSync(words, 'a');
    const [program, args] = ahead(KERNEL, this.commandLine());
    const child = spawn(program, args, { stdio: ['ignore', log, log, 'pipe', 'pipe', 'pipe'], detached: true });
    closeSync(log);
    const [, , , commands, answers, lines] = child.stdio as unknown as [null, null, null, Writable, Readable, Readable];
    const console = new GuestConsole(commands, answers);
    createInterface({ input: lines }).on('line', (line) => this.onLine(line.trimEnd()));
    const ended = new Promise<void>((resolve) => {
      child.once('error', () => resolve());
      child.once('exit', () => resolve());
    }).then(() => {
      console.close();
      if (this.running?.child === child) this.running = null;
    });
    this.running = { child, console, ended };
    await inTime(`${this.name} boots`, BOOT_LIMIT_MS, Promise.race([console.ready, ended.then(() => Promise.reject(whyNotBooted(this.name, readFileSync(words, 'utf8'))))]));
    for (const [at, disk] of this.disks.entries()) await this.must(`mount -t ext4 /dev/ubd${'abc'[at] ?? ''} /mnt/${disk.name}`);
  }

  /** Runs a command in the guest's bash. */
  async run(command: string, limitMs = COMMAND_LIMIT_MS): Promise<CommandEnd> {
    if (this.running === null) throw new Error(`${this.name} is down: ${command}`);
    return await this.running.console.run(command, limitMs);
  }

  /** The same for what has to succeed. @returns what was printed */
  async must(command: string, limitMs?: number): Promise<string> {
    const { code, out } = await this.run(command, limitMs);
    if (code !== 0) throw new Error(`${this.name}: exit code ${code} of ${command}\n${out}`);
    return out.trim();
  }

  /** The power goes: nothing of it runs any further, its page cache is lost. */
  async cutPower(): Promise<void> {
    const { running } = this;
    if (running === null) return;
    const { pid } = running.child;
    // It leads a group of its own, in which are the kernel and one process for each address space of the guest.
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    this.frozen = false;
    await inTime(`${this.name} ends`, END_LIMIT_MS, running.ended);
  }

  /** Everything of it stands still, in the middle of whatever it does. */
  freeze(): void {
    this.signal('SIGSTOP');
    this.frozen = true;
  }

  thaw(): void {
    if (this.frozen) this.signal('SIGCONT');
    this.frozen = false;
  }

  /** Drops everything that comes from that host: half of a cut cable. */
  /** @param port of TCP, at either end: only that is not heard; `null`: nothing is */
  async deafen(from: LabHost, port: number | null = null): Promise<void> {
    // Two cuts may be made at once: whoever comes second finds what the first has made.
    await this.must('tc qdisc add dev vec0 ingress 2>/dev/null || tc qdisc show dev vec0 | grep -q ingress');
    const which = port === null ? [''] : ['dport', 'sport'].map((end) => ` match ip protocol 6 0xff match ip ${end} ${port} 0xffff`);
    for (const match of which) await this.must(`tc filter add dev vec0 ingress protocol ip u32 match ip src ${this.network.address(from)}/32${match} action drop`);
  }

  /** How many packets the cut cables of this host have swallowed since they were cut. */
  async swallowed(): Promise<number> {
    const shown = await this.must('tc -s filter show dev vec0 ingress');
    return [...shown.matchAll(/\bdropped (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  async hearAll(): Promise<void> {
    await this.must('! tc qdisc show dev vec0 | grep -q ingress || tc qdisc del dev vec0 ingress');
  }

  private signal(name: NodeJS.Signals): void {
    const pid = this.running?.child.pid;
    if (pid === undefined) throw new Error(`${this.name} is down`);
    process.kill(pid, name);
  }

  private diskFile(disk: GuestDisk): string {
    return join(this.diskFolder, `${disk.name}.ext4`);
  }

  private makeDisk(disk: GuestDisk): void {
    const file = this.diskFile(disk);
    run('truncate', `--size=${disk.sizeMb}M`, file);
    run('mkfs.ext4', '-q', '-F', '-m', '0', '-E', 'lazy_itable_init=0', file);
  }

  private commandLine(): string[] {
    const { name, network, folder } = this;
    return [
      ...[`mem=${MEMORY}`, 'root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro', 'quiet', `init=${folder}/guest/init.sh`],
      ...['con=null', 'con0=null,fd:1', 'con1=fd:3,fd:4', 'con2=null,fd:5', `umid=${name}`, `uml_dir=${folder}/uml/`],
      ...this.disks.map((disk, at) => `ubd${at}=${this.diskFile(disk)}`),
      `vec0:transport=tap,ifname=${network.tap(name)},mac=${network.mac(name)}`,
      ...[`LAB_RUN=${folder}`, `LAB_ADDRESS=${this.address}`, `LAB_NAME=${name}`],
    ];
  }
}

async function inTime<T>(what: string, limitMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${limitMs / 1000} s: ${what}`)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
