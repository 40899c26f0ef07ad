import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo } from 'node:net';

export interface Sample {
  readonly series: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^(?<series>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?<labels>.*)\})? (?<value>\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/** The samples of Prometheus's text format; throws where a line is none. */
export function parsedMetrics(text: string): readonly Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const found = LINE.exec(line)?.groups;
      if (!found) throw new Error(`no sample: ${line}`);
      const labels = Object.fromEntries(
        [...(found['labels'] ?? '').matchAll(LABEL)].map(([, name, value]) => [name, value]),
      );
      return { series: found['series']!, labels, value: Number(found['value']) };
    });
}

/** What a request handler answers to a scrape. */
export async function scraped(handler: RequestListener): Promise<string> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`)).text();
  } finally {
    server.close();
  }
}
