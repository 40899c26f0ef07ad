import { validateSync, type ValidationError, type ValidatorOptions } from 'class-validator';
import { type Checked, type ChunkMessage, type MessageContracts, type RecordMessage } from '../../application/messages';
import { type DataType } from '../../domain/biller/data-type';
import { type BillerId, type ChunkId, type DpId, recordKey, type ShardName } from '../../domain/identifiers';
import { instant } from '../../domain/instant';
import { ChunkMessageDto } from './chunk-message.dto';
import { RecordMessageDto } from './record-message.dto';

const OPTIONS: ValidatorOptions = { validationError: { target: false } };
const SHOWN_LENGTH_MAX = 80;

/**
 * Bodies against version 1 of the contracts. Beyond what a JSON Schema can say, ids that repeat other members
 * (messageId, traceId) must repeat them exactly: a message that names two records could be delivered as either.
 */
export class ValidatedMessageContracts implements MessageContracts {
  record(body: unknown): Checked<RecordMessage> {
    if (!isObject(body)) return notAnObject(body);
    const dto = new RecordMessageDto(body);
    const errors = validateSync(dto, OPTIONS);
    if (errors.length > 0) return { valid: false, problems: errors.map(problemOf) };
    const biller = dto.billerId as BillerId;
    const dp = dto.dpId as DpId;
    const key = recordKey(biller, dp);
    if (dto.traceId !== key || dto.messageId !== key)
      return { valid: false, problems: otherThan(dto, ['traceId', 'messageId'], key) };
    return {
      valid: true,
      message: {
        dpId: dp,
        billerId: biller,
        eventType: dto.eventType as DataType,
        occurredAt: instant(dto.occurredAt as string),
        version: 1,
        traceId: key,
        messageId: key,
        source: { shard: dto['source.shard'] as ShardName, table: dto['source.table'] as string },
      },
    };
  }

  chunk(body: unknown): Checked<ChunkMessage> {
    if (!isObject(body)) return notAnObject(body);
    const dto = new ChunkMessageDto(body);
    const errors = validateSync(dto, OPTIONS);
    if (errors.length > 0) return { valid: false, problems: errors.map(problemOf) };
    const messageId = `${String(dto.billerId)}:${String(dto.dpStart)}+${String(dto.dpEnd)}`;
    if (dto.messageId !== messageId) return { valid: false, problems: otherThan(dto, ['messageId'], messageId) };
    return {
      valid: true,
      message: {
        billerId: dto.billerId as BillerId,
        dpStart: dto.dpStart as DpId,
        dpEnd: dto.dpEnd as DpId,
        messageId,
        ...(dto.chunkId !== undefined && { chunkId: dto.chunkId as ChunkId }),
        ...(dto.shard !== undefined && { shard: dto.shard as ShardName }),
        ...(dto.eventType !== undefined && { eventType: dto.eventType as DataType }),
        ...(dto.traceparent !== undefined && { traceparent: dto.traceparent as string }),
      },
    };
  }
}

const isObject = (body: unknown): body is Readonly<Record<string, unknown>> =>
  typeof body === 'object' && body !== null && !Array.isArray(body);

const notAnObject = (body: unknown): { valid: false; problems: readonly string[] } => ({
  valid: false,
  problems: [`body: expected a JSON object, found ${shown(body)}`],
});

const problemOf = (error: ValidationError): string =>
  `${error.property}: expected ${Object.values(error.constraints ?? {}).join(' and ')}, found ${shown(error.value)}`;

const otherThan = <Name extends string>(
  dto: Readonly<Record<Name, unknown>>,
  names: readonly Name[],
  expected: string,
): readonly string[] =>
  names
    .filter((name) => dto[name] !== expected)
    .map((name) => `${name}: expected ${expected}, found ${shown(dto[name])}`);

/** What was found, short enough for a log line and a dead-letter description. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return `${value} (no safe integer; send ids as text)`;
  const text = JSON.stringify(value);
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
}
