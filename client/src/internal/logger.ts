/** Destination of the client's log lines: `console`, pino and the like fit. */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}
