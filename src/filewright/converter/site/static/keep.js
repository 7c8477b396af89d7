// @ts-check
/**
 * What outlives the page: rows, the files of rows that are still needed, and what is owed to the service (erasures of
 * what the person took away). In IndexedDB, because it takes a `File` as it is.
 *
 * Each open page has rows of its own, held by a lock; a page that is opened anew takes over rows that no page holds.
 * Where nothing can be kept (private windows, a full disk) the page works without a memory: nothing here ever fails.
 * Passwords do not come here; that is the queue's care.
 */

/** Apart, so that no row waits until somebody's film is written. */
const STORES = ['rows', 'files', 'owed'];
/** A page that is being reloaded still holds its lock for a moment. */
const PATIENCE = 1000;

/** @typedef {{id: string} & Record<string, any>} Kept  a row, plain */
/** @typedef {{kind: 'job'|'tag'|'upload', id: string}} Owed  what is to be erased */

export function createKeep({ name = 'filewright' } = {}) {
  const opened = open(name).catch(() => null);
  const place = claim(name).catch(() => 0);

  /** @template T @param {IDBTransactionMode} mode @param {string[]} stores
   *  @param {(store: (name: string) => IDBObjectStore, place: number) => IDBRequest<T>|void} work
   *  @returns {Promise<T|undefined>} */
  async function within(mode, stores, work) {
    const [database, here] = [await opened, await place];
    if (!database) return undefined;
    return new Promise((resolve) => {
      try {
        const transaction = database.transaction(stores, mode);
        const request = work((store) => transaction.objectStore(store), here);
        transaction.oncomplete = () => resolve(request ? request.result : undefined);
        transaction.onabort = () => resolve(undefined);
      } catch {
        resolve(undefined); // a file that cannot be read any more, a database that was deleted
      }
    });
  }

  const all = (/** @type {string} */ store) =>
    within('readonly', [store], (opened_, here) => opened_(store).getAll(IDBKeyRange.bound([here], [here, []])));

  return {
    /** Rows with their files (null where one is not kept). @returns {Promise<(Kept & {file: File|null})[]>} */
    async load() {
      const files = new Map(((await all('files')) ?? []).map(({ id, file }) => [id, file]));
      return ((await all('rows')) ?? []).map(({ place: _, ...row }) => ({ ...row, file: files.get(row.id) ?? null }));
    },

    /** Resolves once they are written. @param {Kept[]} rows */
    put: (rows) =>
      within('readwrite', ['rows'], (store, here) => rows.forEach((row) => store('rows').put({ ...row, place: here }))),

    /** Apart from its row: when there is no room for the file, there still is for the row. */
    putFile: (/** @type {string} */ id, /** @type {File} */ file) =>
      within('readwrite', ['files'], (store, here) => void store('files').put({ id, place: here, file })),

    dropFile: (/** @type {string} */ id) =>
      within('readwrite', ['files'], (store, here) => void store('files').delete([here, id])),

    /** Forgets rows and remembers what is owed for them, or neither. @param {string[]} ids @param {Owed[]} owed */
    drop(ids, owed) {
      ids.forEach((id) => this.dropFile(id));
      return within('readwrite', ['rows', 'owed'], (store, here) => {
        for (const id of ids) store('rows').delete([here, id]);
        for (const debt of owed) store('owed').put({ ...debt, place: here });
      });
    },

    /** @returns {Promise<Owed[]>} */
    owed: async () => ((await all('owed')) ?? []).map(({ kind, id }) => ({ kind, id })),

    paid: (/** @type {Owed} */ debt) =>
      within('readwrite', ['owed'], (store, here) => void store('owed').delete([here, debt.id])),
  };
}

/** @typedef {ReturnType<typeof createKeep>} Keep */

/** The name of what is kept for a person, or for nobody in particular; what was kept for other persons is thrown away. */
export function keepOnly(/** @type {string|undefined} */ user) {
  const mine = user ? `filewright.${user}` : 'filewright';
  indexedDB.databases?.().then((found) => {
    for (const { name } of found) if (name?.startsWith('filewright.') && name !== mine) indexedDB.deleteDatabase(name);
  }, () => null);
  return mine;
}

/** @returns {Promise<IDBDatabase>} */
function open(/** @type {string} */ name) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      for (const store of STORES) request.result.createObjectStore(store, { keyPath: ['place', 'id'] });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = request.onblocked = reject;
  });
}

/** The number of the rows that this page has to itself: those it had before a reload, or the first nobody holds. */
async function claim(/** @type {string} */ name) {
  if (!navigator.locks) return 0;
  const memory = `${name}.place`;
  const before = sessionStorage.getItem(memory);
  let place = before === null ? 0 : Number(before);
  if (before === null || !(await hold(`${name}.${place}`, { signal: AbortSignal.timeout(PATIENCE) }))) {
    for (place = 0; !(await hold(`${name}.${place}`, { ifAvailable: true })); ) place += 1;
  }
  sessionStorage.setItem(memory, String(place));
  return place;
}

/** Takes the lock for as long as the page lives. @param {LockOptions} options @returns {Promise<boolean>} */
function hold(/** @type {string} */ name, options) {
  return new Promise((resolve) => {
    const held = (/** @type {Lock|null} */ lock) => {
      resolve(lock !== null);
      return lock === null ? undefined : new Promise(() => {});
    };
    navigator.locks.request(name, options, held).catch(() => resolve(false));
  });
}
