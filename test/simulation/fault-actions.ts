import type { Fault, FaultKind, HostName } from './faults.js';
import type { SimGateway } from './gateway.js';
import type { SimNetwork, Span } from './network.js';
import type { Moments } from './moments.js';
import { backchannelHost, LIMITS, type PairSettings } from './pair-config.js';
import type { ProcessKind } from './process.js';
import type { SimServer } from './server.js';
import type { StorageFaults } from './storage-faults.js';
import type { Troubles } from './troubles.js';
import type { World } from './world.js';

/** What faults act on. */
export interface FaultGround {
  readonly world: World;
  readonly moments: Moments;
  readonly troubles: Troubles;
  readonly settings: PairSettings;
  readonly server: (name: HostName) => SimServer;
  readonly network: SimNetwork;
  readonly gateway: SimGateway;
  readonly storage: StorageFaults;
  /** ACTIVE and PASSIVE, and both copies count. */
  readonly bothCount: () => boolean;
  readonly consumersAway: (forMs: number) => void;
  /** The disk of `host` holds what was confirmed and not synced, for which another copy stands, too. */
  readonly sharesUnsynced: (host: HostName) => boolean;
  /** A copy that has lost what was confirmed and never synced may still count. */
  readonly countsOnUnsynced: () => boolean;
  /** The other copy has everything: what happens to the disk of `host` costs nothing. */
  readonly canDoWithout: (host: HostName) => boolean;
  /** What the disk of `host` shows may be on it or not, without a word of it. */
  readonly mayForget: (host: HostName) => void;
  /** The disk of `host` lets go of what was not synced, and says so. */
  readonly letsGo: (host: HostName) => void;
  /** What lies on the disk of `host` may be damaged from now on. */
  readonly mayDamage: (host: HostName) => void;
  /** The disk of `host` holds less than it has confirmed. */
  readonly putBack: (host: HostName) => void;
}

export type Undo = () => void;
export type Action = (ground: FaultGround, fault: Fault) => Undo | null;

const SLOWEST_LINK_MS = 20_000;
const SMALLEST_LIMIT_BYTES = 100;
const LARGEST_LIMIT_BYTES = 4_000;
const NORMAL_DELAY = { min: 0.1, max: 0.5 };
/** So much later than the disk shows power is lost. */
const PUT_BACK_MS = { low: 2_500, high: 6_000 };
const PUT_BACK_DOWN_MS = 1_500;
const MEETS_IT_AT_START = 0.35;
const READABLE_AGAIN = 0.6;
const RESTART_MS = 1_000;
const STUTTER_MS = { low: 20, high: 900 };
const INFLIGHT_MAX = [1, 2, 5, 20, 40];
/** So often the acknowledgement mode changes with the limits. */
const DURABILITY_CHANGES = 0.6;
const CLOCK_STEP_MS_MAX = 7_200_000;

const other = (name: HostName): HostName => (name === 'primary' ? 'secondary' : 'primary');

/** Three numbers in [0, 1) out of the one that a fault has: for kinds with more than one choice. */
function draws(amount: number): readonly [number, number, number] {
  const [second, third] = [(amount * 64) % 1, (amount * 4_096) % 1];
  return [amount, second, third];
}

/** Kills one process; a manager is started again when the fault is over, a child by its manager. */
function killed(kind: ProcessKind): Action {
  return (ground, { host }) => {
    const server = ground.server(host);
    server.find(kind)?.end('SIGKILL');
    return () => server.start();
  };
}

function paused(kind: ProcessKind): Action {
  return (ground, { host }) => {
    const process = ground.server(host).find(kind);
    if (process === null) return null;
    process.pause();
    return () => process.resume();
  };
}

/** It runs and stands still by turns, as on a machine that has too much to do. */
function stutters(kind: ProcessKind): Action {
  return (ground, { host, amount }) => {
    const { world } = ground;
    const random = world.random.fork(`stutter/${world.now}`);
    const longest = STUTTER_MS.low * (STUTTER_MS.high / STUTTER_MS.low) ** amount;
    let over = false;
    const step = (): void => {
      const process = over ? null : ground.server(host).find(kind);
      const still = random.between(longest / 10, longest);
      // Whoever is paused for another reason stays so.
      if (process !== null && process.alive && !process.paused) {
        process.pause();
        world.schedule(still, () => process.resume());
      }
      if (!over) world.schedule(still + random.between(1, longest), step);
    };
    step();
    return () => {
      over = true;
    };
  };
}

function losesPower(server: SimServer): Undo {
  server.host.powerOff();
  return () => {
    server.host.powerOn();
    server.start();
  };
}

/** The ways between the two servers: the brokers' and the managers'. */
const REPLICATION = ['primary', 'secondary'] as const;
const BACKCHANNEL = [backchannelHost('primary'), backchannelHost('secondary')] as const;
export const LINKS: readonly (readonly [string, string])[] = [REPLICATION, BACKCHANNEL];

