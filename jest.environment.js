import { AsyncLocalStorage } from 'node:async_hooks';
import { TestEnvironment } from 'jest-environment-node';

/**
 * Jest's runner makes an AsyncLocalStorage for every test file and never gives it up. Node.js 20 then asks each of them at every promise of the
 * process, so that the hundredth file of a run waits for promises twenty times as long as the first. Here each file's are given up at its end.
 */
export default class extends TestEnvironment {
  #run = AsyncLocalStorage.prototype.run;
  #used = new Set();

  async setup() {
    await super.setup();
    const [run, used] = [this.#run, this.#used];
    AsyncLocalStorage.prototype.run = function (...words) {
      used.add(this);
      return run.apply(this, words);
    };
  }

  async teardown() {
    AsyncLocalStorage.prototype.run = this.#run;
    for (const storage of this.#used) storage.disable();
    await super.teardown();
  }
}
