import { connect, createServer, type Socket } from 'node:net';
import { Answers, CONNACK, PacketReader, PUBACK, PUBLISH, SUBACK } from '../clients/packets.js';
import { ProbeJournal } from './probe-journal.js';

/*
 * The least that a replicated, twice durable broker must do for a QoS 1 message, and nothing more: parse, write and sync, replicate to a
 * second process that writes and syncs, acknowledge, deliver. No topics, sessions, terms, retained messages, limits or checksums. A yardstick.
 */

interface Batch {
  bytes: Buffer;
  length: number;
  /** Where each packet begins in `bytes`, where its packet id is, and who sent it. */
  readonly starts: number[];
  readonly packetIds: number[];
  readonly senders: Client[];
}

interface Client {
  readonly socket: Socket;
  readonly answers: Answers;
}

const BATCH_BYTES = 256 * 1024;
const PACKET_IDS = 65_535;
/** CONNECT and SUBSCRIBE by the first four bits. */
const CONNECT = 1;
const SUBSCRIBE = 8;

function emptyBatch(): Batch {
  return { bytes: Buffer.allocUnsafe(BATCH_BYTES), length: 0, starts: [], packetIds: [], senders: [] };
}

class Server {
  private readonly subscribers = new Set<Socket>();
  private open = emptyBatch();
  private busy = false;
  private scheduled = false;
  private nextPacketId = 1;

  constructor(
    private readonly journal: ProbeJournal,
    private readonly follower: Socket,
  ) {}

  accept(socket: Socket): void {
    socket.setNoDelay(true);
    const client: Client = { socket, answers: new Answers() };
    const reader = new PacketReader((first, bytes, start, end) => this.packet(client, first, bytes, start, end));
    socket.on('data', (piece: Buffer) => reader.push(piece));
    socket.on('close', () => this.subscribers.delete(socket));
    socket.on('error', () => undefined);
  }

  private packet(client: Client, first: number, bytes: Buffer, start: number, end: number): void {
    const type = first >> 4;
    if (type === PUBLISH) this.publish(client, first, bytes, start, end);
    else if (type === CONNECT) client.socket.write(Buffer.from([CONNACK << 4, 2, 0, 0]));
    else if (type === SUBSCRIBE) {
      this.subscribers.add(client.socket);
      client.socket.write(Buffer.from([SUBACK << 4, 3, bytes[start] ?? 0, bytes[start + 1] ?? 0, 1]));
    }
  }

  private publish(client: Client, first: number, bytes: Buffer, start: number, end: number): void {
    const batch = this.open;
    let at = batch.length;
    const whole = end - start + 5;
    if (at + whole > batch.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(batch.bytes.length * 2, at + whole));
      batch.bytes.copy(grown, 0, 0, at);
      batch.bytes = grown;
    }
    batch.starts.push(at);
    batch.bytes[at++] = first;
    for (let left = end - start; ; ) {
      const digit = left & 0x7f;
      left >>= 7;
      batch.bytes[at++] = left > 0 ? digit | 0x80 : digit;
      if (left === 0) break;
    }
    bytes.copy(batch.bytes, at, start, end);
    batch.packetIds.push(at + 2 + bytes.readUInt16BE(start));
    batch.senders.push(client);
    batch.length = at + end - start;
    this.schedule();
  }

  /** Not at once: what comes in the same turn of the loop shares the commit. */
  private schedule(): void {
    if (this.busy || this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.commit();
    });
  }

  private commit(): void {
    const batch = this.open;
    if (this.busy || batch.length === 0) return;
    this.busy = true;
    this.open = emptyBatch();
    let waiting = 2;
    const done = (): void => {
      waiting -= 1;
      if (waiting > 0) return;
      this.busy = false;
      this.commit();
      this.deliver(batch);
    };
    const all = batch.bytes.subarray(0, batch.length);
    const head = Buffer.allocUnsafe(4);
    head.writeUInt32BE(all.length);
    this.follower.cork();
    this.follower.write(head);
    this.follower.write(all);
    this.follower.uncork();
    this.follower.once('data', done);
    this.journal.append(all, done);
  }

  private deliver(batch: Batch): void {
    const touched = new Set<Client>();
    batch.senders.forEach((client, at) => {
      client.answers.add(PUBACK, batch.bytes.readUInt16BE(batch.packetIds[at] ?? 0));
      touched.add(client);
    });
    for (const { socket, answers } of touched) {
      const bytes = answers.take();
      if (bytes !== null) socket.write(bytes);
    }
    for (const socket of this.subscribers) {
      const copy = Buffer.from(batch.bytes.subarray(0, batch.length));
      for (const at of batch.packetIds) {
        copy.writeUInt16BE(this.nextPacketId, at);
        this.nextPacketId = (this.nextPacketId % PACKET_IDS) + 1;
      }
      socket.write(copy);
    }
  }
}

/** Writes and syncs each batch, and answers with one byte. */
function follow(journal: ProbeJournal, socket: Socket): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on('data', (piece: Buffer) => {
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
      const length = 4 + rest.readUInt32BE();
      journal.append(rest.subarray(4, length), () => socket.write(Buffer.from([1])));
      rest = rest.subarray(length);
    }
  });
  socket.on('error', () => undefined);
}

function listen(accept: (socket: Socket) => void): void {
  const server = createServer(accept).listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as { port: number }).port }));
}

const [file, followerPort] = process.argv.slice(2);
const journal = new ProbeJournal(file ?? '');
process.on('disconnect', () => process.exit(0));
if (followerPort === undefined) listen((socket) => follow(journal, socket));
else {
  const follower = connect({ port: Number(followerPort), host: '127.0.0.1', noDelay: true });
  const server = new Server(journal, follower);
  listen((socket) => server.accept(socket));
}
