import type { MountReport } from '../../../src/ports/mount.js';
import { Prng } from '../../simulation/prng.js';
import { ACTIVE_MS, PASSIVE_MS, Rig, type RigKeeper } from './rig.js';

const STEP_MS = 10;
const SEEDS = 40;

const NFS: MountReport = { fsType: 'nfs4', source: 'gw:/x', mountPoint: '/share', isNetwork: true, verdict: 'good', findings: [] };
const LOCAL: MountReport = { fsType: 'ext4', source: '/dev/sda1', mountPoint: '/', isNetwork: false, verdict: 'warn', findings: [] };

/** A holder, and one that contends with it and has watched it for a while. What hangs is not reported. */
async function contended(): Promise<{ rig: Rig; holder: RigKeeper; other: RigKeeper }> {
  const rig = new Rig({ links: true });
  const [holder, other] = [rig.keeper('primary', { operationDeadlineMs: 60_000 }), rig.keeper('secondary', { operationDeadlineMs: 60_000 })];
  holder.mountReport = NFS;
  holder.order({ wantLock: true });
  await rig.pass(1_500);
  expect(holder.status.lock.held).toBe(true);
  other.order({ wantLock: true });
  await rig.pass(1_000);
  return { rig, holder, other };
}

/** The holder cannot reach the share for a while and comes back about when the other takes its lock for abandoned: for how long both then rely on it. */
async function bothAfter(lengthMs: number): Promise<number> {
  const { rig, holder, other } = await contended();
  other.client.faults.latencyMs = { low: 40, high: 120 };
  holder.client.faults.gone = true;
  await rig.pass(lengthMs);
  holder.client.faults.gone = false;
  return bothRely(rig, [holder, other]);
}

/** A server takes the free lock and hears so only much later (its host stood still), about when the other takes the lock for abandoned. */
async function bothAfterTaking(delayMs: number): Promise<number> {
  const rig = new Rig({ links: true });
  const [holder, other] = [rig.keeper('primary', { operationDeadlineMs: 60_000 }), rig.keeper('secondary')];
  other.order({ wantLock: false });
  await rig.pass(1_000);
  const { faults } = holder.client;
  const usual = faults.latencyMs;
  holder.client.fate = (operation) => {
    if (operation !== 'lock.acquire') return { kind: 'normal' };
    faults.latencyMs = { low: delayMs, high: delayMs };
    rig.clock.after(2 * delayMs - 1, () => (faults.latencyMs = usual));
    return { kind: 'normal' };
  };
  other.client.faults.latencyMs = { low: 40, high: 120 };
  holder.order({ wantLock: true });
  await rig.pass(2 * delayMs - 250);
  expect(holder.status.lock.held).toBe(false);
  other.order({ wantLock: true });
  return bothRely(rig, [holder, other]);
}

/** A renewal of the holder's reaches the share only so much later (its mount hangs for a while), about when the other takes the lock for abandoned. */
async function bothAfterLateRenewal(delayMs: number, readingMs: number): Promise<number> {
  const { rig, holder, other } = await contended();
  other.client.faults.latencyMs = { low: readingMs, high: readingMs };
  const { faults } = holder.client;
  const usual = faults.latencyMs;
  let isLate = false;
  holder.client.fate = (operation) => {
    if (operation !== 'rewriteInPlace' || isLate) return { kind: 'normal' };
    isLate = true;
    faults.latencyMs = { low: delayMs, high: delayMs };
    rig.clock.after(delayMs - 1, () => (faults.latencyMs = usual));
    return { kind: 'normal' };
  };
  return bothRely(rig, [holder, other]);
}

