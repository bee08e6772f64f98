import { parseCommand, WrongArguments } from './command.js';

describe('the arguments of an exploration', () => {
  test('without any, everything is explored; the long form is the same, larger', () => {
    expect(parseCommand(['--workers', '3'])).toEqual({ kind: 'all', form: 'gate', workers: 3 });
    expect(parseCommand(['--long'])).toMatchObject({ kind: 'all', form: 'long' });
  });

  test('one root, or one rule left out near its danger or from another root', () => {
    expect(parseCommand(['--root', 'handover'])).toEqual({ kind: 'one', flaw: 'none', root: 'handover', states: 250_000, faults: 3, kinds: null });
    expect(parseCommand(['--flaw', 'no-drain'])).toEqual({ kind: 'one', flaw: 'no-drain', root: 'in-sync', states: 60_000, faults: 1, kinds: { switchover: 1 } });
    expect(parseCommand(['--flaw', 'no-drain', '--root', 'nothing', '--states', '9', '--faults', '0', '--kinds', 'crash,wipe'])).toEqual({
      kind: 'one', flaw: 'no-drain', root: 'nothing', states: 9, faults: 0, kinds: { crash: 2, wipe: 1 },
    });
  });

  test('help', () => {
    expect(parseCommand(['--help'])).toEqual({ kind: 'help' });
  });

  test('walks', () => {
    expect(parseCommand(['--walks', '5', '--seed', '7'])).toEqual({ kind: 'walks', flaw: 'none', root: 'in-sync', walks: 5, seed: 7, faults: 3, kinds: null });
  });

  test.each([
    [['explore'], /positional/],
    [['--what'], /Unknown option/],
    [['--root', 'paradise'], /--root paradise: there are nothing, in-sync/],
    [['--root'], /argument missing/],
    [['--flaw', 'none'], /--flaw none: there are membership/],
    [['--states', '5'], /--states goes with --root, --flaw or --walks/],
    [['--root', 'in-sync', '--states', '0'], /--states 0: a whole number from 1 to/],
    [['--root', 'in-sync', '--states', '1e3'], /whole number/],
    [['--root', 'in-sync', '--states', '99999999999'], /whole number/],
    [['--root', 'in-sync', '--faults', '-1'], /./],
    [['--root', 'in-sync', '--kinds', 'crash,fire'], /--kinds fire: there are crash/],
    [['--root', 'in-sync', '--seed', '1'], /--seed goes with --walks/],
    [['--walks', '1', '--states', '1'], /--states does not go with --walks/],
    [['--long', '--root', 'in-sync'], /--long does not go with/],
    [['--workers', '0'], /--workers 0/],
  ])('%j is refused with a reason', (args, reason) => {
    const parse = (): unknown => parseCommand(args);
    expect(parse).toThrow(WrongArguments);
    expect(parse).toThrow(reason);
  });
});
