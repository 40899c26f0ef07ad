import { DATA_TYPES } from '../../domain/biller/data-type';
import { IsId, IsInstantWithOffset, IsOneOf, MatchesText } from './decorators';
import { idText } from './id-text';

const RECORD_KEY =
  /^[^\s:\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]{1,56}:[^\s:\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]{1,56}$/u;

/**
 * The form of contracts/messages/record.v1.schema.json. Unknown members are left out: version 1 is add-only.
 * `source` is flattened: problems then name the whole path, and nested validation made the check about a fifth slower.
 */
export class RecordMessageDto {
  @IsId() readonly dpId: unknown;
  @IsId() readonly billerId: unknown;
  @IsOneOf(DATA_TYPES) readonly eventType: unknown;
  @IsInstantWithOffset() readonly occurredAt: unknown;
  @IsOneOf([1]) readonly version: unknown;
  @MatchesText(RECORD_KEY, 'billerId:dpId') readonly traceId: unknown;
  @MatchesText(RECORD_KEY, 'billerId:dpId') readonly messageId: unknown;
  @IsId() readonly 'source.shard': unknown;
  @MatchesText(/^[^]{1,256}$/, '1 to 256 characters') readonly 'source.table': unknown;

  constructor(body: Readonly<Record<string, unknown>>) {
    const source = (body['source'] ?? {}) as Readonly<Record<string, unknown>>;
    this.dpId = idText(body['dpId']);
    this.billerId = idText(body['billerId']);
    this.eventType = body['eventType'];
    this.occurredAt = body['occurredAt'];
    this.version = body['version'];
    this.traceId = body['traceId'];
    this.messageId = body['messageId'];
    this['source.shard'] = source['shard'];
    this['source.table'] = source['table'];
  }
}
