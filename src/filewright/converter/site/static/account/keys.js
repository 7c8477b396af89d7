// @ts-check
/** API keys: make one, which is shown this once and with a call to try it; see what there is; revoke. */
import { h, text } from '../dom.js';
import { icon } from '../icons.js';
import { ask, button, copyButton, field, form, said, section, tell } from './parts.js';
import { day, say } from './words.js';

/** @typedef {import('./client.js').Client} Client @typedef {import('./client.js').Key} Key */

const DAY = 86_400_000;
/** For how many days keys can be good; 0: until they are revoked. */
const LIVES = [0, 30, 90, 365];

/** A first call that needs no file: whoever pastes it has a document a moment later. @param {string} key */
export const firstCall = (key, origin = location.origin) => [
  "printf '# Hello\\n\\nIt works.\\n' |",
  `  curl -f ${origin}/v1/convert \\`,
  `  -H 'Authorization: Bearer ${key}' \\`,
  "  -F 'file=@-;filename=hello.md' -F to=pdf -o hello.pdf",
].join('\n');

/** @param {Client} client */
export async function keysPart(client) {
  let keys = await client.keys();
  /** The id of the key that is to be read. */
  let shown = '';
  const list = h('ul', { class: 'things' });
  const none = said('p', 'keys.none', { class: 'hint' });
  const fresh = h('div', { class: 'fresh', hidden: true });
  const name = field('/name', 'keys.name', { maxlength: 100, autocomplete: 'off' }, 'keys.name.hint');
  const life = h('select', { id: 'key-life' });
  const making = form({
    fields: [name], submit: 'keys.make', kind: 'small', place: 'keys',
    extra: [h('div', { class: 'field' }, said('label', 'keys.life', { class: 'name', for: 'key-life' }), life)],
    async onSubmit() {
      const days = Number(life.value);
      const made = await client.makeKey({
        name: name.input.value, ...(days && { expires_at: new Date(Date.now() + days * DAY).toISOString() }),
      });
      keys = [made, ...keys];
      name.input.value = '';
      show(made);
      draw();
    },
  });
  making.element.classList.add('side-by-side');
  const element = section('keys.title', said('p', 'keys.lead', { class: 'hint' }), making.element, fresh, none, list);

  /** The key, this once. @param {Key} made */
  function show(made) {
    const secret = h('code', {}, made.key);
    const call = h('code', {}, firstCall(made.key ?? ''));
    const title = said('h3', 'key.title', { tabindex: -1 });
    fresh.replaceChildren(
      title, said('p', 'key.once'),
      h('div', { class: 'secret' }, h('pre', { tabindex: 0, role: 'region', 'data-say-label': 'key.itself', 'aria-label': say('key.itself'), dir: 'ltr' }, secret),
        copyButton(() => secret.textContent ?? '', secret)),
      said('p', 'key.try'),
      h('div', { class: 'secret call' }, h('pre', { tabindex: 0, role: 'region', 'data-say-label': 'key.call', 'aria-label': say('key.call'), dir: 'ltr' }, call)),
      h('p', { class: 'actions' }, copyButton(() => call.textContent ?? '', call, 'key.copy.call'), button('key.hide', () => {
        hide();
        name.input.focus();
      })),
    );
    fresh.hidden = false;
    shown = made.id;
    title.focus();
  }

  function hide() {
    fresh.replaceChildren();
    fresh.hidden = true;
    shown = '';
  }

  /** @param {Key} key */
  const row = (key) => h('li', {},
    h('div', { class: 'names' },
      h('p', {}, h('bdi', { class: 'strong' }, key.name), ' ', key.mode === 'test' && h('span', { class: 'tag' }, 'test')),
      h('p', { class: 'hint' }, h('code', {}, `${key.hint}…`), ' · ', [
        say('key.made', { day: day(key.created_at) }),
        key.last_used_at ? say('key.used', { day: day(key.last_used_at) }) : say('key.unused'),
        key.expires_at && say('key.until', { day: day(key.expires_at) }),
      ].filter(Boolean).join(' · '))),
    h('button', {
      type: 'button', class: 'plain', title: say('key.revoke'), 'aria-label': say('key.revoke.label', { name: key.name }),
      onclick: () => ask({ title: say('key.revoke.label', { name: key.name }), words: say('key.revoke.lead'), yes: 'key.revoke', onYes: () => revoke(key), onDone }),
    }, icon('trash')));

  async function revoke(/** @type {Key} */ key) {
    await client.revokeKey(key.id);
    keys = keys.filter((other) => other.id !== key.id);
    if (shown === key.id) hide();
    draw();
    tell(say('key.revoked', { name: key.name }));
  }
  const onDone = () => element.querySelector('h2')?.focus();

  function draw() {
    const chosen = life.value || '0';
    life.replaceChildren(...LIVES.map((days) => h('option', { value: String(days) }, days ? say('keys.life.days', { n: days }) : say('keys.life.ever'))));
    life.value = chosen;
    none.hidden = keys.length > 0;
    list.hidden = !keys.length;
    text(none, say('keys.none'));
    list.replaceChildren(...keys.map(row));
  }
  return { element, draw };
}
