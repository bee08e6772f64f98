import { Host, World } from './brokers.js';

test('a broker that opens a large journal says how far it is, and gives signs of life before it has a status', async () => {
  const world = new World();
  const one = new Host(world, 'one');
  await one.start();
  expect(one.signs).toBe(0);
  one.serve(1);
  const client = one.client();
  client.connect('a');
  for (let i = 0; i < 600; i++) {
    client.publish('q', 'x'.repeat(1_000));
    if (i % 25 === 24) await world.run(15);
  }
  await world.run(500);
  one.kill();
  const segments = one.image.paths().filter((path) => path.endsWith('.segment')).length;
  expect(segments).toBeGreaterThan(15);
  one.image.slownessMs = 150;
  const starting = one.start();
  await world.run(15_000);
  expect(one.server?.status).toBeNull();
  one.image.slownessMs = 0;
  await starting;
  const lines = one.log.from('info').filter((line) => line.startsWith('Opening the journal: '));
  for (const what of ['made durable', 'read']) expect(lines).toContainEqual(expect.stringMatching(new RegExp(`^Opening the journal: \\d+ of ${segments} segments ${what} \\(\\d+ %\\)$`)));
  expect(one.signs).toBe(lines.length);
  expect(one.fatal).toEqual([]);
});
