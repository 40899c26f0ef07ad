/** One way to read a setting: from the text of the environment or the value of a file. */
export interface SettingKind<Value> {
  /** For the table in docs/SETTINGS.md and for problems: "a whole number from 1 to 300". */
  readonly expected: string;
  /** Undefined where the value is not of this kind. Text of the environment comes as text, a file's value as it is. */
  readonly read: (found: unknown) => Value | undefined;
  /** Where a value has parts: each that is wrong, so that all are told. None where it is wrong as a whole. */
  readonly parts?: (found: unknown) => readonly WrongPart[];
}

export interface WrongPart {
  /** Its place in the value, such as `[1]` or `.Shard-1.server`. */
  readonly at: string;
  readonly found: unknown;
  readonly expected: string;
}

export const wholeNumber = (range: { readonly min: number; readonly max: number }): SettingKind<number> => ({
  expected: `a whole number from ${range.min} to ${range.max}`,
  read(found) {
    const value = typeof found === 'string' && /^-?\d{1,15}$/.test(found.trim()) ? Number(found) : found;
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= range.min && value <= range.max
      ? value
      : undefined;
  },
});

export const flag: SettingKind<boolean> = {
  expected: 'true or false',
  read(found) {
    if (typeof found === 'boolean') return found;
    const text = typeof found === 'string' ? found.trim().toLowerCase() : undefined;
    return text === 'true' ? true : text === 'false' ? false : undefined;
  },
};

export const text = (expected: string, form: RegExp): SettingKind<string> => ({
  expected,
  read: (found) => (typeof found === 'string' && form.test(found) ? found : undefined),
});

/** Absent by default; empty text means absent, so that a deployment can blank a value out. */
export const optional = <Value>(kind: SettingKind<Value>): SettingKind<Value | ''> => ({
  expected: `${kind.expected}, or empty`,
  read: (found) => (found === '' ? '' : kind.read(found)),
});

export const choice = <const Value extends string>(...values: readonly Value[]): SettingKind<Value> => ({
  expected: `one of ${values.join(', ')}`,
  read: (found) => values.find((value) => value === found),
});

/** A list in a file; in the environment JSON, or words with commas between. */
export const listOf = (expected: string, form: RegExp): SettingKind<readonly string[]> => ({
  expected: `a list of ${expected}`,
  read(found) {
    const list = typeof found === 'string' ? listFromText(found) : found;
    if (!Array.isArray(list) || new Set(list).size !== list.length) return undefined;
    return list.every((item): item is string => typeof item === 'string' && form.test(item)) ? list : undefined;
  },
  parts(found) {
    const list = typeof found === 'string' ? listFromText(found) : found;
    if (!Array.isArray(list)) return [];
    return list.flatMap((item: unknown, index): readonly WrongPart[] => {
      const at = `[${index}]`;
      if (typeof item !== 'string' || !form.test(item))
        return [{ at, found: item, expected: `one of the ${expected}` }];
      return list.indexOf(item) === index ? [] : [{ at, found: item, expected: 'each once' }];
    });
  },
});

export const url: SettingKind<string> = {
  expected: 'an http or https URL without user, query and fragment',
  read(found) {
    if (typeof found !== 'string' || !URL.canParse(found)) return undefined;
    const parsed = new URL(found);
    const plain = !parsed.username && !parsed.password && !parsed.search && !parsed.hash;
    return plain && /^https?:$/.test(parsed.protocol) ? found.replace(/\/+$/, '') : undefined;
  },
};

export function listFromText(found: string): unknown {
  if (found.trim() === '') return [];
  return jsonFromText(found) ?? found.split(',').map((item) => item.trim());
}

/** Undefined where the text does not look like a JSON array or object, or is a broken one. */
export function jsonFromText(found: string): unknown {
  if (!/^\s*[[{]/.test(found)) return undefined;
  try {
    return JSON.parse(found);
  } catch {
    return undefined;
  }
}
