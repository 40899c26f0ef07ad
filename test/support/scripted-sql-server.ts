import { type SqlServerConnection } from '../../src/adapters/sql-server/sql-server-connection';

export type Line = Readonly<Record<string, unknown>>;
export interface Asked {
  readonly step: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** A server that says, in its own order, what it is scripted to say, and what it was asked. */
export function scriptedSqlServer(answer: (asked: Asked, call: number) => readonly (readonly Line[])[]) {
  const asked: Asked[] = [];
  const transactions: string[] = [];
  const batches: string[] = [];
  const run = async (step: string, _statement: unknown, values: Asked['values'] = {}) => {
    asked.push({ step, values });
    return answer(asked.at(-1)!, asked.length - 1);
  };
  const transaction = async <Result>(
    step: string,
    work: (runner: { run: typeof run; batch: (text: string) => Promise<void> }) => Promise<Result>,
  ): Promise<Result> => {
    transactions.push(step);
    return work({ run, batch: async (text) => void batches.push(text) });
  };
  return { asked, transactions, batches, connection: { run, transaction } as unknown as SqlServerConnection };
}
