import { ValidateIf } from 'class-validator';
import { DATA_TYPES } from '../../domain/biller/data-type';
import { IsId, IsOneOf, MatchesText } from './decorators';
import { idText } from './id-text';

/** class-validator's IsOptional lets null through, which the schema refuses. */
const WhenPresent = () => ValidateIf((_, value) => value !== undefined);

/** The form of contracts/messages/chunk.v1.schema.json. Unknown members are left out: version 1 is add-only. */
export class ChunkMessageDto {
  @IsId() readonly billerId: unknown;
  @IsId() readonly dpStart: unknown;
  @IsId() readonly dpEnd: unknown;
  @MatchesText(/^[^\s:]{1,56}:[^\s:]{3,113}$/, 'billerId:dpStart+dpEnd') readonly messageId: unknown;
  @WhenPresent() @MatchesText(/^\S{1,128}$/, '1 to 128 characters without blanks') readonly chunkId: unknown;
  @WhenPresent() @IsId() readonly shard: unknown;
  @WhenPresent() @IsOneOf(DATA_TYPES) readonly eventType: unknown;
  @WhenPresent() @MatchesText(/^/, 'text') readonly traceparent: unknown;

  constructor(body: Readonly<Record<string, unknown>>) {
    this.billerId = idText(body['billerId']);
    this.dpStart = idText(body['dpStart']);
    this.dpEnd = idText(body['dpEnd']);
    this.messageId = body['messageId'];
    this.chunkId = body['chunkId'];
    this.shard = body['shard'];
    this.eventType = body['eventType'];
    this.traceparent = body['traceparent'];
  }
}
