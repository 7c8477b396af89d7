// @ts-check
/**
 * The account's side of the HTTP API: who has signed in, and calls in that person's name.
 *
 * The access token is nowhere but in this module's memory, for its ten minutes. The refresh token is there, too, while
 * the page is open; when the page is left it is laid into the tab's session storage, and the next page of the tab takes
 * it out again. So it is never written to disk for good, a copied tab does not use it a second time (which would end
 * the session), and closing the tab forgets it. Each exchange has a name of its own, so that one whose answer was lost
 * can be asked for again.
 */
import { Problem, newId } from '../api.js';

const KEPT = 'filewright.session';
const LONGEST_ANSWER = 30_000;
/** Milliseconds before its end at which an access token is no longer used. */
const MARGIN = 30_000;

/**
 * @typedef {{kind: string, id: string|null, email: string|null, email_verified: boolean, tier: string,
 *   role: string|null, created_at: string|null}} Account
 * @typedef {{id: string, name: string, hint: string, mode: string, created_at: string, expires_at: string|null,
 *   last_used_at: string|null, key?: string}} Key
 * @typedef {{id: string, current: boolean, address: string|null, agent: string|null, created_at: string,
 *   last_seen_at: string, expires_at: string}} Session
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

/** @param {{onEnd: () => void}} options `onEnd`: the session is over, though nobody signed out here */
export function createClient({ onEnd }) {
  let access = { token: '', until: 0 };
  let refresh = taken();
  /** @type {Promise<void>|null} */
  let exchange = null;

  const keep = () => {
    try {
      if (refresh) sessionStorage.setItem(KEPT, JSON.stringify(refresh));
    } catch {
      // A tab that may keep nothing is signed in until it is left.
    }
  };
  addEventListener('pagehide', keep);
  addEventListener('pageshow', (event) => {
    if (event.persisted) refresh = taken();
  });

  const sign = (/** @type {any} */ tokens) => {
    access = { token: tokens.access_token, until: Date.now() + tokens.expires_in * 1000 - MARGIN };
    refresh = { token: tokens.refresh_token, key: newId() };
  };
  const forget = () => {
    access = { token: '', until: 0 };
    refresh = null;
  };

  /** A new pair of tokens; whoever asks meanwhile waits for the same. */
  const carryOn = () => {
    exchange ??= renew().finally(() => {
      exchange = null;
    });
    return exchange;
  };

  async function renew() {
    if (!refresh) throw new Problem({ code: 'unauthenticated', status: 401 });
    const { token, key } = refresh;
    try {
      sign(await json(send('POST', '/v1/auth/refresh', { body: { refresh_token: token }, key })));
    } catch (problem) {
      if (problem instanceof Problem && problem.status === 401) {
        forget();
        onEnd();
      }
      throw problem;
    }
  }

  /** A call in the person's name; a token that is not good any more is exchanged once. */
  async function own(/** @type {string} */ method, /** @type {string} */ path, /** @type {any} */ body = undefined) {
    const key = newId();
    if (Date.now() >= access.until) await carryOn();
    try {
      return await send(method, path, { body, key, token: access.token });
    } catch (problem) {
      if (!(problem instanceof Problem) || problem.status !== 401) throw problem;
      await carryOn();
      return send(method, path, { body, key, token: access.token });
    }
  }
  const ask = (/** @type {string} */ path) => json(own('GET', path));
  /** Nothing where the service has no such thing. */
  const askIfThere = (/** @type {string} */ path) => ask(path).catch((problem) => {
    if (problem instanceof Problem && problem.status === 404) return null;
    throw problem;
  });
  const open = (/** @type {string} */ name, /** @type {any} */ body) => send('POST', `/v1/auth/${name}`, { body });

  return {
    /** Whether somebody has signed in, as far as can be known without asking. */
    isSignedIn: () => refresh !== null,
    async signIn(/** @type {string} */ email, /** @type {string} */ password) {
      sign(await json(open('login', { email, password })));
    },
    async signOut() {
      const [token, going] = [access.token, refresh?.token];
      forget();
      await send('POST', '/v1/auth/logout', { body: { refresh_token: going }, token }).catch(() => null);
    },
    register: (/** @type {string} */ email, /** @type {string} */ password) => open('register', { email, password }),
    forgot: (/** @type {string} */ email) => open('password/forgot', { email }),
    reset: (/** @type {string} */ code, /** @type {string} */ password) => open('password/reset', { code, password }),
    verify: (/** @type {string} */ code) => open('verify', { code }),
    verifyAgain: (/** @type {string} */ email) => open('verify/resend', { email }),

    /** @returns {Promise<Account>} */
    me: () => ask('/v1/me'),
    limits: () => ask('/v1/me/limits'),
    usage: () => askIfThere('/v1/me/usage?limit=12'),
    invoices: () => askIfThere('/v1/me/invoices?limit=100'),
    blob: (/** @type {string} */ path) => own('GET', path).then((answer) => answer.blob()),
    changePassword: (/** @type {string} */ present, /** @type {string} */ following) =>
      own('POST', '/v1/me/password', { current_password: present, new_password: following }),
    /** @returns {Promise<Session[]>} */
    sessions: () => ask('/v1/me/sessions?limit=100').then((page) => page.data),
    endSession: (/** @type {string} */ id) => own('DELETE', `/v1/me/sessions/${encodeURIComponent(id)}`),
    /** @returns {Promise<Key[]>} */
    keys: () => ask('/v1/api-keys?limit=100').then((page) => page.data),
    /** @returns {Promise<Key>} */
    makeKey: (/** @type {object} */ wanted) => json(own('POST', '/v1/api-keys', wanted)),
    revokeKey: (/** @type {string} */ id) => own('DELETE', `/v1/api-keys/${encodeURIComponent(id)}`),
  };
}

/** @typedef {ReturnType<typeof createClient>} Client */

/** What the page before in this tab laid down. @returns {{token: string, key: string}|null} */
function taken() {
  try {
    const found = sessionStorage.getItem(KEPT);
    sessionStorage.removeItem(KEPT);
    return found ? JSON.parse(found) : null;
  } catch {
    return null;
  }
}

/** @param {string} method @param {string} path @param {{body?: any, key?: string, token?: string}} [said] */
async function send(method, path, { body, key = newId(), token } = {}) {
  const headers = {
    ...(token && { Authorization: `Bearer ${token}` }),
    ...(method === 'POST' && { 'Idempotency-Key': key }),
    ...(body && { 'Content-Type': 'application/json' }),
  };
  const signal = AbortSignal.timeout(LONGEST_ANSWER);
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal, credentials: 'omit' });
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
