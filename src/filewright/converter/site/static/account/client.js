// @ts-check
/**
 * The account's side of the HTTP API, called in the name of whoever is signed in.
 *
 * Who that is says a cookie that no script can read. Signing in brings tokens for the moment that it takes to exchange
 * them for the cookie; after it no script of this page knows anything that would let anybody in.
 */
import { Problem, newId } from '../api.js';

const LONGEST_ANSWER = 30_000;
/** A large file over a slow line. */
const LONGEST_UPLOAD = 600_000;
const PAGE = 100;

/**
 * @typedef {{kind: string, id: string|null, email: string|null, email_verified: boolean, tier: string,
 *   role: string|null, created_at: string|null}} Account
 * @typedef {{id: string, name: string, hint: string, mode: string, created_at: string, expires_at: string|null,
 *   last_used_at: string|null, key?: string}} Key
 * @typedef {{id: string, current: boolean, address: string|null, agent: string|null, created_at: string,
 *   last_seen_at: string, expires_at: string}} Session
 * @typedef {{id: string, status: 'running'|'done', requested_at: string, finished_at: string|null,
 *   certificate: any}} Erasure
 * @typedef {{id: string, filename: string, format: string, bytes: number,
 *   faces: {family: string, style: string}[]}} Font
 * @typedef {{data: Font[], next_cursor: string|null, fonts: number, max_fonts: number, bytes: number, max_bytes: number}} Fonts
 * @typedef {{pointer: string, detail: string}} FieldError
 */

/** A refusal, and which fields it is about. */
export class Refusal extends Problem {
  /** @param {Problem} problem @param {FieldError[]} errors */
  constructor(problem, errors) {
    super(problem.told());
    this.errors = errors;
  }
}

