import type { Log, LogLevel } from '../../../src/ports/log.js';

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Keeps the lines. */
export class FakeLog implements Log {
  readonly lines: LogLine[] = [];

  write(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.lines.push({ level, message, fields });
  }

  /** Lines of `level` and worse. */
  from(level: LogLevel): string[] {
    const order: LogLevel[] = ['error', 'warn', 'info', 'debug'];
    return this.lines.filter((line) => order.indexOf(line.level) <= order.indexOf(level)).map(({ message }) => message);
  }
}
