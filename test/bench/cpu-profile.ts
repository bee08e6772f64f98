import { z } from 'zod';

/** What `--cpu-prof` writes, as far as it is used here. Times in microseconds. */
const Profile = z.object({
  nodes: z.array(z.object({ id: z.number(), callFrame: z.object({ functionName: z.string(), url: z.string() }), children: z.array(z.number()).optional() })),
  startTime: z.number(),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

/** Where time of the main thread goes; `engine`: Node.js itself without a caller of ours, `collector`: garbage collection. */
export const STAGES = ['parse', 'core', 'journal', 'replication', 'write', 'other', 'engine', 'collector'] as const;
export type Stage = (typeof STAGES)[number];

/** By the beginning of a file's path below `dist`; the first that fits. */
const PLACES: readonly (readonly [path: string, stage: Stage])[] = [
  ['protocols/mqtt/encoder', 'write'],
  ['protocols/mqtt/outbox', 'write'],
  ['adapters/socket-stream', 'write'],
  ['adapters/network', 'write'],
  ['protocols/', 'parse'],
  ['core/broker/', 'core'],
  ['server/serving', 'core'],
  ['server/clients/', 'core'],
  ['server/connections', 'core'],
  ['server/backlog', 'core'],
  ['server/replica', 'core'],
  ['core/replication/admission', 'core'],
  ['core/journal/', 'journal'],
  ['server/journal/', 'journal'],
  ['server/copy', 'journal'],
  ['server/snapshot', 'journal'],
  ['adapters/disk', 'journal'],
  ['adapters/checksum', 'journal'],
  ['core/replication/', 'replication'],
  ['core/wire/frame', 'replication'],
  ['server/feed', 'replication'],
  ['server/leading', 'replication'],
  ['server/following', 'replication'],
  ['server/follower-link', 'replication'],
  ['server/intake', 'replication'],
  ['server/replication', 'replication'],
];

export interface Budget {
  /** Microseconds of the main thread that were not idle. */
  readonly busyMicros: number;
  readonly stages: Readonly<Record<Stage, number>>;
  /** By folder of `src`, the largest first. */
  readonly folders: readonly (readonly [folder: string, micros: number])[];
  /** By function, the largest first. */
  readonly functions: readonly (readonly [name: string, micros: number])[];
}

interface Place {
  readonly stage: Stage | null;
  readonly folder: string;
}

/** Times as `process.hrtime` has them, in microseconds: V8 takes the same clock on Linux. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * Adds up what of a processor profile lies in a span. Time in Node.js and in V8 counts for the function of ours that called it: a write to a socket for who wrote.
 * @throws ZodError for what is no profile
 */
export function budgetOf(json: unknown, span: Span): Budget {
  const { nodes, startTime, samples, timeDeltas } = Profile.parse(json);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)));
  const places = new Map<number, Place>();
  const placeOf = (id: number): Place => {
    const known = places.get(id);
    if (known !== undefined) return known;
    const node = byId.get(id);
    const parent = parents.get(id);
    const own = node === undefined ? null : ownPlace(node.callFrame.functionName, node.callFrame.url);
    const place = own ?? (parent === undefined ? { stage: 'engine', folder: '(Node.js)' } : placeOf(parent));
    places.set(id, place);
    return place;
  };
  const stages = Object.fromEntries(STAGES.map((stage) => [stage, 0])) as Record<Stage, number>;
  const [folders, functions] = [new Map<string, number>(), new Map<string, number>()];
  let [busyMicros, now] = [0, startTime];
  samples.forEach((id, at) => {
    const { stage, folder } = placeOf(id);
    const micros = timeDeltas[at] ?? 0;
    now += micros;
    if (stage === null || now < span.from || now > span.to) return;
    busyMicros += micros;
    stages[stage] += micros;
    folders.set(folder, (folders.get(folder) ?? 0) + micros);
    const { functionName, url } = byId.get(id)?.callFrame ?? { functionName: '', url: '' };
    const name = `${functionName === '' ? '(anonymous)' : functionName} ${fileOf(url) ?? url}`.trim();
    functions.set(name, (functions.get(name) ?? 0) + micros);
  });
  return { busyMicros, stages, folders: largestFirst(folders), functions: largestFirst(functions) };
}

/** `null`: whoever called it decides. A stage of `null`: the thread did nothing. */
function ownPlace(name: string, url: string): Place | null {
  if (name === '(idle)') return { stage: null, folder: '' };
  if (name === '(garbage collector)') return { stage: 'collector', folder: '(garbage collector)' };
  if (name === '(program)') return { stage: 'engine', folder: '(Node.js)' };
  const file = fileOf(url);
  if (file === null) return null;
  return { stage: PLACES.find(([path]) => file.startsWith(path))?.[1] ?? 'other', folder: file.slice(0, Math.max(0, file.lastIndexOf('/'))) };
}

/** The path below `dist`; `null` for a file that is not ours. */
function fileOf(url: string): string | null {
  const at = url.indexOf('/dist/');
  return at < 0 || url.includes('/node_modules/') ? null : url.slice(at + '/dist/'.length);
}

function largestFirst(times: ReadonlyMap<string, number>): [string, number][] {
  return [...times].sort(([, one], [, another]) => another - one);
}
