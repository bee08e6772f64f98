export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** One line for the operator, and the same with its fields as JSON in the log file. Secrets never go in. */
export interface Log {
  write(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void;
}
