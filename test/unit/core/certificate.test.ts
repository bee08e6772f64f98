import { EXPIRY_NOTICE_MS, judgeChain, validUntil, type Certificate } from '../../../src/core/certificate.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 0, 1);
const END = Date.UTC(2026, 3, 1, 12, 30);
const own: Certificate = { subject: 'CN=broker', validFrom: START, validUntil: END };
const issuer: Certificate = { subject: 'CN=issuer', validFrom: START - 300 * DAY, validUntil: END + 900 * DAY };

test.each([
  ['at its first moment', START, 'good', 'the certificate of CN=broker expires in 90 days, at 2026-04-01 12:30 UTC'],
  ['a moment before', START - 1, 'not-valid-yet', 'the certificate of CN=broker is not valid before 2026-01-01 00:00 UTC, in 0 minutes: clients that check it cannot connect until then'],
  ['31 days before its end', END - EXPIRY_NOTICE_MS - 1, 'good', 'the certificate of CN=broker expires in 30 days, at 2026-04-01 12:30 UTC'],
  ['30 days before', END - EXPIRY_NOTICE_MS, 'expires-soon', 'the certificate of CN=broker expires in 30 days, at 2026-04-01 12:30 UTC'],
  ['47 hours before', END - 47 * HOUR, 'expires-soon', 'the certificate of CN=broker expires in 47 hours, at 2026-04-01 12:30 UTC'],
  ['at its last moment', END, 'expires-soon', 'the certificate of CN=broker expires in 0 minutes, at 2026-04-01 12:30 UTC'],
  ['a moment later', END + 1, 'expired', 'the certificate of CN=broker expired 0 minutes ago, at 2026-04-01 12:30 UTC: clients that check it cannot connect'],
  ['three days later', END + 3 * DAY, 'expired', 'the certificate of CN=broker expired 3 days ago, at 2026-04-01 12:30 UTC: clients that check it cannot connect'],
])('%s', (_when, wall, validity, text) => {
  expect(judgeChain([own, issuer], wall)).toEqual({ validity, text });
});

test('of a chain the first to end counts, and is named', () => {
  const short = { ...issuer, validUntil: START + 10 * DAY };
  expect(validUntil([own, short])).toBe(short.validUntil);
  expect(judgeChain([own, short], START)).toEqual({ validity: 'expires-soon', text: 'the certificate of CN=issuer expires in 10 days, at 2026-01-11 00:00 UTC' });
  expect(judgeChain([own, short], START + 11 * DAY).validity).toBe('expired');
});

test('of a chain the last to begin counts, and is named', () => {
  const late = { ...issuer, validFrom: START + DAY };
  expect(judgeChain([own, late], START)).toMatchObject({ validity: 'not-valid-yet', text: expect.stringContaining('CN=issuer is not valid before 2026-01-02 00:00 UTC, in 24 hours') });
});
