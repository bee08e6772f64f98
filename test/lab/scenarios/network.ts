import { setTimeout as pause } from 'node:timers/promises';
import type { Guest } from '../guest.js';
import type { Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';

const CALM_MS = 12_000;
const WEATHER_MS = 30_000;
/** Where `lockstep init` lets the HA managers of two hosts listen. */
const HA_PORT = 2101;
const WEATHER = 'delay 200ms loss 10%';

/** Each of these hosts hears the other no more. */
async function cut(one: Guest, other: Guest): Promise<void> {
  await Promise.all([one.deafen(other.name), other.deafen(one.name)]);
}

async function swallowing(...guests: readonly Guest[]): Promise<void> {
  for (const guest of guests) if ((await guest.swallowed()) === 0) throw new Error(`nothing was swallowed at the ${guest.name}: the cable is not cut`);
}

async function whole(...guests: readonly Guest[]): Promise<void> {
  await Promise.all(guests.map((guest) => guest.hearAll()));
}

type Deaf = (stage: Stage) => readonly (readonly [Guest, Guest])[];

/** `backchannel`: the brokers reach each other all the while. */
function linkScenario(what: 'link between the servers' | 'backchannel', how: string, deaf: Deaf): Scenario {
  return {
    name: `${what} cut ${how}`,
    promise: 'the serving server holds the lock and goes on alone; the other waits',
    ends: 'same',
    async run(stage) {
      const { serving, passive, load } = stage;
      const cuts = deaf(stage);
      for (const [guest, from] of cuts) await guest.deafen(from.name, what === 'backchannel' ? HA_PORT : null);
      await stage.comes(serving, 'STANDALONE');
      await stage.comes(passive, 'WAITING');
      await load.flows();
      await swallowing(...cuts.map(([guest]) => guest));
      await whole(...cuts.map(([guest]) => guest));
      await stage.comes(serving, 'STANDALONE', 'ACTIVE_SYNC', 'ACTIVE');
    },
  };
}

function gatewayScenario(from: string, whom: (stage: Stage) => readonly ('serving' | 'passive')[]): Scenario {
  return {
    name: `gateway cut from ${from}`,
    promise: 'both copies are in sync and hear each other: nobody moves, and nobody is kept waiting',
    ends: 'same',
    async run(stage) {
      const gateway = stage.lab.gateway.guest;
      const servers = whom(stage).map((role) => stage[role]);
      for (const server of servers) await cut(gateway, server.guest);
      for (const server of servers) await stage.seen(server, 'a silent gateway and a share that is not well', ({ gateway: { answers }, lock }) => !answers && lock.share !== 'ok');
      await stage.calm(CALM_MS);
      // At the servers there is nothing to swallow: a gateway that hears nothing answers nothing.
      await swallowing(gateway);
      await whole(gateway, ...servers.map((server) => server.guest));
    },
  };
}

const CUTS: readonly (readonly [string, Deaf])[] = [
  ['both ways', ({ serving, passive }) => [[serving.guest, passive.guest], [passive.guest, serving.guest]]],
  ['one way: the passive host does not hear', ({ serving, passive }) => [[passive.guest, serving.guest]]],
  ['one way: the serving host does not hear', ({ serving, passive }) => [[serving.guest, passive.guest]]],
];

export const NETWORK_SCENARIOS: readonly Scenario[] = [
  ...(['link between the servers', 'backchannel'] as const).flatMap((what) => CUTS.map(([how, deaf]) => linkScenario(what, how, deaf))),
  gatewayScenario('the serving host', () => ['serving']),
  gatewayScenario('the passive host', () => ['passive']),
  gatewayScenario('both hosts', () => ['serving', 'passive']),
  {
    name: 'serving host cut from peer and gateway',
    promise: 'it stops acknowledging before its lock can be taken, though clients still reach it; the passive server takes over',
    ends: 'switched',
    async run(stage) {
      const { serving, passive, load, lab } = stage;
      await Promise.all([cut(serving.guest, passive.guest), cut(serving.guest, lab.gateway.guest)]);
      await stage.comes(serving, 'WAITING');
      await stage.comes(passive, 'STANDALONE');
      await load.flows();
      await swallowing(serving.guest, passive.guest);
      await whole(serving.guest, passive.guest, lab.gateway.guest);
      await stage.comes(serving, 'WAITING', 'PASSIVE_SYNC', 'PASSIVE');
    },
  },
  {
    name: 'packet loss of 10 % and 200 ms delay on both servers',
    promise: 'whatever moves that costs: nothing is lost, and the pair is in step when the weather is over',
    ends: 'either',
    async run(stage) {
      const guests = [stage.serving.guest, stage.passive.guest];
      for (const guest of guests) await guest.must(`tc qdisc add dev vec0 root netem ${WEATHER}`);
      await pause(WEATHER_MS);
      for (const guest of guests) {
        const dropped = /dropped (\d+)/.exec(await guest.must('tc -s qdisc show dev vec0'))?.[1];
        if (!(Number(dropped) > 0)) throw new Error(`the ${guest.name} host has lost no packet`);
        await guest.must('tc qdisc del dev vec0 root');
      }
    },
  },
];
