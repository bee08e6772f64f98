import dns from 'node:dns';
import type { LookupFunction } from 'node:net';

/**
 * For dialling: the system's own look-up of a name, with one of each name under way at a time, whose answer all get. A name service that is silent holds a thread of this process for
 * each look-up, which the disk then lacks.
 */
export function createLookUp(system: LookupFunction = dns.lookup as LookupFunction): LookupFunction {
  const underWay = new Map<string, Parameters<LookupFunction>[2][]>();
  return (host, options, callback) => {
    const key = JSON.stringify([host, options.family, options.all, options.hints, options.order, options.verbatim]);
    const waiting = underWay.get(key);
    if (waiting !== undefined) return void waiting.push(callback);
    const asking = [callback];
    underWay.set(key, asking);
    try {
      system(host, options, (...answer) => {
        underWay.delete(key);
        for (const tell of asking) tell(...answer);
      });
    } catch (error) {
      underWay.delete(key); // Nothing is under way.
      throw error;
    }
  };
}

/** The one of this process. */
export const lookUp = createLookUp();
