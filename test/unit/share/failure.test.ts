import type { ServerId } from '../../../src/core/identity.js';
import { isUnwritable, textOf, troubleOf } from '../../../src/share/failure.js';
import { SharePaths } from '../../../src/share/paths.js';

const failure = (code: string): Error => Object.assign(new Error(`${code}: said by the system`), { code });

it.each([
  ['EROFS', 'read-only', 'EROFS: said by the system, while trying'],
  ['EACCES', 'denied', "EACCES: said by the system, while trying: uid 1000 may not. The user of both servers must be able to read and write in the lockfile's folder"],
  ['EPERM', 'denied', 'EPERM: said by the system, while trying: uid 1000 may not.'],
  ['ENOSPC', 'full', 'ENOSPC: said by the system, while trying'],
])('%s is %s, and says what happened', (code, condition, detail) => {
  const trouble = troubleOf(failure(code), 'trying', 'uid 1000');
  expect(trouble.condition).toBe(condition);
  expect(trouble.detail).toContain(detail);
  if (condition !== 'denied') expect(trouble.detail).not.toContain('uid');
});

it('a share that may not be written counts for decisions as one that cannot be', () => {
  for (const condition of ['read-only', 'denied', 'full'] as const) expect(isUnwritable(condition)).toBe(true);
  for (const condition of ['absent', 'hung', 'replaced', 'refused', 'failed'] as const) expect(isUnwritable(condition)).toBe(false);
});

it('the same trouble reads the same at each try, whatever the temporary name', () => {
  const paths = new SharePaths('orders.lck');
  const texts = ['0fec525ac2c02c67b5fe4849699aca70', 'bbcd2c97f33ecb7878297dbe4f3424b2'].map((id) => {
    const error = new Error(`EROFS: read-only file system, rename '/mnt/x/orders.lck.lock' -> '/mnt/x/${paths.temporary('lock', id)}'`);
    const claim = new Error(`ENOSPC: no space left on device, open '/mnt/x/${paths.prepared('primary' as ServerId, `${id}.${id}`)}'`);
    return [textOf(error), troubleOf(error, 'keeping the lock', 'uid 1000').detail, textOf(claim)];
  });
  expect(texts[0]).toEqual(texts[1]);
  expect(texts[0]?.[0]).toBe("EROFS: read-only file system, rename '/mnt/x/orders.lck.lock' -> '/mnt/x/orders.lck.lock.*.tmp'");
  expect(texts[0]?.[2]).toBe("ENOSPC: no space left on device, open '/mnt/x/orders.lck.terms/claim.primary.*.tmp'");
});

it('a name that is not made at random is told whole', () => {
  const text = "ENOENT: no such file or directory, open '/mnt/0fec525ac2c02c67b5fe4849699aca70/orders.tmp'";
  expect(textOf(new Error(text))).toBe(text);
});
