/** Ids whose number is a row's count, without the minute behind it: `12:100:s129412345.0` is `12:100:s1294.0`. */
export const withoutMinutes = (messageId: string): string => messageId.replace(/(:s\d+)\d{5}((\.\d+)?)$/, '$1$2');
