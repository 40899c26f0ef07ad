/*
 * What the same rows cost without the Datapump: pages of rows, one POST each, one UPDATE each, durable as ours (commits
 * shared, synchronous=FULL). No events, no bus, no memory of what was tried: a crash would lose or double. A process of
 * its own: tells its parent when the warm-up rows are done, works the others when told to, and tells how long they took.
 */
import { Agent } from 'node:http';
import { join } from 'node:path';
import axios from 'axios';
import { GroupCommit } from '../src/adapters/sqlite/group-commit';
import { openSqliteFile } from '../src/adapters/sqlite/sqlite-file';
import { SHARD_SCHEMA } from '../src/adapters/sqlite/sqlite-shard-schema';
import { UndiciTransport } from '../src/adapters/biller-http/undici-transport';
import { type DataType } from '../src/domain/biller/data-type';
import { type BillerId } from '../src/domain/identifiers';
import { baseUrlOf, billers, shardNames, tokenFormOf, urlOf } from './job-files';

export type BareClient = 'undici' | 'http';
export interface BareOrder {
  readonly client: BareClient;
  readonly dataFolder: string;
  readonly port: number;
  readonly concurrency: number;
}

interface Line {
  readonly Seq: number;
  readonly DpId: string;
  readonly BillerId: BillerId;
  readonly EventType: DataType;
  readonly AccountNumber: string;
  readonly Name: string;
  readonly AmountMinor: number | null;
  readonly Currency: string | null;
}

type Post = (url: string, headers: Record<string, string>, body: string) => Promise<{ status: number; body: unknown }>;
const PAGE = 1_000;

function poster({ client, concurrency }: BareOrder): Post {
  if (client === 'http') {
    const http = axios.create({ httpAgent: new Agent({ keepAlive: true, maxSockets: concurrency }) });
    return async (url, headers, body) => {
      const { status, data } = await http.post<unknown>(url, body, { headers });
      return { status, body: data };
    };
  }
  const transport = new UndiciTransport({ allowedHosts: [], allowPlainLoopback: true });
  return async (url, headers, body) => {
    const answer = await transport.exchange({ method: 'POST', url, headers, body }, { remainingMs: () => 30_000 });
    return { status: answer.status, body: JSON.parse(answer.body.toString()) as unknown };
  };
}

async function tokensOf(port: number): Promise<ReadonlyMap<BillerId, string>> {
  const tokens = new Map<BillerId, string>();
  for (const { billerId } of billers) {
    const { data } = await axios.post<{ access_token: string }>(
      `${baseUrlOf(port, billerId)}/oauth/token`,
      new URLSearchParams(tokenFormOf),
    );
    tokens.set(billerId, data.access_token);
  }
  return tokens;
}

async function main(order: BareOrder): Promise<void> {
  const shards = shardNames.map((name) => {
    const database = openSqliteFile({
      path: join(order.dataFolder, 'shards', `${name}.sqlite`),
      kind: 'shard',
      schema: SHARD_SCHEMA,
    });
    return {
      commits: new GroupCommit(database),
      page: database.prepare<[number, string, string, number], Line>(`
        SELECT d.Seq, d.DpId, d.BillerId, d.EventType, c.AccountNumber, c.Name, p.AmountMinor, p.Currency
        FROM datapump d JOIN Customer c ON c.CustomerId = d.CustomerId LEFT JOIN Payment p ON p.PaymentId = d.PaymentId
        WHERE d.Seq > ? AND d.Status = 'New' AND d.DueAt >= ? AND d.DueAt < ? ORDER BY d.Seq LIMIT ?`),
      update: database.prepare<[number]>(`UPDATE datapump SET Status = 'Delivered' WHERE Seq = ?`),
    };
  });
  const tokens = await tokensOf(order.port);
  const post = poster(order);

  function* rows(dueFrom: string, dueBefore: string) {
    for (const shard of shards) {
      for (let after = 0; ;) {
        const page = shard.page.all(after, dueFrom, dueBefore, PAGE);
        for (const line of page) yield { shard, line };
        if (page.length < PAGE) break;
        after = page.at(-1)!.Seq;
      }
    }
  }

  async function deliver({ shard, line }: { shard: (typeof shards)[number]; line: Line }): Promise<void> {
    const body = JSON.stringify({
      reference: `${line.BillerId}:${line.DpId}`,
      account: line.AccountNumber,
      customer: line.Name,
      ...(line.AmountMinor === null ? {} : { amountMinorUnits: line.AmountMinor, currency: line.Currency }),
    });
    const headers = {
      'Content-Type': 'application/json',
      Authorization: `Bearer ${tokens.get(line.BillerId)}`,
      'Idempotency-Key': `bare-${order.client}-${line.DpId}`,
    };
    const answer = await post(urlOf(order.port, line.BillerId, line.EventType), headers, body);
    if ((answer.body as { status?: unknown }).status !== 'accepted')
      throw new Error(`the sandbox answered ${answer.status}`);
    await shard.commits.run(() => shard.update.run(line.Seq));
  }

  async function work(dueFrom: string, dueBefore: string): Promise<number> {
    const source = rows(dueFrom, dueBefore);
    let done = 0;
    const worker = async (): Promise<void> => {
      for (let next = source.next(); !next.done; next = source.next(), done++) await deliver(next.value);
    };
    await Promise.all(Array.from({ length: order.concurrency }, worker));
    return done;
  }

  await work('', '2099');
  process.send!({ warm: true });
  await new Promise((go) => process.once('message', go));
  const began = performance.now();
  const done = await work('2099', '3000');
  process.send!({ done, seconds: (performance.now() - began) / 1_000 });
  await new Promise((go) => process.once('message', go));
  process.exit(0);
}

if (require.main === module) {
  main(JSON.parse(process.argv[2]!) as BareOrder).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
}
