// @ts-check
/**
 * The service's HTTP API, one function per call: JSON in, JSON out, `Problem` thrown.
 *
 * A lost connection is a problem like any other, with the code `offline`. What is worth repeating says so
 * (`retryable`), and `retrying` repeats it. Bytes of uploads go by `uploads.js`, news of jobs by `events.js`.
 */

const LONGEST_ANSWER = 30_000;
const BACK_OFF = [500, 1000, 2000, 4000, 8000];
const STATUS_CODES = { 404: 'not_found', 410: 'expired', 413: 'too_large', 429: 'rate_limited', 503: 'overloaded' };

/**
 * @typedef {{id: string, name: string, family: string, extensions: string[], media_types: string[],
 *   targets: string[], suggested_targets: string[]}} Format
 * @typedef {{id: string, state: string, filename: string, bytes: number, received: number, format: string|null,
 *   media_type: string|null, targets: string[], suggested_targets: string[]}} Upload
 * @typedef {{name: string, media_type: string, bytes: number, url: string, pages?: number, width?: number,
 *   height?: number, duration?: number}} Output
 * @typedef {{id: string, status: 'queued'|'running'|'succeeded'|'failed'|'cancelled'|'expired', stage: string|null,
 *   progress: number, source_format: string, target_format: string, route: object[], inputs: object[],
 *   outputs: Output[], error?: Told, queue_position?: number, estimated_seconds?: number, tag: string|null,
 *   expires_at: string|null}} Job
 * @typedef {{code: string, title: string, detail: string, status: number, retryable: boolean,
 *   retryAfter: number|null}} Told   a problem as a row keeps it
 */

/** Why something was not done. */
export class Problem extends Error {
  /** @param {Partial<Told> & {code: string}} told */
  constructor(told) {
    super(told.detail || told.title || told.code);
    this.code = told.code;
    this.title = told.title ?? '';
    this.detail = told.detail ?? '';
    this.status = told.status ?? 0;
    this.retryable = told.retryable ?? false;
    this.retryAfter = told.retryAfter ?? null;
  }

  /** What a refusal says; also one that a proxy made, which knows nothing of problems. @param {Response} response */
  static async of(response) {
    return Problem.read(response.status, await response.text().catch(() => ''), response.headers.get('retry-after'));
  }

  /** @param {number} status @param {string} body @param {string|null} [after] `Retry-After` */
  static read(status, body, after = null) {
    const seconds = Number.parseFloat(after ?? '');
    const told = { status, retryAfter: Number.isFinite(seconds) ? seconds : null };
    try {
      const { code, title, detail, retryable } = JSON.parse(body);
      if (code) return new Problem({ code, title, detail, retryable, ...told });
    } catch {
      // Not JSON: the status is all there is.
    }
    const retryable = status === 429 || status >= 502;
    return new Problem({ code: STATUS_CODES[/** @type {404} */ (status)] ?? 'internal', retryable, ...told });
  }

  static offline() {
    return new Problem({ code: 'offline', title: 'No connection', retryable: true });
  }

  /** @returns {Told} plain, as it can be kept and compared */
  told() {
    const { code, title, detail, status, retryable, retryAfter } = this;
    return { code, title, detail, status, retryable, retryAfter };
  }
}

/** Whether the thing itself is not there (any more). @param {unknown} problem */
export const isGone = (problem) => problem instanceof Problem && (problem.status === 404 || problem.status === 410);

/** An unguessable name. `randomUUID` is missing where the page is not served safely, as in a home network. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Repeats `action` until it answers, or refuses for good, or `signal` ends the waiting. Waits ever longer, as long as
 * the service asks for, and not a moment longer once the connection is back.
 * @template T
 * @param {(attempt: number) => Promise<T>} action
 * @param {{signal?: AbortSignal, onLost?: (lost: boolean) => void}} [options] `onLost` tells of the connection
 * @returns {Promise<T>}
 */
export async function retrying(action, { signal, onLost = () => {} } = {}) {
  for (let attempt = 0; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      const answer = await action(attempt);
      onLost(false);
      return answer;
    } catch (problem) {
      if (!(problem instanceof Problem && problem.retryable)) throw problem;
      onLost(problem.code === 'offline');
      const pause = BACK_OFF[Math.min(attempt, BACK_OFF.length - 1)];
      await pausing(Math.max(pause, (problem.retryAfter ?? 0) * 1000), signal);
    }
  }
}

/** Waits; the connection's return ends it early, and so does `signal`, by throwing. */
function pausing(/** @type {number} */ milliseconds, /** @type {AbortSignal|undefined} */ signal) {
  return new Promise((resolve, reject) => {
    const over = (/** @type {Event} */ event) => {
      clearTimeout(timer);
      removeEventListener('online', over);
      signal?.removeEventListener('abort', over);
      if (event?.type === 'abort') reject(signal?.reason);
      else resolve(undefined);
    };
    const timer = setTimeout(over, milliseconds);
    addEventListener('online', over);
    signal?.addEventListener('abort', over);
  });
}

/** Told when the service does not know any more who is asking. */
let onEnd = () => {};

