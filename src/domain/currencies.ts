/*
 * ISO 4217, list one as of amendment 180 (effective 2026-01-01): which codes are money, and how many decimals each has.
 * `test/domain/currencies.test.ts` holds this table against the `currency-codes` package and tells every difference
 * that is not among those listed there with reason and source.
 */
const CODES_BY_EXPONENT: Readonly<Record<number, string>> = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  2: `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP
      COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR
      JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN
      NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL
      THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG`,
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
};

/** No longer money, so that no new payment is taken in them; histories that name them are still told in decimals. */
const WITHDRAWN_BY_EXPONENT: Readonly<Record<number, string>> = { 2: 'ANG BGN CUC HRK SLL ZWL' };

const listed = (codes: Readonly<Record<number, string>>): readonly (readonly [string, number])[] =>
  Object.entries(codes).flatMap(([exponent, text]) =>
    text.split(/\s+/).map((code) => [code, Number(exponent)] as const),
  );

const CURRENT: ReadonlyMap<string, number> = new Map(listed(CODES_BY_EXPONENT));
const EVER: ReadonlyMap<string, number> = new Map([...CURRENT, ...listed(WITHDRAWN_BY_EXPONENT)]);

/** Every code that is money now, in the order of the alphabet. */
export const CURRENCIES: readonly string[] = [...CURRENT.keys()].sort();

/**
 * The decimals of a currency: 0 (JPY), 2, 3 (KWD) or 4 (CLF). Undefined where the code is not money now: unknown, in
 * small letters, withdrawn, or one that has no minor unit by the standard (XXX, XTS, XDR, gold and other metals).
 */
export const exponentOf = (currency: string): number | undefined => CURRENT.get(currency);

/** As exponentOf, and for codes that were money once: for what is told of the past, never for what is taken in. */
export const exponentEverOf = (currency: string): number | undefined => EVER.get(currency);
