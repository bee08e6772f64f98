import { createHash } from 'node:crypto';
import { hashPassword, parsePasswordHash, verifyPassword } from '../../../src/adapters/password.js';
import type { PasswordHash } from '../../../src/adapters/password.js';

const CHEAP = { N: 16, r: 1, p: 1 };

function parsed(text: string): PasswordHash {
  const hash = parsePasswordHash(text);
  if (typeof hash === 'string') throw new Error(hash);
  return hash;
}

describe('passwords', () => {
  test('the right one is right, as text and as bytes; others are not', async () => {
    const kept = parsed(await hashPassword('pässword', CHEAP));
    expect(await verifyPassword('pässword', kept)).toBe(true);
    expect(await verifyPassword(Buffer.from('pässword'), kept)).toBe(true);
    expect(await verifyPassword('password', kept)).toBe(false);
    expect(await verifyPassword('', kept)).toBe(false);
  });

  test.each([1, 2, 60, 57, 1_000])('with %i zero bytes behind it the right one is wrong', async (count) => {
    const kept = parsed(await hashPassword('secret word', CHEAP));
    expect(await verifyPassword(Buffer.concat([Buffer.from('secret word'), Buffer.alloc(count)]), kept)).toBe(false);
    expect(await verifyPassword(`secret word${'\0'.repeat(count)}`, kept)).toBe(false);
  });

  test('nothing but zero bytes is as wrong as no password at all', async () => {
    for (const right of ['\0'.repeat(8), 'secret']) {
      const kept = parsed(await hashPassword(right, CHEAP));
      for (const count of [1, 8, 64]) expect(await verifyPassword(Buffer.alloc(count), kept)).toBe(false);
    }
  });

  test.each([64, 65, 400])('of one of %i bytes its SHA-256, which a long one is for scrypt, is wrong', async (count) => {
    const right = 'x'.repeat(count);
    const kept = parsed(await hashPassword(right, CHEAP));
    expect(await verifyPassword(right, kept)).toBe(true);
    expect(await verifyPassword(createHash('sha256').update(right).digest(), kept)).toBe(false);
  });

  test('the default cost can be written and read', async () => {
    const text = await hashPassword('x');
    expect(text).toMatch(/^scrypt\$16384\$8\$1\$[^$]{24}\$[^$]{44}$/);
    expect(await verifyPassword('x', parsed(text))).toBe(true);
  });

  test('the same password is never kept in the same way', async () => {
    expect(await hashPassword('x', CHEAP)).not.toBe(await hashPassword('x', CHEAP));
  });

  test('a known answer: RFC 7914, section 12', async () => {
    const hash = Buffer.from('fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640', 'hex');
    expect(await verifyPassword('password', { N: 1024, r: 8, p: 16, salt: Buffer.from('NaCl'), hash })).toBe(true);
  });

  test.each([
    ['', /form scrypt/],
    ['secret', /form scrypt/],
    ['scrypt$16$1$1$YWFh', /form scrypt/],
    ['scrypt$16$1$1$!!$YWFh', /form scrypt/],
    ['scrypt$17$1$1$YWFh$YWFhYWFhYWFhYWFhYWFhYWFh', /power of two/],
    ['scrypt$16$1$99$YWFh$YWFhYWFhYWFhYWFhYWFhYWFh', /p from 1 to 16/],
    ['scrypt$16777216$8$1$YWFh$YWFhYWFhYWFhYWFhYWFhYWFh', /more than 128 MB/],
    ['scrypt$16$1$1$YWFh$YWFh', /16 are needed/],
  ])('%s is not a kept password', (text, why) => {
    expect(parsePasswordHash(text)).toMatch(why);
  });
});

test.each([
  ['a small N with a large r', { N: 2, r: 9_999, p: 1 }],
  ['many at once', { N: 2, r: 8, p: 16 }],
  ['the largest N that r 1 allows', { N: 32_768, r: 1, p: 1 }],
])('every cost that a user file may have can be verified: %s', async (_, cost) => {
  const kept = parsePasswordHash(await hashPassword('secret', cost));
  if (typeof kept === 'string') throw new Error(kept);
  expect(await verifyPassword('secret', kept)).toBe(true);
});

test.each([
  ['an N that OpenSSL refuses for r 1', 'scrypt$65536$1$1$YWJj$AAAAAAAAAAAAAAAAAAAAAA==', 'below 65536'],
  ['a salt without end', `scrypt$2$1$1$${'A'.repeat(4_000)}$AAAAAAAAAAAAAAAAAAAAAA==`, '1024 are allowed'],
])('refuses %s', (_, text, words) => expect(parsePasswordHash(text)).toContain(words));
