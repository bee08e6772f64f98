import * as fc from 'fast-check';
import { decodeShareIdentity, decodeTermRecord, encodeShareIdentity, encodeTermRecord } from '../../../../src/core/terms/codec.js';
import { higherOf, isMember, sameRecord } from '../../../../src/core/terms/compare.js';
import { TERM_MAX, termFileName, termOfName } from '../../../../src/core/terms/names.js';
import type { TermRecord } from '../../../../src/core/terms/record.js';
import type { JournalId, Position, ServerId, Term } from '../../../../src/core/identity.js';
import { encodeText } from '../../../../src/core/wire/bytes.js';

const FILE = 'pair.lck.terms/0000000042.json';
const [primary, secondary] = ['primary' as ServerId, 'secondary' as ServerId];

function record(words: Partial<TermRecord> = {}): TermRecord {
  return {
    schema: 1,
    term: 42 as Term,
    server: primary,
    inSync: [
      { server: primary, journal: 'j1' as JournalId },
      { server: secondary, journal: 'j2' as JournalId },
    ],
    position: 1000 as Position,
    cause: 'admission',
    at: '2026-01-01T00:00:00.000Z',
    nonce: 'n',
    ...words,
  };
}

function damage(text: string): unknown {
  try {
    return decodeTermRecord(encodeText(text), FILE);
  } catch (error) {
    return error;
  }
}

describe('term records as JSON', () => {
  it.each([record(), record({ forced: true, cause: 'promotion' }), record({ term: TERM_MAX as Term, inSync: [{ server: primary, journal: 'j' as JournalId }] })])('come back as they were', (one) => {
    expect(decodeTermRecord(encodeTermRecord(one), FILE)).toEqual(one);
  });

  it('read as they are documented', () => {
    expect(new TextDecoder().decode(encodeTermRecord(record({ forced: true })))).toBe(
      '{"schema":1,"term":42,"server":"primary","inSync":[{"server":"primary","journal":"j1"},{"server":"secondary","journal":"j2"}],"position":1000,"cause":"admission","forced":true,"at":"2026-01-01T00:00:00.000Z","nonce":"n","sum":"611c5c1a"}\n',
    );
  });

  it.each([
    ['nothing', '', 'not JSON'],
    ['half a record', JSON.stringify(record()).slice(0, 50), 'not JSON'],
    ['a list', '[]', 'an object is expected'],
    ['a newer schema', JSON.stringify({ ...record(), schema: 2 }), 'schema'],
    ['no term', JSON.stringify({ ...record(), term: undefined }), 'term'],
    ['a term of 0', JSON.stringify(record({ term: 0 as Term })), 'term'],
    ['a broken term', JSON.stringify(record({ term: 1.5 as Term })), 'term'],
    ['a term too high to be named', JSON.stringify(record({ term: (TERM_MAX + 1) as Term })), 'term'],
    ['a negative position', JSON.stringify(record({ position: -1 as Position })), 'position'],
    ['nobody in sync', JSON.stringify(record({ inSync: [] })), 'inSync'],
    ['a server that is not in sync', JSON.stringify(record({ server: 'third' as ServerId })), 'not among'],
    ['one server twice', JSON.stringify(record({ inSync: [record().inSync[0], record().inSync[0]] as never })), 'twice'],
    ['an unknown cause', JSON.stringify({ ...record(), cause: 'whim' }), 'cause'],
    ['forced: false', JSON.stringify({ ...record(), forced: false }), 'forced'],
    ['an unknown key', JSON.stringify({ ...record(), extra: 1 }), '"extra"'],
    ['an unknown key of a member', JSON.stringify({ ...record(), inSync: [{ server: 'primary', journal: 'j', witness: true }] }), '"witness"'],
  ])('with %s are damaged, and the file is named', (_, text, word) => {
    expect(damage(text)).toMatchObject({ code: 'LOCKSTEP_TERM_RECORD_DAMAGED', message: expect.stringContaining(FILE) });
    expect(damage(text)).toMatchObject({ message: expect.stringContaining(word) });
  });

  it('made of any bytes are a record or a named error, never anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(() => decodeTermRecord(bytes, FILE)).toThrow(expect.objectContaining({ code: 'LOCKSTEP_TERM_RECORD_DAMAGED' }));
        expect(() => decodeShareIdentity(bytes, FILE)).toThrow(expect.objectContaining({ code: 'LOCKSTEP_SHARE_IDENTITY_DAMAGED' }));
      }),
    );
  });
});