/** @param {string} method @param {string} path @param {RequestInit} [init] @returns {Promise<Response>} */
async function call(method, path, init = {}) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(path, { signal: AbortSignal.timeout(LONGEST_ANSWER), ...init, method });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw Problem.offline();
  }
  if (response.status === 401) onEnd();
  if (!response.ok) throw await Problem.of(response);
  return response;
}

/** An answer may break off in the middle, too. @returns {Promise<any>} */
const json = async (/** @type {Promise<Response>} */ answer) => {
  const response = await answer;
  return response.json().catch(() => {
    throw Problem.offline();
  });
};

const get = (/** @type {string} */ path, /** @type {Record<string, any>} */ query = {}) => {
  const asked = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  return json(call('GET', asked.length ? `${path}?${new URLSearchParams(asked)}` : path));
};

/** Every POST carries a key, so that whoever lost the answer may ask once more and nothing is done twice. */
const post = (/** @type {string} */ path, /** @type {string} */ key, /** @type {any} */ body = undefined) =>
  call('POST', path, {
    headers: { 'Idempotency-Key': key, ...(body && { 'Content-Type': 'application/json' }) },
    body: body && JSON.stringify(body),
  });

const at = (/** @type {string} */ kind, /** @type {string} */ id) => `/v1/${kind}/${encodeURIComponent(id)}`;

/** The calls. @param {{onEnd?: () => void}} [options] */
export function createApi(options = {}) {
  onEnd = options.onEnd ?? onEnd;
  return {
    formats: () => get('/v1/formats').then((/** @type {any} */ page) => /** @type {Format[]} */ (page.data)),
    limits: () => get('/v1/me/limits'),
    route: (/** @type {string} */ from, /** @type {string} */ to) => get('/v1/routes', { from, to }),

    /** @returns {Promise<Upload>} */
    upload: (/** @type {string} */ id) => get(at('uploads', id)),
    deleteUpload: (/** @type {string} */ id) => call('DELETE', at('uploads', id)),

    /** @param {any} order the body of `POST /v1/jobs` @returns {Promise<Job>} */
    createJob: (order, key = newId()) => json(post('/v1/jobs', key, order)),
    /** Asks whether an order would be taken; nothing is made. */
    tryJob: (/** @type {any} */ order) => json(post('/v1/jobs', newId(), { ...order, dry_run: true })),
    /** @returns {Promise<Job>} */
    job: (/** @type {string} */ id, /** @type {number|undefined} */ wait = undefined) => get(at('jobs', id), { wait }),
    /** @param {{cursor?: string, limit?: number, tag?: string, status?: string}} [query]
     *  @returns {Promise<{data: Job[], next_cursor: string|null}>} */
    jobs: (query) => get('/v1/jobs', query),
    /** @returns {Promise<Job>} */
    cancel: (/** @type {string} */ id, key = newId()) => json(post(`${at('jobs', id)}/cancel`, key)),
    /** @returns {Promise<Job>} */
    retry: (/** @type {string} */ id, key = newId()) => json(post(`${at('jobs', id)}/retry`, key)),
    deleteJob: (/** @type {string} */ id) => call('DELETE', at('jobs', id)),

    blob: (/** @type {string} */ url, /** @type {RequestInit} */ init = {}) =>
      call('GET', url, { signal: undefined, ...init }).then((response) => response.blob()),
  };
}

/** @typedef {ReturnType<typeof createApi>} Api */

/**
 * What can be made of what, asked once. Until `ready` there is nothing in it.
 * @param {Api} api
 */
export function createCatalogue(api) {
  /** @type {Map<string, Format>} */
  const byId = new Map();
  /** @type {Map<string, Format>} */
  const byExtension = new Map();
  /** @type {Map<string, Promise<any>>} */
  const routes = new Map();

  const catalogue = {
    /** @type {Format[]} */
    formats: [],
    /** @type {any} */
    limits: null,
    ready: Promise.resolve(),

    format: (/** @type {string|null} */ id) => byId.get(id ?? ''),

    /** By the longest ending that is known: `.tar.gz` before `.gz`. @param {string} name */
    fromName(name) {
      const parts = name.toLowerCase().split('.');
      for (let n = 1; n < parts.length; n += 1) {
        const found = byExtension.get(parts.slice(n).join('.'));
        if (found) return found;
      }
      return undefined;
    },

    /** @param {string} from @param {string} to */
    route(from, to) {
      const name = `${from} ${to}`;
      if (!routes.has(name)) routes.set(name, api.route(from, to));
      const route = /** @type {Promise<any>} */ (routes.get(name));
      route.catch(() => routes.delete(name)); // what failed may be asked again
      return route;
    },
  };

  const know = (/** @type {Format[]} */ formats) => {
    for (const format of formats) {
      byId.set(format.id, format);
      for (const ending of format.extensions) if (!byExtension.has(ending)) byExtension.set(ending, format);
    }
    catalogue.formats = formats;
  };
  catalogue.ready = Promise.all([
    retrying(() => api.formats()).then(know),
    retrying(() => api.limits()).then((limits) => (catalogue.limits = limits)),
  ]).then(() => undefined);
  return catalogue;
}

/** @typedef {ReturnType<typeof createCatalogue>} Catalogue */
