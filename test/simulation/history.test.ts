import { History, type Inbox, type Operation } from './history.js';
import { World } from './world.js';

/** Three retained messages of one publisher on one topic, all acknowledged. */
function three(): { world: World; history: History; inbox: Inbox } {
  const world = new World(1);
  const history = new History(world);
  for (let number = 1; number <= 3; number += 1) {
    const operation: Operation = { id: `pub1.${number}`, publisher: 'pub1', number, topic: 'r/pub1', qos: 1, retain: true, sentAt: null, ackedAt: null };
    history.sent(operation);
    history.acked(operation, 'primary');
  }
  const inbox = history.inbox('con1', true, 2, () => true);
  inbox.subscribedAt = 0;
  return { world, history, inbox };
}

describe('what clients can see by themselves', () => {
  it('a message that nobody sent, or that was sent to another topic', () => {
    for (const [topic, payload] of [['r/pub1', 'pub1.9'], ['t/other', 'pub1.1']] as const) {
      const { world, history, inbox } = three();
      history.delivered(inbox, topic, payload, 1, false);
      expect(world.violation?.check).toBe('unknown message');
    }
  });

  it('a message of QoS 2 that comes twice, and not one of QoS 1', () => {
    for (const qos of [1, 2] as const) {
      const { world, history, inbox } = three();
      for (let i = 0; i < 2; i += 1) history.delivered(inbox, 'r/pub1', 'pub1.1', qos, false);
      expect(world.violation?.check ?? null).toBe(qos === 2 ? 'QoS 2 exactly once' : null);
    }
  });

  it('messages in another order than they were sent in', () => {
    const { world, history, inbox } = three();
    for (const payload of ['pub1.1', 'pub1.3', 'pub1.2']) history.delivered(inbox, 'r/pub1', payload, 1, false);
    expect(world.violation?.check).toBe('order');
  });

  it('what is still missing', () => {
    const { world, history, inbox } = three();
    for (const payload of ['pub1.1', 'pub1.3']) history.delivered(inbox, 'r/pub1', payload, 1, false);
    expect(history.missing(inbox).map(({ id }) => id)).toEqual(['pub1.2']);
    expect(world.violation).toBeNull();
  });

  it('a retained message that is not the last one, or none', () => {
    for (const [payload, check] of [['pub1.3', null], ['pub1.2', 'retained message'], [null, 'retained message']] as const) {
      const { world, history, inbox } = three();
      if (payload !== null) history.delivered(inbox, 'r/pub1', payload, 1, true);
      history.checkRetained(inbox);
      expect(world.violation?.check ?? null).toBe(check);
    }
  });

  it('more wills than a client has connected', () => {
    const { world, history } = three();
    history.willDue('will/pub1');
    history.willSeen('con1', 'will/pub1');
    expect(world.violation).toBeNull();
    history.willSeen('con1', 'will/pub1');
    expect(world.violation?.check).toBe('will without cause');
  });

  it('a session that is not known any more', () => {
    const { world, history } = three();
    history.sessionLost('con1', 'secondary');
    expect(world.violation?.check).toBe('session lost');
  });
});
