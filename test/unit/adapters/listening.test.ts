import net from 'node:net';
import { tellOfErrors } from '../../../src/adapters/network.js';
import { FakeLog } from '../support/fake-log.js';

test('connections that cannot be taken are told of at times, however often they are tried', () => {
  const server = net.createServer();
  const log = new FakeLog();
  let now = 5;
  tellOfErrors(server, { host: '127.0.0.1', port: 1883 }, log, () => now);
  const fail = (times: number): void => {
    for (let at = 0; at < times; at++) server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }));
  };
  fail(1_000);
  now += 9_999;
  fail(1);
  now += 1;
  fail(2);
  now += 20_000;
  fail(1);
  const line = 'listening on 127.0.0.1:1883: this process has no file descriptor left (EMFILE)';
  expect(log.from('warn')).toEqual([line, `${line} (and 1000 more since the last such line)`, `${line} (and 1 more since the last such line)`]);
});
