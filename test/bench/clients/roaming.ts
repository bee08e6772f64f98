import { connect, type Socket } from 'node:net';
import { CONNACK, connectPacket, PacketReader } from './packets.js';

/** A server's address, as clients know it. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What a client does with its connection. */
export interface RoamingHandler {
  /** Connected and accepted; `present`: the server knows the session. */
  opened(present: boolean): void;
  packet(first: number, bytes: Buffer, start: number, end: number): void;
  /** Everything of one piece was handed over. */
  pieceEnd(): void;
}

const AGAIN_MS = 10;
/** Without a CONNACK for so long the other address is tried. */
const CONNECT_MS_MAX = 1_000;

/** One client with a kept session that goes from address to address, at once when a connection ends, until it is accepted. */
export class RoamingLink {
  /** Index of the address that it is accepted at; `null` while it is at none. */
  at: number | null = null;
  /** Times that it was accepted. */
  connections = 0;
  private socket: Socket | null = null;
  private next = 0;
  private timer: NodeJS.Timeout | null = null;
  private closed = false;

  constructor(
    private readonly addresses: readonly Address[],
    private readonly clientId: string,
    private readonly handler: RoamingHandler,
  ) {
    this.dial();
  }

  write(bytes: Buffer): void {
    if (this.at !== null) this.socket?.write(bytes);
  }

  close(): void {
    this.closed = true;
    this.at = null;
    if (this.timer !== null) clearTimeout(this.timer);
    this.socket?.destroy();
  }

  private dial(): void {
    const index = this.next % this.addresses.length;
    const { host, port } = this.addresses[index] as Address;
    const socket = connect({ host, port, noDelay: true }, () => socket.write(connectPacket(this.clientId, false)));
    this.socket = socket;
    const reader = new PacketReader((first, bytes, start, end) => {
      if (first >> 4 === CONNACK) this.accepted(index, socket, bytes, start);
      else if (this.at !== null) this.handler.packet(first, bytes, start, end);
    });
    socket.on('data', (piece: Buffer) => {
      reader.push(piece);
      this.handler.pieceEnd();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.again());
    this.timer = setTimeout(() => socket.destroy(), CONNECT_MS_MAX);
  }

  private accepted(index: number, socket: Socket, bytes: Buffer, start: number): void {
    if (bytes[start + 1] !== 0) return void socket.destroy();
    if (this.timer !== null) clearTimeout(this.timer);
    this.at = index;
    this.connections += 1;
    this.handler.opened(bytes[start] === 1);
  }

  private again(): void {
    if (this.closed) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.at = null;
    this.next += 1;
    // Both addresses at once, then a little later.
    this.timer = setTimeout(() => this.dial(), this.next % this.addresses.length === 0 ? AGAIN_MS : 0);
  }
}
