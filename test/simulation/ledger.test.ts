import type { Position, Term } from '../../src/core/identity.js';
import { EMPTY_LOG, type LogPoint } from '../../src/core/journal/envelope.js';
import { Ledger, reaches } from './ledger.js';

function point(term: number, position: number, chain: number): LogPoint {
  return { term: term as Term, position: position as Position, chain };
}

/** Two logs that part after position 2: 1-2-3-4 in term 1 and 1-2-3' in term 2. */
function forked(): { ledger: Ledger; old: LogPoint[]; young: LogPoint } {
  const ledger = new Ledger();
  const old = [1, 2, 3, 4].map((position) => point(1, position, 100 + position));
  let before = EMPTY_LOG;
  for (const record of old) {
    ledger.appended(before, record, `a.${record.position}`);
    before = record;
  }
  const young = point(2, 3, 203);
  ledger.appended(old[1] as LogPoint, young, 'b.1');
  return { ledger, old, young };
}

describe('Ledger', () => {
  it('knows a record once, whoever appends it', () => {
    const { ledger, old } = forked();
    const again = ledger.appended(old[0] as LogPoint, old[1] as LogPoint, 'a.2');
    expect(again).toBe(ledger.find(old[1] as LogPoint));
    expect(ledger.ofOperation('a.2')).toHaveLength(1);
  });

  it('takes acknowledgements out of order on one path', () => {
    const { ledger, old } = forked();
    for (const position of [2, 1, 4, 3]) {
      expect(ledger.acknowledge(ledger.ofOperation(`a.${position}`)[0] as never)).toBe(true);
    }
    expect(ledger.trunk?.position).toBe(4);
    expect(ledger.holdsAll(old[3] as LogPoint)).toBe(true);
    expect(ledger.holdsAll(old[2] as LogPoint)).toBe(false);
  });

  it('refuses acknowledgements of both branches', () => {
    const { ledger, old, young } = forked();
    expect(ledger.acknowledge(ledger.find(young) as never)).toBe(true);
    expect(ledger.holdsAll(old[3] as LogPoint)).toBe(false);
    expect(ledger.acknowledge(ledger.find(old[2] as LogPoint) as never)).toBe(false);
    expect(ledger.acknowledge(ledger.find(old[1] as LogPoint) as never)).toBe(true);
  });

  it('says of a log that it does not know that it holds nothing', () => {
    const { ledger, old } = forked();
    expect(ledger.holdsAll(EMPTY_LOG)).toBe(true);
    ledger.acknowledge(ledger.find(old[0] as LogPoint) as never);
    expect(ledger.holdsAll(EMPTY_LOG)).toBe(false);
    expect(ledger.holdsAll(point(1, 4, 999))).toBe(false);
    expect(reaches(ledger.find(old[3] as LogPoint) as never, ledger.find(old[0] as LogPoint) as never)).toBe(true);
  });

  it('notices a record behind one of a higher term', () => {
    const { ledger, young } = forked();
    expect(ledger.wentBack).toBeNull();
    const backward = ledger.appended(young, point(1, 4, 204), 'b.2');
    expect(ledger.wentBack).toBe(backward);
  });
});
