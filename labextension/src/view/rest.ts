/** Ask the Jupyter server that the page came from: actions over REST, news over one WebSocket for each workspace. */

import { EventStream } from './stream';
import { ChartHead, News, pathOf, Points, pointsOf, Query, Refused, Source } from './source';

/** Where the page's server is, from the page's own configuration. */
export interface Page {
  baseUrl: string;
  token: string;
}

/** Return the configuration of the Jupyter page, or null where this is none (VS Code, Colab, an exported notebook). */
export function jupyterPage(): Page | null {
  const written = document.getElementById('jupyter-config-data')?.textContent;
  if (!written) {
    return null;
  }
  try {
    const found = JSON.parse(written) as { baseUrl?: string; token?: string };
    const base = found.baseUrl ?? '/';
    return { baseUrl: base.endsWith('/') ? base : `${base}/`, token: found.token ?? '' };
  } catch {
    return null;
  }
}

/** Ask `path` below the API's root, and return the JSON or raise `Refused`. */
export async function ask<T>(page: Page, method: string, path: string, body?: unknown): Promise<T> {
  return (await (await request(page, method, path, body)).json()) as T;
}

async function request(page: Page, method: string, path: string, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  const xsrf = /(?:^|; )_xsrf=([^;]+)/.exec(document.cookie);
  if (xsrf && method !== 'GET') {
    headers['X-XSRFToken'] = xsrf[1];
  }
  if (page.token) {
    headers.Authorization = `token ${page.token}`;
  }
  if (body !== undefined) {
    headers['Content-Type'] = 'application/json';
  }
  const answer = await fetch(`${page.baseUrl}aml/api/${path}`, {
    method,
    headers,
    credentials: 'same-origin',
    cache: 'no-store',
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) {
    const said = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
    const message = typeof said.message === 'string' ? said.message : answer.statusText;
    throw new Refused(message, answer.status, (said.field as string | null) ?? null);
  }
  return answer;
}

/** Answers for one workspace of the page's server. */
export class RestSource implements Source {
  private readonly root: string;
  private readonly stream: EventStream;

  private constructor(
    private readonly page: Page,
    readonly workspace: string,
  ) {
    this.root = `workspaces/${encodeURIComponent(workspace)}`;
    this.stream = new EventStream(() => this.address());
  }

  /** Return the page's one source for a workspace, so that all its views share one WebSocket. */
  static of(page: Page, workspace: string): RestSource {
    const key = `${page.baseUrl} ${workspace}`;
    const known = RestSource.known.get(key) ?? new RestSource(page, workspace);
    RestSource.known.set(key, known);
    return known;
  }

  get<T>(path: string, query: Query = {}): Promise<T> {
    return ask<T>(this.page, 'GET', `${this.root}${path && `/${path}`}${queryText(query)}`);
  }

  send<T>(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T> {
    const sent = body ?? (method === 'DELETE' ? undefined : {});
    return ask<T>(this.page, method, `${this.root}/${path}`, sent);
  }

  async chart(path: string, query: Query): Promise<Points> {
    const asked = `${this.root}/${path}${queryText({ ...query, binary: true })}`;
    const frame = await (await request(this.page, 'GET', asked)).arrayBuffer();
    const size = new DataView(frame).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(frame, 4, size))) as ChartHead;
    return pointsOf(head, frame.slice(8 * Math.ceil((4 + size) / 8)));
  }

  imageUrl(run: string, name: string): Promise<string> {
    return Promise.resolve(this.fileUrl(run, name));
  }

  fileUrl(run: string, name: string, download = false): string {
    const path = `${pathOf('runs', run, 'files')}/${name.split('/').map(encodeURIComponent).join('/')}`;
    return `${this.page.baseUrl}aml/api/${this.root}/${path}${queryText({ download: download || null })}`;
  }

  listen(listener: (news: News) => void): () => void {
    return this.stream.listen(listener);
  }

  watch(listener: (connected: boolean) => void): () => void {
    return this.stream.watch(listener);
  }

  private address(): string {
    const url = new URL(`${this.page.baseUrl}aml/api/${this.root}/events`, window.location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    if (this.page.token) {
      url.searchParams.set('token', this.page.token);
    }
    return url.toString();
  }

  private static readonly known = new Map<string, RestSource>();
}

function queryText(query: Query): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') {
      given.set(name, String(value));
    }
  }
  const text = given.toString();
  return text && `?${text}`;
}
