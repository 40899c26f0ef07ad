import { type BillerDocument } from './biller-document';
import { headerNameProblem, repeatedNames } from './header-names';

/** A place in the profile and what was expected there. */
export type Found = readonly [path: string, expected: string];

/**
 * Everything wrong with the header names of a profile: told when it is checked, and looked at again before it is used,
 * because a version that was stored under older rules is still spoken while one of its attempts is open.
 */
export function headerProblems(document: BillerDocument): readonly Found[] {
  const { Idempotency: keys, Authentication: auth, StatusInquiry: inquiry } = document;
  const found: Found[] = [];
  const note = (path: string, expected: string | undefined): void =>
    void (expected !== undefined && found.push([path, expected]));
  const key = keys?.Header;
  const apiKey = auth.Kind === 'ApiKey' ? auth.Header : undefined;
  if (key !== undefined)
    note(
      '/Idempotency/Header',
      headerNameProblem(key, 'key') ??
        (same(key, apiKey) ? `another header was expected: ${key} is the header of the API key` : undefined),
    );
  if (apiKey !== undefined) note('/Authentication/Header', headerNameProblem(apiKey, 'api-key'));
  const fixed = (
    path: string,
    headers: Readonly<Record<string, string>> | undefined,
    use: 'request' | 'inquiry',
  ): void => {
    const names = Object.keys(headers ?? {});
    const repeated = new Set(repeatedNames(names));
    for (const name of names) {
      note(
        `${path}/${name}`,
        headerNameProblem(name, use) ??
          (same(name, apiKey)
            ? `another header was expected: ${name} is the header of the API key`
            : same(name, key)
              ? `another header was expected: ${name} is the header of the idempotency key`
              : repeated.has(name)
                ? `each header once was expected: ${name} is set twice, names are the same in any case`
                : undefined),
      );
    }
  };
  for (const [action, request] of Object.entries(document.Requests))
    fixed(`/Requests/${action}/Headers`, request.Headers, 'request');
  fixed('/StatusInquiry/Headers', inquiry?.Headers, 'inquiry');
  return found;
}

const same = (one: string, other: string | undefined): boolean => one.toLowerCase() === other?.toLowerCase();
