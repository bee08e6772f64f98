import { FewAtOnce } from '../../../src/server/few-at-once.js';

test('no more than the limit at a time, in the order of asking, and a failure frees its place', async () => {
  const few = new FewAtOnce(3);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  let [running, most] = [0, 0];
  const results = Array.from({ length: 3_000 }, (_, at) =>
    few
      .run(async () => {
        begun.push(at);
        running += 1;
        most = Math.max(most, running);
        await new Promise<void>((resolve) => ends.push(resolve));
        running -= 1;
        if (at % 5 === 0) throw new Error(`work ${at}`);
        return at;
      })
      .catch((error: unknown) => (error as Error).message),
  );
  for (let next = 0; next < 3_000; next++) {
    while (ends[next] === undefined) await Promise.resolve();
    ends[next]?.();
  }
  expect(await Promise.all(results)).toEqual(Array.from({ length: 3_000 }, (_, at) => (at % 5 === 0 ? `work ${at}` : at)));
  expect(most).toBe(3);
  expect(begun).toEqual(Array.from({ length: 3_000 }, (_, at) => at));
  await expect(few.run(() => Promise.resolve('again'))).resolves.toBe('again');
});
