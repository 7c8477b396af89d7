// @ts-check
/** The audit log, newest first: who did what to what. And alarms: patterns of it that were seen. */
import { copyButton, field, form, section } from '../account/parts.js';
import { moment } from '../account/words.js';
import { h } from '../dom.js';
import { line, pages, still } from './tables.js';

const BY = ['action', 'actor', 'subject', 'tenant'];
const VERIFY = 'filewright admin audit verify';

/** @type {import('./admin.js').View} */
export async function auditView({ client }) {
  const found = h('div');
  const fields = BY.map((name) => field(`/${name}`, name[0].toUpperCase() + name.slice(1), { maxlength: 128, required: false, autocomplete: 'off', spellcheck: 'false' }));
  const load = async () => {
    const query = Object.fromEntries(fields.map(({ input }, at) => [BY[at], input.value.trim()]).filter(([, value]) => value));
    found.replaceChildren(await pages({
      client, path: '/v1/admin/audit', query, after: 'before', label: 'Acts', none: 'There is no such act.',
      columns: ['Place', 'When', 'Action', 'Actor', 'Subject', 'Tenant', 'Outcome', 'Details'],
      row: (act) => line(act.id, still(moment(act.at)), act.action, h('code', {}, act.actor), h('code', {}, act.subject ?? ''), h('code', {}, act.tenant), act.outcome,
        Object.entries(act.details ?? {}).map(([name, value]) => `${name} ${value}`).join(', ')),
    }));
  };
  const filter = form({ fields, submit: 'Find', kind: 'small', onSubmit: load });
  filter.element.classList.add('in-line');
  filter.element.role = 'search';
  const command = h('code', {}, VERIFY);
  await load();
  return [
    section('Acts', filter.element, found),
    section('Verify', h('p', { class: 'hint' }, 'The log is a chain: this walks it and names every row that is not what it was.'),
      h('div', { class: 'secret' }, h('pre', { tabindex: 0, role: 'region', 'aria-label': 'Command', dir: 'ltr' }, command), copyButton(() => VERIFY, command, 'Copy'))),
  ];
}

/** @type {import('./admin.js').View} */
export async function alarmsView({ client }) {
  return [section('Patterns of abuse', await pages({
    client, path: '/v1/admin/alarms', after: 'before', label: 'Alarms', none: 'There was no alarm.', columns: ['When', 'Pattern', 'Whose', 'Times', 'Within'],
    row: (alarm) => line(still(moment(alarm.at)), alarm.pattern, h('code', {}, alarm.whose), alarm.times, `${alarm.seconds} s`),
  }))];
}
