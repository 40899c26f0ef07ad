import { validateSync, type ValidationError, type ValidatorOptions } from 'class-validator';
import {
  type Carried,
  type Checked,
  type ChunkMessage,
  type MessageContracts,
  type RecordMessage,
} from '../../application/messaging/messages';
import { type DataType } from '../../domain/biller/data-type';
import { type BillerId, type ChunkId, type DpId, recordKey, type ShardName } from '../../domain/identifiers';
import { instant } from '../../domain/instant';
import { maskCardData } from '../../domain/policies/card-data';
import { ChunkMessageDto } from './chunk-message.dto';
import { contradictions } from './contradictions';
import { RecordMessageDto } from './record-message.dto';
import { shown } from './shown';

const OPTIONS: ValidatorOptions = { validationError: { target: false } };

/**
 * Messages against version 1 of the contracts. Beyond what a JSON Schema can say, ids that repeat other members
 * (messageId, traceId, the broker's properties) must repeat them exactly: a message that names two records could be
 * delivered as either. A range of numbers must not run backwards: it would be empty, and be told as fetched.
 */
export class ValidatedMessageContracts implements MessageContracts {
  record(carried: Carried): Checked<RecordMessage> {
    const { body } = carried;
    if (!isObject(body)) return notAnObject(body);
    const dto = new RecordMessageDto(body);
    const errors = validateSync(dto, OPTIONS);
    if (errors.length > 0) return { valid: false, problems: errors.map(problemOf) };
    const biller = dto.billerId as BillerId;
    const dp = dto.dpId as DpId;
    const key = recordKey(biller, dp);
    if (dto.traceId !== key || dto.messageId !== key)
      return { valid: false, problems: otherThan(dto, ['traceId', 'messageId'], key) };
    const eventType = dto.eventType as DataType;
    const contradicted = contradictions(carried, { billerId: biller, eventType, tenant: tenantIn(body) });
    if (contradicted.length > 0) return { valid: false, problems: contradicted };
    return {
      valid: true,
      message: {
        dpId: dp,
        billerId: biller,
        eventType,
        occurredAt: instant(dto.occurredAt as string),
        version: 1,
        traceId: key,
        messageId: key,
        source: { shard: dto['source.shard'] as ShardName, table: maskCardData(dto['source.table'] as string) },
      },
    };
  }

  chunk(carried: Carried): Checked<ChunkMessage> {
    const { body } = carried;
    if (!isObject(body)) return notAnObject(body);
    const dto = new ChunkMessageDto(body);
    const errors = validateSync(dto, OPTIONS);
    if (errors.length > 0) return { valid: false, problems: errors.map(problemOf) };
    const messageId = `${String(dto.billerId)}:${String(dto.dpStart)}+${String(dto.dpEnd)}`;
    if (dto.messageId !== messageId) return { valid: false, problems: otherThan(dto, ['messageId'], messageId) };
    const { billerId, dpStart, dpEnd, eventType } = dto as {
      readonly [Name in 'billerId' | 'dpStart' | 'dpEnd']: string;
    } & { readonly eventType: DataType | undefined };
    const problems = [
      ...contradictions(carried, { billerId, eventType, tenant: tenantIn(body) }),
      ...(dto.chunkId === undefined && runsBackwards(dpStart, dpEnd)
        ? [`dpEnd: expected no less than dpStart ${dpStart}, found ${shown(dpEnd)}`]
        : []),
    ];
    if (problems.length > 0) return { valid: false, problems };
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

const NUMBER = /^\d+$/;
const runsBackwards = (start: string, end: string): boolean =>
  NUMBER.test(start) && NUMBER.test(end) && BigInt(start) > BigInt(end);

const tenantIn = (body: Readonly<Record<string, unknown>>): string | undefined =>
  typeof body['tenant'] === 'string' ? body['tenant'] : undefined;

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
