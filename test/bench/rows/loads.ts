import { MAIN_LOAD, type Load } from '../load.js';
import type { Row } from '../row.js';
import { comparisonRow, type Step } from './comparison.js';

const REACH = '≥ 0.5 × Mosquitto, or the row `budget` shows where the time goes';
const RATIO_MIN = 0.5;
const KIB = 1024;

export function step(label: string, value: number, differs: Partial<Load>): Step {
  return { label, value, load: { ...MAIN_LOAD, ...differs } };
}

/** Fewer of the large ones are in flight: 16 MiB of them at most. */
export function payload(label: string, payloadBytes: number, window: number): Step {
  return step(label, payloadBytes, { payloadBytes, window });
}

/** Below the ratio: `budget` has their profiles. */
const LARGE: readonly Step[] = [
  { ...payload('16 KB', 16 * KIB, 64), profiled: true },
  { ...payload('1 MB', KIB * KIB - KIB, 4), profiled: true },
];
const ONE_IN_FLIGHT: readonly Step[] = [1, 10, 100, 1_000].map((count) => ({ ...step(String(count), count, { publishers: count, window: 1 }), profiled: true }));

/** What `budget` looks into: the main load, and each load that may stay below the ratio for that reason alone. */
export const PROFILED: readonly Step[] = [
  step('main load', 0, {}),
  ...LARGE,
  step('QoS 2', 2, { qos: 2, subscriberQos: 2 }),
  ...ONE_IN_FLIGHT.map((one) => ({ ...one, label: `${one.label} with 1 in flight` })),
];

export const payloads: Row = comparisonRow({
  name: 'payload',
  what: 'The main load with payloads of 16 B to 1 MB (4 in flight for each publisher at 1 MB)',
  reach: REACH,
  peers: ['Mosquitto', 'NATS'],
  steps: [payload('16 B', 16, 64), payload('256 B', 256, 64), payload('1 KB', KIB, 64), ...LARGE],
  ratio: RATIO_MIN,
  plot: { file: 'size', title: 'Message size', x: 'bytes of payload', xScale: 'log' },
});

export const qualities: Row = comparisonRow({
  name: 'qos',
  what: 'The main load at QoS 0 and at QoS 2, both ways',
  reach: REACH,
  peers: ['Mosquitto'],
  steps: [step('QoS 0', 0, { qos: 0, subscriberQos: 0 }), step('QoS 1', 1, {}), step('QoS 2', 2, { qos: 2, subscriberQos: 2 })],
  ratio: RATIO_MIN,
  plot: null,
});

export const fanOut: Row = comparisonRow({
  name: 'fan-out',
  what: 'The main load, every message to 1, 10 and 100 subscribers',
  reach: REACH,
  peers: ['Mosquitto', 'NATS'],
  steps: [step('1', 1, {}), step('10', 10, { subscribers: 10 }), step('100', 100, { subscribers: 100 })],
  ratio: RATIO_MIN,
  plot: null,
});

export const publishers: Row = comparisonRow({
  name: 'publishers',
  what: '1 to 1,000 publishers with 1 message in flight each, 1 subscriber (a single one waits for two disks at each message)',
  reach: REACH,
  peers: ['Mosquitto', 'NATS'],
  steps: ONE_IN_FLIGHT,
  ratio: RATIO_MIN,
  plot: { file: 'clients', title: 'Publishers with 1 in flight', x: 'publishers', xScale: 'log' },
});

/** Ten subscribers, so that no session has more than a thousand. */
export const subscriptions: Row = comparisonRow({
  name: 'subscriptions',
  what: '10 to 10,000 subscriptions with a wildcard, of 10 sessions; messages go round topics that match one each',
  reach: REACH,
  peers: ['Mosquitto'],
  steps: [10, 100, 1_000, 10_000].map((topics) => step(String(topics), topics, { topics, subscribers: 10 })),
  ratio: RATIO_MIN,
  plot: { file: 'subscriptions', title: 'Subscriptions with a wildcard', x: 'subscriptions', xScale: 'log' },
});
