import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** So much of what came is given on in one turn of the loop. Bytes. */
const PIECE_BYTES_MAX = 2_048;
/** Whoever sends more than this behind a request is not waited for with the answer. Bytes. */
const LEFT_BYTES_MAX = 1024 * 1024;
/** The end of a request's head: the empty line behind a line that is not. In latin1, a character is a byte. */
const END_OF_HEAD = /[^\r\n]\r?\n\r?\n/;

/**
 * A connection as the HTTP server is to see it, which would otherwise answer all that came at once, thousands of requests, before a timer of this
 * process gets its turn. In one turn of the loop a connection gives on one piece, which ends with the head of a request where there is one. What comes
 * behind a whole request before its answer is left, and the connection ends with that answer.
 */
export class OneRequestAtATime extends Duplex {
  /** What came and was not given on yet. The socket is not read meanwhile. */
  private rest: Buffer | null = null;
  private wanted = false;
  private turn: NodeJS.Immediate | null = null;
  private socketEnded = false;
  /** The one that is being answered. */
  private asked: IncomingMessage | null = null;
  private leftBytes = 0;
  readonly remoteAddress: string | undefined;

  constructor(private readonly socket: Socket) {
    super({ readableHighWaterMark: 1 });
    this.remoteAddress = socket.remoteAddress;
    socket.on('data', (chunk: Buffer) => this.came(chunk));
    socket.on('end', () => {
      this.socketEnded = true;
      this.offer();
    });
    socket.on('timeout', () => this.emit('timeout'));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  setTimeout(ms: number, action?: () => void): this {
    this.socket.setTimeout(ms);
    if (action !== undefined) this.once('timeout', action);
    return this;
  }

  /** To be called with each request that the HTTP server finds on it. */
  answering(request: IncomingMessage, response: ServerResponse): void {
    this.asked = request;
    response.once('close', () => {
      if (this.asked !== request) return;
      this.asked = null;
      if (this.leftBytes > 0) this.destroySoon();
    });
  }

  /** Ends it when what was written has left this process: the HTTP server asks for this where an answer is the last one. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  override _read(): void {
    this.wanted = true;
    this.offer();
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.socket.write(chunk, encoding, done);
  }

  override _final(done: () => void): void {
    this.socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.turn !== null) clearImmediate(this.turn);
    this.socket.destroy();
    done(error);
  }

  private came(chunk: Buffer): void {
    if (this.asked?.complete === true) return this.leave(chunk.length);
    this.rest = chunk;
    this.socket.pause();
    this.offer();
  }

  /** The socket is read on: its end tells that whoever asked has gone. */
  private leave(bytes: number): void {
    this.leftBytes += bytes;
    if (this.leftBytes > LEFT_BYTES_MAX) this.destroy();
  }

  private offer(): void {
    if (!this.wanted || this.turn !== null || this.destroyed) return;
    if (this.rest !== null) {
      this.turn = setImmediate(() => this.give());
    } else if (this.socketEnded) {
      this.wanted = false;
      this.push(null);
    }
  }

  private give(): void {
    const { rest } = this;
    this.turn = null;
    if (rest === null) return;
    const piece = rest.subarray(0, pieceLength(rest));
    this.rest = piece.length < rest.length ? rest.subarray(piece.length) : null;
    this.wanted = false;
    this.push(piece);
    if (this.rest !== null && this.asked?.complete === true) {
      this.leave(this.rest.length);
      this.rest = null;
    }
    if (this.rest === null) this.socket.resume();
    this.offer();
  }
}

/** Of the piece that is given on next. */
function pieceLength(bytes: Buffer): number {
  const most = Math.min(bytes.length, PIECE_BYTES_MAX);
  const end = END_OF_HEAD.exec(bytes.toString('latin1', 0, most));
  return end === null ? most : end.index + end[0].length;
}
