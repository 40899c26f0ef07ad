import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';

/** What the service answers for a new entity where the request says nothing, as far as the SDK insists on it. */
const DEFAULTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  TopicDescription: {
    DefaultMessageTimeToLive: 'P10675199DT2H48M5.4775807S',
    MaxSizeInMegabytes: '1024',
    RequiresDuplicateDetection: 'false',
    DuplicateDetectionHistoryTimeWindow: 'PT10M',
    EnableBatchedOperations: 'true',
    SupportOrdering: 'true',
    EnablePartitioning: 'false',
    EnableExpress: 'false',
    Status: 'Active',
  },
  SubscriptionDescription: {
    LockDuration: 'PT1M',
    RequiresSession: 'false',
    DefaultMessageTimeToLive: 'P10675199DT2H48M5.4775807S',
    DeadLetteringOnMessageExpiration: 'false',
    DeadLetteringOnFilterEvaluationExceptions: 'true',
    MaxDeliveryCount: '10',
    EnableBatchedOperations: 'true',
    Status: 'Active',
    AutoDeleteOnIdle: 'P10675199DT2H48M5.4775807S',
    EntityAvailabilityStatus: 'Available',
  },
};
const TRUE_RULE =
  '<Filter i:type="TrueFilter"><SqlExpression>1=1</SqlExpression></Filter><Action i:type="EmptyRuleAction"/>';

/**
 * The part of Service Bus' administration API that the topology needs: entities are ATOM entries at their paths, PUT
 * with `If-Match: *` changes one that is there, a subscription is born with its default rule.
 */
export class AdministrationPeer {
  /** The description's root element and its inner XML, by lower-case path. */
  private readonly entities = new Map<string, { path: string; root: string; xml: string }>();
  readonly changes: string[] = [];
  private server: Server | undefined;

  constructor(private readonly keyName: string) {}

  async listen(): Promise<string> {
    this.server = createServer((request, response) => {
      void this.answer(request).then(({ status, xml }) => {
        response.writeHead(status, { 'content-type': 'application/atom+xml' });
        response.end(xml);
      });
    });
    await new Promise<void>((resolve) => this.server!.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) => this.server?.close(resolve));
  }

  /** As someone did at the portal. */
  put(path: string, root: string, xml: string): void {
    this.entities.set(path.toLowerCase(), { path, root, xml });
  }

  private async answer(request: IncomingMessage): Promise<{ status: number; xml: string }> {
    if (!String(request.headers['authorization']).includes(`skn=${this.keyName}`)) return failure(401, 'Unauthorized');
    const path = decodeURIComponent(new URL(request.url!, 'http://peer').pathname)
      .replace(/^\//, '')
      .replace(/\/$/, '');
    if (request.method === 'PUT') return this.save(path, await textOf(request), request.headers['if-match'] === '*');
    if (path.toLowerCase().endsWith('/rules')) return { status: 200, xml: this.feed(path) };
    const entity = this.entities.get(path.toLowerCase());
    return entity === undefined
      ? failure(404, `The messaging entity '${path}' could not be found.`)
      : { status: 200, xml: entry(entity) };
  }

  private save(path: string, body: string, isChange: boolean): { status: number; xml: string } {
    const exists = this.entities.has(path.toLowerCase());
    if (exists !== isChange) return failure(isChange ? 404 : 409, `SubCode=${isChange ? 40400 : 40900}. ${path}`);
    const [, root = '', inner = ''] = /<content[^>]*><(\w+)[^>]*>([^]*)<\/\1><\/content>/.exec(body) ?? [];
    const [, ruleXml] = /<DefaultRuleDescription>([^]*)<\/DefaultRuleDescription>/.exec(inner) ?? [];
    const said = inner.replace(/<DefaultRuleDescription>[^]*<\/DefaultRuleDescription>/, '');
    const missing = Object.entries(DEFAULTS[root] ?? {}).filter(([name]) => !said.includes(`<${name}>`));
    this.put(path, root, said + missing.map(([name, value]) => `<${name}>${value}</${name}>`).join(''));
    this.changes.push(`${isChange ? 'change' : 'create'} ${path}`);
    if (root === 'SubscriptionDescription' && !isChange) {
      const name = /<Name>([^<]*)<\/Name>/.exec(ruleXml ?? '')?.[1] ?? '$Default';
      this.put(`${path}/Rules/${name}`, 'RuleDescription', ruleXml ?? TRUE_RULE);
    }
    return { status: isChange ? 200 : 201, xml: entry(this.entities.get(path.toLowerCase())!) };
  }

  private feed(path: string): string {
    const prefix = `${path.toLowerCase()}/`;
    const entries = [...this.entities].filter(([key]) => key.startsWith(prefix)).map(([, entity]) => entry(entity));
    return `<feed xmlns="http://www.w3.org/2005/Atom"><id>${path}</id>${entries.join('')}</feed>`;
  }
}

const entry = ({ path, root, xml }: { path: string; root: string; xml: string }): string =>
  `<entry xmlns="http://www.w3.org/2005/Atom"><id>https://peer/${path}</id><title>${path.split('/').at(-1)}</title>` +
  `<content type="application/xml"><${root} xmlns:i="http://www.w3.org/2001/XMLSchema-instance">${xml}</${root}></content></entry>`;

const failure = (status: number, detail: string): { status: number; xml: string } => ({
  status,
  xml: `<Error><Code>${status}</Code><Detail>${detail}</Detail></Error>`,
});

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
