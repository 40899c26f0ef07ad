import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { instantiateTemplate } from '../../adapters/biller-profiles/instantiate-template';
import { type Action } from '../../domain/biller/data-type';
import { billerId, shardName } from '../../domain/identifiers';
import { type DemoBiller } from '../demo/demo-billers';

const TEMPLATES = resolve(__dirname, '..', '..', '..', 'billers', 'templates');

/** Each bank is a biller, made from the templates in turn: those that take payments and can tell a doubt from an effect. */
export function bankBillers(banks: readonly string[], sandboxPort: number): readonly DemoBiller[] {
  const templates = readdirSync(TEMPLATES)
    .sort()
    .map((file) => ({
      file,
      document: JSON.parse(readFileSync(join(TEMPLATES, file), 'utf8')) as Record<string, unknown>,
    }))
    .filter(({ document }) => (document['Actions'] as readonly Action[]).includes('Payment'))
    .filter(({ document }) => 'Idempotency' in document || 'StatusInquiry' in document);
  return banks.map((bank, index) => {
    const { file, document } = templates[index % templates.length]!;
    const profile = instantiateTemplate(document, {
      billerId: bank,
      baseUrl: `http://127.0.0.1:${sandboxPort}/b/${bank}`,
      overrides: {
        NameTemplate: '{DBA}',
        Constraints: {},
        // As long as the sandbox holds a fault, so that a doubt is settled within seconds.
        Timeout: '2s',
        Quarantine: '1500ms',
        Limits: { Concurrency: 32, PerSecond: 2_000 },
        RetrySchedule: { Kind: 'Fixed', Waits: ['250ms', '500ms', '1s', '1s', '2s', '2s', '3s'], MaxAge: '24h' },
        Breaker: { FailuresToOpen: 8, Open: '1s' },
      },
    });
    return {
      billerId: billerId(bank),
      name: `Bank ${bank}`,
      template: file.replace('.json', ''),
      shard: shardName('Shard-1'),
      keys: 'Idempotency' in profile,
      inquiry: 'StatusInquiry' in profile,
      actions: profile['Actions'] as readonly Action[],
      allowedInvoiceTypes: undefined,
      skipNocs: false,
      currency: 'CZK',
      settings: 'active',
      profile,
    };
  });
}
