// @ts-check
/**
 * The account page: signed out it is a form (`entry.js`), signed in the account (`home.js`), and after that the proof of
 * its erasure. This module knows which of these is to be seen, what the links of letters want, language and colours. It uses the public API alone.
 */
import { attribute, h } from '../dom.js';
import { language, languages, onLanguage, preferredLanguage, t, translate } from '../i18n.js';
import { icon } from '../icons.js';
import { nextTheme, theme } from '../theme.js';
import { createClient } from './client.js';
import { createEntry } from './entry.js';
import { fontsPart } from './fonts.js';
import { createHome } from './home.js';
import { button, tell, wordsOf } from './parts.js';
import { erasureView } from './privacy.js';
import { say, speak } from './words.js';

const ONWARD = 'filewright.onward';
/** Where people may have been on their way to. @type {Record<string, string>} */
const PLACES = { files: '/', admin: '/admin' };
const at = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const place = at('account');

/** What the view to be seen has to say in another language. */
let draw = () => {};

/** Whoever was sent here to sign in, and where they go on to when they have. */
const onward = wanted();

const client = createClient({ here: place.dataset.here === 'true', onEnd: () => {
  entry.signIn('entry.ended');
} });
const entry = createEntry({ client, onSignedIn: goOn, show, local: place.dataset.local === 'true', provider: place.dataset.provider ?? '' });

/** Another view; the focus goes to its first field, or else to its title. */
function show(/** @type {HTMLElement} */ view) {
  draw = () => {};
  place.replaceChildren(view);
  scrollTo(0, 0);
  /** @type {HTMLElement|null} */
  const first = view.querySelector('.entry input') ?? view.querySelector('h1');
  first?.focus({ preventScroll: true });
}

/** @returns {string} an address of ours, or nothing; it outlives a sign-in elsewhere */
function wanted() {
  const asked = new URLSearchParams(location.search).get('to') ?? '';
  try {
    if (asked) sessionStorage.setItem(ONWARD, asked);
    else if (location.pathname === '/account') sessionStorage.removeItem(ONWARD);
    return PLACES[asked || (sessionStorage.getItem(ONWARD) ?? '')] ?? '';
  } catch {
    return PLACES[asked] ?? '';
  }
}

async function goOn() {
  if (onward) location.assign(onward);
  else await home();
}

async function home() {
  const made = await createHome({
    client,
    onSignedOut: () => entry.signIn('entry.out'),
    onConfirm: () => entry.confirm('entry.code'),
    onErased({ id }) {
      client.left();
      indexedDB.deleteDatabase(`filewright.${made.account.id}`);
      history.replaceState(null, '', `/account#erasure=${id}`);
      erased(id);
    },
  });
  history.replaceState(null, '', '/account'); // what a letter's link wanted is done
  show(made.element);
  draw = made.draw;
  tell(say('home.title'));
}

/** What the owner of a machine has without an account: below the way in, until another view comes. */
async function ownersParts() {
  const view = place.firstChild;
  const fonts = await fontsPart(client).catch(() => null);
  if (!fonts || place.firstChild !== view) return;
  place.append(h('div', { class: 'home' }, fonts.element));
  draw = fonts.draw;
  draw();
}

function erased(/** @type {string} */ id) {
  const made = erasureView({ client, id });
  show(made.element);
  draw = made.draw;
}

/** Signed in already, or not; without a connection, once more when a person says so. */
async function begin() {
  const [page, brought] = [location.pathname.split('/')[2], new URLSearchParams(location.hash.slice(1))];
  const [code, erasure, answer] = [brought.get('code') ?? '', brought.get('erasure'), new URLSearchParams(location.search)];
  // A code is good once, and nobody's to read over a shoulder.
  if (code || page === 'oidc') history.replaceState(null, '', page === 'oidc' ? '/account' : location.pathname);
  if (page === 'reset') entry.reset(code);
  else if (page === 'verify') entry.confirm('entry.code', code);
  else if (page === 'oidc') await entry.comeBack(answer);
  else if (erasure) erased(erasure);
  else if (!client.isSignedIn()) {
    entry.signIn();
    if (place.dataset.local === 'true') await ownersParts();
  }
  else {
    try {
      await home();
    } catch (problem) {
      if (!client.isSignedIn()) return;
      show(h('div', { class: 'entry' }, h('p', { class: 'notice', role: 'alert' }, h('span', {}, wordsOf(problem))), h('p', { class: 'actions' }, button('form.again', begin, 'small'))));
    }
  }
}

function tools() {
  const choice = h('select', { onchange: () => speak(choice.value, { remember: true }) },
    Object.entries(languages).map(([code, name]) => h('option', { value: code, lang: code }, name)));
  const colours = h('button', { type: 'button', class: 'plain', onclick: () => showTheme(nextTheme()) });
  const showTheme = (/** @type {string} */ now) => {
    colours.replaceChildren(icon({ auto: 'auto', light: 'sun', dark: 'moon' }[now] ?? 'auto'));
    attribute(colours, 'aria-label', t(`page.theme.${now}`));
    attribute(colours, 'title', t(`page.theme.${now}`));
  };
  at('tools').replaceChildren(choice, colours);
  return () => {
    choice.value = language();
    attribute(choice, 'aria-label', t('page.language'));
    showTheme(theme());
  };
}

const sayTools = tools();
onLanguage(() => {
  translate(document);
  sayTools();
  document.title = `${say('home.title')} · Filewright`;
  draw();
});
delete document.documentElement.dataset.restoring;
// A page that a browser brings back from memory knows nothing of what was done on another meanwhile.
addEventListener('pageshow', (event) => event.persisted && location.reload());
await speak(preferredLanguage());
await begin();
