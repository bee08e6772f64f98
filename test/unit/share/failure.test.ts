import { isUnwritable, troubleOf } from '../../../src/share/failure.js';

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
