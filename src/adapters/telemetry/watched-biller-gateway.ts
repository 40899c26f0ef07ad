import { SpanKind } from '@opentelemetry/api';
import { type BillerGateway, type PreparedCall, type PrepareRequest } from '../../application/ports/biller-gateway';
import { type Instruments } from '../../application/ports/telemetry';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import { recordKey } from '../../domain/identifiers';
import { type CallOutcome } from '../../domain/policies/delivery-outcome';
import { delegate } from './delegate';
import { type Draft, nowMs, traceparent } from './record-traces';
import { type Visits } from './visits';

export interface WatchedGatewayParts {
  readonly telemetry: Instruments;
  readonly visits: Visits;
}

/** The gateway, with each call counted, timed and told: the biller is given the traceparent of the very span of its call. */
export function watchedBillerGateway(gateway: BillerGateway, parts: WatchedGatewayParts): BillerGateway {
  const { visits, telemetry } = parts;
  return delegate(gateway, {
    prepare: async (request) => {
      const { row, profile } = request;
      const visit = visits.of(recordKey(row.billerId, row.dpId));
      const spans = visit?.spans;
      if (!spans) return timed(await gateway.prepare(request), request);
      const spanId = visits.traces!.newSpanId();
      const call = await gateway.prepare({
        ...request,
        traceparent: traceparent({ traceId: spans.traceId, spanId }, spans.isKept),
      });
      return timed(call, request, (seen) => {
        const { outcome } = seen;
        const hasWorked = outcome.kind === 'accepted' || outcome.kind === 'declined';
        const error = hasWorked ? undefined : ('code' in outcome && outcome.code) || outcome.kind;
        const { attempt } = visit;
        const draft: Draft = {
          name: seen.method ?? 'HTTP',
          kind: SpanKind.CLIENT,
          spanId,
          parentId: spans.spanId,
          startMs: seen.startMs,
          endMs: nowMs(),
          attributes: () => ({
            ...(seen.method !== undefined && { 'http.request.method': seen.method }),
            ...serverOf(profile),
            ...(seen.httpStatus !== undefined && { 'http.response.status_code': seen.httpStatus }),
            'datapump.outcome': outcome.kind,
            ...(attempt !== undefined && { 'datapump.attempt': attempt }),
            ...(error !== undefined && { 'error.type': error }),
          }),
        };
        spans.add(error === undefined ? draft : { ...draft, error });
        if (error !== undefined) spans.fail();
      });
    },
  });

  function timed(call: PreparedCall, { row, profile }: PrepareRequest, tell?: (seen: CallSeen) => void): PreparedCall {
    const labels = { data_type: row.dataType, biller: profile.billerId };
    return {
      requestHash: call.requestHash,
      send: async (timing) => {
        const startMs = nowMs();
        const outcome = await call.send(timing);
        const durationMs = nowMs() - startMs;
        // They stand at 0 before their first step, so that an alert sees it.
        telemetry.count('biller.throttled', 0, { biller: labels.biller });
        telemetry.count('biller.credential-failures', 0, { biller: labels.biller });
        telemetry.count('attempts', 1, { outcome: outcome.kind, ...labels });
        telemetry.measure('biller.call.seconds', durationMs / 1_000, labels);
        const { method, httpStatus } = call.seen?.() ?? {};
        const visit = visits.of(recordKey(row.billerId, row.dpId));
        if (visit && outcome.kind !== 'accepted')
          visit.failed = {
            outcome: outcome.kind,
            durationMs: Math.round(durationMs),
            ...('code' in outcome && outcome.code !== undefined && { code: outcome.code }),
            ...(httpStatus !== undefined && { httpStatus }),
          };
        tell?.({ startMs, outcome, method, httpStatus });
        return outcome;
      },
    };
  }
}

interface CallSeen {
  readonly startMs: number;
  readonly outcome: CallOutcome;
  readonly method: string | undefined;
  readonly httpStatus: number | undefined;
}

/** Host and port alone: a path may hold an account number. */
function serverOf({ document }: BillerProfile): Readonly<Record<string, string | number>> {
  const url =
    typeof document['BaseUrl'] === 'string' && URL.canParse(document['BaseUrl'])
      ? new URL(document['BaseUrl'])
      : undefined;
  if (!url) return {};
  return { 'server.address': url.hostname, ...(url.port !== '' && { 'server.port': Number(url.port) }) };
}
