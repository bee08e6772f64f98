import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { COMMAND } from './support/server.js';

/** A device of Linux on which every write fails as on a full disk. */
const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux('a command whose output finds no room says so, and does not end as if all were written', () => {
  const full = openSync('/dev/full', 'w');
  try {
    const { status, stderr } = spawnSync(process.execPath, [COMMAND, 'journal', '--help'], { stdio: ['ignore', full, 'pipe'], encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 1, stderr: 'lockstep: the output could not be written: ENOSPC: no space left on device, write. What was written is not whole.\n' });
  } finally {
    closeSync(full);
  }
});
