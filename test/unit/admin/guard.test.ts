import { guard } from '../../../src/admin/guard.js';
import type { Asked } from '../../../src/admin/guard.js';
import { progressView } from '../../../src/admin/status.js';

const TOKEN = 'correct-horse-battery';
const get = (headers: Asked['headers'], open = false): Asked => ({ method: 'GET', headers, open });
const post = (headers: Asked['headers']): Asked => ({ method: 'POST', headers, open: false });
const outcome = (asked: Asked, token: string | null, loopback = true): number => {
  const passage = guard(asked, { loopback, token });
  return passage.kind === 'pass' ? 200 : passage.status;
};

describe('on loopback without a token', () => {
  it.each([['127.0.0.1:8081'], ['localhost:8081'], ['LOCALHOST'], ['[::1]:8081']])('Host %s passes', (host) => expect(outcome(get({ host }), null)).toBe(200));
  it.each([['evil.example'], ['127.0.0.1.evil.example'], ['evil.example:8081'], ['localhost@evil.example'], ['']])('Host %p does not, being rebound or unknown', (host) =>
    expect(outcome(get({ host }), null)).toBe(403),
  );
  it('a page of another site is stopped, whatever it asks', () => {
    expect(outcome(get({ host: 'localhost', 'sec-fetch-site': 'cross-site' }), null)).toBe(403);
    expect(outcome(get({ host: 'localhost', 'sec-fetch-site': 'same-site' }), null)).toBe(403);
  });
  it('a command that a form could send is stopped', () => {
    for (const type of [undefined, 'text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', 'text/plain; application/json']) {
      expect(outcome(post({ host: 'localhost', 'content-type': type }), null)).toBe(415);
    }
    expect(outcome(post({ host: 'localhost', 'content-type': 'application/json; charset=utf-8' }), null)).toBe(200);
  });
});

describe('with a token', () => {
  it.each([[undefined], ['Bearer'], ['Bearer wrong'], [`Basic ${TOKEN}`], [`Bearer ${TOKEN}x`], [`Bearer ${TOKEN.slice(1)}`], [TOKEN]])('%p is refused', (authorization) =>
    expect(outcome(get({ host: '10.0.0.1', authorization }), TOKEN, false)).toBe(401),
  );
  it('that is empty everybody lacks', () => {
    for (const authorization of [undefined, 'Bearer ', 'Bearer']) expect(outcome(get({ host: '10.0.0.1', authorization }), '', false)).toBe(401);
  });
  it('the right one passes, and any Host beyond loopback', () => expect(outcome(get({ host: 'lb.example', authorization: `Bearer ${TOKEN}` }), TOKEN, false)).toBe(200));
  it('what is open asks for none', () => expect(outcome(get({ host: 'lb.example' }, true), TOKEN, false)).toBe(200));
});

describe('progress', () => {
  const base = { recordsDone: 0, recordsTotal: 0, bytesDone: 0, bytesTotal: 0, elapsedMs: 1000 };
  it('is told by bytes', () => expect(progressView({ ...base, bytesDone: 25, bytesTotal: 100 })).toMatchObject({ percent: 25, leftMs: 3000 }));
  it('is told by records without bytes', () => expect(progressView({ ...base, recordsDone: 1, recordsTotal: 2 })).toMatchObject({ percent: 50, leftMs: 1000 }));
  it('has no time left before anything came', () => expect(progressView({ ...base, bytesTotal: 100 })).toMatchObject({ percent: 0, leftMs: null }));
  it('of nothing is done', () => expect(progressView(base)).toMatchObject({ percent: 100, leftMs: 0 }));
  it('never passes 100', () => expect(progressView({ ...base, bytesDone: 120, bytesTotal: 100 }).percent).toBe(100));
});
