import { runSeeds } from './pool.js';
import type { SeedResult } from './run-seed.js';

/** Answers odd seeds at once and even ones late, so that they are done out of order. */
const WORKER = `
import { parentPort } from 'node:worker_threads';
parentPort.on('message', ({ seed }) => {
  if (seed === 99) throw new Error('a broken worker');
  setTimeout(() => parentPort.postMessage({ seed }), seed % 2 === 0 ? 20 : 0);
});
`;
const worker = new URL(`data:text/javascript,${encodeURIComponent(WORKER)}`);
const proof = { minutes: 2, twice: false, without: [] };

describe('the pool of workers', () => {
  it('tells of the seeds in their order, whichever is done first', async () => {
    const told: number[] = [];
    await runSeeds({ first: 10, count: 9, workers: 3, proof, worker }, ({ seed }: SeedResult) => told.push(seed) > 0);
    expect(told).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18]);
  });

  it('ends at the seed that says so', async () => {
    const told: number[] = [];
    await runSeeds({ first: 1, count: 50, workers: 2, proof, worker }, ({ seed }: SeedResult) => told.push(seed) < 4);
    expect(told).toEqual([1, 2, 3, 4]);
  });

  it('has nothing to tell of no seeds, and fails with a worker that fails', async () => {
    await runSeeds({ first: 1, count: 0, workers: 2, proof, worker }, () => true);
    await expect(runSeeds({ first: 98, count: 3, workers: 2, proof, worker }, () => true)).rejects.toThrow('a broken worker');
  });
});
