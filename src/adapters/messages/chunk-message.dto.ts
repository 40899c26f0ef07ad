import { ValidateIf } from 'class-validator';
import { DATA_TYPES } from '../../domain/biller/data-type';
import { IsId, IsOneOf, MatchesText } from './decorators';
import { idText } from './id-text';

/** class-validator's IsOptional lets null through, which the schema refuses. */
const WhenPresent = () => ValidateIf((_, value) => value !== undefined);

const RANGE =
  /^[^\s:\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]{1,56}:[^\s:\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]{3,113}$/u;
const CHUNK_ID = /^[^\s\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]{1,128}$/u;

/** The form of contracts/messages/chunk.v1.schema.json. Unknown members are left out: version 1 is add-only. */
export class ChunkMessageDto {
  @IsId() readonly billerId: unknown;
  @IsId() readonly dpStart: unknown;
  @IsId() readonly dpEnd: unknown;
  @MatchesText(RANGE, 'billerId:dpStart+dpEnd') readonly messageId: unknown;
  @WhenPresent() @MatchesText(CHUNK_ID, '1 to 128 visible characters without blanks') readonly chunkId: unknown;
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
