import { setTimeout as pause } from 'node:timers/promises';
import type { Scenario } from '../scenario.js';
import type { ServerHost } from '../server-host.js';
import type { Stage } from '../stage.js';

/** passiveLockAcquisitionInterval of the profiles that `lockstep init` writes: how long a heartbeat stands still before its lock is taken. */
const LOCK_INTERVAL_MS = 2_500;
/** Five times their stallLimit, and a little: nobody gives way who began to serve a moment ago. */
const STEADY_MS = 10_500;

/** Kills one of Lockstep's processes by its id. */
async function kill(server: ServerHost, part: 'manager' | 'broker'): Promise<void> {
  const status = await server.reaches('an answer', () => true);
  const pid = part === 'manager' ? status.manager.pid : status.broker?.pid;
  if (pid == null) throw new Error(`the ${server.role} server has no ${part}`);
  await server.guest.must(`kill -KILL ${pid}`);
}

/** A manager's children do not outlive it: otherwise a second broker could open the same journal. */
async function childless(server: ServerHost): Promise<void> {
  await server.guest.must('for n in $(seq 300); do pgrep -f "lockstep/dist/(server|share)/main.js" >/dev/null || exit 0; sleep 0.1; done; pgrep -af lockstep; exit 1');
}

type Deed = (server: ServerHost) => Promise<void>;

/** Clients are served by the other one for as long as the disk of the one stands still. */
async function givesWay(stage: Stage, harm: Deed, mend: Deed): Promise<void> {
  const { serving, passive, load } = stage;
  await stage.calm(STEADY_MS);
  await harm(serving);
  await stage.comes(serving, 'WAITING');
  await stage.comes(passive, 'STANDALONE');
  await load.flows();
  await mend(serving);
  await stage.comes(serving, 'WAITING', 'PASSIVE_SYNC', 'PASSIVE');
  await stage.comes(passive, 'STANDALONE', 'ACTIVE_SYNC', 'ACTIVE');
}

async function isDropped(stage: Stage, harm: Deed, mend: Deed): Promise<void> {
  const { serving, passive, load } = stage;
  await harm(passive);
  await stage.comes(serving, 'STANDALONE');
  await load.flows();
  await mend(passive);
  await stage.comes(serving, 'STANDALONE', 'ACTIVE_SYNC', 'ACTIVE');
}

export const HOST_SCENARIOS: readonly Scenario[] = [
  {
    name: 'power loss of the serving host',
    promise: 'the passive server takes over; the other comes back as its follower',
    ends: 'switched',
    async run(stage) {
      const { serving, passive, load } = stage;
      await serving.cutPower();
      await stage.comes(passive, 'STANDALONE');
      await load.flows();
      await serving.boot();
      await serving.start();
      await stage.comes(passive, 'STANDALONE', 'ACTIVE_SYNC', 'ACTIVE');
    },
  },
  {
    name: 'power loss of the passive host',
    promise: 'the serving server goes on alone; the other comes back as its follower',
    ends: 'same',
    async run(stage) {
      const { serving, passive, load } = stage;
      await passive.cutPower();
      await stage.comes(serving, 'STANDALONE');
      await load.flows();
      await passive.boot();
      await passive.start();
      await stage.comes(serving, 'STANDALONE', 'ACTIVE_SYNC', 'ACTIVE');
    },
  },
  {
    name: 'broker of the serving server killed',
    promise: 'its manager gives way at once, the passive server takes over; a new broker follows',
    ends: 'switched',
    async run(stage) {
      const { serving, passive } = stage;
      await kill(serving, 'broker');
      await stage.comes(passive, 'STANDALONE', 'ACTIVE_SYNC', 'ACTIVE');
      await stage.comes(serving, 'WAITING', 'PASSIVE_SYNC', 'PASSIVE');
    },
  },
  {
    name: 'broker of the passive server killed',
    promise: 'the serving server goes on alone; a new broker follows',
    ends: 'same',
    async run(stage) {
      const { serving, passive } = stage;
      await kill(passive, 'broker');
      await stage.comes(passive, 'WAITING', 'PASSIVE_SYNC', 'PASSIVE');
      await stage.comes(serving, 'STANDALONE', 'ACTIVE_SYNC', 'ACTIVE');
    },
  },
  {
    name: 'manager of the serving server killed',
    promise: 'its broker and keeper end, the passive server takes over',
    ends: 'switched',
    async run(stage) {
      const { serving, passive, load } = stage;
      await kill(serving, 'manager');
      await serving.ended();
      await childless(serving);
      await stage.comes(passive, 'STANDALONE');
      await load.flows();
      await serving.start();
      await stage.comes(passive, 'STANDALONE', 'ACTIVE_SYNC', 'ACTIVE');
    },
  },
  {
    name: 'manager of the passive server killed',
    promise: 'its broker and keeper end, the serving server goes on alone',
    ends: 'same',
    async run(stage) {
      const { serving, passive, load } = stage;
      await kill(passive, 'manager');
      await passive.ended();
      await childless(passive);
      await stage.comes(serving, 'STANDALONE');
      await load.flows();
      await passive.start();
      await stage.comes(serving, 'STANDALONE', 'ACTIVE_SYNC', 'ACTIVE');
    },
  },
  {
    name: 'serving host frozen for three lock intervals',
    promise: 'the passive server takes over; the woken one acknowledges nothing more and follows',
    ends: 'switched',
    async run(stage) {
      const { serving, passive } = stage;
      serving.guest.freeze();
      await pause(3 * LOCK_INTERVAL_MS);
      await stage.comes(passive, 'STANDALONE');
      serving.guest.thaw();
      await stage.comes(serving, 'WAITING', 'PASSIVE_SYNC', 'PASSIVE');
      await stage.comes(passive, 'STANDALONE', 'ACTIVE_SYNC', 'ACTIVE');
    },
  },
  {
    name: 'passive host frozen for three lock intervals',
    promise: 'the serving server goes on alone; the woken one follows again',
    ends: 'same',
    async run(stage) {
      const { serving, passive } = stage;
      passive.guest.freeze();
      await pause(3 * LOCK_INTERVAL_MS);
      await stage.comes(serving, 'STANDALONE');
      passive.guest.thaw();
      await stage.comes(passive, 'PASSIVE_SYNC', 'PASSIVE');
      await stage.comes(serving, 'STANDALONE', 'ACTIVE_SYNC', 'ACTIVE');
    },
  },
  {
    name: 'disk of the serving host hangs',
    promise: 'it gives way after stallLimit, the passive server takes over; it follows when its disk goes on',
    ends: 'switched',
    async run(stage) {
      await givesWay(stage, (server) => server.hangDisk(), (server) => server.releaseDisk());
    },
  },
  {
    name: 'disk of the serving host full',
    promise: 'it gives way after stallLimit, the passive server takes over; it follows when there is room',
    ends: 'switched',
    async run(stage) {
      await givesWay(stage, (server) => server.fillDisk(), (server) => server.makeRoomOnDisk());
    },
  },
  {
    name: 'disk of the passive host hangs',
    promise: 'it is dropped after stallLimit, the serving server goes on alone; it follows when its disk goes on',
    ends: 'same',
    async run(stage) {
      await isDropped(stage, (server) => server.hangDisk(), (server) => server.releaseDisk());
    },
  },
  {
    name: 'disk of the passive host full',
    promise: 'it is dropped after stallLimit, the serving server goes on alone; it follows when there is room',
    ends: 'same',
    async run(stage) {
      await isDropped(stage, (server) => server.fillDisk(), (server) => server.makeRoomOnDisk());
    },
  },
];
