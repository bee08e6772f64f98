import type { Hello } from '../control/peer.js';
import type { ConfiguredRole, RunId, ServerId } from '../identity.js';
import { decodeJson, encodeJson, Fields } from './fields.js';
import { NAME_CHARS_MAX } from './term-record.js';

export const SETTINGS_MAX = 128;
export const SETTING_KEY_CHARS_MAX = 128;
export const SETTING_VALUE_CHARS_MAX = 1024;

const ROLES: readonly ConfiguredRole[] = ['primary', 'secondary'];

/** Payload of a hello frame. */
export function encodeHello(hello: Hello): Uint8Array {
  return encodeJson(hello);
}

/** @throws MessageRefused that names the field; fields of a newer version are tolerated */
export function decodeHello(payload: Uint8Array): Hello {
  const fields = Fields.of('hello', decodeJson('hello', payload));
  return {
    cluster: fields.name('cluster', NAME_CHARS_MAX),
    server: fields.name('server', NAME_CHARS_MAX) as ServerId,
    role: fields.oneOf('role', ROLES),
    run: fields.name('run', NAME_CHARS_MAX) as RunId,
    version: fields.name('version', NAME_CHARS_MAX),
    settings: fields.texts('settings', SETTINGS_MAX, SETTING_KEY_CHARS_MAX, SETTING_VALUE_CHARS_MAX),
    advisedSettings: fields.added('advisedSettings', (at, name) => at.texts(name, SETTINGS_MAX, SETTING_KEY_CHARS_MAX, SETTING_VALUE_CHARS_MAX)),
  };
}
