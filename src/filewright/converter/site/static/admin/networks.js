// @ts-check
/** The lists of networks: who is let in, who is not, whose requests are not counted. */
import { ask, button, field, form, section, tell } from '../account/parts.js';
import { h } from '../dom.js';
import { line, table } from './tables.js';

const LISTS = { blocked: 'Blocked', allowed: 'Allowed', unlimited: 'Not counted' };

/** @type {import('./admin.js').View} */
export async function networksView({ client, title }) {
  const entries = (await client.ask('/v1/admin/networks')).data;
  const { element, body } = table('Networks', ['Network', 'List', 'Note', '']);
  const none = h('p', { class: 'hint' }, 'There is no network on any list.');
  const network = field('/network', 'Network', { maxlength: 64, autocomplete: 'off', spellcheck: 'false' }, 'As 203.0.113.0/24, or one address.');
  const note = field('/note', 'Note', { maxlength: 500, required: false });
  const choice = h('select', { id: 'list' }, Object.entries(LISTS).map(([value, name]) => h('option', { value }, name)));
  const making = form({
    fields: [network, note], submit: 'Add', kind: 'small',
    extra: [h('div', { class: 'field' }, h('label', { class: 'name', for: 'list' }, 'List'), choice)],
    async onSubmit() {
      const wish = { list: choice.value, network: network.input.value.trim(), ...(note.input.value && { note: note.input.value }) };
      const made = await client.own('POST', '/v1/admin/networks', wish).then((answer) => answer.json());
      body.prepend(row(made));
      for (const { input } of [network, note]) input.value = '';
      draw();
      tell(`${made.network} is on the list`);
    },
  });
  making.element.classList.add('in-line');

  /** @param {any} entry */
  function row(entry) {
    const remove = entry.id && button('Remove', () => ask({
      title: `Remove ${entry.network}`, words: 'Every process follows within five seconds.', yes: 'Remove', onDone: () => title.focus(),
      onYes: async () => {
        await client.own('DELETE', `/v1/admin/networks/${encodeURIComponent(entry.id)}`);
        made.remove();
        draw();
      },
    }));
    remove?.setAttribute('aria-label', `Remove ${entry.network}`);
    const made = line(h('code', {}, entry.network), LISTS[/** @type {'blocked'} */ (entry.list)] ?? entry.list, entry.note ?? '', remove || h('span', { class: 'hint' }, 'by the settings'));
    return made;
  }
  function draw() {
    none.hidden = body.childElementCount > 0;
    element.hidden = !none.hidden;
  }
  body.append(...entries.map(row));
  draw();
  return [section('Lists', h('p', { class: 'hint' }, 'Where any network is allowed, only those are let in; a blocked one never is.'), making.element, none, element)];
}
