import { BudgetExceeded, budgetFor, metered, meteredNow } from './meter.js';

const budget = budgetFor(100, 10, 10);

test('a loop that never ends is ended, also when it takes every error for a reason to go on', () => {
  const endless = (): void => {
    for (let caught = 0; caught < 1_000; ) {
      try {
        for (;;) JSON.parse('1');
      } catch {
        caught += 1;
      }
    }
  };
  expect(() => meteredNow(budget, endless)).toThrow(BudgetExceeded);
});

test('memory that is asked for because a length says so is counted before it is there', () => {
  expect(() => meteredNow(budget, () => new Uint8Array(2 ** 40))).toThrow(BudgetExceeded);
  expect(() => meteredNow(budget, () => Buffer.alloc(2 ** 30))).toThrow(BudgetExceeded);
  expect(() => meteredNow(budget, () => new Uint8Array(300_000).slice())).toThrow(BudgetExceeded);
});

test('what stays within its budget goes through, and everything is as it was before', async () => {
  const { parse } = JSON;
  const { Uint8Array: bytes } = globalThis;
  const { value, cost } = await metered(budget, async () => {
    await Promise.resolve();
    return new Uint8Array(1_000).subarray(1);
  });
  expect(value).toHaveLength(999);
  // What else runs meanwhile is counted with it.
  expect(cost.bytes).toBeGreaterThanOrEqual(1_000);
  expect(cost.steps).toBeGreaterThanOrEqual(2);
  expect([JSON.parse, globalThis.Uint8Array]).toEqual([parse, bytes]);
});
