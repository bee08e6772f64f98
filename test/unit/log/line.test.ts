import { jsonLine, MESSAGE_CHARS_MAX, textLine, type Line } from '../../../src/log/line.js';

const LINE: Line = { at: new Date(2026, 10, 21, 10, 0, 0, 123), level: 'info', message: 'Primary Server switched to ACTIVE', fields: {}, critical: false };

describe('text line', () => {
  it('has time, server, level and message', () => {
    expect(textLine('primary', LINE, false)).toBe('2026-11-21 10:00:00.123 [primary] INFO  Primary Server switched to ACTIVE');
    expect(textLine('primary', { ...LINE, level: 'error' }, false)).toContain('] ERROR Primary');
  });

  it('has colours for a terminal and the same words', () => {
    const text = textLine('primary', { ...LINE, level: 'warn' }, true);
    expect(text).toContain('\u001b[33m');
    expect(text.replace(/\u001b\[\d+m/g, '')).toBe(textLine('primary', { ...LINE, level: 'warn' }, false));
  });

  it('is one line of bounded length, whatever it says', () => {
    expect(textLine('primary', { ...LINE, message: 'a\nb\u001b[2Jc\u2028d' }, false)).toMatch(/INFO {2}a b \[2Jc d$/);
    expect(textLine('primary', { ...LINE, message: 'a\u009b2Jb\u202ec\u2066d' }, false)).toMatch(/INFO {2}a 2Jb c d$/);
    expect(textLine('primary', { ...LINE, message: 'x'.repeat(100_000) }, false).length).toBeLessThan(MESSAGE_CHARS_MAX + 100);
  });
});

describe('JSON line', () => {
  const fieldsOf = (fields: Record<string, unknown>): unknown => (JSON.parse(jsonLine('primary', { ...LINE, fields })) as { fields: unknown }).fields;

  it('has the documented members', () => {
    expect(JSON.parse(jsonLine('primary', { ...LINE, fields: { at: new Date(NaN) } }))).toMatchObject({ fields: { at: 'Invalid Date' } });
    expect(JSON.parse(jsonLine('primary', LINE))).toEqual({ time: LINE.at.toISOString(), server: 'primary', level: 'info', message: LINE.message });
    expect(fieldsOf({ event: 'state', term: 4 })).toEqual({ event: 'state', term: 4 });
  });

  it('shows a terminal nothing that it would act on, and means the same', () => {
    const client = 'a\u009b31m\u007f\u202eb\u2028\u001b[2Jé';
    expect(fieldsOf({ client })).toEqual({ client });
    expect(jsonLine('primary', { ...LINE, fields: { client } })).toContain('"a\\u009b31m\\u007f\\u202eb\\u2028\\u001b[2Jé"');
  });

  it('never has secrets', () => {
    expect(fieldsOf({ secretFile: 'a', auth: { Password: 'b', adminToken: 'c', user: 'u' } })).toEqual({ secretFile: '(not logged)', auth: { Password: '(not logged)', adminToken: '(not logged)', user: 'u' } });
  });

  it('holds errors, bytes, loops and giants', () => {
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    const error = Object.assign(new Error('no room'), { code: 'ENOSPC' });
    expect(fieldsOf({ error, bytes: new Uint8Array(9), big: 10n })).toEqual({ error: { name: 'Error', message: 'no room', code: 'ENOSPC' }, bytes: '9 bytes', big: '10' });
    expect(jsonLine('primary', { ...LINE, fields: { loop, list: Array.from({ length: 9999 }, () => 'y'), text: 'z'.repeat(99_999) } }).length).toBeLessThan(10_000);
  });
});
