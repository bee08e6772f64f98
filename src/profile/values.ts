import { isIPv6 } from 'node:net';

/*
 * Quantities as an operator writes them. Each parser answers `null` for what it does not understand, never a guess.
 */

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const BYTE_UNITS: Readonly<Record<string, number>> = { b: 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3, kb: 1000, mb: 1000 ** 2, gb: 1000 ** 3 };

/** `500ms`, `5s`, `2m`, `1h`, `1.5s`, or a whole number of milliseconds. Milliseconds, whole. */
export function parseDuration(input: unknown): number | null {
  return parseQuantity(input, DURATION_UNITS);
}

/** `64MiB`, `10kB`, `1GiB`, or a whole number of bytes. Bytes, whole. */
export function parseBytes(input: unknown): number | null {
  return parseQuantity(input, BYTE_UNITS);
}

function parseQuantity(input: unknown, units: Readonly<Record<string, number>>): number | null {
  if (typeof input === 'number') return Number.isSafeInteger(input) && input >= 0 ? input : null;
  if (typeof input !== 'string') return null;
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*([A-Za-z]*)$/.exec(input.trim());
  if (match === null) return null;
  const unit = match[2] === '' ? 1 : units[(match[2] ?? '').toLowerCase()];
  if (unit === undefined) return null;
  const exact = Number(match[1]) * unit;
  const value = Math.round(exact);
  // 2052.285 × 1000 is not quite 2052285 in binary; 0.0001s is no whole millisecond in any.
  return Number.isSafeInteger(value) && Math.abs(exact - value) < 1e-6 ? value : null;
}

/** 500 → `500ms`, 2500 → `2.5s`, 120000 → `2m`. What `parseDuration` reads back. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  if (ms % 60_000 === 0) return `${ms / 60_000}m`;
  return `${ms / 1000}s`;
}

/** 67108864 → `64MiB`. What `parseBytes` reads back, exactly. */
export function formatBytes(bytes: number): string {
  for (const [name, unit] of [['GiB', 1024 ** 3], ['MiB', 1024 ** 2], ['KiB', 1024]] as const) {
    if (bytes >= unit && bytes % unit === 0) return `${bytes / unit}${name}`;
  }
  return String(bytes);
}

/** True for addresses that only this machine can reach. A name other than `localhost` is not believed to be one, nor is an IPv4 address written as one of IPv6. */
export function isLoopback(host: string): boolean {
  const bare = host.toLowerCase().replace(/^\[|\]$/g, '');
  return bare === 'localhost' || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare);
}

/** Where the admin HTTP of that host listens. Of a name that stands for two addresses, one: which, would be the system's choice. */
export function adminAddress(host: string): string {
  return host.toLowerCase() === 'localhost' ? '127.0.0.1' : host;
}

/** True for the addresses that stand for every interface, however they are written. */
export function isWildcard(host: string): boolean {
  const bare = host.toLowerCase().replace(/^\[|\]$/g, '');
  if (/^0+(\.0+){0,3}$/.test(bare)) return true;
  return isIPv6(bare) && /^(0*:)+(0*|(ffff:)?(0+\.0+\.0+\.0+|0+:0+))(%.*)?$/.test(bare);
}
