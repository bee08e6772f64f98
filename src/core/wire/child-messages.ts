import { clip, Fields } from './fields.js';

/*
 * What the processes of one server say to each other comes from the same build over a private channel. It is read field by field all the same: a
 * process whose memory went bad, or of a build that was exchanged under a running server, must not have its nonsense believed, and none of it
 * may end its reader. What a text is too long for is cut, so that no honest message is refused for its words.
 */

/** Of a detail, a reason, a line for the log. Longer ones are cut. */
export const CONTROL_TEXT_CHARS_MAX = 16_384;

const LEVELS = ['error', 'warn', 'info', 'debug'] as const;

type FromChild<Status> =
  | { readonly kind: 'status'; readonly status: Status }
  | { readonly kind: 'log'; readonly level: (typeof LEVELS)[number]; readonly message: string; readonly fields?: Record<string, unknown> }
  | { readonly kind: 'fatal'; readonly code: string; readonly message: string };

/** What a child says to the HA manager. @throws MessageRefused that names the field */
export function readFromChild<Status>(value: unknown, readStatus: (status: Fields) => Status): FromChild<Status> {
  const message = Fields.of('message', value);
  switch (message.oneOf('kind', ['status', 'log', 'fatal'])) {
    case 'status':
      return { kind: 'status', status: readStatus(message.object('status')) };
    case 'log': {
      const line = { kind: 'log' as const, level: message.oneOf('level', LEVELS), message: words(message, 'message') };
      if (!message.has('fields') || message.raw('fields') === undefined) return line;
      message.object('fields');
      // Of any shape: the log takes no more of it than fits into a line.
      return { ...line, fields: message.raw('fields') as Record<string, unknown> };
    }
    case 'fatal':
      return { kind: 'fatal', code: words(message, 'code'), message: words(message, 'message') };
  }
}

/** What the HA manager says to a child. @throws MessageRefused that names the field */
export function readToChild<Order>(value: unknown, readOrder: (order: Fields) => Order): { readonly kind: 'order'; readonly order: Order } {
  const message = Fields.of('message', value);
  message.oneOf('kind', ['order']);
  return { kind: 'order', order: readOrder(message.object('order')) };
}

/** A text for people, cut to `CONTROL_TEXT_CHARS_MAX`. */
export function words(fields: Fields, name: string): string {
  return clip(fields.text(name, Number.MAX_SAFE_INTEGER), CONTROL_TEXT_CHARS_MAX);
}
