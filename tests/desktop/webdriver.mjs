// As much of WebDriver as the tests need, spoken to WebKit's own driver.

import { spawn } from 'node:child_process';
import { createServer } from 'node:net';

import { end, until } from './screen.mjs';

const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';

/** Starts the program under WebKit's driver, with `args`; `stop` closes both. */
export async function drive(program, args, env) {
  const port = await freePort();
  const driver = spawn('WebKitWebDriver', [`--port=${port}`], { env: { ...env, ...AUTOMATION }, stdio: 'inherit' });
  const base = `http://127.0.0.1:${port}`;
  try {
    await until('the driver answers', async () => (await fetch(`${base}/status`)).ok);
    const capabilities = { alwaysMatch: { 'webkitgtk:browserOptions': { binary: program, args } } };
    const { sessionId } = await call('POST', `${base}/session`, { capabilities });
    return { ...page(`${base}/session/${sessionId}`), stop: () => end(driver) };
  } catch (error) {
    await end(driver);
    throw error;
  }
}

/** Has the program offer its webview to the driver. */
const AUTOMATION = { TAURI_AUTOMATION: 'true', TAURI_WEBVIEW_AUTOMATION: 'true' };

function page(session) {
  const find = async (css) => (await call('POST', `${session}/element`, { using: 'css selector', value: css }))[ELEMENT];
  const script = (body, ...args) => call('POST', `${session}/execute/sync`, { script: body, args });
  return {
    url: () => call('GET', `${session}/url`),
    script,
    /** As `script`, for a body that calls its last argument with the result. */
    asyncScript: (body, ...args) => call('POST', `${session}/execute/async`, { script: body, args }),
    click: async (css) => call('POST', `${session}/element/${await find(css)}/click`, {}),
    text: () => script('return document.body.innerText'),
    /** Closes the window, which ends the program. */
    close: () => call('DELETE', session),
  };
}

async function call(method, url, body) {
  const answer = await fetch(url, { method, body: body && JSON.stringify(body) });
  const { value } = await answer.json();
  if (!answer.ok) throw new Error(`${value.error}: ${value.message}`);
  return value;
}

/** The driver cannot say which port it took, so one is found for it. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
