import type { Profile } from '../../../src/profile/profile.js';
import { clientEndpoints, nextServer } from '../../../src/run/configs.js';

test.each([
  ['10.0.0.1', '10.0.0.1:1883', '10.0.0.1:8883'],
  ['broker.example', 'broker.example:1883', 'broker.example:8883'],
  ['fd00::1', '[fd00::1]:1883', '[fd00::1]:8883'],
])('clients find %s as it is written with a port', (host, plain, tls) => {
  const profile = { mqtt: { advertisedHost: host, port: 1883, tlsPort: 8883 }, peer: { backupServerIp: host, backupServerPort: 1883 } } as unknown as Profile;
  expect(clientEndpoints(profile)).toEqual([plain, tls]);
  expect(nextServer(profile)).toBe(plain);
});
