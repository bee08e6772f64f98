/**
 * A value of unknown origin as its JSON would begin, in `charsMax` characters and a sign that it goes on. Neither a value that nests without
 * end or holds itself nor a long one costs more than that.
 */
export function glimpse(value: unknown, charsMax: number): string {
  const text = draw(value, charsMax);
  if (text.length <= charsMax) return text;
  const cut = text.slice(0, charsMax);
  // Half of a surrogate pair is no character.
  const last = cut.charCodeAt(cut.length - 1);
  return `${last >= 0xd800 && last <= 0xdbff ? cut.slice(0, -1) : cut}…`;
}

/** Exact up to `room` characters; whatever comes behind them. */
function draw(value: unknown, room: number): string {
  if (room <= 0) return '…';
  if (typeof value === 'string') return JSON.stringify(value.slice(0, room + 1));
  if (Array.isArray(value)) return drawAll('[', value.length, (at) => draw(value[at], room - 1), room, ']');
  if (typeof value === 'object' && value !== null) {
    const names = Object.keys(value);
    const one = (at: number): string => {
      const name = names[at] as string;
      return `${draw(name, room)}:${draw((value as Record<string, unknown>)[name], room - name.length - 3)}`;
    };
    return drawAll('{', names.length, one, room, '}');
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return 'null';
  return String(value);
}

function drawAll(open: string, count: number, one: (at: number) => string, room: number, close: string): string {
  let text = open;
  for (let at = 0; at < count && text.length <= room; at += 1) text += `${at === 0 ? '' : ','}${one(at)}`;
  return text + close;
}
