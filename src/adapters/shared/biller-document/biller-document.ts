import { type Action } from '../../../domain/biller/data-type';
import { type Weekday } from '../../../domain/biller/biller-profile';

/**
 * A biller profile file as it is written (contracts/billers/biller-profile.schema.json says the same in JSON Schema).
 * Durations are text such as `250ms`, `10s`, `5m`, `24h`, `7d`. Stored with every version: add-only.
 */
export interface BillerDocument {
  readonly BillerID: string;
  readonly NameTemplate: string;
  readonly Vendor: string;
  readonly IntegrationClass: string;
  readonly Mode: string;
  readonly Actions: readonly Action[];
  readonly Constraints?: { readonly AllowedInvoiceTypes?: readonly string[]; readonly SkipNOCs?: boolean };
  readonly Rollout?: 'live' | 'shadow' | 'off';
  readonly Tenant?: string;
  readonly BaseUrl: string;
  readonly Authentication: AuthenticationDocument;
  readonly Requests: { readonly [A in Action]?: RequestDocument };
  readonly Answers: readonly AnswerRuleDocument[];
  readonly Reference?: string;
  readonly Code?: string;
  readonly Idempotency?: { readonly Header: string; readonly Retention: string; readonly Margin?: string };
  readonly StatusInquiry?: InquiryDocument;
  readonly Timeout: string;
  readonly Quarantine: string;
  readonly Limits: { readonly Concurrency: number; readonly PerSecond?: number };
  readonly RetrySchedule?: RetryDocument;
  readonly Breaker?: { readonly FailuresToOpen: number; readonly Open: string };
  readonly Windows?: readonly {
    readonly Days: readonly Weekday[];
    readonly From: string;
    readonly To: string;
    readonly TimeZone: string;
  }[];
}

export type AuthenticationDocument =
  | {
      readonly Kind: 'OAuth2ClientCredentials';
      readonly TokenUrl?: string;
      readonly ClientIdSecret: string;
      readonly ClientSecretSecret: string;
      readonly Scope?: string;
    }
  | { readonly Kind: 'ApiKey'; readonly Header: string; readonly KeySecret: string }
  | { readonly Kind: 'Basic'; readonly UserSecret: string; readonly PasswordSecret: string }
  | { readonly Kind: 'None' };

export interface RequestDocument {
  readonly Method: 'POST' | 'PUT' | 'PATCH';
  readonly Path: string;
  readonly Headers?: Readonly<Record<string, string>>;
  readonly Format: BodyFormat;
  /** The name of the outermost element; xml only, and needed there. */
  readonly RootElement?: string;
  readonly Body: string;
  /** Dotted paths of the context whose value a row need not have; without it the request cannot be built. */
  readonly Optional?: readonly string[];
}
export type BodyFormat = 'json' | 'xml' | 'form';

export type StatusPattern = number | string | readonly (number | string)[];
export interface AnswerRuleDocument {
  readonly Status: StatusPattern;
  readonly When?: string;
  readonly Outcome: 'accepted' | 'declined' | 'throttled' | 'not-executed' | 'unknown';
}

export interface InquiryDocument {
  readonly Method: 'GET';
  readonly Path: string;
  readonly Headers?: Readonly<Record<string, string>>;
  readonly Answers: readonly InquiryRuleDocument[];
  readonly Reference?: string;
  readonly AmountMinorUnits?: string;
  /** Decimal text in the payment's currency; one of the two. */
  readonly Amount?: string;
  readonly Lag?: string;
  readonly Timeout?: string;
}
export interface InquiryRuleDocument {
  readonly Status: StatusPattern;
  readonly When?: string;
  readonly Answer: 'delivered' | 'declined' | 'pending' | 'absent' | 'cannot-tell';
}

export type RetryDocument =
  | { readonly Kind: 'Fixed'; readonly Waits: readonly string[]; readonly MaxAge: string }
  | {
      readonly Kind: 'Exponential';
      readonly Initial: string;
      readonly Factor: number;
      readonly Max: string;
      readonly Jitter: number;
      readonly AttemptsMax: number;
      readonly MaxAge: string;
    };

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Ten years. No profile may say more, and a version stored before it was so must not lead out of the calendar. */
const DURATION_MAX_MS = 3_650 * UNIT_MS.d;

/** `10s` → 10000, at most ten years; throws on anything that is not a duration. */
export function durationMs(text: string): number {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  if (!match) throw new TypeError(`a duration such as "10s" was expected, got ${JSON.stringify(text)}`);
  return Math.min(DURATION_MAX_MS, Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]);
}

/** `2xx`, 409 or a list of them. */
export const statusMatches = (pattern: StatusPattern, status: number): boolean => {
  if (typeof pattern === 'number') return pattern === status;
  if (typeof pattern === 'string') return Number(pattern[0]) === Math.floor(status / 100);
  return pattern.some((one) => statusMatches(one, status));
};

/** Where an OAuth2 token comes from when the profile names no place (`Auth:Authority`). */
export const tokenUrlUnder = (authority: string): string => `${authority.replace(/\/+$/, '')}/oauth/token`;
