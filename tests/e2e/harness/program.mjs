import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const BINARY =
  process.env.CHATSTATS_BIN ?? fileURLToPath(new URL('../../../target/debug/chatstats', import.meta.url));

/** The real program on a data directory of its own, for one test file. */
export class Program {
  #child;
  #log = '';

  /** Starts it on a free port; with a Redis if its address is given, and with the text of a `config.toml`. */
  static async start({ redisUrl, config } = {}) {
    const program = new Program();
    program.redisUrl = redisUrl;
    program.dataDir = await mkdtemp(join(tmpdir(), 'chatstats-e2e-'));
    if (config) await writeFile(join(program.dataDir, 'config.toml'), config);
    await program.up('127.0.0.1:0');
    return program;
  }

  /** Starts it again, or for the first time; without an address where it was before. */
  async up(listen = new URL(this.origin).host) {
    const child = spawn(BINARY, ['serve', '--listen', listen, '--data-dir', this.dataDir], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        CHATSTATS_HEARTBEAT_S: '2',
        ...(this.redisUrl && { CHATSTATS_REDIS_URL: this.redisUrl }),
      },
    });
    this.#child = child;
    child.stderr.on('data', (text) => (this.#log += text));
    const address = new Promise((resolve, reject) => {
      createInterface(child.stdout).on('line', (line) => {
        const match = /^listening on (http:\S+)$/.exec(line);
        if (match) resolve(match[1]);
      });
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the program ended with ${code}:\n${this.#log}`)));
    });
    this.url = await address;
    this.origin = new URL(this.url).origin;
    this.token = new URL(this.url).searchParams.get('token');
  }

  /** Ends it as a user would, and waits until it is gone. */
  async down() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await gone;
  }

  /** Ends it as a crash would. */
  async kill() {
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }

  /** Ends it and removes its data. */
  async remove() {
    await this.down();
    await rm(this.dataDir, { recursive: true, force: true });
  }

  /** Asks the API as a script does; throws on anything but a success. */
  async api(path, body) {
    const response = await fetch(this.origin + path, {
      method: body ? 'POST' : 'GET',
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** Publishes events, `[scope, type, data]` each, and gives their ids. */
  async publish(...events) {
    const body = events.map(([scope, type, data = {}]) => ({ scope, type, data }));
    return (await this.api('/api/bus/events', body)).ids;
  }

  /** Posts messages to a chat of a bridge; gives the chat's id. `messages` are texts, or fields of a message. */
  async post(chat, messages) {
    const sent = messages.map(complete);
    const posted = await this.api('/api/live-sync/messages', {
      source: 'bridge',
      chat: { key: chat, title: chat },
      messages: sent,
    });
    return posted.chat_id;
  }
}

let nextKey = 1;
let lastTime = 0;

/** Now, but later than the last time it was asked: the order of messages is the order they are given in. */
function tick() {
  lastTime = Math.max(Date.now(), lastTime + 1);
  return new Date(lastTime).toISOString();
}

function complete(message) {
  const fields = typeof message === 'string' ? { content: message } : message;
  return {
    key: `key-${nextKey++}`,
    sender: { key: 'anna', name: 'Anna Schmidt' },
    is_from_me: false,
    timestamp: tick(),
    ...fields,
  };
}

/** `count` messages of two people, a minute apart, the last one at `end`. */
export function history(count, end = Date.UTC(2024, 5, 30, 20)) {
  return Array.from({ length: count }, (_, i) => ({
    content: `history ${i + 1}`,
    timestamp: new Date(end - (count - 1 - i) * 60_000).toISOString(),
    sender: i % 3 ? { key: 'anna', name: 'Anna Schmidt' } : { key: 'ben', name: 'Ben Okafor' },
  }));
}
