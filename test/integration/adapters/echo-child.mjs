// A child process for child-process.test.ts.
process.on('message', (message) => {
  if (message === 'die') process.exit(3);
  if (message === 'last words') {
    process.send({ fatal: true });
    process.exit(4);
  }
  process.send({ echo: message });
});
process.on('disconnect', () => process.exit(0));
console.log('hello from the child');
process.send({ ready: process.argv[2] });
