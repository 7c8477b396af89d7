// @ts-check
/** Jobs whose input is kept from the engines: look at why, let one run again, delete it for good. */
import { ask, button, section, tell } from '../account/parts.js';
import { moment } from '../account/words.js';
import { h } from '../dom.js';
import { line, pages, still } from './tables.js';

/** @type {import('./admin.js').View} */
export async function quarantineView({ client, title }) {
  const row = (/** @type {any} */ job) => {
    const formats = [job.source_format, job.target_format].filter(Boolean).join(' → ');
    const act = (/** @type {string} */ name, /** @type {string} */ words, /** @type {string} */ method, /** @type {string} */ path) => {
      const made = button(name, () => ask({
        title: `${name} ${job.id}`, words, yes: name, onDone: () => title.focus(),
        onYes: async () => {
          await client.own(method, path);
          element.remove();
          tell(`${job.id} is ${name === 'Release' ? 'queued' : 'deleted'}`);
        },
      }));
      made.setAttribute('aria-label', `${name} ${job.id}`);
      return made;
    };
    const path = `/v1/admin/quarantine/${encodeURIComponent(job.id)}`;
    const element = line([h('code', {}, job.id), h('p', { class: 'hint' }, 'of ', h('code', {}, job.tenant))], job.state, still(formats), why(job), still(job.finished_at ? moment(job.finished_at) : ''),
      h('span', { class: 'actions' },
        job.state === 'quarantined' && act('Release', 'It runs again, as if it had just come. If it brings engines down once more, it comes back here.', 'POST', `${path}/release`),
        act('Delete', 'The file is deleted for good; whoever sent it sees that the job has failed.', 'DELETE', path)));
    return element;
  };
  return [section('Kept from the engines',
    h('p', { class: 'hint' }, 'Quarantined: engines died of it, three times. Infected: a scanner has named it.'),
    await pages({
      client, path: '/v1/admin/quarantine', label: 'Jobs in quarantine', columns: ['Job', 'State', 'From → to', 'Why', 'Since', ''], row, none: 'Nothing is in quarantine.',
    }))];
}

const why = (/** @type {any} */ { error }) => error && h('details', {}, h('summary', {}, error.code ?? 'Why'), h('p', {}, error.detail ?? error.title ?? ''));
