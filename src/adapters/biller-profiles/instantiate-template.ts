/**
 * A profile made from a template of billers/templates: another id, another address, and whatever else `overrides`
 * names at the top level. A token URL below the template's BaseUrl moves along.
 */
export function instantiateTemplate(
  template: Readonly<Record<string, unknown>>,
  {
    billerId,
    baseUrl,
    overrides = {},
  }: { readonly billerId: string; readonly baseUrl: string; readonly overrides?: Readonly<Record<string, unknown>> },
): Record<string, unknown> {
  const from = String(template['BaseUrl']);
  const auth = template['Authentication'] as { readonly TokenUrl?: string } | undefined;
  const tokenUrl = auth?.TokenUrl;
  return {
    ...template,
    BillerID: billerId,
    BaseUrl: baseUrl,
    ...(tokenUrl?.startsWith(`${from}/`) && {
      Authentication: { ...auth, TokenUrl: baseUrl + tokenUrl.slice(from.length) },
    }),
    ...overrides,
  };
}
