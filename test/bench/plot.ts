/** Points of one thing, in order of x. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Plot {
  /** Name of the file, without its ending. */
  readonly file: string;
  readonly title: string;
  /** With its unit. */
  readonly x: string;
  readonly y: string;
  readonly xScale: 'linear' | 'log';
  readonly lines: readonly Line[];
}

const WIDTH = 640;
const HEIGHT = 360;
const LEFT = 72;
const RIGHT = 28;
const TOP = 56;
const BOTTOM = 48;
/** Told apart also by those who do not see red and green as different. */
const COLOURS: readonly string[] = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00'];
const STEPS: readonly number[] = [1, 2, 2.5, 5, 10];
const TICKS = 5;

/** The plot as SVG: both axes with ticks, units and a light grid; y begins at 0. Lines without points are left out. */
export function renderPlot(plot: Plot): string {
  const lines = plot.lines.filter(({ points }) => points.length > 0);
  const xs = lines.flatMap(({ points }) => points.map(([x]) => x));
  const ys = lines.flatMap(({ points }) => points.map(([, y]) => y));
  const place = plot.xScale === 'log' ? (x: number): number => Math.log(Math.max(x, Number.MIN_VALUE)) : (x: number): number => x;
  const yTicks = niceTicks(Math.max(...ys, 0));
  const [xMin, xMax, yMax] = [Math.min(...xs.map(place)), Math.max(...xs.map(place)), yTicks[yTicks.length - 1] ?? 1];
  const atX = (x: number): number => LEFT + (xMax === xMin ? 0.5 : (place(x) - xMin) / (xMax - xMin)) * (WIDTH - LEFT - RIGHT);
  const atY = (y: number): number => HEIGHT - BOTTOM - (y / yMax) * (HEIGHT - TOP - BOTTOM);
  const xTicks = plot.xScale === 'log' || new Set(xs).size <= TICKS ? thinned([...new Set(xs)].sort((a, b) => a - b)) : niceTicks(Math.max(...xs));
  const body = [
    ...yTicks.flatMap((y) => [rule(LEFT, atY(y), WIDTH - RIGHT, atY(y)), text(LEFT - 8, atY(y) + 4, short(y), 'end')]),
    ...xTicks.filter((x) => place(x) >= xMin && place(x) <= xMax).flatMap((x) => [rule(atX(x), TOP, atX(x), HEIGHT - BOTTOM), text(atX(x), HEIGHT - BOTTOM + 18, short(x), 'middle')]),
    ...lines.flatMap((line, at) => drawn(line, COLOURS[at % COLOURS.length] ?? '', at, atX, atY)),
    text(LEFT, 20, plot.title, 'start', 'font-weight="bold"'),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, plot.x, 'middle'),
    `<text transform="translate(16 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escaped(plot.y)}</text>`,
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12" fill="#222">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

function drawn({ name, points }: Line, colour: string, at: number, atX: (x: number) => number, atY: (y: number) => number): string[] {
  const places = points.map(([x, y]) => `${atX(x).toFixed(1)},${atY(y).toFixed(1)}`);
  const dots = points.length > 40 ? [] : places.map((place) => `<circle cx="${place.split(',')[0] ?? ''}" cy="${place.split(',')[1] ?? ''}" r="3" fill="${colour}"/>`);
  const legendAt = LEFT + at * 150;
  return [
    `<polyline points="${places.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...dots,
    `<rect x="${legendAt}" y="31" width="14" height="4" fill="${colour}"/>`,
    text(legendAt + 20, 38, name, 'start'),
  ];
}

/** From 0 to the first round number at or above `max`. */
export function niceTicks(max: number): number[] {
  if (max <= 0) return [0, 1];
  const power = 10 ** Math.floor(Math.log10(max / TICKS));
  const step = (STEPS.find((one) => one * power * TICKS >= max * 0.999) ?? 10) * power;
  return Array.from({ length: Math.ceil((max * 0.999) / step) + 1 }, (_, at) => Number((at * step).toPrecision(12)));
}

/** Not more labels than fit beside each other. */
function thinned(values: readonly number[]): number[] {
  const every = Math.ceil(values.length / 8);
  return values.filter((_, at) => at % every === 0 || at === values.length - 1);
}

function short(value: number): string {
  for (const [unit, letter] of [[1e6, 'M'], [1e3, 'k']] as const) if (value >= unit) return `${Number((value / unit).toPrecision(3))}${letter}`;
  return String(Number(value.toPrecision(3)));
}

function rule(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="#ddd"/>`;
}

function text(x: number, y: number, words: string, anchor: 'start' | 'middle' | 'end', more = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" ${more}>${escaped(words)}</text>`;
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
