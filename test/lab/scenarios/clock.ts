import type { Scenario } from '../scenario.js';
import type { ServerHost } from '../server-host.js';

const HOUR_S = 3_600;
const TOLERANCE_S = 60;
/** Several times the longest interval of the profile. */
const CALM_MS = 10_000;

async function wallClock(server: ServerHost): Promise<number> {
  return Number(await server.guest.must('date +%s'));
}

async function step(server: ServerHost, seconds: number): Promise<void> {
  const before = await wallClock(server);
  await server.guest.must(`date -s @$(( $(date +%s) + ${seconds} ))`);
  const moved = (await wallClock(server)) - before;
  if (Math.abs(moved - seconds) > TOLERANCE_S) throw new Error(`the clock of the ${server.role} host moved by ${moved} s, not ${seconds} s`);
}

function clockScenario(which: 'serving' | 'passive', hours: 1 | -1): Scenario {
  return {
    name: `clock of the ${which} host ${hours > 0 ? '+' : '−'}1 h, and back`,
    promise: 'no interval is measured by it: nobody moves',
    ends: 'same',
    async run(stage) {
      await step(stage[which], hours * HOUR_S);
      await stage.calm(CALM_MS);
      await step(stage[which], -hours * HOUR_S);
      await stage.calm(CALM_MS);
    },
  };
}

export const CLOCK_SCENARIOS: readonly Scenario[] = [
  clockScenario('serving', 1),
  clockScenario('serving', -1),
  clockScenario('passive', 1),
  clockScenario('passive', -1),
  {
    name: 'clock of the passive host +1 h, then power loss of the serving one',
    promise: 'the passive server takes over as ever, and not before',
    ends: 'switched',
    async run(stage) {
      const { serving, passive, load } = stage;
      await step(passive, HOUR_S);
      await stage.calm(CALM_MS);
      await serving.cutPower();
      await stage.comes(passive, 'STANDALONE');
      await load.flows();
      await step(passive, -HOUR_S);
      await serving.boot();
      await serving.start();
    },
  },
];
