import { Moments } from './moments.js';

describe('Moments', () => {
  it('tells whoever waits for a step once, and nobody who waits for another or no more', () => {
    const moments = new Moments();
    const seen: string[] = [];
    moments.next('claim', () => seen.push('one'));
    const forget = moments.next('claim', () => seen.push('two'));
    moments.next('fence', (mover) => seen.push(`fence of ${mover}`));
    forget();
    moments.tell('claim');
    moments.tell('claim');
    expect(seen).toEqual(['one']);
    moments.tell('fence', 'secondary');
    expect(seen).toEqual(['one', 'fence of secondary']);
  });

  it('lets one wait anew while it is told', () => {
    const moments = new Moments();
    let count = 0;
    const wait = (): void => {
      moments.next('record', () => {
        count += 1;
        wait();
      });
    };
    wait();
    moments.tell('record');
    moments.tell('record');
    expect(count).toBe(2);
  });
});
