import type { ServerStatus } from '../../../src/admin/status.js';
import { renderStatus } from '../../../src/cli/status-view.js';
import { exampleStatus } from '../admin/example-status.js';

/** Its `at` is 2026-01-02T03:04:05.678Z. */
function certificateLines(certificateUntil: string | null): string[] {
  const { broker } = exampleStatus();
  const status: ServerStatus = exampleStatus({ broker: broker === null ? null : { ...broker, certificateUntil } });
  return renderStatus(status).filter((line) => line.startsWith('certificate'));
}

test.each([
  [null, []],
  ['2026-04-01T00:00:00.000Z', ['certificate:  valid until 2026-04-01T00:00:00.000Z']],
  ['2026-02-01T03:04:05.000Z', ['certificate:  EXPIRES SOON, at 2026-02-01T03:04:05.000Z']],
  ['2026-01-02T03:04:05.000Z', ['certificate:  EXPIRED at 2026-01-02T03:04:05.000Z: clients that check it cannot connect']],
])('the certificate that clients are shown until %s', (until, lines) => {
  expect(certificateLines(until)).toEqual(lines);
});

test('the state before is shown where there was another', () => {
  const of = (changes: Partial<ServerStatus>): string[] => renderStatus(exampleStatus(changes)).filter((line) => /^(state|peer):/.test(line));
  const { peer } = exampleStatus();
  const first = of({ state: 'WAITING', previous: 'WAITING', peer: { ...peer, state: 'DEAD', previous: 'DEAD' } });
  expect(first.join()).not.toContain('before:');
  const later = of({ state: 'ACTIVE', previous: 'ACTIVE_SYNC', peer: { ...peer, state: 'DEAD', previous: 'PASSIVE' } });
  expect(later).toEqual([expect.stringContaining('ACTIVE (before: ACTIVE_SYNC) since'), expect.stringContaining('DEAD (before: PASSIVE)')]);
});

test('which address takes TLS', () => {
  const addresses = (...clientEndpoints: string[]): string | undefined => renderStatus(exampleStatus({ clientEndpoints, backupServer: 'b:1884' })).find((line) => line.startsWith('addresses'));
  expect(addresses('a:1883')).toBe('addresses:    a:1883; next: b:1884');
  expect(addresses('a:1883', 'a:8883')).toBe('addresses:    a:1883, a:8883 (TLS); next: b:1884');
});

test('an address of IPv6 stands in brackets before its port', () => {
  const { gateway } = exampleStatus();
  const lines = renderStatus(exampleStatus({ gateway: { ...gateway, endpoint: { host: 'fd00::20', port: 2049 } } }));
  expect(lines.find((line) => line.startsWith('gateway'))).toContain('[fd00::20]:2049 ');
});

test('what is not alike on the two servers stands below the peer, a line each', () => {
  const lines = renderStatus(exampleStatus({ unlike: ['one', 'two'] }));
  expect(lines.filter((line) => line.startsWith('unlike'))).toEqual(['unlike:       one', 'unlike:       two']);
  expect(renderStatus(exampleStatus()).join()).not.toContain('unlike');
});

test('what should be mended stands there, also when it holds up nothing; an older server tells of none', () => {
  const { broker } = exampleStatus();
  const of = (notice: string | null | undefined): string | undefined => renderStatus(exampleStatus({ broker: broker === null ? null : ({ ...broker, notice } as typeof broker) })).find((line) => line.startsWith('NOTICE'));
  expect([of('the user file is wrong'), of(null), of(undefined)]).toEqual(['NOTICE:       the user file is wrong', undefined, undefined]);
});

test('the worst cases that the server tells, of which an older one tells no hung disk', () => {
  const linesOf = (status: ServerStatus): string[] => renderStatus(status).filter((line) => line.startsWith('worst case'));
  expect(linesOf(exampleStatus())).toEqual([expect.stringContaining('crashed process 1.85s, dead host 4.35s, hung disk 4.2s, cut link 2.25s')]);
  const { hungDisk: _, ...older } = exampleStatus().worstCaseFailoverMs;
  expect(linesOf(exampleStatus({ worstCaseFailoverMs: older as ServerStatus['worstCaseFailoverMs'] }))).toEqual([expect.stringContaining('dead host 4.35s, cut link 2.25s')]);
});
