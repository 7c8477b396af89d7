// @ts-check
/**
 * The operators' page: one view at a time, by the `#` of its address, over the operators' part of the public API.
 *
 * In English only: it speaks of what is called so in settings, logs and the command line. Its parts are the account
 * page's; where that names a text by its key, here stands the text.
 */
import { createClient } from '../account/client.js';
import { button, tell, wordsOf } from '../account/parts.js';
import { attribute, h } from '../dom.js';
import { icon } from '../icons.js';
import { nextTheme, theme } from '../theme.js';
import { alarmsView, auditView } from './audit.js';
import { flagsView } from './flags.js';
import { networksView } from './networks.js';
import { overviewView } from './overview.js';
import { quarantineView } from './quarantine.js';
import { usersView } from './users.js';

/** @typedef {{client: import('../account/client.js').Client, title: HTMLElement}} Desk
 *  @typedef {(desk: Desk) => Promise<any[]>} View   what stands below the title */

/** @type {Record<string, {name: string, view: View}>} */
const VIEWS = {
  overview: { name: 'Overview', view: overviewView },
  users: { name: 'Users', view: usersView },
  quarantine: { name: 'Quarantine', view: quarantineView },
  flags: { name: 'Flags', view: flagsView },
  audit: { name: 'Audit log', view: auditView },
  alarms: { name: 'Alarms', view: alarmsView },
  networks: { name: 'Networks', view: networksView },
};

const place = /** @type {HTMLElement} */ (document.getElementById('admin'));
const signIn = () => location.assign('/account?to=admin');
const client = createClient({ here: true, onEnd: signIn });

const links = Object.entries(VIEWS).map(([id, { name }]) => h('a', { href: `#${id}` }, name));
const content = h('div', { class: 'home' });
place.append(h('nav', { class: 'views', 'aria-label': 'Administration' }, links), content);

/** Which view was asked for last: the answer for one before it is shown no more. */
let asked = 0;

async function show() {
  const mine = (asked += 1);
  const id = location.hash.slice(1) in VIEWS ? location.hash.slice(1) : 'overview';
  const { name, view } = VIEWS[id];
  for (const link of links) attribute(link, 'aria-current', link.hash === `#${id}` && 'page');
  document.title = `${name} · Filewright`;
  const title = h('h1', { tabindex: -1 }, name);
  content.ariaBusy = 'true';
  const parts = await view({ client, title }).catch((problem) => [refusal(problem)]);
  if (mine !== asked) return;
  content.replaceChildren(title, ...parts.filter(Boolean));
  content.ariaBusy = null;
  title.focus({ preventScroll: true });
  tell(name);
}

/** What operators do asks for a sign-in that is not long ago. */
function refusal(/** @type {any} */ problem) {
  const again = problem.status === 403 && button('Sign in again', async () => {
    await client.signOut();
    signIn();
  }, 'small');
  return h('div', { class: 'card' }, h('p', { class: 'notice', role: 'alert' }, h('span', {}, wordsOf(problem))), h('p', { class: 'actions' }, again || button('Try again', show, 'small')));
}

const colours = h('button', { type: 'button', class: 'plain', onclick: () => showTheme(nextTheme()) });
function showTheme(/** @type {string} */ now) {
  colours.replaceChildren(icon({ auto: 'auto', light: 'sun', dark: 'moon' }[now] ?? 'auto'));
  const words = `Colours: ${now === 'auto' ? 'as the system' : now}`;
  attribute(colours, 'aria-label', words);
  attribute(colours, 'title', words);
}
showTheme(theme());
document.getElementById('tools')?.replaceChildren(colours);
for (const reason of ['restoring', 'silent']) delete document.documentElement.dataset[reason];
addEventListener('hashchange', show);
await show();
