// @ts-check
/** Whoever is signed in: who they are, and one part for each thing that is theirs. */
import { h, text } from '../dom.js';
import { fontsPart } from './fonts.js';
import { jobsPart } from './jobs.js';
import { keysPart } from './keys.js';
import { button, form, passwordField, said, tell, wordsOf } from './parts.js';
import { erasePart, exportPart } from './privacy.js';
import { sessionsPart } from './sessions.js';
import { invoicesPart, usagePart } from './usage.js';
import { webhooksPart } from './webhooks.js';
import { day, say } from './words.js';

/** @typedef {import('./client.js').Client} Client */

/**
 * @param {{client: Client, onSignedOut: () => void, onConfirm: () => void,
 *   onErased: (erasure: import('./client.js').Erasure) => void}} parts
 * @returns {Promise<{element: HTMLElement, draw: () => void, account: import('./client.js').Account}>} `draw`: once more, in another language
 */
export async function createHome({ client, onSignedOut, onConfirm, onErased }) {
  const account = await client.me();
  const parts = await Promise.all([
    keysPart(client), usagePart(client), jobsPart(client), invoicesPart(client), fontsPart(client), webhooksPart(client), sessionsPart(client), exportPart(client),
  ]);
  const since = h('p', { class: 'hint' });
  const tier = h('span', { class: 'tag' });
  const element = h('div', { class: 'home' },
    said('h1', 'home.title', { tabindex: -1 }),
    h('section', { class: 'card who' },
      h('div', { class: 'names' }, h('p', { class: 'email' }, h('bdi', {}, account.email), ' ', tier), since),
      button('home.out', async () => {
        await client.signOut();
        onSignedOut();
      })),
    account.email_verified ? null : unconfirmed(client, account.email ?? '', onConfirm),
    parts.map((part) => part?.element),
    passwordPart(client),
    erasePart({ client, email: account.email ?? '', onErased }));

  const draw = () => {
    text(tier, account.tier);
    text(since, say('home.since', { day: day(account.created_at ?? '') }));
    for (const part of parts) part?.draw();
  };
  draw();
  return { element, draw, account };
}

/** @param {Client} client @param {string} email @param {() => void} onConfirm */
function unconfirmed(client, email, onConfirm) {
  const words = said('span', 'home.unconfirmed');
  const again = button('entry.again', async () => {
    const answer = await client.verifyAgain(email).then(() => [say('entry.again.done')], wordsOf);
    words.removeAttribute('data-say');
    words.replaceChildren(...answer);
    tell(words.textContent ?? '');
  });
  return h('div', { class: 'aside' }, h('p', {}, words), h('p', { class: 'actions' }, button('home.code', onConfirm, 'small'), again));
}

/** Folded away: it is wanted once in years. @param {Client} client */
function passwordPart(client) {
  const present = passwordField('/current_password', 'form.password.present', 'current-password');
  const following = passwordField('/new_password', 'form.password.new', 'new-password', 'form.password.hint');
  const done = h('p', { class: 'good', role: 'status' });
  const asked = form({
    fields: [present, following], submit: 'password.change', place: 'password', kind: 'small',
    async onSubmit() {
      text(done, '');
      await client.changePassword(present.input.value, following.input.value);
      for (const { input } of [present, following]) input.value = '';
      text(done, say('password.done'));
    },
  });
  return h('section', { class: 'card' }, h('details', {}, said('summary', 'password.title'), asked.element, done));
}
