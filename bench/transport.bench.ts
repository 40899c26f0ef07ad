/*
 * Requests/s and CPU of the ways axios can reach a biller, against a server in another process on this machine:
 * axios on node:http, axios on fetch, axios over our undici transport, the whole gateway send, and undici alone.
 * Run: npx tsx bench/transport.bench.ts (or compile it); needs nothing else.
 */
import { fork } from 'node:child_process';
import { createServer, Agent as HttpAgent } from 'node:http';
import { type AddressInfo } from 'node:net';
import axios from 'axios';
import { Agent } from 'undici';
import { UndiciTransport } from '../src/adapters/biller-http/undici-transport';

const CONCURRENCY = 64;
const REQUESTS = 20_000;
const BODY = JSON.stringify({
  reference: '12:100',
  account: 'A-1',
  amountMinorUnits: 1234,
  currency: 'EUR',
  customer: 'Ada',
});
const HEADERS = { 'Content-Type': 'application/json', Authorization: 'Bearer token', 'Idempotency-Key': 'k' };

function serve(): void {
  const answer = Buffer.from(JSON.stringify({ status: 'accepted', reference: 'R-1' }));
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () =>
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length }).end(answer),
    );
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
}

async function measure(name: string, call: () => Promise<unknown>): Promise<void> {
  const run = async (count: number): Promise<void> => {
    let left = count;
    await Promise.all(
      Array.from({ length: CONCURRENCY }, async () => {
        while (left-- > 0) await call();
      }),
    );
  };
  await run(REQUESTS / 10);
  const cpu = process.cpuUsage();
  const from = process.hrtime.bigint();
  await run(REQUESTS);
  const seconds = Number(process.hrtime.bigint() - from) / 1e9;
  const used = process.cpuUsage(cpu);
  console.log(
    `${name.padEnd(28)} ${Math.round(REQUESTS / seconds)
      .toString()
      .padStart(7)} requests/s  ${((used.user + used.system) / REQUESTS).toFixed(0).padStart(5)} µs CPU each`,
  );
}

async function main(): Promise<void> {
  const child = fork(__filename, ['serve'], { execArgv: process.execArgv });
  const port = await new Promise<number>((resolve) => child.once('message', (message) => resolve(message as number)));
  const url = `http://127.0.0.1:${port}/payments`;
  try {
    const overHttp = axios.create({
      httpAgent: new HttpAgent({ keepAlive: true, maxSockets: CONCURRENCY }),
      headers: HEADERS,
    });
    await measure('axios on node:http', () => overHttp.post(url, BODY));
    const overFetch = axios.create({ adapter: 'fetch', headers: HEADERS });
    await measure('axios on fetch', () => overFetch.post(url, BODY));
    const transport = new UndiciTransport({ allowedHosts: [], allowPlainLoopback: true });
    await measure('axios over undici dispatch', () =>
      transport.exchange({ method: 'POST', url, headers: HEADERS, body: BODY }, { remainingMs: () => 10_000 }),
    );
    const agent = new Agent({ connections: CONCURRENCY, pipelining: 1 });
    await measure('undici request alone', async () => {
      const { body } = await agent.request({
        origin: `http://127.0.0.1:${port}`,
        path: '/payments',
        method: 'POST',
        headers: HEADERS,
        body: BODY,
      });
      await body.text();
    });
    await transport.close();
    await agent.close();
  } finally {
    child.kill();
  }
}

if (process.argv[2] === 'serve') serve();
else void main();
