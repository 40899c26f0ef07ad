import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv, { type ErrorObject, type ValidateFunction } from 'ajv';
import { type Digest } from '../../application/ports/digest';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import { maskCardData } from '../../domain/policies/card-data';
import { type AllowedHosts, urlProblem } from '../shared/biller-document/allowed-hosts';
import { type BillerDocument, durationMs } from '../shared/biller-document/biller-document';
import { type Found, headerProblems } from '../shared/biller-document/profile-headers';
import { answerProblems, inquiryAnswerProblems } from './answer-rule-problems';
import { durationProblems } from './duration-bounds';
import { expressionProblems } from './expression-problems';
import { profileFromDocument } from './profile-from-document';
import { versionOf } from './profile-version';

/** One thing that is wrong: the file, the place in it (`/Requests/Payment/Body`), what was expected. */
export interface ProfileProblem {
  readonly file: string;
  readonly path: string;
  readonly expected: string;
}

export interface ProfileRules {
  readonly hosts: AllowedHosts;
  /** `Auth:Authority`; without it each OAuth2 profile must name its TokenUrl. */
  readonly tokenAuthority?: string;
  readonly digest: Digest;
}

export const problemText = (problem: ProfileProblem): string =>
  `${problem.file} ${problem.path === '' ? '/' : problem.path}: ${problem.expected}`;

/** Every problem at once, so that an integrator repairs a file in one go. */
export function validateProfileDocument(
  document: unknown,
  where: string,
  rules: ProfileRules,
): { readonly profile: BillerProfile } | { readonly problems: readonly ProfileProblem[] } {
  const check = schemaCheck();
  const found = check(document)
    ? beyondSchema(document as BillerDocument, rules)
    : (check.errors ?? []).filter(tellsSomething).map(schemaProblem);
  if (found.length > 0) return { problems: found.map(([path, expected]) => ({ file: where, path, expected })) };
  return { profile: profileFromDocument(document as BillerDocument, versionOf(document, rules.digest)) };
}

let compiledSchema: ValidateFunction | undefined;
function schemaCheck(): ValidateFunction {
  // From src/ and from dist/ alike the contracts stand three folders up.
  const file = join(__dirname, '../../../contracts/billers/biller-profile.schema.json');
  return (compiledSchema ??= new Ajv({ allErrors: true, discriminator: true, strictTypes: false }).compile(
    JSON.parse(readFileSync(file, 'utf8')) as object,
  ));
}

/** `anyOf` repeats what its branches already said. */
const tellsSomething = (error: ErrorObject): boolean =>
  !['anyOf', 'oneOf', 'if', 'propertyNames'].includes(error.keyword);

function schemaProblem(error: ErrorObject): Found {
  const params = error.params as Record<string, unknown>;
  const at = (name: unknown): string => `${error.instancePath}/${String(name)}`;
  switch (error.keyword) {
    case 'required':
      return [at(params['missingProperty']), 'is missing'];
    case 'additionalProperties':
      return [at(params['additionalProperty']), 'is not a key of a biller profile here'];
    case 'enum':
      if (error.instancePath === '/Rollout')
        return [error.instancePath, 'live or off was expected; shadow mode does not exist yet'];
      return [error.instancePath, `one of ${(params['allowedValues'] as readonly unknown[]).join(', ')} was expected`];
    case 'const':
      return [error.instancePath, `${JSON.stringify(params['allowedValue'])} was expected`];
    case 'discriminator':
      return [at(params['tag']), 'one of the documented kinds was expected'];
    case 'pattern':
      return [
        error.instancePath,
        String(error.schemaPath).includes('duration')
          ? 'a duration such as "10s", "5m" or "24h" was expected'
          : /^\/(BillerID|Tenant)$/.test(error.instancePath)
            ? '1 to 56 visible characters without blanks, colons, control, zero-width or direction characters were expected'
            : `text of the form ${String(params['pattern'])} was expected`,
      ];
    default:
      return [error.instancePath, error.message ?? `must satisfy ${error.keyword}`];
  }
}

