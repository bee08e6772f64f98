import Sequencer from '@jest/test-sequencer';

/** Whole servers first: those suites wait for the longest, and at the end of the run no processor idles beside the last of them. */
export default class extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    const waits = ({ path }) => /[\\/]test[\\/]integration[\\/]/.test(path);
    return [...sorted.filter(waits), ...sorted.filter((test) => !waits(test))];
  }
}
