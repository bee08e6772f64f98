import { connect, type Socket } from 'node:net';

const REQUEST_MS_MAX = 2_000;
/** Numbers below are for `subscribe`. */
const FIRST_REQUEST_ID = 100;
const CR = 13;
const CRLF = '\r\n';

/** A message: its subject, where to answer, and where its payload lies. Good during the call only. */
export type NatsSink = (subject: string, reply: string, bytes: Buffer, start: number, end: number) => void;

/** Just enough of the text protocol of NATS to make load. */
export class NatsConnection {
  failure: string | null = null;
  private rest: Buffer | null = null;
  /** Of the next subscription to an answer; a number in use is not taken twice. */
  private nextId = FIRST_REQUEST_ID;
  private sink: NatsSink = () => undefined;
  private connected: () => void = () => undefined;

  private constructor(readonly socket: Socket) {
    socket.on('data', (piece: Buffer) => this.push(piece));
    socket.on('close', () => (this.failure ??= 'disconnected'));
    socket.on('error', (error) => (this.failure ??= error.message));
  }

  /** @throws Error when nobody listens */
  static async open(port: number): Promise<NatsConnection> {
    const socket = await new Promise<Socket>((resolve, reject) => {
      const made = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(made));
      made.once('error', reject);
    });
    const connection = new NatsConnection(socket);
    const done = new Promise<void>((resolve) => (connection.connected = resolve));
    socket.write(`CONNECT {"verbose":false,"pedantic":false,"lang":"bench","version":"1","protocol":1}${CRLF}PING${CRLF}`);
    await done;
    return connection;
  }

  onMessage(sink: NatsSink): void {
    this.sink = sink;
  }

  subscribe(subject: string, id: number): void {
    this.socket.write(`SUB ${subject} ${id}${CRLF}`);
  }

  /** One question to the server's API. @returns `null` when nobody answered in two seconds. Only before `onMessage`. */
  request(subject: string, body: unknown): Promise<unknown> {
    const inbox = `_INBOX.${Math.random().toString(36).slice(2)}`;
    const text = JSON.stringify(body);
    const id = this.nextId++;
    return new Promise((resolve) => {
      const tooLate = setTimeout(() => resolve(null), REQUEST_MS_MAX);
      this.sink = (to, _reply, bytes, start, end) => {
        if (to !== inbox) return;
        clearTimeout(tooLate);
        resolve(JSON.parse(bytes.toString('utf8', start, end)));
      };
      this.socket.write(`SUB ${inbox} ${id}${CRLF}UNSUB ${id} 1${CRLF}PUB ${subject} ${inbox} ${Buffer.byteLength(text)}${CRLF}${text}${CRLF}`);
    });
  }

  close(): void {
    this.failure ??= 'closed';
    this.socket.destroy();
  }

  private push(piece: Buffer): void {
    const bytes = this.rest === null ? piece : Buffer.concat([this.rest, piece]);
    let at = 0;
    for (;;) {
      const lineEnd = bytes.indexOf(CR, at);
      if (lineEnd < 0 || lineEnd + 1 >= bytes.length) break;
      if (bytes[at] !== 0x4d) {
        this.control(bytes.toString('latin1', at, lineEnd));
        at = lineEnd + 2;
        continue;
      }
      // MSG subject id [reply] bytes
      const words = bytes.toString('latin1', at, lineEnd).split(' ');
      const start = lineEnd + 2;
      const end = start + Number(words[words.length - 1]);
      if (end + 2 > bytes.length) break;
      this.sink(words[1] ?? '', words.length === 5 ? (words[3] ?? '') : '', bytes, start, end);
      at = end + 2;
    }
    this.rest = at === bytes.length ? null : bytes.subarray(at);
  }

  private control(line: string): void {
    if (line === 'PING') this.socket.write(`PONG${CRLF}`);
    else if (line === 'PONG') this.connected();
    else if (line.startsWith('-ERR')) this.failure ??= line;
  }
}
