import type { Endpoint } from '../core/control/broker.js';
import type { Hello } from '../core/control/peer.js';
import { LockstepError } from '../core/errors.js';
import { BACKCHANNEL_PAYLOAD_BYTES_MAX, BackchannelKind } from '../core/wire/backchannel.js';
import { MessageRefused } from '../core/wire/fields.js';
import { FrameReader, type Frame } from '../core/wire/frame.js';
import { decodeHello } from '../core/wire/hello.js';
import type { Clock } from '../ports/clock.js';
import type { Network } from '../ports/stream.js';

/** What a look at a backchannel port met. */
export type Heard =
  | { readonly kind: 'hello'; readonly hello: Hello }
  /** What came is not of our version, or of no server. */
  | { readonly kind: 'misunderstood'; readonly error: LockstepError }
  | { readonly kind: 'silent'; readonly why: string };

/**
 * Hears who listens there and says nothing: a server says its hello first. With a hello of its own such a look would count as the
 * peer started anew, and the connections of the one that runs would be closed for it; so to the server it is a connection that ended,
 * which it neither answers nor notes. Whether the two belong together both find alike (`judgeHello`).
 * @throws LockstepError as `dial` (rejects)
 */
export async function hearHello(network: Network, clock: Clock, at: Endpoint, timeoutMs: number): Promise<Heard> {
  const stream = await network.dial(at, timeoutMs);
  return await new Promise((resolve) => {
    const settle = (heard: Heard): void => {
      cancel();
      resolve(heard);
      stream.destroy('looked');
    };
    const cancel = clock.after(timeoutMs, () => settle({ kind: 'silent', why: `it says nothing within ${timeoutMs} ms` }));
    const reader = new FrameReader(BACKCHANNEL_PAYLOAD_BYTES_MAX, (frame) => settle({ kind: 'hello', hello: helloIn(frame) }));
    stream.handle({
      data: (bytes) => {
        try {
          reader.push(bytes);
        } catch (error) {
          if (!(error instanceof LockstepError)) throw error;
          settle({ kind: 'misunderstood', error });
        }
      },
      drain: () => undefined,
      close: (reason) => settle({ kind: 'silent', why: `it says nothing: ${reason}` }),
    });
  });
}

function helloIn({ kind, payload }: Frame): Hello {
  if (kind !== BackchannelKind.hello) throw new MessageRefused(`a frame of kind ${kind} came before the hello`);
  return decodeHello(payload);
}