describe('one bit turned in a record or an identity', () => {
  it.each([
    ['record', encodeTermRecord(record()), decodeTermRecord],
    ['identity', encodeShareIdentity({ schema: 1, share: 's', cluster: 'c', method: 'link' }), decodeShareIdentity],
  ] as const)('of any byte is noticed: %s', (_, whole, decode) => {
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const bytes = whole.slice();
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => decode(bytes, FILE)).toThrow(expect.objectContaining({ code: expect.stringMatching(/_DAMAGED$/) as unknown }) as Error);
    }
  });

  it('and a record whose values nest deeper than a call stack is refused like any other', () => {
    const deep = `{"schema":${'['.repeat(30_000)}${']'.repeat(30_000)}}`;
    expect(damage(deep)).toMatchObject({ code: 'LOCKSTEP_TERM_RECORD_DAMAGED', message: expect.stringContaining('[[[[') });
  });
});

describe('the share identity', () => {
  it('comes back as it was', () => {
    const identity = { schema: 1, share: 's', cluster: 'c', method: 'rename' } as const;
    expect(decodeShareIdentity(encodeShareIdentity(identity), FILE)).toEqual(identity);
  });

  it('needs a method that is known', () => {
    expect(() => decodeShareIdentity(encodeText('{"schema":1,"share":"s","cluster":"c","method":"hope"}'), FILE)).toThrow(/link, rename/);
  });
});

describe('comparing records', () => {
  it('asks for every field', () => {
    const changes: Partial<TermRecord>[] = [
      { term: 43 as Term },
      { server: secondary },
      { inSync: [{ server: primary, journal: 'j1' as JournalId }] },
      { position: 1001 as Position },
      { cause: 'start' },
      { forced: true },
      { at: '2026-01-01T00:00:00.001Z' },
      { nonce: 'm' },
    ];
    expect(sameRecord(record(), record())).toBe(true);
    for (const change of changes) expect(sameRecord(record(), record(change))).toBe(false);
  });

  it('finds the higher term', () => {
    const higher = record({ term: 43 as Term });
    expect(higherOf(record(), higher)).toBe(higher);
    expect(higherOf(higher, record())).toBe(higher);
    expect(higherOf(null, higher)).toBe(higher);
    expect(higherOf(higher, null)).toBe(higher);
    expect(higherOf(null, null)).toBeNull();
  });

  it('counts a copy, not a server', () => {
    expect(isMember(record(), secondary, 'j2' as JournalId)).toBe(true);
    expect(isMember(record(), secondary, 'j1' as JournalId)).toBe(false);
    expect(isMember(record(), secondary, 'new' as JournalId)).toBe(false);
  });
});

describe('names of records', () => {
  it('have ten digits, and come back', () => {
    expect(termFileName(42 as Term, 'link')).toBe('0000000042.json');
    expect(termFileName(42 as Term, 'rename')).toBe('0000000042');
    for (const name of ['0000000042.json', '0000000042']) expect(termOfName(name)).toBe(42);
  });

  it('are nothing else', () => {
    for (const name of ['42.json', '0000000042.json.tmp', 'claim.primary.n.tmp', '0000000000.json', '00000000042.json', '']) expect(termOfName(name)).toBeNull();
    for (const term of [0, -1, 1.5, TERM_MAX + 1]) expect(() => termFileName(term as Term, 'link')).toThrow(expect.objectContaining({ code: 'LOCKSTEP_TERM_OUT_OF_RANGE' }));
  });
});
