/* What is measured: repositories against rsync, or (without that word) the rows of rows.ts. */
if (process.argv[2] === 'repositories') {
  process.argv.splice(2, 1);
  await import('./repositories-main.js');
} else await import('./rows-main.js');
