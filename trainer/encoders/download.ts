/** Downloads into memory, bounded, through the user's proxy and with the user's certificates. */
import { readFile } from 'node:fs/promises';
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { getCACertificates } from 'node:tls';

/** How to reach the network. */
export interface Transport {
  /** HTTP_PROXY, HTTPS_PROXY, NO_PROXY as curl knows them. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** File of certificates to trust besides those that Node.js trusts. */
  readonly certificates?: string | undefined;
  /** `host` or `host:port` whose certificate is not checked. */
  readonly trustedHosts?: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

export interface DownloadOptions {
  /** Bytes; a longer answer is refused. */
  readonly limit: number;
  onBytes(received: number): void;
  readonly accept?: string;
}

const MAX_REDIRECTS = 5;

/** Milliseconds without a byte. */
const SILENCE = 60_000;

/**
 * The body of `url`, redirects followed.
 * @throws Error with the HTTP status, the name of the system's error, or the limit that was passed.
 */
export async function download(
  url: string,
  options: DownloadOptions,
  transport: Transport,
): Promise<Uint8Array<ArrayBuffer>> {
  let at = new URL(url);
  for (let i = 0; i <= MAX_REDIRECTS; i++) {
    const response = await open(at, options, transport);
    const { statusCode = 0, headers } = response;
    if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined) {
      response.destroy();
      const next = new URL(headers.location, at);
      if (at.protocol === 'https:' && next.protocol !== 'https:')
        throw new Error(`${at.host} redirects from https to ${next.protocol}`);
      at = next;
    } else if (statusCode === 200) return readBody(response, options);
    else {
      response.destroy();
      throw new Error(`${at.host} answered with HTTP status ${statusCode}`);
    }
  }
  throw new Error(`more than ${MAX_REDIRECTS} redirects`);
}

async function open(url: URL, { accept }: DownloadOptions, transport: Transport): Promise<IncomingMessage> {
  const { environment, certificates, trustedHosts = [], signal } = transport;
  const secure = url.protocol === 'https:';
  if (!secure && url.protocol !== 'http:') throw new Error(`${url.protocol} is no address to download from`);
  const proxyEnv = environment as NodeJS.ProcessEnv;
  const agent = secure
    ? new HttpsAgent({
        proxyEnv,
        rejectUnauthorized: !trustedHosts.some((host) => host === url.host || host === url.hostname),
        ...(certificates !== undefined && {
          ca: [...getCACertificates('default'), await readFile(certificates, 'utf8')],
        }),
      })
    : new HttpAgent({ proxyEnv });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = (secure ? requestHttps : requestHttp)(url, {
    agent,
    timeout: SILENCE,
    headers: { 'user-agent': 'plumbline-trainer', ...(accept !== undefined && { accept }) },
    ...(signal && { signal }),
  });
  request.on('response', resolve);
  request.on('timeout', () => request.destroy(new Error(`${url.host} was silent for ${SILENCE / 1000} s`)));
  request.on('error', (cause: NodeJS.ErrnoException) =>
    reject(new Error(`${url.host} cannot be reached (${cause.code ?? cause.message})`, { cause })),
  );
  request.end();
  return promise;
}

async function readBody(
  response: IncomingMessage,
  { limit, onBytes }: DownloadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let received = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    received += chunk.length;
    if (received > limit) throw new Error(`the answer is longer than the ${limit} bytes expected`);
    chunks.push(chunk);
    onBytes(received);
  }
  const expected = response.headers['content-length'];
  if (expected !== undefined && received !== Number(expected))
    throw new Error(`the connection broke after ${received} of ${expected} bytes`);
  const body = new Uint8Array(received);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}
