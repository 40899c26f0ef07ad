import { PortFailure } from '../../application/ports/failures';
import { type PrepareRequest } from '../../application/ports/biller-gateway';
import { actionOf } from '../../domain/biller/data-type';
import { CONTENT_TYPE, writeBody } from './body-formats';
import { type CompiledProfile } from './compiled-profile';
import { EvaluationFailure } from './expression-pool';
import { requestContext } from './request-context';
import { renderPath } from '../shared/biller-document/path-template';
import { MissingValue } from '../shared/biller-document/expression';
import { type HttpRequest } from './undici-transport';

/** The business request without its credentials. The same row, profile and key give the same bytes. */
export async function buildRequest(
  compiled: CompiledProfile,
  prepare: PrepareRequest,
): Promise<HttpRequest & { readonly body: string }> {
  const { profile, row, idempotencyKey, traceparent } = prepare;
  const action = actionOf(row.dataType);
  const request = compiled.requests.get(action);
  const facts = { billerId: profile.billerId, dpId: row.dpId, action, profileVersion: profile.version };
  if (!request) {
    throw new PortFailure(`profile of biller ${profile.billerId} has no request for action ${action}`, {
      code: 'request-unbuildable',
      retryable: false,
      facts,
    });
  }
  if (compiled.headerProblem !== undefined) throw unbuildable('headers', facts, compiled.headerProblem);
  const context = requestContext(profile, row, idempotencyKey);
  const url = atStep('Path', facts, () => urlOf(compiled, renderPath(request.path, context)));
  let value: unknown;
  try {
    value = await request.body.evaluate(context);
  } catch (error) {
    if (error instanceof MissingValue) throw unbuildable('Body', facts, error.message);
    if (error instanceof EvaluationFailure && error.transient) {
      throw new PortFailure(`failed to evaluate the ${action} request of ${profile.billerId}:${row.dpId}`, {
        code: 'unavailable',
        retryable: true,
        facts: { ...facts, reason: error.code },
      });
    }
    // JSONata's messages quote the data they failed on; only its code goes further.
    throw unbuildable('Body', facts, String((error as { code?: unknown }).code ?? 'the expression failed'));
  }
  const body = atStep('Body', facts, () => writeBody(request.format, request.rootElement, value));
  const { Idempotency: keys } = compiled.document;
  return {
    method: request.method,
    url,
    body,
    ...(keys && { carries: { header: keys.Header, value: idempotencyKey } }),
    headers: {
      ...request.headers,
      'Content-Type': CONTENT_TYPE[request.format],
      ...(keys && { [keys.Header]: idempotencyKey }),
      ...(traceparent !== undefined && { traceparent }),
    },
  };
}

export const urlOf = (compiled: CompiledProfile, path: string): string =>
  `${compiled.document.BaseUrl.replace(/\/+$/, '')}${path}`;

type Facts = Readonly<Record<string, string>>;

function atStep<T>(part: string, facts: Facts, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw unbuildable(part, facts, error instanceof TypeError ? error.message : 'the value does not fit');
  }
}

const unbuildable = (part: string, facts: Facts, why: string): PortFailure =>
  new PortFailure(
    `failed to build the ${facts['action']} request of ${facts['billerId']}:${facts['dpId']}: ${part}: ${why}`,
    { code: 'request-unbuildable', retryable: false, facts },
  );
