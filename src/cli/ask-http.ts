import { request } from 'node:http';

/** More than the longest status of a pair. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export interface HttpAsked {
  readonly host: string;
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** For the whole answer. */
  readonly timeoutMs: number;
  /** Default: ANSWER_BYTES_MAX. */
  readonly bytesMax?: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

export class NoAnswer extends Error {
  constructor(
    /** `late`: not whole in time. `foreign`: no HTTP, or longer than any answer of a server. `none`: there was no connection, or it broke. */
    readonly kind: 'late' | 'foreign' | 'none',
    cause: unknown,
  ) {
    super(`no answer (${kind})`, { cause });
  }
}

/**
 * One request on a connection of its own, to whatever port: `fetch` refuses many. Follows no redirects.
 * @throws NoAnswer (rejects)
 */
export function askHttp({ host, port, method, path, headers, body, timeoutMs, bytesMax = ANSWER_BYTES_MAX }: HttpAsked): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host, port, method, path, headers, agent: false });
    const fail = (kind: NoAnswer['kind'], cause: unknown = null): void => {
      clearTimeout(timer);
      reject(new NoAnswer(kind, cause));
      outgoing.destroy();
    };
    const broke = (error: NodeJS.ErrnoException): void => fail(error.code?.startsWith('HPE_') === true ? 'foreign' : 'none', error);
    const timer = setTimeout(() => fail('late'), timeoutMs);
    outgoing.on('error', broke);
    outgoing.on('response', (incoming) => {
      const pieces: Buffer[] = [];
      let bytes = 0;
      incoming.on('data', (piece: Buffer) => {
        bytes += piece.length;
        if (bytes > bytesMax) fail('foreign');
        else pieces.push(piece);
      });
      incoming.on('error', broke);
      incoming.on('end', () => {
        clearTimeout(timer);
        resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(pieces).toString() });
      });
    });
    outgoing.end(body ?? undefined);
  });
}
