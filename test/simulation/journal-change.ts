import type { Change } from '../../src/server/journal/meta.js';

/** What a journal's description says is being done to its log. `null`: nothing, or it cannot be read. */
export function changeIn(description: Uint8Array): Change['kind'] | null {
  try {
    return (JSON.parse(Buffer.from(description).toString()) as { change?: Change }).change?.kind ?? null;
  } catch {
    return null;
  }
}
