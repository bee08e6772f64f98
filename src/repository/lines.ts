import type { RepositoryProgress } from '../core/control/repository.js';
import { counted, sizeText } from '../core/counted.js';
import type { SyncReport } from './session.js';

/** How far a sync is. */
export function progressLine(progress: RepositoryProgress): string {
  const { phase, filesDone, filesTotal, bytesDone, bytesTotal, elapsedMs } = progress;
  const share = bytesTotal > 0 ? Math.min(1, bytesDone / bytesTotal) : 0;
  const rate = elapsedMs > 0 ? `, ${sizeText((bytesDone * 1000) / elapsedMs)}/s` : '';
  const left = share > 0 && share < 1 ? `, ${Math.ceil((elapsedMs * (1 - share)) / share / 1000)} s left` : '';
  return `${phase}, ${Math.floor(share * 100)} %, ${filesDone} of ${filesTotal} files, ${sizeText(bytesDone)} of ${sizeText(bytesTotal)}${rate}${left}`;
}

/** How a sync ended well. */
export function summaryLine(report: SyncReport): string {
  const took = `${(report.elapsedMs / 1000).toFixed(1)} s`;
  if (report.outcome === 'same') return `in sync, nothing had changed (${took})`;
  const kept = report.kept === null ? '' : `; what it replaced is kept as ${report.kept}`;
  return `in sync: ${counted(report.files, 'file')}, ${sizeText(report.bytes)} in ${took}, ${sizeText(report.wireBytes)} over the link${kept}`;
}

