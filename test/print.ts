let readerIsGone = false;
process.stdout.on('error', () => {
  readerIsGone = true;
});

/** A line for whoever started this run. A reader that has gone (`| head`) ends nothing: the run goes on, and its exit code tells the rest. */
export function print(text: string): void {
  if (!readerIsGone) process.stdout.write(`${text}\n`);
}
