import { lookup } from 'node:dns/promises';
import { plainReason, systemCode } from '../../adapters/network-errors.js';

/** Why no address can be had for a host, in words, with what to do; `null` where it has one, or is one. */
export async function nameTrouble(host: string): Promise<string | null> {
  try {
    await lookup(host);
    return null;
  } catch (error) {
    return unresolved(host, error);
  }
}

/** @returns `null`: it is no fault of the name, and whoever asks that host will meet it */
export function unresolved(host: string, error: unknown): string | null {
  if (!['ENOTFOUND', 'EAI_AGAIN'].includes(systemCode(error) ?? '')) return null;
  return `the name ${host} cannot be resolved: ${plainReason(error)}. Correct it, make it known to this machine (name service or /etc/hosts), or give an address`;
}
