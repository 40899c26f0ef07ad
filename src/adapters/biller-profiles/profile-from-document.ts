import { type BillerProfile, type RetrySchedule } from '../../domain/biller/biller-profile';
import { type BillerId, type ProfileVersion } from '../../domain/identifiers';
import { type BillerDocument, durationMs, type RetryDocument } from '../shared/biller-document/biller-document';

const MARGIN_DEFAULT = '5m';
const RETRY_DEFAULT: RetryDocument = { Kind: 'Fixed', Waits: ['1s', '3s', '5s', '7s'], MaxAge: '24h' };
const BREAKER_DEFAULT = { FailuresToOpen: 8, Open: '5s' };

/** A document that was valid when it was registered, as the domain's values. */
export function profileFromDocument(document: BillerDocument, version: ProfileVersion): BillerProfile {
  const {
    Idempotency: keys,
    StatusInquiry: inquiry,
    Constraints: constraints,
    Breaker: breaker = BREAKER_DEFAULT,
  } = document;
  return {
    billerId: document.BillerID as BillerId,
    version,
    tenant: document.Tenant ?? document.BillerID,
    vendor: document.Vendor,
    nameTemplate: document.NameTemplate,
    actions: document.Actions,
    constraints: { allowedInvoiceTypes: constraints?.AllowedInvoiceTypes, skipNocs: constraints?.SkipNOCs ?? false },
    rollout: document.Rollout ?? 'live',
    timeoutMs: durationMs(document.Timeout),
    quarantineMs: durationMs(document.Quarantine),
    capability: {
      inquiry: inquiry && { lagMs: durationMs(inquiry.Lag ?? '0s') },
      keys: keys && { retentionMs: durationMs(keys.Retention), marginMs: durationMs(keys.Margin ?? MARGIN_DEFAULT) },
    },
    retry: retryFrom(document.RetrySchedule ?? RETRY_DEFAULT),
    limits: { concurrency: document.Limits.Concurrency, perSecond: document.Limits.PerSecond },
    breaker: { failuresToOpen: breaker.FailuresToOpen, openMs: durationMs(breaker.Open) },
    windows: (document.Windows ?? []).map((window) => ({
      days: window.Days,
      from: window.From,
      to: window.To,
      timeZone: window.TimeZone,
    })),
    document: document as unknown as Readonly<Record<string, unknown>>,
  };
}

function retryFrom(retry: RetryDocument): RetrySchedule {
  if (retry.Kind === 'Fixed')
    return { kind: 'fixed', waitsMs: retry.Waits.map(durationMs), maxAgeMs: durationMs(retry.MaxAge) };
  return {
    kind: 'exponential',
    initialMs: durationMs(retry.Initial),
    factor: retry.Factor,
    maxMs: durationMs(retry.Max),
    jitter: retry.Jitter,
    attemptsMax: retry.AttemptsMax,
    maxAgeMs: durationMs(retry.MaxAge),
  };
}
