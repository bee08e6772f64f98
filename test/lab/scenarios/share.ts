import { setTimeout as pause } from 'node:timers/promises';
import type { ShareCondition } from '../../../src/core/control/keeper.js';
import type { Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';

const CALM_MS = 10_000;
const FROZEN_MS = 20_000;

/** Both servers have noticed, and the clients have not. */
async function unfelt(stage: Stage, conditions: readonly ShareCondition[] | null = null): Promise<void> {
  const fits = (share: ShareCondition): boolean => (conditions === null ? share !== 'ok' : conditions.includes(share));
  await stage.seen(stage.serving, `a share that is ${conditions?.join(' or ') ?? 'not well'}`, ({ lock }) => fits(lock.share));
  await stage.calm(CALM_MS);
}

const UNFELT = { promise: 'both copies are in sync and hear each other: nobody moves, and nobody is kept waiting', ends: 'same' } as const;

export const SHARE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'share server stopped',
    ...UNFELT,
    async run(stage) {
      await stage.lab.gateway.stopShare();
      await unfelt(stage);
      await stage.lab.gateway.startShare();
    },
  },
  {
    name: 'gateway frozen',
    ...UNFELT,
    async run(stage) {
      const { guest } = stage.lab.gateway;
      guest.freeze();
      await unfelt(stage);
      await pause(FROZEN_MS - CALM_MS);
      guest.thaw();
    },
  },
  {
    name: 'gateway rebooted after a power loss',
    ...UNFELT,
    async run(stage) {
      const { gateway } = stage.lab;
      await gateway.guest.cutPower();
      await unfelt(stage);
      await gateway.boot();
    },
  },
  {
    name: 'share made read-only',
    ...UNFELT,
    async run(stage) {
      await stage.lab.gateway.makeReadOnly();
      await unfelt(stage);
      await stage.lab.gateway.makeWritable();
    },
  },
  {
    name: 'share filled',
    ...UNFELT,
    async run(stage) {
      const { gateway } = stage.lab;
      await gateway.fill();
      // A heartbeat is rewritten in place and needs no room: a pair may never notice. A new term does.
      await stage.calm(CALM_MS);
      await gateway.makeRoom();
    },
  },
  {
    name: 'share filled, then power loss of the serving host',
    promise: 'no term can be claimed: nobody serves until there is room, then the passive server does',
    ends: 'switched',
    async run(stage) {
      const { serving, passive, load, lab } = stage;
      await lab.gateway.fill();
      await serving.cutPower();
      await stage.seen(passive, 'a share that is full', ({ lock }) => lock.share === 'full');
      const before = load.now.acknowledged;
      await pause(CALM_MS);
      if (load.now.acknowledged !== before) throw new Error('messages were acknowledged though no term could be claimed');
      await lab.gateway.makeRoom();
      await stage.comes(passive, 'STANDALONE');
      await load.flows();
      await serving.boot();
      await serving.start();
    },
  },
  {
    name: 'gateway down, then power loss of the serving host',
    promise: 'the passive server waits: nobody serves without the share; when the gateway is back, it does',
    ends: 'switched',
    async run(stage) {
      const { serving, passive, load, lab } = stage;
      await lab.gateway.guest.cutPower();
      await stage.seen(passive, 'a silent gateway', ({ gateway }) => !gateway.answers);
      await serving.cutPower();
      await stage.comes(passive, 'WAITING');
      const before = load.now.acknowledged;
      await pause(CALM_MS);
      if (load.now.acknowledged !== before) throw new Error('messages were acknowledged though no term could be claimed');
      await lab.gateway.boot();
      await stage.comes(passive, 'WAITING', 'STANDALONE');
      await load.flows();
      await serving.boot();
      await serving.start();
    },
  },
  {
    name: 'share replaced by an empty one',
    promise: 'both notice, stop, and begin a term above all that they remember, from the copies that were in sync',
    ends: 'either',
    async run(stage) {
      const { serving, passive, lab } = stage;
      const before = (await serving.reaches('a term', ({ term }) => term > 0)).term;
      await lab.gateway.emptyShare();
      await stage.comes(serving, 'WAITING');
      await stage.comes(passive, 'WAITING');
      const { serving: now } = await lab.inStep();
      await now.reaches(`a term above ${before}`, ({ term }) => term > before);
      const listing = await lab.gateway.listing();
      if (!listing.some((name) => name.endsWith('.json'))) throw new Error(`no term record is on the new share: ${listing.join(' ')}`);
    },
  },
];
