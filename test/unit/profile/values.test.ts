import fc from 'fast-check';
import { editDistance, nearest } from '../../../src/profile/nearest.js';
import { adminAddress, formatBytes, formatDuration, isLoopback, isWildcard, parseBytes, parseDuration } from '../../../src/profile/values.js';

describe('durations', () => {
  it.each([
    [500, 500], ['500ms', 500], ['500', 500], ['5s', 5000], ['1.5s', 1500], ['2m', 120_000], ['1h', 3_600_000], [' 2 m ', 120_000], [0, 0],
  ])('%p is %p ms', (input, ms) => expect(parseDuration(input)).toBe(ms));

  it.each([['fast'], ['5 parsecs'], [-1], [1.5], ['-5s'], ['0.0001s'], [null], [true], [''], ['5s5'], [Number.NaN], ['99999999999999999s']])(
    '%p is not understood',
    (input) => expect(parseDuration(input)).toBeNull(),
  );

  it('are written so that they are read back', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 10_000_000 }), (ms) => parseDuration(formatDuration(ms)) === ms));
  });
});

describe('sizes', () => {
  it.each([['64MiB', 67_108_864], [1024, 1024], ['10kB', 10_000], ['1GiB', 1_073_741_824], ['1.5KiB', 1536]])('%p is %p bytes', (input, size) =>
    expect(parseBytes(input)).toBe(size),
  );
  it.each([['64 megs'], [-1], ['1.0001KiB'], [{}]])('%p is not understood', (input) => expect(parseBytes(input)).toBeNull());
  it('are written so that they are read back', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 45 }), (size) => parseBytes(formatBytes(size)) === size));
  });
});

describe('loopback', () => {
  it.each([['127.0.0.1'], ['127.9.9.9'], ['localhost'], ['::1'], ['[::1]']])('%s is', (host) => expect(isLoopback(host)).toBe(true));
  it.each([['0.0.0.0'], ['::'], ['10.0.0.1'], ['127.example.org'], ['localhost.example.org'], ['1270.0.0.1'], ['::ffff:127.0.0.1']])('%s is not', (host) =>
    expect(isLoopback(host)).toBe(false),
  );
});

test.each([['localhost', '127.0.0.1'], ['LOCALHOST', '127.0.0.1'], ['::1', '::1'], ['fes.example', 'fes.example']])('the admin HTTP of %s listens on %s', (host, address) => expect(adminAddress(host)).toBe(address));

describe('every interface', () => {
  it.each([['0.0.0.0'], ['0'], ['::'], ['[::]'], ['::0'], ['0::'], ['0:0:0:0:0:0:0:0'], ['0000:0::0'], ['::ffff:0.0.0.0'], ['::FFFF:0:0'], ['::0.0.0.0'], ['::%eth0']])('%s is', (host) => expect(isWildcard(host)).toBe(true));
  it.each([['10.0.0.0'], ['0.0.0.1'], ['::1'], ['1::'], ['::ffff:10.0.0.0'], ['::ffff:0:1'], ['fe80::'], ['a'], ['0.example'], ['localhost']])('%s is not', (host) => expect(isWildcard(host)).toBe(false));
});

describe('the nearest word', () => {
  it.each([['pingIntervall', 'pingInterval'], ['pingintreval', 'pingInterval'], ['PINGINTERVAL', 'pingInterval'], ['prot', 'port']])('of %s is %s', (word, near) =>
    expect(nearest(word, ['pingInterval', 'port', 'host'])).toBe(near),
  );
  it('is none when all are far', () => expect(nearest('colour', ['pingInterval', 'port', 'host'])).toBeNull());
  it('counts a swap of neighbours once', () => expect(editDistance('prot', 'port')).toBe(1));
});
