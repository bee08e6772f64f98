import type { LookupFunction } from 'node:net';
import { createLookUp } from '../../../src/adapters/look-up.js';

type Answer = Parameters<LookupFunction>[2];

test('a name is looked up once at a time, and all who wait get the answer', () => {
  const asked: { host: string; answer: Answer }[] = [];
  const lookUp = createLookUp((host, _, answer) => void asked.push({ host, answer }));
  const heard: unknown[] = [];
  const ask = (host: string, family = 0): void => lookUp(host, { family }, (error, address) => void heard.push(error?.code ?? address));
  for (let i = 0; i < 3; i += 1) ask('peer.test');
  ask('other.test');
  ask('peer.test', 6);
  expect(asked.map(({ host }) => host)).toEqual(['peer.test', 'other.test', 'peer.test']);
  asked[0]?.answer(null, '192.0.2.1', 4);
  expect(heard).toEqual(['192.0.2.1', '192.0.2.1', '192.0.2.1']);
  ask('peer.test');
  expect(asked).toHaveLength(4);
  asked[3]?.answer(Object.assign(new Error('no answer'), { code: 'EAI_AGAIN' }), '', 0);
  expect(heard.slice(3)).toEqual(['EAI_AGAIN']);
});

test('a look-up that the system refuses at once is not waited for by the next one', () => {
  let refuses = true;
  const asked: Answer[] = [];
  const lookUp = createLookUp((_host, _options, answer) => {
    if (refuses) throw new TypeError('not a name');
    asked.push(answer);
  });
  const ask = (): void => lookUp('peer.test', {}, () => undefined);
  expect(ask).toThrow('not a name');
  refuses = false;
  ask();
  expect(asked).toHaveLength(1);
});
