// @ts-check
/**
 * Every way in: drop (files and whole folders), pick, paste. All end as `{file, path}[]`, `path` being the place of the
 * file in the folder it came with. What is done with them is the queue's business, how the window looks while files
 * hover over it the style's (`<html data-dropping>`).
 */

/** What systems leave in folders, and nobody means to convert. */
const LITTER = new Set(['.DS_Store', 'Thumbs.db', 'desktop.ini']);

/** @typedef {{file: File, path: string}} Taken */

/**
 * Drops and pastes anywhere on the page.
 * @param {{onFiles: (files: Taken[]) => void, window?: Window}} options
 */
export function watchIntake({ onFiles, window: page = window }) {
  const root = page.document.documentElement;
  let depth = 0; // each element the pointer crosses is entered before the last one is left
  const hover = (/** @type {boolean} */ over) => root.toggleAttribute('data-dropping', over);
  const given = (/** @type {Taken[]} */ files) => files.length && onFiles(files);

  page.addEventListener('dragenter', (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    hover(true);
  });
  page.addEventListener('dragleave', () => {
    depth = Math.max(0, depth - 1);
    hover(depth > 0);
  });
  page.addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = 'copy';
  });
  page.addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault(); // else the browser opens the file in place of the page
    depth = 0;
    hover(false);
    filesOfDrop(/** @type {DataTransfer} */ (event.dataTransfer)).then(given);
  });
  page.addEventListener('paste', (event) => {
    const files = event.clipboardData ? filesOfPaste(event.clipboardData, isWriting(event.target)) : [];
    if (!files.length) return;
    event.preventDefault();
    onFiles(files);
  });
}

/** Of a file input, also one for folders; it is emptied, so that the same file can be picked again. */
export function filesOfInput(/** @type {HTMLInputElement} */ input) {
  const files = Array.from(input.files ?? [], (file) => ({ file, path: file.webkitRelativePath || file.name }));
  input.value = '';
  return files.filter(isMeant);
}

/** @param {DataTransfer} data @returns {Promise<Taken[]>} */
export async function filesOfDrop(data) {
  // Entries must be asked for before the event is over.
  const entries = Array.from(data.items, (item) => item.webkitGetAsEntry?.()).filter((entry) => entry != null);
  if (!entries.length) return Array.from(data.files, (file) => ({ file, path: file.name }));
  /** @type {Taken[]} */
  const found = [];
  for (const entry of entries) await gather(entry, found);
  return found;
}

/** Files; else, unless the person is writing somewhere, the text itself as a file. @returns {Taken[]} */
export function filesOfPaste(/** @type {DataTransfer} */ data, writing = false) {
  if (data.files.length) return Array.from(data.files, named).map((file) => ({ file, path: file.name }));
  const text = writing ? '' : data.getData('text/plain');
  return text ? [{ file: new File([text], 'pasted.txt', { type: 'text/plain' }), path: 'pasted.txt' }] : [];
}

/** A picture from the clipboard has no name of its own; browsers call all of them the same. */
function named(/** @type {File} */ file) {
  const [, kind] = /^image\/(\w+)/.exec(file.type) ?? [];
  return kind && /^image\.\w+$/.test(file.name) ? new File([file], `pasted.${kind}`, { type: file.type }) : file;
}

/** @param {FileSystemEntry} entry @param {Taken[]} found */
async function gather(entry, found) {
  try {
    if (entry.isDirectory) for (const child of await children(entry)) await gather(child, found);
    else {
      const path = entry.fullPath.replace(/^\//, '');
      const file = await new Promise((resolve, reject) =>
        /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
      if (isMeant({ file, path })) found.push({ file, path });
    }
  } catch {
    // Gone, or not to be read: the rest is taken all the same.
  }
}

/** A directory is read in portions, until one is empty. @param {any} directory @returns {Promise<FileSystemEntry[]>} */
async function children(directory) {
  const reader = directory.createReader();
  /** @type {FileSystemEntry[]} */
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return all;
    all.push(...some);
  }
}

/** Litter is left out of folders; whoever gives it by itself means it. */
const isMeant = (/** @type {Taken} */ { file, path }) => !(path.includes('/') && LITTER.has(file.name));

const hasFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes('Files') ?? false;

const isWriting = (/** @type {any} */ target) => Boolean(target?.closest?.('input, textarea, [contenteditable]'));
