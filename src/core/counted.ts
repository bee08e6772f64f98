/** A number with its noun, as a reader expects it: `1 record`, `3 records`. The plural is the noun with an `s`, or `plural`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}
