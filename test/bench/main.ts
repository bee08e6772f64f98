/* What is measured: repositories against rsync, or (without a word) a pair under load and in failover. */
if (process.argv[2] === 'repositories') {
  process.argv.splice(2, 1);
  await import('./repositories-main.js');
} else await import('./pair-main.js');
