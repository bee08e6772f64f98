import { BackchannelKind } from '../../../src/core/wire/backchannel.js';
import { encodeText } from '../../../src/core/wire/bytes.js';
import { encodeFrame } from '../../../src/core/wire/frame.js';
import { BackchannelConnection } from '../../../src/manager/backchannel-connection.js';
import { StatusReader } from '../../../src/manager/status-reader.js';
import { HELLO } from '../core/wire/samples.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeStream } from '../support/fake-stream.js';

test.each(['refused', 'bye'] as const)('what came behind the last word of the other side (%s) is not told of', (kind) => {
  const clock = new FakeClock();
  const stream = new FakeStream(clock);
  const heard: string[] = [];
  new BackchannelConnection(stream, false, HELLO, { handshakeTimeoutMs: 1_000, silenceMs: 1_000 }, clock, {
    statuses: new StatusReader(),
    judge: () => null,
    accepted: () => heard.push('accepted'),
    status: () => heard.push('status'),
    wasRefused: (_, reason) => heard.push(`refused: ${reason}`),
    nonsense: (_, error) => heard.push(`nonsense: ${error.message}`),
    closed: (_, reason) => heard.push(`closed: ${reason}`),
  });
  stream.receive(Uint8Array.of(...encodeFrame(BackchannelKind[kind], encodeText('why')), 0, 0, 0, 0, 99, 6));
  clock.turn();
  expect(heard.at(-1)).toMatch(/^closed: .*why$/);
  expect(heard.filter((line) => line.startsWith('nonsense'))).toEqual([]);
});
