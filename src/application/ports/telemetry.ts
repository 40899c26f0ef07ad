/** What people and machines watch. Fields hold ids, counts and codes: no secrets, no personal data. */
export interface Telemetry {
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, error: unknown, fields?: Fields): void;
  /** Adds up; stages of the pipeline count records and milliseconds here. */
  count(name: string, by?: number, labels?: Readonly<Record<string, string>>): void;
  /** Runs the work inside a span; W3C traceparent in and out. */
  span<T>(
    name: string,
    options: { readonly traceparent?: string; readonly attributes?: Fields },
    work: () => Promise<T>,
  ): Promise<T>;
}

export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;
