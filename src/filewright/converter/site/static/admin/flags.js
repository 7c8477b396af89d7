// @ts-check
/** Flags: for how many of the tenants each is on, when it halts itself, and why it did. */
import { ask, button, field, form, section, tell } from '../account/parts.js';
import { h } from '../dom.js';

/** @type {import('./admin.js').View} */
export async function flagsView({ client, title }) {
  const flags = (await client.ask('/v1/admin/flags')).data;
  const list = h('div', { class: 'home' }, flags.map(card));
  const set = (/** @type {string} */ name, /** @type {any} */ wish) => client.own('PUT', `/v1/admin/flags/${encodeURIComponent(name)}`, wish).then((answer) => answer.json());

  /** @param {any} flag */
  function card(flag) {
    const on = h('input', { type: 'checkbox', checked: flag.enabled });
    const share = percentOf(flag.percent);
    const limit = limitOf(flag.halt_above);
    const asked = form({
      fields: [share, limit], submit: 'Set', kind: 'small',
      extra: [h('label', { class: 'tick' }, on, ' On')],
      async onSubmit() {
        const { name, tenants, description } = flag;
        const made = await set(name, { ...wishOf(share, limit), enabled: on.checked, tenants, description });
        element.replaceWith(card(made));
        tell(`${name} is set`);
        title.focus();
      },
    });
    asked.element.classList.add('in-line');
    const remove = button('Forget', () => ask({
      title: `Forget ${flag.name}`, words: 'It is then what the program takes it to be.', yes: 'Forget', onDone: () => title.focus(),
      onYes: async () => {
        await client.own('DELETE', `/v1/admin/flags/${encodeURIComponent(flag.name)}`);
        element.remove();
      },
    }));
    remove.setAttribute('aria-label', `Forget ${flag.name}`);
    const element = section(flag.name,
      flag.description && h('p', { class: 'hint' }, flag.description),
      flag.halted_at && h('p', { class: 'notice' }, h('span', {}, `It halted itself: ${flag.halted_why ?? 'too much fails with it'}. To set it ends the halt.`)),
      flag.tenants.length ? h('p', { class: 'hint' }, `Always on for ${flag.tenants.join(', ')}.`) : null,
      asked.element, h('p', { class: 'actions' }, remove));
    return element;
  }

  const name = field('/name', 'Name', { maxlength: 64, pattern: '[a-z][a-z0-9_\\-]*', autocomplete: 'off', spellcheck: 'false' });
  const [share, limit] = [percentOf(10), limitOf(0.05)];
  const making = form({
    fields: [name, share, limit], submit: 'Set', kind: 'small',
    async onSubmit() {
      const made = await set(name.input.value, wishOf(share, limit));
      list.prepend(card(made));
      name.input.value = '';
      tell(`${made.name} is set`);
    },
  });
  making.element.classList.add('in-line');
  return [section('Another flag', making.element), list];
}

const percentOf = (/** @type {number} */ value) => field('/percent', 'Percent of the tenants', { type: 'number', min: 0, max: 100, step: 1, value });
const limitOf = (/** @type {number|null} */ value) =>
  field('/halt_above', 'Halts above (0 to 1)', { type: 'number', min: 0, max: 1, step: 'any', value: value ?? '', required: false });

/** @param {import('../account/parts.js').Field} share @param {import('../account/parts.js').Field} limit */
const wishOf = (share, limit) => ({ percent: Number(share.input.value), halt_above: limit.input.value === '' ? null : Number(limit.input.value) });
