import type { Violation } from './world.js';

/** Lines shown of a failure at most, the last ones. */
const LINES_SHOWN_MAX = 120;
/** Who did it stands in a line behind the time and the states of both servers. */
const CLIENT = /^\S+ P:\S+ +S:\S+ +(pub|con|auditor)\d* /;
const OPERATION = /\bpub\d+\.\d+\b/g;
const CLIENT_NAME = /\b(?:con\d+|auditor)\b/g;

/**
 * The part of a failure's transcript that a person wants to read: what the servers, the share and the faults did, and of what the clients did
 * only what concerns the messages and consumers that the violation names.
 */
export function excerpt(transcript: readonly string[], violation: Violation): string[] {
  const { detail } = violation;
  const operations = new Set(detail.match(OPERATION) ?? []);
  const consumers = new Set(detail.match(CLIENT_NAME) ?? []);
  const concerns = (line: string): boolean => {
    const named = line.match(OPERATION) ?? [];
    if (operations.size > 0) return named.some((name) => operations.has(name));
    return [...consumers].some((name) => line.includes(` ${name} `));
  };
  return transcript.filter((line) => !CLIENT.test(line) || concerns(line)).slice(-LINES_SHOWN_MAX);
}
