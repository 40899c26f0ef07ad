/*
 * What the expressions and placeholders of a profile may name, once: profiles are checked against it, requests are
 * built over it, docs/PROFILES.md describes it. Add a member here and in request-context.ts; a test compares the two.
 */

/**
 * One value of a context. `may-be-missing`: a row need not have it, so a request that names it must say so (Optional).
 * `with-payment`, `with-row`: there whenever the row has a payment, whenever the row is there.
 */
export type ContextLeaf = 'always' | 'with-row' | 'with-payment' | 'may-be-missing';
export interface ContextMembers {
  readonly [name: string]: ContextLeaf | ContextMembers;
}

export const REQUEST_CONTEXT = {
  record: { key: 'always', dpId: 'always', billerId: 'always', dataType: 'with-row', createdAt: 'with-row' },
  payment: {
    paymentId: 'with-payment',
    amountMinorUnits: 'with-payment',
    amount: 'with-payment',
    amountExponent: 'with-payment',
    currency: 'with-payment',
    invoiceType: 'with-payment',
    paidAt: 'with-payment',
    achReturnCode: 'may-be-missing',
  },
  customer: {
    customerId: 'with-row',
    accountNumber: 'with-row',
    name: 'with-row',
    email: 'may-be-missing',
    paperless: 'with-row',
    autoPay: 'with-row',
  },
  biller: { billerId: 'always', dba: 'with-row', tenant: 'always', displayName: 'always' },
  idempotencyKey: 'always',
} as const satisfies ContextMembers;

/** Any member may be asked of it: the biller's body, of whatever shape. */
export const ANYTHING: unique symbol = Symbol('anything');
/** Any name in lower case, as header names arrive. */
export const LOWER_CASE_NAMES: unique symbol = Symbol('lower-case names');

/** What `When`, `Reference`, `Code`, `AmountMinorUnits` and `Amount` see. */
export const ANSWER_CONTEXT = { status: 'always', body: ANYTHING, headers: LOWER_CASE_NAMES } as const;

/** The value that an object of this context has, for the compiler. Values are missing, never null. */
export type ContextValue<Members> = {
  readonly [Name in keyof Members]?: Members[Name] extends ContextLeaf
    ? string | number | boolean | undefined
    : ContextValue<Members[Name]> | undefined;
};

/** Dotted paths of all values below a member. */
export function leafPaths(members: ContextMembers, under = ''): readonly string[] {
  return Object.entries(members).flatMap(([name, member]) =>
    typeof member === 'string' ? [`${under}${name}`] : leafPaths(member, `${under}${name}.`),
  );
}

/** The member or value at a dotted path; undefined where the context has none. */
export function memberAt(members: ContextMembers, path: readonly string[]): ContextLeaf | ContextMembers | undefined {
  let at: ContextLeaf | ContextMembers | undefined = members;
  for (const name of path) at = typeof at === 'object' && Object.hasOwn(at, name) ? at[name] : undefined;
  return at;
}

/** A value of the built context; undefined where there is none. Null counts as none. */
export function valueAt(context: object, path: readonly string[]): unknown {
  let at: unknown = context;
  for (const name of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[name];
  }
  return at ?? undefined;
}
