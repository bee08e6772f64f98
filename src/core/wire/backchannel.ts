/**
 * Frames of the backchannel (`frame.ts` has their header). Hello and status are JSON in UTF-8; refused and bye carry their
 * reason as UTF-8 text.
 *
 * Each side sends its hello first and nothing before it. A side that accepts the other's hello sends statuses from then on;
 * one that does not sends `refused` and closes.
 */
export const BackchannelKind = { hello: 1, status: 2, refused: 3, bye: 4 } as const;

/** A status is about 2 KiB; what is above this limit comes from no server of ours. */
export const BACKCHANNEL_PAYLOAD_BYTES_MAX = 256 * 1024;

/** Of the text of `refused` and `bye`. Longer text is cut by the sender. */
export const REASON_CHARS_MAX = 4096;
