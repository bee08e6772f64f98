import { loadProfile } from '../profile/load.js';
import { formatProblem } from '../profile/problem.js';
import type { Console } from './console.js';

/** Runs the server of a profile until it is told to stop. A profile that cannot be used ends it before anything is begun. */
export async function start(console: Console, path: string): Promise<void> {
  const profile = loadProfile(path);
  for (const warning of profile.warnings) console.err(`warning: ${formatProblem(profile.path, warning)}`);
  // Loaded only here: no other command needs the server's code.
  const { startServer } = await import('../run/start-server.js');
  await startServer(profile.path);
}
