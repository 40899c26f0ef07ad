import { PortFailure } from '../../application/ports/failures';
import { type PrepareRequest } from '../../application/ports/biller-gateway';
import { actionOf } from '../../domain/biller/data-type';
import { CONTENT_TYPE, writeBody } from './body-formats';
import { type CompiledProfile } from './compiled-profile';
import { requestContext } from './request-context';
import { renderPath } from '../shared/biller-document/path-template';
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
  const context = requestContext(profile, row, idempotencyKey);
  const url = atStep('Path', facts, () => urlOf(compiled, renderPath(request.path, context)));
  let value: unknown;
  try {
    value = await request.body.evaluate(context);
  } catch (error) {
    // JSONata's messages quote the data they failed on; only its code goes further.
    const code = String((error as { code?: unknown }).code ?? 'the expression failed');
    throw unbuildable('Body', facts, code, code === EVALUATION_TIMEOUT);
  }
  const body = atStep('Body', facts, () => writeBody(request.format, request.rootElement, value));
  const { Idempotency: keys } = compiled.document;
  return {
    method: request.method,
    url,
    body,
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

/** JSONata's guard against endless loops; a process that was stopped for a while runs into it too. */
const EVALUATION_TIMEOUT = 'D1012';

const unbuildable = (part: string, facts: Facts, why: string, retryable = false): PortFailure =>
  new PortFailure(
    `failed to build the ${facts['action']} request of ${facts['billerId']}:${facts['dpId']}: ${part}: ${why}`,
    { code: 'request-unbuildable', retryable, facts },
  );
