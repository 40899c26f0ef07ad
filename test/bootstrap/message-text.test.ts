import { messageIdText, messageText } from '../../src/bootstrap/command-line/message-text';

const CARD = '4111 1111 1111 1111';
const DIGITS = CARD.replaceAll(' ', '');

describe('what a list shows of a message that may hold anything (issue 8, nos 11 and 14)', () => {
  it.each(['AB:100', DIGITS, `AB:${DIGITS}:r1.0`, 'x'.repeat(56)])(
    'an id, or ids with colons between, stay as they are: %s',
    (id) => {
      expect(messageIdText(id)).toBe(id);
    },
  );

  it.each([CARD, `AB:${CARD}`, `x ${DIGITS} y`])('a card number in what is no id is masked: %j', (text) => {
    expect(messageIdText(text)).toMatch(/\[card \*{4}1111\]/);
    expect(messageIdText(text)).not.toContain('1111 1111');
  });

  it.each([CARD, DIGITS, { a: CARD }, [DIGITS], `Reason ${CARD}`])(
    'a card number in a reason or a type is masked: %j',
    (value) => {
      expect(messageText(value)).toMatch(/\[card \*{4}1111\]/);
      expect(messageText(value)).not.toMatch(/1111 ?1111/);
    },
  );

  it.each([
    'x'.repeat(100_000),
    `AB:${'x'.repeat(200)}`,
    `${'a:'.repeat(100)}a`,
    { toString: 1 },
    { toString: 'x', a: 'y'.repeat(1_000) },
    null,
    1,
    [],
    undefined,
  ])('anything is one short text: %#', (value) => {
    for (const text of [messageText(value), messageIdText(String(JSON.stringify(value)))])
      expect(text.length).toBeLessThanOrEqual(128);
  });

  it('a usual reason is shown as it is', () => {
    expect(messageText('InvalidContract')).toBe('InvalidContract');
  });
});
