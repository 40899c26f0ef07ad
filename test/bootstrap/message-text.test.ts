import { messageText } from '../../src/bootstrap/command-line/message-text';

const CARD = '4111 1111 1111 1111';

describe('what a list shows of a message that may hold anything (issue 8, nos 11 and 14)', () => {
  it.each(['AB:100', '4111111111111111', 'AB:4111111111111111:r1.0', 'InvalidContract', 'x'.repeat(56)])('an id, or ids with colons between, stay as they are: %s', (id) => {
    expect(messageText(id)).toBe(id);
  });

  it.each([CARD, `AB:${CARD}`, `x ${CARD.replaceAll(' ', '')} y`, { a: CARD }, [CARD]])('a card number in anything else is masked: %j', (value) => {
    expect(messageText(value)).toMatch(/\[card \*{4}1111\]/);
    expect(messageText(value)).not.toContain('1111 1111');
  });

  it.each(['x'.repeat(100_000), `AB:${'x'.repeat(200)}`, `${'a:'.repeat(100)}a`, { toString: 1 }, { toString: 'x', a: 'y'.repeat(1_000) }, null, 1, [], undefined])('anything is one short text: %#', (value) => {
    expect(messageText(value).length).toBeLessThanOrEqual(128);
  });
});
