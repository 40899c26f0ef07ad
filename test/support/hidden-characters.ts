/** One of each kind of character that moves the cursor, turns the direction or shows as nothing. */
export const HIDDEN = [
  '\u0000', '\u0007', '\u0008', '\t', '\n', '\r', '\u001b', '\u007f', '\u0085', '\u009b', '\u00a0', '\u00ad', '\u034f', '\u061c', '\u115f', '\u17b4',
  '\u180e', '\u200b', '\u200d', '\u200e', '\u200f', '\u2028', '\u2029', '\u202a', '\u202e', '\u2060', '\u2066', '\u2069', '\u2800', '\u3000', '\u3164',
  '\ud800', '\udfff', '\ufe0f', '\ufeff', '\uffa0', '\ufff9', '\u{e0001}', '\u{e0041}', '\u{e0100}', '\u{1d173}', '\ue000',
]; // prettier-ignore
