/**
 * Whether two plain values (numbers, texts, `null`, arrays and objects of such) say the same. What stands for the same thing in the same
 * object is not looked into: it is asked at every event, of values of which most parts have not changed.
 */
export function sameValue(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const left = one as Readonly<Record<string, unknown>>;
  const right = other as Readonly<Record<string, unknown>>;
  let count = 0;
  for (const key in left) {
    if (left[key] === undefined) continue;
    if (!sameValue(left[key], right[key])) return false;
    count += 1;
  }
  for (const key in right) if (right[key] !== undefined) count -= 1;
  return count === 0;
}

/** `sameValue` of two objects of one kind, without what stands under `left`: what is told at another occasion, or counts what went by. */
export function sameBut<Value extends object>(one: Value, other: Value, left: readonly (keyof Value & string)[]): boolean {
  const isLeft = (name: string): boolean => (left as readonly string[]).includes(name);
  for (const name in one) if (!sameValue(one[name], other[name]) && !isLeft(name)) return false;
  for (const name in other) if (one[name] === undefined && other[name] !== undefined && !isLeft(name)) return false;
  return true;
}