const HOLDS_CARD_DATA =
  'holds what looks like a card number or its verification code; every version of a profile is kept for ever, so take it out';

/** What a schema cannot say: URLs, expressions, and members that need one another. */
function beyondSchema(document: BillerDocument, rules: ProfileRules): Found[] {
  const found: Found[] = [];
  const note = (path: string, expected: string | undefined): void =>
    void (expected !== undefined && found.push([path, expected]));
  for (const name of ['Description', 'NameTemplate', 'Vendor', 'IntegrationClass', 'Mode'] as const) {
    const { [name]: text = '' } = document as { readonly [member in typeof name]?: string };
    note(`/${name}`, maskCardData(text) === text ? undefined : HOLDS_CARD_DATA);
  }
  note(
    '/BaseUrl',
    urlProblem(document.BaseUrl, rules.hosts) ??
      (document.BaseUrl.includes('?') ? 'a URL without a query was expected' : undefined),
  );
  const placeholder = document.NameTemplate.replaceAll('{DBA}', '').match(/\{[^}]*\}?/)?.[0];
  if (placeholder !== undefined)
    note('/NameTemplate', `only {DBA} becomes the biller's trading name, found ${placeholder}`);
  const { Authentication: auth } = document;
  if (auth.Kind === 'OAuth2ClientCredentials') {
    if (auth.TokenUrl !== undefined) note('/Authentication/TokenUrl', urlProblem(auth.TokenUrl, rules.hosts));
    else if (rules.tokenAuthority === undefined)
      note('/Authentication/TokenUrl', 'is missing, and Auth:Authority is not set either');
  }
  for (const action of document.Actions) {
    if (!document.Requests[action]) note(`/Requests/${action}`, `is missing although ${action} is among the Actions`);
  }
  for (const [action, request] of Object.entries(document.Requests)) {
    if (request.Format === 'xml' && request.RootElement === undefined)
      note(`/Requests/${action}/RootElement`, 'is missing; Format xml needs it');
    if (request.Format !== 'xml' && request.RootElement !== undefined)
      note(`/Requests/${action}/RootElement`, 'belongs to Format xml only');
  }
  if (!document.Answers.some((rule) => rule.Outcome === 'accepted'))
    note('/Answers', 'at least one rule with Outcome accepted was expected: without one nothing is ever delivered');
  found.push(
    ...headerProblems(document),
    ...expressionProblems(document),
    ...answerProblems(document.Answers, document.Idempotency !== undefined),
    ...inquiryAnswerProblems(document.StatusInquiry?.Answers ?? [], document.Idempotency !== undefined),
    ...durationProblems(document),
  );
  const { StatusInquiry: inquiry, Idempotency: keys } = document;
  if (inquiry?.Amount !== undefined && inquiry.AmountMinorUnits !== undefined)
    note('/StatusInquiry/Amount', 'stands beside AmountMinorUnits; one of the two was expected');
  if (keys) note('/Idempotency/Retention', retentionProblem(document, keys));
  document.Windows?.forEach((window, index) => note(`/Windows/${index}/TimeZone`, timeZoneProblem(window.TimeZone)));
  return found;
}

/** The first resend leaves after Timeout and Quarantine, and must end, its late effect included, while the key is known. */
function retentionProblem(
  document: BillerDocument,
  keys: NonNullable<BillerDocument['Idempotency']>,
): string | undefined {
  const needed = durationMs(keys.Margin ?? '5m') + 2 * (durationMs(document.Timeout) + durationMs(document.Quarantine));
  return durationMs(keys.Retention) > needed
    ? undefined
    : `more than ${needed / 1_000}s was expected (Margin, default 5m, and twice Timeout and Quarantine): no time would be left to send again`;
}

function timeZoneProblem(name: string): string | undefined {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return undefined;
  } catch {
    return 'an IANA time zone such as Europe/Prague was expected';
  }
}