/** @param {{here: boolean, onEnd?: () => void}} options `here`: somebody is signed in; `onEnd`: that is over, though nobody said so here */
export function createClient({ here, onEnd = () => {} }) {
  /** Into the cookie, and out of memory. */
  async function stay(/** @type {Promise<Response>} */ answer) {
    const tokens = await json(answer);
    await send('POST', '/v1/auth/cookie', { token: tokens.access_token });
    here = true;
  }

  /** A call in the person's name. */
  async function own(/** @type {string} */ method, /** @type {string} */ path, /** @type {any} */ body = undefined) {
    try {
      return await send(method, path, { body });
    } catch (problem) {
      if (problem instanceof Problem && problem.status === 401) {
        here = false;
        onEnd();
      }
      throw problem;
    }
  }
  const ask = (/** @type {string} */ path) => json(own('GET', path));
  /** Nothing where the service has no such thing. */
  const askIfThere = (/** @type {string} */ path) => ask(path).catch((problem) => {
    if (problem instanceof Problem && problem.status === 404) return null;
    throw problem;
  });
  const open = (/** @type {string} */ name, /** @type {any} */ body = undefined) => send('POST', `/v1/auth/${name}`, { body });
  const list = (/** @type {string} */ path) => ask(`${path}?limit=${PAGE}`).then((page) => page.data);

  return {
    ask,
    own: (/** @type {string} */ method, /** @type {string} */ path, /** @type {any} */ body = undefined) => own(method, path, body),

    /** Whether somebody has signed in, as far as can be known without asking. */
    isSignedIn: () => here,
    signIn: (/** @type {string} */ email, /** @type {string} */ password) => stay(open('login', { email, password })),
    async signOut() {
      here = false;
      await open('logout').catch(() => null);
    },
    /** @returns {Promise<{authorization_url: string, flow: string}>} */
    beginElsewhere: () => json(open('oidc')),
    finishElsewhere: (/** @type {{flow: string, code: string, state: string}} */ brought) => stay(open('oidc/finish', brought)),
    register: (/** @type {string} */ email, /** @type {string} */ password) => open('register', { email, password }),
    forgot: (/** @type {string} */ email) => open('password/forgot', { email }),
    reset: (/** @type {string} */ code, /** @type {string} */ password) => open('password/reset', { code, password }),
    verify: (/** @type {string} */ code) => open('verify', { code }),
    verifyAgain: (/** @type {string} */ email) => open('verify/resend', { email }),

    /** @returns {Promise<Account>} */
    me: () => ask('/v1/me'),
    limits: () => ask('/v1/me/limits'),
    usage: () => askIfThere('/v1/me/usage?limit=12'),
    invoices: () => askIfThere(`/v1/me/invoices?limit=${PAGE}`),
    changePassword: (/** @type {string} */ present, /** @type {string} */ following) =>
      own('POST', '/v1/me/password', { current_password: present, new_password: following }),
    /** @returns {Promise<Session[]>} */
    sessions: () => list('/v1/me/sessions'),
    endSession: (/** @type {string} */ id) => own('DELETE', at('/v1/me/sessions', id)),
    /** @returns {Promise<Key[]>} */
    keys: () => list('/v1/api-keys'),
    /** @returns {Promise<Key>} */
    makeKey: (/** @type {object} */ wanted) => json(own('POST', '/v1/api-keys', wanted)),
    revokeKey: (/** @type {string} */ id) => own('DELETE', at('/v1/api-keys', id)),
    /** All of them; nothing where there are none to be had. @returns {Promise<Fonts|null>} */
    async fonts() {
      const all = await askIfThere(`/v1/fonts?limit=${PAGE}`);
      for (let page = all; page?.next_cursor;) {
        page = await ask(`/v1/fonts?limit=${PAGE}&cursor=${encodeURIComponent(page.next_cursor)}`);
        all.data.push(...page.data);
      }
      return all;
    },
    /** @returns {Promise<Font>} */
    addFont(/** @type {File} */ file) {
      const body = new FormData();
      body.append('file', file);
      return json(own('POST', '/v1/fonts', body));
    },
    removeFont: (/** @type {string} */ id) => own('DELETE', at('/v1/fonts', id)),
    webhooks: () => list('/v1/webhooks'),
    makeWebhook: (/** @type {string} */ url) => json(own('POST', '/v1/webhooks', { url })),
    removeWebhook: (/** @type {string} */ id) => own('DELETE', at('/v1/webhooks', id)),

    /** Whether what is kept can be had: a download that breaks off says nothing. */
    exported: () => own('GET', '/v1/me/export'),
    /** @returns {Promise<Erasure>} */
    erase: () => json(own('DELETE', '/v1/me')),
    /** Asked by whoever knows its id; the account is nobody's by then. @returns {Promise<Erasure>} */
    erasure: (/** @type {string} */ id) => json(send('GET', at('/v1/erasures', id))),
    /** Nobody is here any more. */
    left() {
      here = false;
    },
  };
}

/** @typedef {ReturnType<typeof createClient>} Client */

const at = (/** @type {string} */ path, /** @type {string} */ id) => `${path}/${encodeURIComponent(id)}`;

/** @param {string} method @param {string} path @param {{body?: any, token?: string}} [said] */
async function send(method, path, { body, token } = {}) {
  const isForm = body instanceof FormData;
  const headers = {
    ...(token && { Authorization: `Bearer ${token}` }),
    ...(method === 'POST' && { 'Idempotency-Key': newId() }),
    ...(body && !isForm && { 'Content-Type': 'application/json' }),
  };
  const signal = AbortSignal.timeout(isForm ? LONGEST_UPLOAD : LONGEST_ANSWER);
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: isForm ? body : body && JSON.stringify(body), signal });
  } catch {
    throw Problem.offline();
  }
  if (answer.ok) return answer;
  const words = await answer.text().catch(() => '');
  throw new Refusal(Problem.read(answer.status, words, answer.headers.get('retry-after')), fieldsOf(words));
}

/** @returns {FieldError[]} */
function fieldsOf(/** @type {string} */ words) {
  try {
    return JSON.parse(words).errors ?? [];
  } catch {
    return [];
  }
}

/** @returns {Promise<any>} */
const json = async (/** @type {Promise<Response>} */ answer) => (await answer).json().catch(() => {
  throw Problem.offline();
});
