import { connect, createServer, type Server, type Socket } from 'node:net';

/** Stands between two that talk over TCP on this machine, passes everything on, and counts the bytes that come back to the one that dialled. */
export class Relay {
  /** From the listening side to the dialling one, since it was last set to 0. */
  bytesBack = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  /** @param target the port that is passed on to; asked at each connection */
  static async open(target: () => number): Promise<Relay> {
    const server = createServer((near) => relay.pass(near, target()));
    const port = await new Promise<number>((resolve, reject) => {
      server.once('error', reject).listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    const relay = new Relay(server, port);
    return relay;
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private pass(near: Socket, port: number): void {
    const far = connect({ port, host: '127.0.0.1', noDelay: true });
    near.setNoDelay(true);
    far.on('data', (piece: Buffer) => (this.bytesBack += piece.length));
    near.pipe(far);
    far.pipe(near);
    for (const [one, another] of [[near, far], [far, near]] as const) {
      this.sockets.add(one);
      one.on('error', () => another.destroy());
      one.on('close', () => {
        this.sockets.delete(one);
        another.destroy();
      });
    }
  }
}
