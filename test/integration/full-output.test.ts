import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockstep } from './support/cli.js';
import { fillUp, MAY_MOUNT, onTmpfs } from './support/mounts.js';
import { MqttStack } from './support/mqtt-stack.js';
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

(MAY_MOUNT ? test : test.skip)('a history that finds no room has a code', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-history-'));
  const stack = await MqttStack.start();
  try {
    await onTmpfs(folder, '64k', async () => {
      fillUp(folder);
      const { code, err } = await lockstep('exercise', join(folder, 'history'), '--to', `127.0.0.1:${stack.port}`, '--for', '1s', '--patience', '5s');
      expect(code).toBe(1);
      expect(err).toMatch(/history could not be written to its end: ENOSPC.* \(LOCKSTEP_EXERCISE_FILE\)/);
    });
  } finally {
    await stack.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
