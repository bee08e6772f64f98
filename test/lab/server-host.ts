import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerStatus } from '../../src/admin/status.js';
import type { ConfiguredRole, ServerState } from '../../src/core/identity.js';
import { until } from '../integration/support/until.js';
import { fill, makeRoom } from './ballast.js';
import { Guest, type GuestDisk } from './guest.js';
import { parseMove, type Move } from './moves.js';
import type { LabNetwork } from './network.js';
import { mountCommand, SHARE_FOLDER, type ShareKind } from './share.js';
import { commandOf, type Installed } from './site.js';
import type { Undo } from './undo.js';

const DISK: GuestDisk = { name: 'disk', sizeMb: 1_024 };
const DISK_FOLDER = '/mnt/disk';
const PROFILE = `${DISK_FOLDER}/lockstep`;
const BALLAST = `${DISK_FOLDER}/ballast`;
const LIMIT_MS = 90_000;
const STATUS_LIMIT_MS = 10_000;
/** Once in two seconds, without a mount table entry for it, is how long a mount is tried again: the gateway may be starting, too. */
const MOUNT_TRIES = 30;

/** One of the two machines of the pair: a guest on which Lockstep is installed. */
export class ServerHost {
  readonly guest: Guest;
  /** Changes of state since the lab began, oldest first. */
  readonly moves: Move[] = [];
  installed: Installed = 'installed';
  private running = false;
  private exitCode: number | null = null;
  private lastLines: string[] = [];

  constructor(
    readonly role: ConfiguredRole,
    private readonly folder: string,
    private readonly network: LabNetwork,
    private readonly kind: ShareKind,
    undo: Undo,
  ) {
    this.guest = new Guest(role, folder, network, [DISK], undo);
    this.guest.onLine = (line) => this.heard(line);
  }

  /** The machine comes up, with its share mounted; Lockstep is not started yet. */
  async boot(): Promise<void> {
    this.running = false;
    await this.guest.boot();
    await this.guest.must(`test -e ${PROFILE} || cp -a /mnt/lab/site/${this.role} ${PROFILE}; sync`);
    await this.mount();
  }

  async mount(options?: string): Promise<void> {
    const command = mountCommand(this.kind, this.network.address('gateway'), options);
    await this.guest.must(`for try in $(seq ${MOUNT_TRIES}); do ${command} 2>/run/mount-failure && exit 0; sleep 2; done; cat /run/mount-failure; exit 1`, LIMIT_MS);
  }

  async unmount(): Promise<void> {
    await this.guest.must(`umount -l ${SHARE_FOLDER}`);
  }

  /** Whatever is to be written to its disk waits, and fails not: profile, data and logs lie there. */
  async hangDisk(): Promise<void> {
    await this.guest.must(`fsfreeze --freeze ${DISK_FOLDER}`);
  }

  async releaseDisk(): Promise<void> {
    await this.guest.must(`fsfreeze --unfreeze ${DISK_FOLDER}`);
  }

  async fillDisk(): Promise<void> {
    await fill(this.guest, DISK_FOLDER, BALLAST);
  }

  async makeRoomOnDisk(): Promise<void> {
    await makeRoom(this.guest, BALLAST);
  }

  /** `lockstep start`, in the background. */
  async start(): Promise<void> {
    this.exitCode = null;
    this.running = true;
    await this.guest.must(`(setsid ${commandOf(this.installed)} start ${PROFILE} </dev/null >/dev/tty2 2>&1; echo "--- ended with $?" >/dev/tty2) >/dev/null 2>&1 &`);
  }

  /** `lockstep stop`: resolves when it has ended. */
  async stop(): Promise<void> {
    await this.guest.must(`${commandOf(this.installed)} stop ${PROFILE}`, LIMIT_MS);
    await this.ended();
  }

  async command(...words: string[]): Promise<{ readonly code: number; readonly out: string }> {
    return await this.guest.run(`${commandOf(this.installed)} ${words.join(' ')} ${PROFILE}`, LIMIT_MS);
  }

  /** The command of the server has ended, and what its exit code was. */
  async ended(): Promise<number> {
    return (await until(`the ${this.role} server has ended`, () => (this.exitCode === null ? null : { code: this.exitCode }), LIMIT_MS)).code;
  }

  get isRunning(): boolean {
    return this.guest.isUp && this.running;
  }

  async cutPower(): Promise<void> {
    await this.guest.cutPower();
    this.running = false;
  }

  /** `null` when it does not answer. Asked without a process of Node.js: the guest is slow to start one. */
  async status(): Promise<ServerStatus | null> {
    if (!this.guest.isUp) return null;
    const ask = String.raw`exec 5<>/dev/tcp/127.0.0.1/8081 && printf 'GET /status HTTP/1.0\r\nHost: localhost\r\n\r\n' >&5 && timeout 5 cat <&5`;
    try {
      const { code, out } = await this.guest.run(ask, STATUS_LIMIT_MS);
      const body = out.slice(out.indexOf('\r\n\r\n') + 4);
      return code === 0 && body.startsWith('{') ? (JSON.parse(body) as ServerStatus) : null;
    } catch {
      return null; // frozen, or just gone
    }
  }

  async reaches(what: string, fits: (status: ServerStatus) => boolean, limitMs = LIMIT_MS): Promise<ServerStatus> {
    let last: ServerStatus | null = null;
    try {
      return await until(what, async () => ((last = await this.status()) !== null && fits(last) ? last : null), limitMs);
    } catch {
      throw new Error(`the ${this.role} server did not come to: ${what}; its last status: ${JSON.stringify(last)}`);
    }
  }

  async reachesState(...states: ServerState[]): Promise<ServerStatus> {
    return await this.reaches(states.join(' or '), ({ state }) => states.includes(state));
  }

  /** Waits until it has made this move since `from` (a count of its moves). Seen on the console: also what lasted a moment only. */
  async makes(to: ServerState, from: number): Promise<Move> {
    return await until(`the ${this.role} server switches to ${to} (it made ${this.moves.slice(from).map((move) => move.to).join(', ') || 'no move'})`, () => this.moves.slice(from).find((move) => move.to === to) ?? null, LIMIT_MS);
  }

  /** The last lines of its console. */
  get tail(): readonly string[] {
    return this.lastLines;
  }

  private heard(line: string): void {
    const at = performance.now();
    appendFileSync(join(this.folder, 'logs', `${this.role}.log`), `${(at / 1000).toFixed(3)} ${line}\n`);
    this.lastLines = [...this.lastLines.slice(-40), line];
    const ended = /^--- ended with (\d+)$/.exec(line);
    if (ended !== null) {
      this.exitCode = Number(ended[1]);
      this.running = false;
    }
    const move = parseMove(this.role, line, at);
    if (move !== null) this.moves.push(move);
  }
}
