// @ts-check
/** Whoever is not signed in: sign in, open an account, and the two ways that begin in a letter. */
import { Problem } from '../api.js';
import { h } from '../dom.js';
import { field, form, link, passwordField, said, tell, wordsOf } from './parts.js';
import { say } from './words.js';

/** @typedef {import('./client.js').Client} Client */

/** Fewer are refused by the service anyhow; said here in the visitor's language. */
const LEAST_CHARS = 8;

const FLOW = 'filewright.flow';

/**
 * @param {{client: Client, onSignedIn: () => Promise<void>, show: (view: HTMLElement) => void, local: boolean,
 *   provider: string}} parts `provider`: where else people may sign in; empty: nowhere
 */
export function createEntry({ client, onSignedIn, show, local, provider }) {
  /** Taken along from form to form. */
  let address = '';
  const email = () => {
    const made = field('/email', 'form.email', { type: 'email', autocomplete: 'username', inputmode: 'email', spellcheck: 'false', maxlength: 320, value: address });
    made.input.addEventListener('input', () => (address = made.input.value));
    return made;
  };
  const view = (/** @type {string} */ title, /** @type {string|null} */ lead, /** @type {any[]} */ ...children) =>
    show(h('div', { class: 'entry' }, said('h1', title, { tabindex: -1 }), lead && said('p', lead, { class: 'lead' }), children));
  const ways = (/** @type {any[]} */ ...links) => h('p', { class: 'ways' }, links);
  const begin = async (/** @type {string} */ password) => {
    await client.signIn(address, password);
    await onSignedIn();
  };
  const nobodyNeedsIt = () => local && h('p', { class: 'aside' }, said('span', 'entry.local'), ' ', said('a', 'entry.local.go', { href: '/' }));

  /** The way to the provider, and a word where it is not open. */
  function elsewhere() {
    const refused = h('p', { class: 'notice', role: 'alert', hidden: true });
    const go = h('button', { type: 'button', class: 'button quiet', onclick: leave }, said('span', 'entry.elsewhere'), ' · ', h('bdi', {}, provider));
    async function leave() {
      try {
        const { authorization_url, flow } = await client.beginElsewhere();
        sessionStorage.setItem(FLOW, flow);
        location.assign(authorization_url);
      } catch (problem) {
        refused.replaceChildren(h('span', {}, wordsOf(problem)));
        refused.hidden = false;
      }
    }
    return h('div', { class: 'elsewhere' }, go, refused);
  }

  /** Back from the provider, with what it sent along. @param {URLSearchParams} brought */
  async function comeBack(brought) {
    const [flow, code, state] = [sessionStorage.getItem(FLOW), brought.get('code'), brought.get('state')];
    sessionStorage.removeItem(FLOW);
    try {
      if (!flow || !code || !state) throw new Problem({ code: 'unauthenticated', status: 401 });
      await client.finishElsewhere({ flow, code, state });
    } catch (problem) {
      signIn();
      const words = problem instanceof Problem && problem.status === 401 ? [say('entry.elsewhere.failed')] : wordsOf(problem);
      const refused = h('p', { class: 'notice', role: 'alert' }, h('span', {}, words));
      document.querySelector('.elsewhere')?.append(refused);
      return;
    }
    await onSignedIn();
  }

  function signIn(/** @type {string} */ note = '') {
    const [who, password] = [email(), passwordField('/password', 'form.password', 'current-password')];
    view('entry.title', 'entry.lead', nobodyNeedsIt(), note && said('p', note, { class: 'aside good', role: 'status' }),
      h('div', { class: 'card' }, form({
        fields: [who, password], submit: 'entry.in', place: 'login',
        onSubmit: () => begin(password.input.value),
      }).element, provider && elsewhere()),
      ways(link('entry.new', () => signUp()), link('entry.forgot', () => forgot())));
  }

  function signUp() {
    const [who, password] = [email(), passwordField('/password', 'form.password', 'new-password', 'form.password.hint')];
    view('entry.up.title', 'entry.up.lead', nobodyNeedsIt(),
      h('div', { class: 'card' }, form({
        fields: [who, password], submit: 'entry.up', place: 'register',
        async onSubmit() {
          if (isShort(password)) return;
          await client.register(address, password.input.value);
          // The service says the same to every address. Whoever may come in at once does; the others read their letter.
          await begin(password.input.value).catch((problem) => {
            if (![401, 403].includes(problem.status)) throw problem;
            confirm('entry.letter');
          });
        },
      }).element),
      ways(link('entry.have', () => signIn())));
  }

  function forgot() {
    view('entry.forgot.title', 'entry.forgot.lead',
      h('div', { class: 'card' }, form({
        fields: [email()], submit: 'entry.forgot.send', place: 'forgot',
        async onSubmit() {
          await client.forgot(address);
          reset('');
        },
      }).element),
      ways(link('entry.have', () => signIn())));
  }

  /** @param {string} given the code that a letter's link brought */
  function reset(given) {
    const code = codeField(given);
    const password = passwordField('/password', 'form.password.new', 'new-password', 'form.password.hint');
    view('entry.reset.title', given ? 'entry.reset.lead' : 'entry.reset.sent',
      h('div', { class: 'card' }, form({
        fields: [code, password], submit: 'entry.reset',
        async onSubmit() {
          if (isShort(password)) return;
          await client.reset(code.input.value.trim(), password.input.value);
          signIn('entry.reset.done');
        },
      }).element),
      ways(link('entry.have', () => signIn())));
  }

  /** @param {string} lead @param {string} [given] the code that a letter's link brought */
  function confirm(lead, given = '') {
    const code = codeField(given);
    view('entry.confirm.title', lead,
      h('div', { class: 'card' }, form({
        fields: [code], submit: 'entry.confirm',
        async onSubmit() {
          await client.verify(code.input.value.trim());
          if (client.isSignedIn()) await onSignedIn();
          else signIn('entry.confirm.done');
        },
      }).element),
      ways(client.isSignedIn() ? link('entry.back', () => onSignedIn()) : link('entry.have', () => signIn()),
        address && link('entry.again', again)));
  }

  async function again(/** @type {Event} */ event) {
    const pressed = /** @type {HTMLElement} */ (event.currentTarget);
    await client.verifyAgain(address).then(() => say('entry.again.done'), (problem) => problem.message).then((words) => {
      pressed.textContent = words;
      tell(words);
    });
  }

  const codeField = (/** @type {string} */ given) =>
    field('/code', 'form.code', { autocomplete: 'one-time-code', spellcheck: 'false', maxlength: 200, value: given }, 'form.code.hint');

  function isShort(/** @type {import('./parts.js').Field} */ password) {
    const short = Array.from(password.input.value).length < LEAST_CHARS;
    if (short) {
      password.show(document.createTextNode(say('refused.short', { n: LEAST_CHARS })));
      password.input.focus();
    }
    return short;
  }

  return { signIn, reset, confirm, comeBack };
}
