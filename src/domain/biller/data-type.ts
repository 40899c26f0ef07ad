/** The four kinds of change a biller hears of: the eventType of messages and the name of a consumer. */
export const DATA_TYPES = ['Payments', 'Paperless', 'AutoPay', 'ACHRejects'] as const;
export type DataType = (typeof DATA_TYPES)[number];

/** As profiles spell it: Action `Payment` is the eventType `Payments`, the others are spelled alike. */
export const ACTIONS = ['Payment', 'Paperless', 'AutoPay', 'ACHRejects'] as const;
export type Action = (typeof ACTIONS)[number];

export const actionOf = (type: DataType): Action => (type === 'Payments' ? 'Payment' : type);
export const isDataType = (text: string): text is DataType => (DATA_TYPES as readonly string[]).includes(text);
/** Payments and ACH rejects move money; the other two only tell of a choice. */
export const carriesMoney = (type: DataType): boolean => type === 'Payments' || type === 'ACHRejects';
