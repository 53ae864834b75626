/**
 * The history on disk (IndexedDB): notices, reads, and the last id, each time in one transaction. So what is resumed
 * after a crash is exactly what was not yet kept. Where there is no IndexedDB it lasts as long as the page.
 */

const NAME = "souk-stream";

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export class Store {
  /** @param {IDBDatabase | null} db */
  constructor(db) {
    this.db = db;
  }

  static async open() {
    try {
      const request = indexedDB.open(NAME, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore("notices", { keyPath: "id" });
        request.result.createObjectStore("meta");
      };
      const db = await done(request);
      db.onversionchange = () => db.close();
      return new Store(db);
    } catch {
      return new Store(null);
    }
  }

  /** @returns {Promise<{notices: import("../types.js").Notice[], reads: Record<string, number>, lastId: string | null, sseUrl: string | null}>} */
  async load() {
    const nothing = { notices: [], reads: {}, lastId: null, sseUrl: null };
    if (!this.db) return nothing;
    try {
      const read = this.db.transaction(["notices", "meta"]);
      const [notices, meta] = await Promise.all([
        done(read.objectStore("notices").getAll()),
        done(read.objectStore("meta").get("state")),
      ]);
      return { ...nothing, ...meta, notices };
    } catch {
      return nothing;
    }
  }

  /** @param {{put: object[], remove: string[], state: {lastId: string | null, reads: object, sseUrl: string}}} what */
  async save({ put, remove, state }) {
    if (!this.db) return;
    const write = this.db.transaction(["notices", "meta"], "readwrite", { durability: "relaxed" });
    const notices = write.objectStore("notices");
    for (const id of remove) notices.delete(id);
    for (const notice of put) notices.put(notice);
    write.objectStore("meta").put(state, "state");
    await new Promise((resolve, reject) => {
      write.oncomplete = resolve;
      write.onerror = write.onabort = () => reject(write.error);
    });
  }
}
