import type mqttPackage from 'mqtt';
import type { IClientOptions, MqttClient } from 'mqtt';
import type { Recorder } from './recorder.js';

export type Mqtt = typeof mqttPackage;

/** Whom the clients talk to, and as whom. */
export interface Target {
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  readonly user: string | null;
  readonly password: string | null;
  /** PEM of whoever signed the servers' certificate: MQTT over TLS. `null`: plain. */
  readonly ca: string | null;
}

const RECONNECT_MS = 100;
const CONNECT_TIMEOUT_MS = 3_000;
const KEEPALIVE_S = 3;

/** A client that has all addresses and tries one after the other; what becomes of its connections is told to the recorder. */
export function connectTo(mqtt: Mqtt, target: Target, clientId: string, recorder: Recorder, options: IClientOptions = {}): MqttClient {
  const clean = options.clean === true;
  const client = mqtt.connect({
    servers: target.addresses.map(({ host, port }) => ({ host, port, protocol: target.ca === null ? ('mqtt' as const) : ('mqtts' as const) })),
    ...(target.ca === null ? {} : { ca: target.ca }),
    ...(target.user === null ? {} : { username: target.user, password: target.password ?? '' }),
    clientId,
    clean: false,
    reconnectPeriod: RECONNECT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    keepalive: KEEPALIVE_S,
    ...options,
  });
  let connected = false;
  client.on('connect', ({ sessionPresent }) => {
    connected = true;
    recorder.tell({ event: 'connected', client: clientId, clean, sessionPresent });
  });
  client.on('close', () => {
    if (connected) recorder.tell({ event: 'disconnected', client: clientId });
    connected = false;
  });
  return client;
}

/** The words of a client that cannot get in, whichever server said them. */
export class Complaint {
  last: string | null = null;

  watch(client: MqttClient): MqttClient {
    client.on('error', (error) => (this.last = error.message)); // It tries the next address.
    return client;
  }
}
