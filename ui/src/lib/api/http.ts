import type { Problem } from './types';

/** An answer that is not a success, or no answer at all (`status` 0). Its message is fit to be shown. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'ApiError';
  }

  /** The token is missing or was replaced: nothing will be answered until the page is opened anew. */
  get denied(): boolean {
    return this.status === 401;
  }
}

/** Query parameters; those undefined or empty are left out. */
export type Query = Record<string, string | number | boolean | undefined>;

/**
 * Asks the server for JSON.
 *
 * Throws an {@link ApiError} for every answer but a success, and lets an `AbortError` through.
 */
export async function request<T>(path: string, init: RequestInit & { query?: Query } = {}): Promise<T> {
  const { query, ...rest } = init;
  let response: Response;
  try {
    response = await fetch(path + queryString(query), rest);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw unreachable();
  }
  if (!response.ok) throw problem(response.status, await response.text());
  // 204: done, and nothing to say.
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/**
 * Bodies of at most so many characters are sent although the page is left meanwhile. Browsers allow 64 KiB for all that
 * is under way at once; what a click says takes a hundred bytes.
 */
const KEPT_ALIVE_MAX = 4_096;

/** Sends a JSON body. What a click said is carried out, also if the window is closed in the next moment. */
export function send<T>(method: 'POST' | 'PUT' | 'PATCH', path: string, body?: unknown): Promise<T> {
  if (body === undefined) return request(path, { method, keepalive: true });
  const json = JSON.stringify(body);
  return request(path, {
    method,
    headers: { 'content-type': 'application/json' },
    body: json,
    keepalive: json.length <= KEPT_ALIVE_MAX,
  });
}

/** The error of an answer's status and body. */
export function problem(status: number, body: string): ApiError {
  try {
    const read = JSON.parse(body) as Partial<Problem>;
    if (read.code && read.detail) return new ApiError(status, read.code, read.detail);
  } catch {
    // Not a problem document (a proxy in between, say): the status must do.
  }
  return new ApiError(status, `http_${status}`, `The program answered with an error (HTTP ${status}).`);
}

/** The error of a request that got no answer. */
export function unreachable(): ApiError {
  return new ApiError(0, 'unreachable', 'ChatStats is not running, or cannot be reached. Your data is safe.');
}

/** `?a=1&b=2`, or nothing. */
export function queryString(query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') params.set(name, String(value));
  }
  const text = params.toString();
  return text && `?${text}`;
}
