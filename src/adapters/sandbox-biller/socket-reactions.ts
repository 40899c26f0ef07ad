import { type IncomingMessage, type ServerResponse } from 'node:http';
import { contentTypeOf, renderAnswer, type AnswerFields } from './sandbox-bodies';
import { type SandboxBiller } from './sandbox-configuration';
import { type Reaction } from './sandbox-desk';

/** What a reaction means to the socket: an answer now or later, whole or cut short, a long silence, a reset. */
export class SocketReactions {
  private readonly hanging = new Set<IncomingMessage>();
  private stopping = false;

  perform(reaction: Reaction, biller: SandboxBiller, request: IncomingMessage, response: ServerResponse): void {
    if (reaction.kind === 'reset') return void request.socket.resetAndDestroy();
    if (reaction.kind === 'hang') return this.hang(request, response, biller.hangMs);
    const leave = () => {
      reaction.left();
      const { status, fields, retryAfterSeconds } = reaction.answer;
      const text = renderAnswer(fields, biller.format);
      if (retryAfterSeconds !== undefined) response.setHeader('retry-after', String(retryAfterSeconds));
      this.send(
        response,
        status,
        contentTypeOf(biller.format),
        reaction.cutShort ? text.slice(0, text.length / 2) : text,
      );
    };
    if (reaction.delayMs < 1) leave();
    else setTimeout(leave, reaction.delayMs);
  }

  answer(response: ServerResponse, { format }: SandboxBiller, status: number, fields: AnswerFields): void {
    this.send(response, status, contentTypeOf(format), renderAnswer(fields, format));
  }

  sendJson(response: ServerResponse, status: number, value: object): void {
    this.send(response, status, 'application/json', JSON.stringify(value));
  }

  /** From now on each answer closes its connection, and what hangs on purpose is closed at once. */
  stop(): void {
    this.stopping = true;
    for (const request of this.hanging) request.socket.destroy();
  }

  private hang(request: IncomingMessage, response: ServerResponse, hangMs: number): void {
    // Closed by the client before our commit: its 'close' event has been and will not come again.
    if (this.stopping || request.socket.destroyed) return void request.socket.destroy();
    const timer = setTimeout(() => request.socket.destroy(), hangMs);
    this.hanging.add(request);
    response.once('close', () => {
      clearTimeout(timer);
      this.hanging.delete(request);
    });
  }

  private send(response: ServerResponse, status: number, contentType: string, text: string): void {
    if (this.stopping) response.setHeader('connection', 'close');
    response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(text) });
    response.end(text);
  }
}
