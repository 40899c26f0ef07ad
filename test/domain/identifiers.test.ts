import { derivedId } from '../../src/adapters/shared/derived-id';
import { ValidatedMessageContracts } from '../../src/adapters/messages/validated-message-contracts';
import { loadSettings } from '../../src/bootstrap/configuration/load-settings';
import { billerId, customerId, dpId, parseRecordKey, paymentId, shardName } from '../../src/domain/identifiers';
import { compileContracts } from '../architecture/contract-schemas';
import { HIDDEN } from '../support/hidden-characters';

/** Not refused where they may be part of a name in some script, and no two of them look alike. */
const ALLOWED = ['\ue000'];
const contracts = new ValidatedMessageContracts();
const { check } = compileContracts();

describe('ids (issue 8, no 17)', () => {
  it.each(HIDDEN.filter((character) => !ALLOWED.includes(character)))(
    'are refused wherever they are read with %j in them',
    (character) => {
      const id = `1${character}2`;
      for (const read of [billerId, dpId, paymentId, customerId, shardName])
        expect(() => read(id)).toThrow('visible characters');
      expect(parseRecordKey(`${id}:1`)).toBeUndefined();
      expect(parseRecordKey(`1:${id}`)).toBeUndefined();
      expect(derivedId('bank', id)).toMatch(/^sha256-/);
      expect(loadSettings({ environment: {}, overrides: { 'Shards:Names': [id] } })).toMatchObject({
        problems: [{ key: 'Shards:Names[0]' }],
      });
      expect(
        loadSettings({ environment: { Shards__Registry: JSON.stringify({ [id]: { server: 'a', database: 'b' } }) } }),
      ).toMatchObject({ problems: [{ key: 'Shards:Registry' }] });

      const key = `${id}:1`;
      const record = {
      dpId: '1', billerId: id, eventType: 'Payments', occurredAt: '2026-11-20T08:00:00.000Z', version: 1, traceId: key, messageId: key,
      source: { shard: 'Shard-1', table: 'dbo.datapump' },
    }; // prettier-ignore
      const chunk = { billerId: '1', dpStart: id, dpEnd: '2', messageId: `1:${id}+2`, chunkId: id, shard: id };
      for (const [path, body, read] of [
        [
          'messages/record.v1.schema.json',
          record,
          (body: unknown) => contracts.record({ body, correlationId: undefined, properties: {} }),
        ],
        [
          'messages/chunk.v1.schema.json',
          chunk,
          (body: unknown) => contracts.chunk({ body, correlationId: undefined, properties: {} }),
        ],
      ] as const) {
        expect(check(path)(body)).toBe(false);
        expect(read(body).valid).toBe(false);
      }
    },
  );
});
