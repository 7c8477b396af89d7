// @ts-check
/** Webhooks: addresses that are told of what becomes of jobs. What signs what they are told is shown once. */
import { h } from '../dom.js';
import { icon } from '../icons.js';
import { ask, button, copyButton, field, form, said, section, tell } from './parts.js';
import { day, say } from './words.js';

/** @typedef {import('./client.js').Client} Client */

/** @param {Client} client */
export async function webhooksPart(client) {
  let hooks = await client.webhooks();
  const list = h('ul', { class: 'things' });
  const fresh = h('div', { class: 'fresh', hidden: true });
  const url = field('/url', 'hooks.url', { type: 'url', inputmode: 'url', maxlength: 2000, autocomplete: 'off', spellcheck: 'false' }, 'hooks.url.hint');
  const making = form({
    fields: [url], submit: 'hooks.add', kind: 'small',
    async onSubmit() {
      const made = await client.makeWebhook(url.input.value.trim());
      hooks = [made, ...hooks];
      url.input.value = '';
      show(made.secret);
      draw();
    },
  });
  making.element.classList.add('side-by-side', 'two');
  const element = section('hooks.title', said('p', 'hooks.lead', { class: 'hint' }), making.element, fresh, list);

  function show(/** @type {string} */ words) {
    const secret = h('code', {}, words);
    const title = said('h3', 'hook.secret', { tabindex: -1 });
    fresh.replaceChildren(title, said('p', 'hook.once'),
      h('div', { class: 'secret' }, h('pre', { tabindex: 0, role: 'region', 'data-say-label': 'hook.secret', 'aria-label': say('hook.secret'), dir: 'ltr' }, secret),
        copyButton(() => words, secret)),
      h('p', { class: 'actions' }, button('key.hide', hide)));
    fresh.hidden = false;
    title.focus();
  }

  function hide() {
    fresh.replaceChildren();
    fresh.hidden = true;
    url.input.focus();
  }

  const row = (/** @type {any} */ hook) => h('li', {},
    h('div', { class: 'names' },
      h('p', {}, h('bdi', { class: 'strong' }, hook.url), ' ', hook.enabled ? null : h('span', { class: 'tag' }, say('hook.off'))),
      h('p', { class: 'hint' }, say('key.made', { day: day(hook.created_at) }))),
    h('button', {
      type: 'button', class: 'plain', title: say('hook.remove'), 'aria-label': say('hook.remove.label', { name: hook.url }),
      onclick: () => ask({
        title: say('hook.remove.label', { name: hook.url }), words: say('hook.remove.lead'), yes: 'hook.remove', onYes: () => remove(hook),
        onDone: () => element.querySelector('h2')?.focus(),
      }),
    }, icon('trash')));

  async function remove(/** @type {any} */ hook) {
    await client.removeWebhook(hook.id);
    hooks = hooks.filter((/** @type {any} */ other) => other !== hook);
    draw();
    tell(say('hook.removed', { name: hook.url }));
  }

  function draw() {
    list.hidden = !hooks.length;
    list.replaceChildren(...hooks.map(row));
  }
  return { element, draw };
}
