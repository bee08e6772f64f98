import { loginsAtOnce, poolFor } from '../../../src/adapters/thread-pool.js';

test.each([
  [1, '4', 2],
  [2, '4', 2],
  [4, '4', 2],
  [5, '5', 3],
  [10, '10', 8],
  [64, '10', 8],
])('%d processors: a pool of %s threads, and %d logins at a time', (processors, size, logins) => {
  const environment = poolFor(processors, {});
  expect(environment).toEqual({ UV_THREADPOOL_SIZE: size });
  expect(loginsAtOnce(processors, environment)).toBe(logins);
});

test.each([
  ['1', 1],
  ['3', 1],
  ['6', 4],
  ['128', 8],
  ['many', 2],
  ['', 2],
])('a pool of "%s" that an operator has set stays, and the disk has threads that no login takes: %d', (size, logins) => {
  const environment = { UV_THREADPOOL_SIZE: size };
  expect(poolFor(16, environment)).toEqual(size === '' ? { UV_THREADPOOL_SIZE: '10' } : {});
  expect(loginsAtOnce(16, environment)).toBe(logins);
  // Nor does it take more of the processors than there are to take.
  expect(loginsAtOnce(2, environment)).toBe(Math.min(2, logins));
});
