import type { Monotonic } from '../../core/identity.js';
import type { Clock } from '../../ports/clock.js';
import type { Stream } from '../../ports/stream.js';
import { ProtocolFault } from './fault.js';
import { PacketFramer, PacketType } from './framer.js';
import type { KeepAlive } from './keep-alive.js';
import { LONG_PACKET_BYTES_PER_SECOND, PARTIAL_BYTES_FREE } from './limits.js';
import type { Share } from './shared-room.js';
import type { Turns } from './turns.js';

/**
 * So long packets of one connection are taken before the others have a turn; looked at after so many packets, and after each SUBSCRIBE. What a packet costs can be far
 * more than its bytes: a SUBSCRIBE looks at each retained message.
 */
export const TURN_MS = 20;
const PACKETS_PER_LOOK = 8;

export interface InboxWorld {
  /** Whether the connection, as it stands now, can do with one more packet. Asked before each. */
  mayTake(): boolean;
  /** A whole packet. @throws ProtocolFault */
  take(packet: PacketFramer): void;
  /** The others have had their turn: `pump` is due. */
  turn(): void;
  /** It is not read from before there is room for its packet. */
  crowded(bytesMax: number): void;
  /** What came is no MQTT, or the packet was not. */
  broken(fault: ProtocolFault): void;
}

/**
 * What comes from one client: packets, taken one by one for as long as the connection may take them and its turn lasts.
 *
 * Invariants
 * - Packets are taken in the order in which they came, and none while `mayTake` says no or, of a client that is let in, the others have their turn: then the stream is paused, and what
 *   had come already waits in the framer, also beyond the end of the stream.
 * - While the client is not read from, its silence is ours.
 * - Of a client that is let in, a long packet is read only when there is room for the whole of it, which is its own then: whoever has begun can end.
 */
export class Inbox {
  private readonly framer: PacketFramer;
  /** `ended`: nothing more comes, what has come is taken. */
  private stage: 'taking' | 'ended' | 'ignoring' | 'closed' = 'taking';
  private isReading = true;
  /** The others have their turn; then it goes on with what has come already. */
  private yielded = false;
  private isHurried = false;
  /** Until there is room for the packet that is under way. */
  private isCrowded = false;
  /** Of the room for packets under way; none before the client is let in. */
  private share: Share | null = null;

  constructor(
    private readonly stream: Stream,
    private readonly clock: Clock,
    private readonly turns: Turns,
    private readonly keepAlive: KeepAlive,
    packetBytesMax: number,
    private readonly world: InboxWorld,
  ) {
    this.framer = new PacketFramer(packetBytesMax);
    this.framer.isOpening = true;
  }

  /** True while nothing waits of what came. */
  get isEmpty(): boolean {
    return this.framer.waiting === 0;
  }

  /** True while the stream is not read from. */
  get isHeldUp(): boolean {
    return !this.isReading;
  }

  /** The client is let in. From the next packet on: its longest, `isOld` as in PacketFramer, and a share of the room for what is held of it. */
  letIn(packetBytesMax: number, isOld: boolean, share: Share): void {
    this.framer.bytesMax = packetBytesMax;
    this.framer.isOld = isOld;
    this.framer.isOpening = false;
    this.share = share;
  }

  /** True while a packet is under way that takes of the room that clients share. */
  get isLong(): boolean {
    return this.framer.underWayBytes > PARTIAL_BYTES_FREE;
  }

  /** Why the packet that is under way is given up: it does not go on, or too slowly, by the times at which the client was read from. `null`: it is not. */
  stall(now: Monotonic, ms: number): string | null {
    const bytes = this.framer.underWayBytes;
    if (bytes === 0 || !this.keepAlive.isStalled(now, ms)) return null;
    if (this.isLong) return `its packet of ${bytes} bytes that is under way is ${ms} ms (stalledPacketMs) behind ${LONG_PACKET_BYTES_PER_SECOND} bytes a second`;
    return `for ${ms} ms (stalledPacketMs) not one byte came of a packet that is under way`;
  }

