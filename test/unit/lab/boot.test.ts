import { NoGuests, whyNotBooted } from '../../lab/guest.js';

test('a guest that its kernel cannot run on this processor is a reason to skip; one that ends for another reason is a failure', () => {
  const panic = 'userspace - ptrace set fp regs failed, errno = 14\nKernel panic - not syncing: Attempted to kill init!';
  expect(whyNotBooted('primary', panic)).toBeInstanceOf(NoGuests);
  for (const words of ['', 'Kernel panic - not syncing: Attempted to kill init!']) {
    const error = whyNotBooted('primary', words);
    expect(error).not.toBeInstanceOf(NoGuests);
    expect(error.message).toBe('primary ended while it booted');
  }
});
