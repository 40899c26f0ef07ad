import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

type Value = string | number | boolean;

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly name: string;
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, Value>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly failed: boolean;
  readonly process: string;
}

type Field = { readonly number: number; readonly value: Buffer | bigint };

/** The fields of a protobuf message as they stand on the wire. */
function* fieldsOf(message: Buffer): Generator<Field> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new Error('a protobuf message ends in the middle of a number');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = Number(varint());
    const wire = tag & 7;
    if (wire === 0) yield { number: tag >> 3, value: varint() };
    else {
      const length = wire === 2 ? Number(varint()) : wire === 1 ? 8 : wire === 5 ? 4 : -1;
      if (length < 0 || at + length > message.length) throw new Error(`no protobuf field: wire type ${wire}`);
      yield { number: tag >> 3, value: message.subarray(at, at + length) };
      at += length;
    }
  }
}

const all = (message: Buffer, number: number): readonly Buffer[] =>
  [...fieldsOf(message)].flatMap((field) =>
    field.number === number && Buffer.isBuffer(field.value) ? [field.value] : [],
  );
const text = (message: Buffer, number: number): string => all(message, number)[0]?.toString('utf8') ?? '';
const hex = (message: Buffer, number: number): string => all(message, number)[0]?.toString('hex') ?? '';
const numberIn = (message: Buffer, number: number): number => {
  const found = [...fieldsOf(message)].find((field) => field.number === number)?.value;
  return found === undefined ? 0 : Buffer.isBuffer(found) ? Number(found.readBigUInt64LE()) : Number(found);
};

function attributesOf(message: Buffer, number: number): Record<string, Value> {
  return Object.fromEntries(
    all(message, number).map((pair) => {
      const [field] = [...fieldsOf(all(pair, 2)[0] ?? Buffer.alloc(0))];
      const value = !field
        ? ''
        : field.number === 1
          ? (field.value as Buffer).toString('utf8')
          : field.number === 2
            ? field.value === 1n
            : field.number === 4
              ? (field.value as Buffer).readDoubleLE()
              : Number(field.value);
      return [text(pair, 1), value];
    }),
  );
}

function spansIn(request: Buffer): readonly CollectedSpan[] {
  return all(request, 1).flatMap((ofResource) => {
    const resource = attributesOf(all(ofResource, 1)[0] ?? Buffer.alloc(0), 1);
    return all(ofResource, 2).flatMap((ofScope) =>
      all(ofScope, 2).map((span): CollectedSpan => {
        const status = all(span, 15)[0];
        return {
          traceId: hex(span, 1),
          spanId: hex(span, 2),
          parentId: hex(span, 4) || undefined,
          name: text(span, 5),
          kind: numberIn(span, 6),
          startMs: numberIn(span, 7) / 1e6,
          endMs: numberIn(span, 8) / 1e6,
          attributes: attributesOf(span, 9),
          links: all(span, 13).map((link) => ({ traceId: hex(link, 1), spanId: hex(link, 2) })),
          failed: status !== undefined && numberIn(status, 3) === 2,
          process: String(resource['datapump.process']),
        };
      }),
    );
  });
}

const metricsIn = (request: Buffer): readonly string[] =>
  all(request, 1).flatMap((ofResource) =>
    all(ofResource, 2).flatMap((ofScope) => all(ofScope, 2).map((metric) => text(metric, 1))),
  );

/** A collector that keeps what it is told over OTLP (http/protobuf) in memory. */
export async function otlpCollector() {
  const spans: CollectedSpan[] = [];
  const metrics = new Set<string>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const sent = Buffer.concat(chunks);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
      if (request.url === '/v1/traces') spans.push(...spansIn(body));
      else if (request.url === '/v1/metrics') for (const name of metricsIn(body)) metrics.add(name);
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    metrics,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