/** Cuts each of `links`, in both directions. */
function cuts(links: typeof LINKS): (ground: FaultGround) => Undo {
  return ({ network }) => {
    for (const [one, another] of links) network.cutBoth(one, another);
    return () => {
      for (const [one, another] of links) network.healBoth(one, another);
    };
  };
}

/** What `host` sends does not arrive; what it is sent does. */
function cutsOneWay(links: typeof LINKS): Action {
  return ({ network }, { host }) => {
    const directions = links.map(([one, another]) => (host === 'primary' ? ([one, another] as const) : ([another, one] as const)));
    for (const [from, to] of directions) network.cut(from, to);
    return () => {
      for (const [from, to] of directions) network.heal(from, to);
    };
  };
}

const cutsBoth = cuts(LINKS);

const ACTIONS: Readonly<Partial<Record<FaultKind, Action>>> = {
  'broker-killed': killed('broker'),
  'keeper-killed': killed('keeper'),
  'manager-killed': killed('manager'),
  'server-killed': (ground, { host }) => {
    const server = ground.server(host);
    server.killAll('SIGKILL');
    return () => server.start();
  },
  'host-lost-power': (ground, { host }) => losesPower(ground.server(host)),
  'both-hosts-lost-power': (ground, { host, forMs, amount }) => {
    const first = losesPower(ground.server(host));
    const second = losesPower(ground.server(other(host)));
    // They come back one after the other, in either order.
    ground.world.schedule(forMs * amount, first);
    return () => {
      first();
      second();
    };
  },
  // "What must agree: stop both, change both, start both."
  'limits-changed': (ground, { host, forMs, amount }) => {
    const [first, second] = [ground.server(host), ground.server(other(host))];
    for (const server of [first, second]) server.killAll('stopped for a change of the limits');
    const inflightMessagesMax = INFLIGHT_MAX[Math.floor(amount * INFLIGHT_MAX.length)] ?? 1;
    ground.settings.limits = { ...LIMITS, inflightMessagesMax };
    if (draws(amount)[1] < DURABILITY_CHANGES) ground.settings.durability = ground.settings.durability === 'both' ? 'bothWithoutDiskSync' : 'both';
    ground.world.transcript.line('profiles', `limits.inflightMessagesMax ${inflightMessagesMax}, data.durability ${ground.settings.durability}`);
    ground.world.schedule(forMs * amount, () => first.start());
    return () => {
      first.start();
      second.start();
    };
  },
  // It is started again and again, and ends before it is ready: a certificate that is wrong now, a file that it may not read.
  'broker-unable': (ground, { host }) => {
    const { unable } = ground.settings;
    unable[host] += 1;
    ground.server(host).find('broker')?.end('exit 1');
    return () => {
      unable[host] -= 1;
    };
  },
  'broker-stutters': stutters('broker'),
  'keeper-stutters': stutters('keeper'),
  'manager-stutters': stutters('manager'),
  'broker-paused': paused('broker'),
  'keeper-paused': paused('keeper'),
  'manager-paused': paused('manager'),
  'host-frozen': (ground, { host }) => {
    const server = ground.server(host);
    server.host.freeze();
    return () => server.host.thaw();
  },
  'host-suspended': (ground, { host }) => {
    const server = ground.server(host);
    server.host.suspend();
    return () => server.host.wake();
  },
  'wall-stepped': (ground, { host, amount }) => {
    ground.server(host).host.stepWall((amount - 0.5) * 2 * CLOCK_STEP_MS_MAX);
    return null;
  },
  'link-cut': cutsBoth,
  'link-cut-one-way': cutsOneWay(LINKS),
  'backchannel-cut': cuts([BACKCHANNEL]),
  'backchannel-cut-one-way': cutsOneWay([BACKCHANNEL]),
  'replication-cut': cuts([REPLICATION]),
  'link-slow': ({ network }, { host, amount }) => {
    const worst = SLOWEST_LINK_MS ** amount;
    const set = (delay: Span): void => {
      for (const [one, another] of LINKS) network.setDelay(host === 'primary' ? one : another, host === 'primary' ? another : one, delay);
    };
    set({ min: worst / 4, max: worst });
    return () => set(NORMAL_DELAY);
  },
  // A switch on the way takes smaller frames than the two hosts believe: little comes through, much never does.
  'link-loses-large': ({ network }, { amount }) => {
    const bytesMax = SMALLEST_LIMIT_BYTES * (LARGEST_LIMIT_BYTES / SMALLEST_LIMIT_BYTES) ** amount;
    const set = (bytes: number | null): void => {
      for (const [one, another] of LINKS) {
        network.limit(one, another, bytes);
        network.limit(another, one, bytes);
      }
    };
    set(bytesMax);
    return () => set(null);
  },
  // A switch starts anew: its ports come back one after the other, that to the share first.
  'link-cut-holder-stalls': (ground, { host, forMs, amount }) => {
    const mendLink = cutsBoth(ground);
    const mendShare = ground.storage.holderStalls(host, forMs, amount);
    return () => {
      mendLink();
      mendShare();
    };
  },
  'gateway-cut': (ground, { host }) => {
    ground.gateway.cut(host);
    return () => ground.gateway.mend(host);
  },
  'gateway-gone': (ground) => {
    for (const name of ['primary', 'secondary']) ground.gateway.cut(name);
    return () => {
      for (const name of ['primary', 'secondary']) ground.gateway.mend(name);
    };
  },
  'link-and-gateway-cut': (ground, { host }) => {
    const mendLink = cutsBoth(ground);
    ground.gateway.cut(host);
    const mendShare = ground.storage.shareGoneFor(host);
    return () => {
      mendLink();
      ground.gateway.mend(host);
      mendShare();
    };
  },
  'links-reset': ({ network }) => {
    for (const [one, another] of LINKS) network.reset(one, another);
    return null;
  },
  'clients-reset': ({ network }, { host }) => {
    network.reset('clients', host);
    return null;
  },
  'disk-bit-flipped': (ground, { host, amount }) => {
    const server = ground.server(host);
    // Found at the next start: a flaw that nobody has met yet, and then the loss of the other copy, is more than is promised.
    server.killAll('SIGKILL');
    ground.storage.flipBit(host, amount);
    return () => server.start();
  },
  // Whoever serves meets it where it reads; some brokers start just then, and read everything.
  'disk-unreadable': (ground, { host, amount }) => {
    const [start, end, which] = draws(amount);
    const server = ground.server(host);
    ground.storage.makeUnreadable(host, which);
    if (start < MEETS_IT_AT_START) server.find('broker')?.end('SIGKILL');
    return () => {
      if (end < READABLE_AGAIN) return ground.storage.allReadable(host);
      // Only the machine's next start brings it back.
      ground.world.schedule(RESTART_MS, losesPower(server));
    };
  },
  'disk-wiped': (ground, { host }) => {
    const server = ground.server(host);
    const restore = losesPower(server);
    ground.storage.wipe(host);
    server.localState.wipe();
    return restore;
  },
  // Both lose power, and one disk has not kept what it had confirmed last (or is put back from a copy that is a few seconds old). That server comes back first.
  'disk-put-back': (ground, { host, amount }) => {
    const { world, storage } = ground;
    const server = ground.server(host);
    const [image, kept, head] = [storage.remember(host), server.localState.content, server.probe.broker()?.head.position ?? Infinity];
    let over = false;
    let undo: Undo = () => undefined;
    world.schedule(PUT_BACK_MS.low + amount * (PUT_BACK_MS.high - PUT_BACK_MS.low), () => {
      // What was acknowledged since the watermark was written, or without a sync, is more than is promised to be missed.
      if (over || !ground.bothCount() || storage.unsynced.size > 0 || storage.reach() <= head) return;
      const [first, second] = [losesPower(server), losesPower(ground.server(other(host)))];
      storage.putBack(host, image);
      server.localState.putBack(kept);
      ground.putBack(host);
      world.transcript.line(host, `disk put back to where its log ended at ${head} at most`);
      world.schedule(PUT_BACK_DOWN_MS, first);
      undo = () => {
        first();
        second();
      };
    });
    return () => {
      over = true;
      undo();
    };
  },
  'clients-cut': (ground, { host }) => {
    ground.network.cutBoth('clients', host);
    return () => ground.network.healBoth('clients', host);
  },
  'consumers-away': (ground, { forMs }) => {
    ground.consumersAway(forMs);
    return () => undefined;
  },
  switchover: (ground) => {
    for (const name of ['primary', 'secondary'] as const) ground.server(name).insides?.switchover();
    return null;
  },
  'server-stopped': (ground, { host }) => {
    const server = ground.server(host);
    const manager = server.find('manager');
    server.insides?.stop(() => manager?.end('stopped'));
    return () => {
      // An operator who waits too long for a stop loses patience.
      server.killAll('SIGKILL after a stop');
      server.start();
    };
  },
};

/** Kinds that the simulator can make happen. */
export function possibleFaults(ground: FaultGround): FaultKind[] {
  return [...Object.keys(ACTIONS), ...Object.keys(ground.storage.actions)] as FaultKind[];
}

/** Whom a fault hits. Of a disk that cannot be read a broker that only follows would hardly learn. */
export function targetOf({ server }: FaultGround, { kind, host, amount }: Fault): HostName {
  if (kind !== 'disk-unreadable' || draws(amount)[0] < MEETS_IT_AT_START) return host;
  return server(other(host)).probe.broker()?.role === 'serve' ? other(host) : host;
}

/** What makes a fault of that kind happen; `null` for one that the simulator cannot have. */
export function actionOf(ground: FaultGround, kind: FaultKind): Action | null {
  return ACTIONS[kind] ?? ground.storage.actions[kind] ?? null;
}
