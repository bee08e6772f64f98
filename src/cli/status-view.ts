import { showEndpoint } from '../adapters/network-errors.js';
import { EXPIRY_NOTICE_MS } from '../core/certificate.js';
import { counted } from '../core/counted.js';
import { printable } from '../core/printable.js';
import type { ServerStatus } from '../admin/status.js';
import { formatDuration } from '../profile/values.js';
import { repositoryLines } from './repository-view.js';

/** A server's status for people: one fact a line, the most urgent first. */
export function renderStatus(status: ServerStatus): string[] {
  return [...headLines(status), ...pairLines(status), ...copyLines(status), ...repositoryLines(status.repositories), ...clientLines(status), ...historyLines(status)].map(printable);
}

export function line(name: string, text: string): string {
  return `${`${name}:`.padEnd(14)}${text}`;
}

function headLines(status: ServerStatus): string[] {
  const { server, cluster, state, previous, since, reason, advice, stopping, broker, manager } = status;
  return [
    line('server', `${server} of ${cluster}, ${status.serving ? 'serving' : 'not serving'}${stopping ? ', stopping' : ''}`),
    line('state', `${state}${before(state, previous)} since ${since}`),
    line('reason', reason),
    ...(advice === null ? [] : [line('advice', advice)]),
    line('processes', `HA manager ${manager.pid}, broker ${broker === null ? 'not running' : `${broker.pid} (${broker.role}, client port ${broker.clientPort})`}${broker !== null && broker.crashes > 0 ? `, ${broker.crashes} crashed before` : ''}`),
    ...(broker?.trouble ? [line('TROUBLE', broker.trouble)] : []),
    ...(broker?.notice ? [line('NOTICE', broker.notice)] : []),
    ...(broker?.clientPortError ? [line('TROUBLE', `client port: ${broker.clientPortError}`)] : []),
  ];
}

/** Right after a start there was no other state. */
function before(state: string, previous: string): string {
  return previous === state ? '' : ` (before: ${previous})`;
}

function pairLines({ peer, unlike, term, record, inSync, inDoubt, lock, backchannel, gateway }: ServerStatus): string[] {
  const members = inSync.map((member) => member.server).join(' and ');
  // One text for both: of the share when something is wrong with it, else of the lock.
  const [lockWhy, shareWhy] = lock.share === 'ok' ? [lock.detail, null] : [null, lock.detail];
  return [
    line('term', `${term > 0 ? term : record === null ? 'none yet' : `none; the newest is ${record.term}, of ${record.server}`}, in sync: ${members === '' ? 'none' : members}${inDoubt === null ? '' : `; claim of term ${inDoubt} in doubt`}`),
    line('peer', `${peer.server} ${peer.state}${before(peer.state, peer.previous)}${peer.brokerDown && peer.state !== 'DEAD' ? ', its broker is down' : ''}${peer.position === null ? '' : `, at position ${peer.position}`}`),
    ...unlike.map((text) => line('unlike', text)),
    line('backchannel', `${backchannel.connected ? 'connected' : 'not connected'}${backchannel.secured ? ', encrypted' : ''}, heard ${ago(backchannel.heardMs)}${backchannel.refused === null ? '' : `; REFUSED: ${backchannel.refused}`}`),
    line('lock', `${lock.held ? `held, good for ${lock.leftMs ?? 0} ms` : `not held${lockWhy === null ? '' : ` (${lockWhy})`}`}; share ${lock.share}${shareWhy === null ? '' : ` (${shareWhy})`}`),
    line('gateway', `${showEndpoint(gateway.endpoint)} ${gateway.answers ? 'answers' : 'DOES NOT ANSWER'}, last ${ago(gateway.answeredMs)}`),
  ];
}

function copyLines({ journal, replication }: ServerStatus): string[] {
  const lines: string[] = [];
  if (journal !== null) lines.push(line('journal', `position ${journal.position}, durable ${journal.durable}, term ${journal.term}${journal.damage === null ? '' : `; DAMAGED: ${journal.damage}`}`));
  if (replication === null) return lines;
  lines.push(line('replication', `${replication.phase}, ${counted(replication.lagRecords, 'record')} (${counted(replication.lagBytes, 'byte')}) behind${replication.stalledMs > 0 ? `, nothing heard for ${replication.stalledMs} ms` : ''}`));
  const { progress } = replication;
  if (progress !== null) {
    const left = progress.leftMs === null ? 'unknown' : formatDuration(Math.ceil(progress.leftMs / 1000) * 1000);
    lines.push(line('progress', `${progress.percent} %, ${progress.recordsDone} of ${progress.recordsTotal} records, ${progress.bytesDone} of ${progress.bytesTotal} bytes, time left ${left}`));
  }
  return lines;
}

/** An older server does not tell each. */
const WORST_CASES: readonly (readonly [name: string, key: keyof ServerStatus['worstCaseFailoverMs']])[] = [['crashed process', 'crashedProcess'], ['dead host', 'deadHost'], ['hung disk', 'hungDisk'], ['cut link', 'cutLink']];

function clientLines(status: ServerStatus): string[] {
  const worst = status.worstCaseFailoverMs;
  const told = WORST_CASES.filter(([, key]) => key in worst);
  return [
    line('clients', `${status.clients} connected, ${counted(status.sessions, 'session')}, ${counted(status.queued, 'message')} waiting`),
    ...certificateLines(status),
    line('addresses', `${status.clientEndpoints.map((one, index) => (index === 0 ? one : `${one} (TLS)`)).join(', ')}; next: ${status.backupServer}`),
    line('worst case', told.map(([name, key]) => `${name} ${formatDuration(worst[key])}`).join(', ')),
  ];
}

function certificateLines({ at, broker }: ServerStatus): string[] {
  const until = broker?.certificateUntil ?? null;
  if (until === null) return [];
  const leftMs = Date.parse(until) - Date.parse(at);
  if (leftMs < 0) return [line('certificate', `EXPIRED at ${until}: clients that check it cannot connect`)];
  return [line('certificate', leftMs <= EXPIRY_NOTICE_MS ? `EXPIRES SOON, at ${until}` : `valid until ${until}`)];
}

function historyLines({ history }: ServerStatus): string[] {
  return history.slice(-5).map((move, index) => line(index === 0 ? 'last moves' : '', `${move.at} ${move.from} → ${move.to}, term ${move.term}: ${move.reason}`).replace(/^:/, ' '));
}

function ago(ms: number | null): string {
  return ms === null ? 'never' : `${Math.round(ms)} ms ago`;
}
