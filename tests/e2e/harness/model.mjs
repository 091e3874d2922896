import { once } from 'node:events';
import { createServer } from 'node:http';

const ANSWER = {
  summary: 'They plan a weekend.',
  topics: ['weekend'],
  entities: [{ name: 'Lisbon', kind: 'place' }],
  emotions: [{ name: 'joy', score: 0.8 }],
  humour: { score: 0.2, line: 1 },
};

/** A language model's server: takes its time, and refuses conversations that hold a word for as long as it is told to. */
export class Model {
  /** How long an answer takes. */
  waitMs = 0;
  /** Conversations that hold this are too long for it, whatever their length. */
  refused = '';
  /** Answers that may be given. */
  #left = Infinity;
  /** What goes on once another may be. */
  #held = [];
  #server = createServer((request, response) => void this.#answer(request, response));

  static async start() {
    const model = new Model();
    model.#server.listen(0, '127.0.0.1');
    await once(model.#server, 'listening');
    return model;
  }

  /** What `config.toml` says of it. */
  get config() {
    const { port } = this.#server.address();
    return [
      '[llm]',
      'enabled = true',
      'model = "fake-1"',
      `base_url = "http://127.0.0.1:${port}/v1"`,
      'concurrency_max = 2',
    ].join('\n');
  }

  /** Gives so many answers from now on, and holds back what is asked for beyond them. */
  allow(answers) {
    this.#left = answers;
    while (this.#left > 0 && this.#held.length > 0) {
      this.#left -= 1;
      this.#held.shift()();
    }
  }

  async #turn() {
    if (this.#left > 0) this.#left -= 1;
    else await new Promise((go) => this.#held.push(go));
  }

  stop() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request, response) {
    let body = '';
    for await (const part of request) body += part;
    await new Promise((done) => setTimeout(done, this.waitMs));
    await this.#turn();
    response.setHeader('content-type', 'application/json');
    if (this.refused && body.includes(this.refused)) {
      response.writeHead(413).end('{"error":{"message":"too much"}}');
      return;
    }
    const message = { role: 'assistant', content: JSON.stringify(ANSWER) };
    const usage = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };
    response.end(JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'stop' }], usage }));
  }
}
