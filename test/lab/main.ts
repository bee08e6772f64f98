import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { NoGuests } from './guest.js';
import { Lab } from './lab.js';
import { goAhead } from './machine.js';
import { HELP, parseOptions, type LabOptions } from './options.js';
import type { Scenario } from './scenario.js';
import { SCENARIOS } from './scenarios/all.js';
import type { ShareKind } from './share.js';
import { install, installNext } from './site.js';
import { table, verdict } from './table.js';
import { runScenario, type Outcome } from './trial.js';
import { Undo } from './undo.js';

/** The project's folder, seen from the compiled file. */
const PROJECT = resolve(fileURLToPath(new URL('../../..', import.meta.url)));
const GUEST_SCRIPTS = join(PROJECT, 'test', 'lab', 'guest');
/** The short form: the failure that everybody asks about, and the one that locks alone do not survive. */
const SHORT: Readonly<Record<ShareKind, string>> = { nfs: 'power loss of the serving host', smb: 'serving host frozen for three lock intervals' };

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function chosen(options: LabOptions, share: ShareKind): readonly Scenario[] {
  const fits = SCENARIOS.filter((scenario) => scenario.share === undefined || scenario.share === share);
  const { only } = options;
  if (only !== null) return fits.filter(({ name }) => new RegExp(only, 'i').test(name));
  return options.long ? fits : fits.filter(({ name }) => name === SHORT[share]);
}

class Run {
  readonly outcomes: Outcome[] = [];
  private lab: Lab | null = null;
  /** Of the lab that is up. */
  private undo = new Undo();
  private labs = 0;
  private ended = false;

  constructor(
    private readonly options: LabOptions,
    private readonly folder: string,
  ) {}

  async all(): Promise<void> {
    say(`installing Lockstep from its package into ${this.folder}`);
    await install(PROJECT, this.folder);
    installNext(this.folder);
    goAhead();
    for (const share of this.options.shares) await this.onShare(share, chosen(this.options, share));
  }

  /** Runs a command on a host of the lab that is up, for whoever looks around. @returns what there is to say */
  async ask(line: string): Promise<string> {
    const [name, ...words] = line.trim().split(' ');
    const guest = [this.lab?.gateway, ...(this.lab?.servers ?? [])].find((host) => host?.guest.name === name)?.guest;
    if (guest === undefined) return 'no such host is up';
    return await guest.run(words.join(' ')).then(({ code, out }) => `${out}\n(exit code ${code})`, String);
  }

  /** Takes everything back, and makes nothing more. */
  async end(): Promise<void> {
    this.ended = true;
    await this.takeDown();
  }

  private async takeDown(): Promise<void> {
    for (const failure of await this.undo.all()) say(`not taken back: ${failure}`);
  }

  /** Each scenario finds the pair as the one before left it, in step; after a failure, a new one. */
  private async onShare(share: ShareKind, scenarios: readonly Scenario[]): Promise<void> {
    let lab: Lab | null = null;
    for (const [at, scenario] of scenarios.entries()) {
      lab ??= await this.newLab(share);
      const outcome = await runScenario(lab, scenario, `${share}-${at + 1}`);
      this.outcomes.push(outcome);
      say(verdict(outcome));
      if (outcome.faults.length === 0) continue;
      for (const fault of outcome.faults) say(`       ${fault}`);
      say(lab.tails());
      if (this.options.keep) return;
      lab = null;
    }
  }

  private async newLab(share: ShareKind): Promise<Lab> {
    await this.takeDown();
    if (this.ended) throw new Error('the run was ended');
    this.labs += 1;
    const began = performance.now();
    const folder = join(this.folder, `${share}-${this.labs}`);
    mkdirSync(folder);
    for (const installed of ['installed', 'installed-next']) cpSync(join(this.folder, installed), join(folder, installed), { recursive: true, verbatimSymlinks: true });
    this.undo = new Undo();
    const lab = await Lab.make(folder, GUEST_SCRIPTS, share, this.undo);
    this.lab = lab;
    const up = performance.now();
    await lab.start();
    say(`three hosts on ${share}: up in ${((up - began) / 1000).toFixed(0)} s, checked and in step ${((performance.now() - up) / 1000).toFixed(0)} s later; logs in ${folder}/logs`);
    return lab;
  }
}

async function main(options: LabOptions): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-lab-'));
  const run = new Run(options, folder);
  const interrupted = new Promise<number>((settle) => {
    // Every one is caught: a second Ctrl-C must not end the taking back.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => settle(130));
    // Whatever it is, what was made is taken back first.
    process.on('uncaughtException', (error) => settle(failed(error)));
  });
  const finished = run.all().then(() => (run.outcomes.some(({ faults }) => faults.length > 0) ? 1 : 0));
  let code = 1;
  try {
    code = await Promise.race([finished.catch(failed), interrupted]);
    if (run.outcomes.length > 0) say(`\n${table(run.outcomes)}\n`);
    if (options.keep && code !== 130) {
      say(`the hosts stay up; the run's folder is ${folder}. Ctrl-C takes everything back but the folder.\nA line "HOST COMMAND" (gateway, primary, secondary) is run there by bash:`);
      createInterface({ input: process.stdin }).on('line', (line) => void run.ask(line).then(say));
      await interrupted;
    }
  } finally {
    await run.end();
    if (!options.keep && (code === 0 || code === SKIPPED)) rmSync(folder, { recursive: true, force: true });
    else say(`kept for a look: ${folder}`);
  }
  return code;
}

/** As the script that is called before says it. */
const SKIPPED = 77;

/** A lab that could not be set up. */
function failed(error: unknown): number {
  if (error instanceof NoGuests) {
    say(`The lab of real hosts is skipped: ${error.message}.`);
    return SKIPPED;
  }
  say(`the lab failed: ${error instanceof Error ? error.message : String(error)}`);
  return 1;
}

function options(): LabOptions | null {
  try {
    const asked = parseOptions(process.argv.slice(2));
    if (asked.only !== null && asked.shares.every((share) => chosen(asked, share).length === 0)) throw new Error(`no scenario fits --only ${asked.only}; --list names them`);
    return asked;
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    return null;
  }
}

process.stdout.on('error', () => undefined); // whoever read has gone; what was made is taken back all the same
const asked = options();
if (asked === null) process.exitCode = 2;
else if (asked.help) say(HELP);
else if (asked.list) for (const { name, promise } of SCENARIOS) say(`${name}\n    ${promise}`);
else process.exit(await main(asked));
