import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPairKey } from '../../../src/adapters/secret.js';
import { readToken, secretFileTrouble } from '../../../src/profile/private-file.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-private-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const holding = (content: string | Uint8Array): string => {
  const file = join(folder, 'file');
  writeFileSync(file, content, { mode: 0o600 });
  return file;
};
/** As of /dev/urandom. */
const NO_TEXT = Uint8Array.from({ length: 64 }, (_, i) => 0x80 + i);

test('a token is what a header of HTTP can carry', () => {
  expect(readToken(holding('  a-long/token+of=signs \n'))).toBe('a-long/token+of=signs');
  for (const content of [NO_TEXT, 'ä'.repeat(20), `${'x'.repeat(20)}\0`]) expect(() => readToken(holding(content))).toThrow(expect.objectContaining({ code: 'LOCKSTEP_TOKEN_FILE' }));
});

test('a secret of bytes that are no text is refused: they would all be one character', async () => {
  await expect(readPairKey(holding(NO_TEXT))).rejects.toMatchObject({ code: 'LOCKSTEP_SECRET_UNREADABLE' });
  expect(secretFileTrouble(holding(NO_TEXT))).toContain('no text');
  expect(secretFileTrouble(holding('s'.repeat(40)))).toBeNull();
});

test.each([31, 32, 4_096, 4_097])('a secret of %d characters is judged as it will be when it is used', async (length) => {
  const file = holding('s'.repeat(length));
  const used = await readPairKey(file).then(() => true, () => false);
  expect(secretFileTrouble(file) === null).toBe(used);
  expect(used).toBe(length >= 32 && length <= 4_096);
});