/** The other decides to take over, the holder comes back, and only then does the share do what the other had asked for. */
async function bothAfterLateTakeover(lengthMs: number, flightMs: number): Promise<number> {
  const { rig, holder, other } = await contended();
  const { faults } = other.client;
  const usual = faults.latencyMs;
  other.client.fate = (operation, path) => {
    if (operation !== 'lock.acquire' || path !== 'take over') return { kind: 'normal' };
    faults.latencyMs = { low: flightMs, high: flightMs };
    rig.clock.after(flightMs - 0.5, () => (faults.latencyMs = usual));
    return { kind: 'normal' };
  };
  holder.client.faults.gone = true;
  await rig.pass(lengthMs);
  holder.client.faults.gone = false;
  return bothRely(rig, [holder, other]);
}

/**
 * As before, and just then the holder is in the middle of a renewal: it has found the lock its own, and beats later. It hears that its beat was taken, and then nothing more.
 * @param between its beat falls between two steps of a renewal of the other's, which writes over it; otherwise the other reads it
 */
async function bothAfterARenewalUnderWay(beatAfterMs: number, between: boolean): Promise<number> {
  const { rig, holder, other } = await contended();
  const setLatency = ({ client }: RigKeeper, ms: number): void => void (client.faults.latencyMs = { low: ms, high: ms });
  const letGo = ({ client }: RigKeeper): void => {
    client.faults.hung = false;
    rig.share.release();
  };
  let step: 'watched' | 'decided' | 'taken' | 'beaten' | 'done' = 'watched';
  other.client.fate = (operation, path) => {
    if (step === 'watched' && operation === 'lock.acquire' && path === 'take over') {
      step = 'decided';
      other.client.faults.hung = true;
      holder.client.faults.gone = false;
    } else if (step === 'beaten' && operation === (between ? 'rewriteInPlace' : 'lock.stillOurs')) {
      step = 'done';
      letGo(holder);
      rig.clock.after(10, () => (holder.client.faults.hung = true));
    }
    return { kind: 'normal' };
  };
  holder.client.fate = (operation, path) => {
    if (step === 'decided' && holder.status.lock.held && operation === 'read' && path.endsWith('.heartbeat')) {
      step = 'taken';
      setLatency(holder, 1);
      rig.clock.after(0.5, () => setLatency(holder, beatAfterMs));
      rig.clock.after(5, () => {
        setLatency(other, 20);
        letGo(other);
      });
    } else if (step === 'taken' && operation === 'rewriteInPlace') {
      step = 'beaten';
      setLatency(holder, 1);
      holder.client.faults.hung = true;
    }
    return { kind: 'normal' };
  };
  holder.client.faults.gone = true;
  const isDone = (): boolean => step === 'done';
  for (let ms = 0; ms < 6 * PASSIVE_MS && !isDone(); ms += STEP_MS) await rig.pass(STEP_MS);
  expect(isDone()).toBe(true);
  return bothRely(rig, [holder, other]);
}

/**
 * The holder's mount is gone, so that it finds no lock of its own, which stands on the share all the same; it finds it again, and soon after that the other one, which has
 * seen it silent for long, wants it. @returns whether it was taken from one that relied on it
 */
async function takenFromOneThatFoundIt(afterMs: number): Promise<boolean> {
  const { rig, holder, other } = await contended();
  holder.order({ shareId: holder.status.shareId });
  other.order({ wantLock: false });
  let isTaken = false;
  rig.share.onTakeOver = () => (isTaken = relies(rig, holder));
  holder.mounted = false;
  holder.mountReport = LOCAL;
  await rig.pass(2 * PASSIVE_MS);
  expect(holder.status).toMatchObject({ condition: 'absent', lock: { held: false } });
  holder.mounted = true;
  holder.mountReport = NFS;
  await rig.pass(afterMs);
  other.order({ wantLock: true });
  expect([afterMs, await bothRely(rig, [holder, other])]).toEqual([afterMs, 0]);
  return isTaken;
}

function relies({ clock }: Rig, { status: { lock } }: RigKeeper): boolean {
  return lock.until !== null && clock.monotonic() < lock.until;
}

