import { ServiceBusClient, type ServiceBusReceivedMessage, type ServiceBusReceiver } from '@azure/service-bus';
import Long from 'long';
import { type TopicDeclaration } from '../../src/application/ports/message-bus';
import { COMES_WITHIN_MS } from '../support/until';
import { ServiceBusFixture } from '../support/wire-peers/amqp/service-bus-fixture';

const TOPOLOGY: readonly TopicDeclaration[] = [
  {
    name: 'records',
    duplicateDetectionWindowMs: 600_000,
    timeToLiveMs: undefined,
    subscriptions: [{ name: 'payments', eventType: undefined, lockMs: 60_000, deliveryCountMax: 10 }],
  },
];

/** What the vendor's own client must find at the peer, whoever sent it: other teams use more than we do. */
describe('the Service Bus peer keeps what AMQP carries (issue 9, no 10)', () => {
  let fixture: ServiceBusFixture;
  let client: ServiceBusClient;
  let receiver: ServiceBusReceiver;
  /** The broker's clock is put forward by so much. */
  let aheadMs: number;
  beforeEach(async () => {
    aheadMs = 0;
    fixture = await ServiceBusFixture.start(TOPOLOGY, { now: () => Date.now() + aheadMs });
    client = new ServiceBusClient(fixture.peer.connectionString, { retryOptions: { maxRetries: 0 } });
    receiver = client.createReceiver('records', 'payments');
  });
  afterEach(async () => {
    await client.close();
    await fixture.stop();
  });

  const send = (message: object): Promise<void> =>
    client.createSender('records').sendMessages({ body: 'x', ...message });
  async function take(from = receiver): Promise<ServiceBusReceivedMessage> {
    const [message] = await from.receiveMessages(1, { maxWaitTimeInMs: COMES_WITHIN_MS });
    if (message === undefined) throw new Error('expected a message');
    return message;
  }

  it('subject, content type, reply-to and its session, and to', async () => {
    const fields = {
      subject: 'PaymentDue',
      contentType: 'application/xml',
      replyTo: 'answers',
      replyToSessionId: 'session',
      to: 'somebody',
      correlationId: '12',
    };
    await send({ messageId: 'm', ...fields, applicationProperties: { billerId: '12' } });
    expect((await receiver.peekMessages(1))[0]).toMatchObject(fields);
    const message = await take();
    expect(message).toMatchObject({ ...fields, applicationProperties: { billerId: '12' } });
    expect(Object.keys(message.applicationProperties ?? {})).toEqual(['billerId']);
  });

  it('in a batch each its own', async () => {
    await client.createSender('records').sendMessages([
      { messageId: 'a', body: 'x', subject: 'A' },
      { messageId: 'b', body: 'x', subject: 'B' },
    ]);
    expect((await receiver.peekMessages(2)).map(({ subject }) => subject)).toEqual(['A', 'B']);
  });

  it('a time to live: told, and over when it is over', async () => {
    await send({ messageId: 'short', timeToLive: 600_000 });
    await send({ messageId: 'long', timeToLive: 6_000_000 });
    expect((await receiver.peekMessages(2)).map(({ timeToLive }) => timeToLive)).toEqual([600_000, 6_000_000]);
    aheadMs = 600_001;
    expect(
      (await receiver.peekMessages(2, { fromSequenceNumber: Long.ONE })).map(({ messageId }) => messageId),
    ).toEqual(['long']);
    expect((await take()).messageId).toBe('long');
  });

  it('properties that abandoning and dead-lettering change', async () => {
    await send({ messageId: 'm', applicationProperties: { tries: 1, kept: true } });
    await receiver.abandonMessage(await take(), { tries: 2 });
    const again = await take();
    expect(again).toMatchObject({ deliveryCount: 1, applicationProperties: { tries: 2, kept: true } });
    await receiver.deadLetterMessage(again, { deadLetterReason: 'Why', deadLetterErrorDescription: 'so', tries: 3 });
    const dead = await take(client.createReceiver('records', 'payments', { subQueueType: 'deadLetter' }));
    expect(dead).toMatchObject({ deadLetterReason: 'Why', applicationProperties: { tries: 3, kept: true } });
  });
});
