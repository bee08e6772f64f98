const SUM_DIGITS = 8;

/**
 * FNV-1a, 32 bits, as 8 hexadecimal digits: tells a torn or damaged small record from a whole one. Any change of one byte changes it.
 */
export function shortSum(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i += 1) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return (hash >>> 0).toString(16).padStart(SUM_DIGITS, '0');
}