async function bothRely(rig: Rig, keepers: readonly RigKeeper[]): Promise<number> {
  let both = 0;
  for (let ms = 0; ms < 3 * PASSIVE_MS; ms += STEP_MS) {
    await rig.pass(STEP_MS);
    if (keepers.every((keeper) => relies(rig, keeper))) both += STEP_MS;
  }
  for (let ms = 0; ms < PASSIVE_MS && !keepers.some(({ status }) => status.lock.held); ms += STEP_MS) await rig.pass(STEP_MS);
  expect(keepers.some(({ status }) => status.lock.held)).toBe(true);
  return both;
}

test('a holder whose deadline had passed never relies on its lock beside one that took it over', async () => {
  for (let lengthMs = 2_400; lengthMs < 3_200; lengthMs += 20) expect([lengthMs, await bothAfter(lengthMs)]).toEqual([lengthMs, 0]);
});

test('a server that hears of its lock only when it may have been silent for too long does not rely on it beside one that takes it over', async () => {
  for (let delayMs = 3_000; delayMs < 4_200; delayMs += 20) expect([delayMs, await bothAfterTaking(delayMs)]).toEqual([delayMs, 0]);
});

test.each([20, 300])('a holder whose renewal was confirmed after its deadline does not rely on it beside one that had seen it silent (readings of 2 × %i ms)', async (readingMs) => {
  for (let delayMs = 1_300; delayMs < 2_600; delayMs += 30) expect([delayMs, await bothAfterLateRenewal(delayMs, readingMs)]).toEqual([delayMs, 0]);
});

test('a lock that is taken over when its holder has come back already is not relied on beside that one', async () => {
  for (let lengthMs = 2_400; lengthMs < 3_400; lengthMs += 100) {
    for (let flightMs = 1_300; flightMs < 2_200; flightMs += 100) expect([lengthMs, flightMs, await bothAfterLateTakeover(lengthMs, flightMs)]).toEqual([lengthMs, flightMs, 0]);
  }
});

test.each([true, false])('a lock that is taken over while its holder, which has come back, renews it is not relied on beside that one (its beat is written over: %s)', async (between) => {
  for (let beatAfterMs = 100; beatAfterMs <= 900; beatAfterMs += 50) expect([beatAfterMs, await bothAfterARenewalUnderWay(beatAfterMs, between)]).toEqual([beatAfterMs, 0]);
});

test('a lock that its holder has lost sight of, and finds again, is relied on when nobody takes it over meanwhile (long seed 155620)', async () => {
  for (let afterMs = 0; afterMs < 2 * ACTIVE_MS; afterMs += 20) expect([afterMs, await takenFromOneThatFoundIt(afterMs)]).toEqual([afterMs, false]);
});

test('of two servers whose requests to the share are late again and again, never both rely on the lock', async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const rig = new Rig({ links: true });
    const random = new Prng(seed);
    const pair = [rig.keeper('primary', { operationDeadlineMs: 60_000 }), rig.keeper('secondary', { operationDeadlineMs: 60_000 })] as const;
    pair[0].order({ wantLock: true });
    await rig.pass(1_500);
    for (const { client } of pair) {
      const often = random.between(0.02, 0.3);
      // A late request waits on its way there, on its way back, or on both.
      client.fate = () => {
        const [there, back] = [random, random].map((each) => (each.chance(often) ? each.logBetween(100, PASSIVE_MS) : 1)) as [number, number];
        client.faults.latencyMs = { low: there, high: there };
        rig.clock.after(there - 0.5, () => (client.faults.latencyMs = { low: back, high: back }));
        return { kind: 'normal' };
      };
    }
    pair[1].order({ wantLock: true });
    for (let ms = 0; ms < 12 * PASSIVE_MS; ms += STEP_MS) {
      await rig.pass(STEP_MS);
      if (pair.every((keeper) => relies(rig, keeper))) throw new Error(`seed ${seed}: both rely on the lock at ${ms} ms`);
    }
  }
});
