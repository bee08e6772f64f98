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
