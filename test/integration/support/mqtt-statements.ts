/**
 * The sections of MQTT 3.1.1 that have numbered statements (appendix B), and how many each has. Two numbers are spelt in a way of their own there,
 * and so here.
 */
const SECTIONS: readonly (readonly [string, number])[] = [
  ['1.5.3', 3], ['2.2.2', 2], ['2.3.1', 7], ['3.1.0', 2], ['3.1.2', 24], ['3.1.3', 11], ['3.1.4', 5], ['3.2.0', 1], ['3.2.2', 6],
  ['3.3.1', 12], ['3.3.2', 3], ['3.3.4', 1], ['3.3.5', 2], ['3.6.1', 1], ['3.8.1', 1], ['3.8.3', 4], ['3.8.4', 6], ['3.9.3', 2],
  ['3.10.1', 1], ['3.10.3', 2], ['3.10.4', 6], ['3.12.4', 1], ['3.14.1', 1], ['3.14.4', 3], ['4.1.0', 2], ['4.3.1', 1], ['4.3.2', 2],
  ['4.3.3', 2], ['4.4.0', 1], ['4.5.0', 2], ['4.6.0', 6], ['4.7.1', 3], ['4.7.2', 1], ['4.7.3', 4], ['4.8.0', 2], ['6.0.0', 4],
  ['7.0.0', 2], ['7.1.1', 1], ['7.1.2', 1],
]; // prettier-ignore

const SPELT: Readonly<Record<string, string>> = { 'MQTT-3.1.2-7': 'MQTT-3.1.2.7', 'MQTT-3.8.3-4': 'MQTT-3-8.3-4' };

export const STATEMENTS: readonly string[] = SECTIONS.flatMap(([section, last]) =>
  Array.from({ length: last }, (_, i) => `MQTT-${section}-${i + 1}`).map((number) => SPELT[number] ?? number),
);

const WEBSOCKET = 'MQTT over WebSocket is not offered';

/** Statements without a test from outside, and why. */
export const NOT_TESTED: Readonly<Record<string, string>> = {
  'MQTT-4.5.0-2': 'a duty of the client; what the server does with a message that is not acknowledged is in the tests of 4.4.0-1',
  'MQTT-4.6.0-2': 'a duty of the client',
  'MQTT-4.6.0-3': 'a duty of the client',
  'MQTT-4.6.0-4': 'a duty of the client; what the server does as a sender is in the tests of 4.6.0-6',
  'MQTT-6.0.0-1': WEBSOCKET,
  'MQTT-6.0.0-3': WEBSOCKET,
  'MQTT-6.0.0-4': WEBSOCKET,
  'MQTT-7.0.0-1': 'a Lockstep server opens no MQTT connection to another server',
  'MQTT-7.0.0-2': 'no extension is needed, or known: every test here, and stock clients (mqtt-clients, mqtt-conformance-mosquitto), use the standard alone',
  'MQTT-7.1.2-1': 'a duty of the client',
};
