import type { Guest } from './guest.js';

/** Leaves not a byte on the disk, also none of those that are root's. */
export async function fill(guest: Guest, folder: string, ballast: string): Promise<void> {
  await guest.must(`dd if=/dev/zero of=${ballast} bs=64k 2>/dev/null; dd if=/dev/zero of=${ballast}.rest bs=512 2>/dev/null; sync; test "$(df --output=avail ${folder} | tail -1)" -eq 0`);
}

export async function makeRoom(guest: Guest, ballast: string): Promise<void> {
  await guest.must(`rm -f ${ballast} ${ballast}.rest; sync`);
}
