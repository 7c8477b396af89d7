// @ts-check
/** Accounts: which there are, what each may use, and whether its person is let in. */
import { ask, button, field, form, section, tell } from '../account/parts.js';
import { day } from '../account/words.js';
import { openDialog } from '../dialog.js';
import { h } from '../dom.js';
import { line, pages, still } from './tables.js';

const COLUMNS = ['Account', 'Tier', 'Role', 'Since', 'State', ''];

/** @type {import('./admin.js').View} */
export async function usersView({ client, title }) {
  const tiers = Object.keys((await client.ask('/v1/admin/tiers')).data);
  const found = h('div');
  const wanted = field('/q', 'Find', { type: 'search', maxlength: 128, required: false, autocomplete: 'off' }, 'The beginning of an address, or an id.');
  const search = form({ fields: [wanted], submit: 'Find', kind: 'small', onSubmit: () => load(wanted.input.value.trim()) });
  search.element.classList.add('side-by-side', 'two');
  search.element.role = 'search';

  const load = async (/** @type {string} */ words) => {
    found.replaceChildren(await pages({
      client, path: '/v1/admin/users', query: words ? { q: words } : {}, label: 'Accounts', columns: COLUMNS, row, none: 'There is no such account.',
    }));
  };

  /** @param {any} user */
  function row(user) {
    const element = line(h('bdi', {}, user.email), tierOf(user), user.role, still(day(user.created_at)), stateOf(user), actions(user));
    return element;

    function again(/** @type {any} */ changed) {
      element.replaceWith(row(changed));
    }

    function tierOf(/** @type {any} */ { email, tier }) {
      const choice = h('select', { 'aria-label': `Tier of ${email}`, onchange: change }, tiers.map((name) => h('option', { selected: name === tier }, name)));
      async function change() {
        const wish = choice.value;
        choice.value = tier;
        ask({
          title: `${wish} for ${email}`, words: 'It holds within ten minutes.', yes: `Make it ${wish}`, onDone: () => title.focus(),
          onYes: async () => {
            again(await client.own('PATCH', `/v1/admin/users/${user.id}`, { tier: wish }).then((answer) => answer.json()));
            tell(`${email} has ${wish} now`);
          },
        });
      }
      return choice;
    }

    function actions(/** @type {any} */ { email, disabled }) {
      const shut = button(disabled ? 'Let in' : 'Block', () => ask({
        title: `${disabled ? 'Let in' : 'Block'} ${email}`,
        words: disabled ? 'They can sign in again; their keys are good again.' : 'All sessions end at once, and keys are refused. Files stay.',
        yes: disabled ? 'Let in' : 'Block', onDone: () => title.focus(),
        onYes: async () => {
          again(await client.own('PATCH', `/v1/admin/users/${user.id}`, { disabled: !disabled }).then((answer) => answer.json()));
          tell(`${email} is ${disabled ? 'let in' : 'blocked'}`);
        },
      }));
      shut.setAttribute('aria-label', `${disabled ? 'Let in' : 'Block'} ${email}`);
      const give = button('Credits', () => credits(user));
      give.setAttribute('aria-label', `Credits for ${email}`);
      return h('span', { class: 'actions' }, give, shut);
    }
  }

  function credits(/** @type {any} */ user) {
    const amount = field('/amount', 'Credits', { type: 'number', min: 1, max: 1_000_000, step: 1, inputmode: 'numeric' }, 'Each pays for a conversion beyond the month’s.');
    const asked = form({
      fields: [amount], submit: 'Give', kind: 'small',
      async onSubmit() {
        await client.own('POST', `/v1/admin/users/${user.id}/credits`, { amount: Number(amount.input.value), reason: 'gift' });
        dialog.close();
        tell(`${user.email} has ${amount.input.value} credits more`);
      },
    });
    const dialog = openDialog({ title: `Credits for ${user.email}`, kind: 'ask', content: h('div', {}, asked.element) });
    amount.input.focus();
  }

  await load('');
  return [section('Accounts', search.element, found)];
}

function stateOf(/** @type {any} */ { disabled, verified }) {
  if (disabled) return h('strong', { class: 'wrong' }, 'blocked');
  return verified ? 'confirmed' : 'not confirmed';
}
