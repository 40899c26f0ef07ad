import { type EventContext, type Message, type Receiver, type Sender } from 'rhea';
import { type Fault } from './planned-faults';
import { wireError } from './wire-errors';

export interface Answer {
  readonly status: number;
  readonly description?: string;
  readonly condition?: string;
  readonly body?: unknown;
}

/** One node of a connection that answers requests: `$cbs`, or `<entity>/$management`. */
export class RequestNode {
  private readonly replyLinks = new Map<string, Sender>();
  private readonly waiting = new Map<Sender, Message[]>();

  constructor(
    private readonly answerTo: (request: Message) => Answer | Promise<Answer>,
    private readonly nextFault: (request: Message) => Fault | undefined,
    private readonly forceClose: () => void,
  ) {}

  /** The client listens for answers on a link that bears the name it gives as reply-to. */
  repliesOn(link: Sender): void {
    this.replyLinks.set(link.name, link);
    link.on('sendable', () => this.flush(link));
  }

  requestsOn(link: Receiver): void {
    link.on('message', ({ message, delivery }: EventContext) => {
      delivery?.accept();
      void this.reply(message as Message);
    });
  }

  private async reply(request: Message): Promise<void> {
    const link = this.replyLinks.get(String(request.reply_to));
    if (link === undefined) return;
    const fault = this.nextFault(request);
    const { status, description, condition, body } =
      typeof fault === 'object' ? { ...fault, body: undefined } : await this.answered(request);
    if (fault === 'force-close') return this.forceClose();
    if (fault === 'lose-answer') return;
    const answer: Message = {
      correlation_id: request.message_id!,
      application_properties: {
        statusCode: status,
        statusDescription: description ?? '',
        ...(condition === undefined ? {} : { errorCondition: condition }),
      },
      body: body ?? {},
    };
    const queue = this.waiting.get(link) ?? [];
    this.waiting.set(link, queue);
    queue.push(answer);
    this.flush(link);
  }

  private async answered(request: Message): Promise<Answer> {
    try {
      return await this.answerTo(request);
    } catch (failure) {
      return wireError(failure);
    }
  }

  /** Never more than the credit: rhea loses count of a delivery that waits on a link without. */
  private flush(link: Sender): void {
    const queue = this.waiting.get(link) ?? [];
    while (queue.length > 0 && link.is_open() && link.sendable()) {
      Object.assign(link.send(queue.shift()!) as object, { settled: true });
    }
  }
}
