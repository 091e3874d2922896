import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A Redis of one's own on a free port of loopback, which keeps its data over a stop. A machine without one fails. */
export class Redis {
  #child;

  static async start() {
    const redis = new Redis();
    redis.dir = await mkdtemp(join(tmpdir(), 'chatstats-redis-'));
    redis.port = await freePort();
    redis.url = `redis://127.0.0.1:${redis.port}/`;
    await redis.up();
    return redis;
  }

  /** Starts it, again or for the first time, and waits until it answers. */
  async up() {
    const settings = ['--port', this.port, '--bind', '127.0.0.1', '--dir', this.dir, '--appendonly', 'yes'];
    this.#child = spawn('redis-server', settings.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
    const ready = new Promise((resolve, reject) => {
      this.#child.stdout.on('data', (text) => String(text).includes('Ready to accept') && resolve());
      this.#child.once('error', reject);
      this.#child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}`)));
    });
    await ready;
  }

  /** Stops it and waits until it is gone. */
  async down() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await gone;
  }

  async remove() {
    await this.down();
    await rm(this.dir, { recursive: true, force: true });
  }

  /** Runs a command as a person at a terminal does; gives what it prints. */
  async cli(...command) {
    const { stdout } = await run('redis-cli', ['-p', String(this.port), ...command.map(String)]);
    return stdout.trim();
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
