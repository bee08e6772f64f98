import type { RunId, ServerId, Term } from '../../../src/core/identity.js';
import { RepositoryFrameStream } from '../../../src/core/repository/frame-stream.js';
import { decodeRepositoryFrame, encodeRepositoryFrame, type RepositoryFrame } from '../../../src/core/repository/frames.js';
import type { Hashing } from '../../../src/ports/hashing.js';
import type { RepositoryFolder } from '../../../src/ports/repository.js';
import { createSender } from '../../../src/repository/sender.js';
import { SyncRefused, SyncSending } from '../../../src/repository/sending.js';
import { failedReport } from '../../../src/repository/report.js';
import type { SenderParts, SenderSession } from '../../../src/repository/session.js';
import { brokenFolder } from '../../../src/repository/shelf.js';
import { file } from '../core/repository/trees.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';
import { FakeStream } from '../support/fake-stream.js';

const OWN = 'own' as RunId;
const PEER = { server: 'secondary' as ServerId, run: 'theirs' as RunId };
const TERM = 2 as Term;

function said(stream: FakeStream): string[] {
  const frames: RepositoryFrame[] = [];
  const reader = new RepositoryFrameStream(({ kind, payload }) => frames.push(decodeRepositoryFrame(kind, payload)));
  for (const bytes of stream.writes) reader.push(bytes);
  return frames.map((frame) => (frame.kind === 'hint' ? `hint ${frame.json}` : frame.kind));
}

const opening = { is: false };

function sending(folders: ReadonlyMap<string, RepositoryFolder>, reported: SenderParts['reported'] = () => undefined): { clock: FakeClock; stream: FakeStream; sender: SenderSession } {
  const clock = new FakeClock();
  const stream = new FakeStream(clock);
  const sender = createSender({
    stream,
    hashing: {} as Hashing,
    identity: { cluster: 'c', server: 'primary' as ServerId, run: OWN },
    clock,
    log: new FakeLog(),
    folders,
    isOpening: () => opening.is,
    authority: () => ({ peer: PEER, term: TERM }),
    allowance: () => Number.POSITIVE_INFINITY,
    sent: () => undefined,
    settings: [],
    reported,
    closed: () => undefined,
  });
  return { clock, stream, sender };
}

const HELLO = encodeRepositoryFrame({ kind: 'hello', cluster: 'c', server: PEER.server, run: PEER.run, senderRun: OWN, term: TERM });

test('what an operator asks for before the receiver is welcome is said to it once it is; what changed, its first sync brings', () => {
  const { clock, stream, sender } = sending(new Map());
  const diff = { repository: 'apps', purpose: 'diff', folders: null } as const;
  const verify = { repository: 'apps', purpose: 'verify', folders: null } as const;
  for (const hint of [{ repository: 'apps', purpose: 'sync', folders: ['a'] } as const, diff, verify, diff]) sender.hint(hint);
  clock.turn();
  expect(said(stream)).toEqual([]);
  stream.receive(HELLO);
  clock.turn();
  const early = ['settings', 'welcome', `hint ${JSON.stringify(diff)}`, `hint ${JSON.stringify(verify)}`];
  expect(said(stream)).toEqual(early);
  sender.hint(diff);
  expect(said(stream)).toEqual([...early, `hint ${JSON.stringify(diff)}`]);
});

test('of a folder that cannot be opened a sync fails, each time it is asked for, and the link stays', () => {
  const { clock, stream } = sending(new Map([['apps', brokenFolder(new Error('its disk is not mounted'))]]));
  stream.receive(HELLO);
  clock.turn();
  for (const sync of [1, 2]) {
    stream.receive(encodeRepositoryFrame({ kind: 'ask', sync, repository: 'apps', checksum: false, scope: null }));
    clock.turn();
  }
  expect(said(stream)).toEqual(['settings', 'welcome', 'failed', 'failed']);
});

test('what is asked of a folder that is being opened waits for it, unless it is dropped', () => {
  const { clock, stream, sender } = sending(new Map([['apps', brokenFolder(new Error('its disk is not mounted'))]]));
  opening.is = true;
  stream.receive(HELLO);
  const ask = (sync: number): void => stream.receive(encodeRepositoryFrame({ kind: 'ask', sync, repository: 'apps', checksum: false, scope: null }));
  ask(1);
  clock.turn();
  sender.wake();
  clock.turn();
  expect(said(stream)).toEqual(['settings', 'welcome']);
  stream.receive(encodeRepositoryFrame({ kind: 'drop', sync: 1 }));
  clock.turn();
  opening.is = false;
  sender.wake();
  clock.turn();
  expect(said(stream)).toHaveLength(2);
  opening.is = true;
  ask(2);
  clock.turn();
  opening.is = false;
  sender.wake();
  clock.turn();
  expect(said(stream).slice(2)).toEqual(['failed']);
});

test('a report is of when the whole was asked for; one of what failed before it was asked for is of now, and no other', () => {
  const reports: [string, number | null][] = [];
  const { clock, stream } = sending(new Map(), ({ outcome }, wholeSince) => reports.push([outcome, wholeSince]));
  const report = (outcome: 'failed' | 'same'): void => {
    clock.advance(10);
    stream.receive(encodeRepositoryFrame({ kind: 'report', json: JSON.stringify({ ...failedReport('apps', 'sync', 'no room'), outcome }) }));
    clock.turn();
  };
  const ask = (folders: string[] | null): void => {
    stream.receive(encodeRepositoryFrame({ kind: 'ask', sync: 1, repository: 'apps', checksum: false, scope: folders === null ? null : { folders, deep: [] } }));
    clock.turn();
  };
  const begun = clock.monotonic();
  stream.receive(HELLO);
  clock.turn();
  ask(null);
  report('same');
  ask(['a']);
  report('failed');
  report('failed');
  report('same');
  expect(reports).toEqual([['same', begun], ['failed', null], ['failed', begun + 30], ['same', null]]);
});

test.each([0, 1, 2 ** 32 - 1])('block sums of blocks of %d bytes are refused before anything is made for them', (blockBytes) => {
  const half = new SyncSending({
    sync: 1,
    scope: null,
    checksum: false,
    folder: { scan: () => ({ step: () => ({ entries: [file('a')], leftOut: [] }), close: () => undefined }), open: () => { throw new Error('nothing is to be read'); } },
    hashing: { begin: () => ({ update: () => undefined, digest: () => '0'.repeat(32) }) } as unknown as Hashing,
    term: () => TERM,
    send: () => undefined,
  });
  half.step();
  half.take({ kind: 'list', sync: 1 });
  while (half.step());
  expect(() => half.take({ kind: 'wants', sync: 1, wants: [{ how: 'delta', index: 0, blockBytes, blocks: 1 }] })).toThrow(SyncRefused);
});
