import { type Fields, type Telemetry } from '../../src/application/ports/telemetry';

/** Telemetry that keeps what it was told, a line each. */
export function recordedTelemetry(): { readonly telemetry: Telemetry; readonly lines: string[] } {
  const lines: string[] = [];
  const note = (level: string, message: string, fields: Fields = {}): void => {
    lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  return {
    lines,
    telemetry: {
      info: (message, fields) => note('info', message, fields),
      warn: (message, fields) => note('warn', message, fields),
      error: (message, error, fields) => note('error', `${message}: ${String(error)}`, fields),
      count: () => undefined,
    },
  };
}
