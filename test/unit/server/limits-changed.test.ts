import { Host, World } from './brokers.js';

test.each([
  ['from the log alone', {}],
  ['from a snapshot and the log behind it', { snapshotEveryRecords: 8 }],
])('a server that is started anew with lower limits has everything that was acknowledged: %s', async (_name, tuning) => {
  const world = new World();
  const one = new Host(world, 'one', tuning);
  await one.start();
  one.serve(1);
  await world.run(50);
  const consumer = one.client();
  consumer.connect('consumer');
  for (let at = 0; at < 5; at++) consumer.subscribe(`t/${at}`);
  await world.run(50);
  expect(consumer.of('suback').map(({ granted }) => granted[0])).toEqual([1, 1, 1, 1, 1]);
  one.edge?.submit({ kind: 'disconnect', connection: consumer.connection, publishWill: false }, 1);
  const producer = one.client();
  producer.connect('producer');
  for (let at = 0; at < 5; at++) producer.publish(`t/${at}`, `m${at}`);
  await world.run(500);
  expect(producer.acknowledged).toBe(5);
  one.shutDown();
  await world.run(200);
  one.kill();
  one.order = { ...one.order, shutdown: false, role: { kind: 'idle', keepClients: false } };
  one.limits = { ...one.limits, subscriptionsPerSessionMax: 2, queuedMessagesPerSessionMax: 1 };
  await one.start();
  expect(one.status.queued).toBe(5);
  one.serve(2);
  await world.run(50);
  const again = one.client();
  again.connect('consumer');
  await world.run(50);
  expect(again.of('deliver')).toHaveLength(5);
  again.subscribe('t/5');
  await world.run(50);
  expect(again.of('suback').map(({ granted }) => granted[0])).toEqual([0x80]);
});
