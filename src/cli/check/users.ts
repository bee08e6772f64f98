import { readUsers } from '../../adapters/user-file.js';
import { LockstepError } from '../../core/errors.js';
import type { Profile } from '../../profile/profile.js';
import type { Finding } from './finding.js';

/** The user file, where the profile names one, is one that a broker can start with, and lets somebody in. */
export async function userFindings({ mqtt }: Profile): Promise<Finding[]> {
  const { usersFile } = mqtt;
  return usersFile === null ? [] : [await fileFinding(usersFile)];
}

async function fileFinding(file: string): Promise<Finding> {
  const name = `mqtt.usersFile ${file}`;
  try {
    const { size } = await readUsers(file);
    if (size > 0) return { area: 'users', level: 'ok', text: `${name} holds ${size} ${size === 1 ? 'user' : 'users'}` };
    return { area: 'users', level: 'warning', text: `${name} holds no user: no client gets in. Add each with \`lockstep passwd ${file} NAME\`, and copy the file to the other server` };
  } catch (error) {
    if (error instanceof LockstepError) return { area: 'users', level: 'fails', text: `mqtt.usersFile: ${error.message}. ${error.remedy}` };
    throw error;
  }
}