  /** What came from the stream; it is taken by `pump`. */
  add(bytes: Uint8Array): void {
    this.keepAlive.came(bytes.length, this.isLong);
    this.framer.push(bytes);
  }

  /**
   * Takes packets for as long as it may, and tells the stream whether to go on reading.
   * @returns whether no whole packet waits
   */
  pump(): boolean {
    let isWhole = false;
    let isDone = false;
    const begunAt = this.clock.monotonic();
    // A CONNECT is one short packet, and its time is running.
    if (this.share !== null && this.turns.isOver && !this.isHurried && !this.isEmpty && this.mayTake()) this.yield();
    try {
      for (let taken = 1; this.mayTake(); taken += 1) {
        isDone = !this.framer.next();
        if (isDone) break;
        isWhole = true;
        const isLooked = taken % PACKETS_PER_LOOK === 0 || this.framer.header >> 4 === PacketType.subscribe;
        this.world.take(this.framer);
        if (isLooked && this.clock.monotonic() - begunAt >= TURN_MS) this.yield();
      }
      if (isDone || this.framer.underWayBytes === 0) this.makeRoom();
    } catch (error) {
      if (!(error instanceof ProtocolFault)) throw error;
      this.world.broken(error);
    }
    if (isWhole) {
      this.turns.worked(this.clock.monotonic() - begunAt);
      this.keepAlive.begin();
    }
    if (isWhole || this.keepAlive.isProgress) this.keepAlive.hear();
    this.steer();
    return isDone || this.isEmpty;
  }

  /** For the packet that is under way, as long as it says that it is. @throws ProtocolFault */
  private makeRoom(): void {
    const { share } = this;
    if (share === null || this.stage !== 'taking') return;
    const bytes = this.framer.underWayBytes;
    const answer = share.reserve(bytes, () => this.clock.soon(() => this.hasRoom()));
    if (answer === 'never') throw new ProtocolFault(`a packet of ${bytes} bytes, and packets under way of all clients may take ${share.bytesMax} (partialBytesMax)`, 'limit');
    this.isCrowded = answer === 'waits';
    if (this.isCrowded) this.world.crowded(share.bytesMax);
  }

  private hasRoom(): void {
    if (!this.isCrowded) return;
    this.isCrowded = false;
    this.world.turn();
  }

  /** Tells the stream whether to go on reading. */
  steer(): void {
    if (this.stage === 'closed' || this.stage === 'ended') return;
    const wanted = this.stage === 'ignoring' || this.mayTake();
    if (wanted === this.isReading) return;
    this.isReading = wanted;
    if (wanted) {
      this.keepAlive.resume();
      this.stream.resume();
    } else {
      this.keepAlive.pause();
      this.stream.pause();
    }
  }

  /** The stream has closed: nothing more is done with it, and what came goes on to be taken. */
  end(): void {
    this.stage = 'ended';
    this.isCrowded = false;
  }

  /** As `pump`, for one turn that waits for nobody else's. */
  hurry(pump: () => void): void {
    this.yielded = false;
    this.isHurried = true;
    pump();
    this.isHurried = false;
  }

  /** Forgets what came. What comes from now on is read and ignored, so that the other side's end is seen. */
  ignore(): void {
    this.stage = 'ignoring';
    this.clear();
  }

  /** Forgets what came, and does nothing more with the stream. */
  close(): void {
    this.stage = 'closed';
    this.clear();
  }

  private clear(): void {
    this.framer.clear();
    this.isCrowded = false;
    this.share?.leave();
    this.share = null;
  }

  /** Takes nothing more in this turn. */
  private yield(): void {
    this.yielded = true;
    this.turns.wait(() => {
      this.yielded = false;
      this.world.turn();
    });
  }

  private mayTake(): boolean {
    return !this.yielded && !this.isCrowded && this.world.mayTake();
  }
}
