// The work that this browser keeps, so that neither a reload nor a server that ended takes it: the photo and what is
// painted on it, and what is set beside it.

import { create } from "../../widgets/static/dom.js";
import { getConfig, ORIGINAL } from "../../widgets/static/protocol.js";
import { transact } from "../../widgets/static/store.js";
import { CARD_HEIGHT, CARD_WIDTH } from "./history.js";

/** @import { FileData } from "../../widgets/static/protocol.js" */
/** @import { Painted } from "./mask.js" */
/** @import { Layer } from "./marks.js" */
/** @import { Editor } from "./editor.js" */

/** @typedef {{ file?: File, uploaded?: FileData, example?: string }} Source of a photo; uploaded: as the server has it */
/** @typedef {{ engines: string, values: unknown[] }} Settings engines: those to choose from */

/**
 * @typedef {object} Work
 * @property {number} id of the photo: when it was opened, ms since 1970
 * @property {string | null} user who was logged in
 * @property {Source} source
 * @property {string} picture of the photo, small, a data URI
 * @property {Settings | null} [settings]
 * @property {[Layer, Painted][]} [marks] what is to go: what was filled on the way to what is edited, too, as results
 *   are not kept
 */

const MAX_BYTES = 200e6; // of a photo's file
const MAX_AGE_MS = 24 * 3600e3;
const REST_MS = 300; // without a stroke, before the marks are kept

export class Keeper {
  /** @param {Editor} editor */
  constructor(editor) {
    this.editor = editor;
    /** What is to be opened. @type {Pick<Work, "source" | "marks" | "settings">} */
    this.work = { source: {} };
    /** @type {Settings | null} */
    this.settings = null;
    /** Of the open photo. @type {Source} */
    this.source = {};
    /** Of the photo that is kept; 0 where none is: it is too large, and nothing could be discarded that belongs to it. */
    this.id = 0;
    this.timer = 0;
  }

  /**
   * Open a photo; with the marks that were kept of it, if any.
   *
   * @param {Pick<Work, "source" | "marks" | "settings">} work
   */
  open(work) {
    if (this.editor.conversation.send("open", work.source)) this.work = work;
  }

  /** Open the photo of this page again: the server no longer has it. */
  async reopen() {
    this.open({ source: this.source, marks: await this.gatherMarks() });
  }

  /** The photo is open: keep it from now on. */
  async keepPhoto() {
    const { marks } = this.work;
    const { file, example } = this.work.source;
    const source = { file, example, uploaded: file && this.editor.conversation.uploads.get(file) };
    this.source = source;
    this.id = (file?.size ?? 0) > MAX_BYTES ? 0 : Date.now();
    /** @type {Work} */
    const kept = { id: this.id, user: getUser(), source, picture: this.drawPicture() };
    const write = transact("readwrite", (store) => {
      const cleared = store.clear();
      if (!kept.id) return cleared;
      if (marks) store.put(marks, "marks");
      if (this.settings) store.put(this.settings, "settings");
      store.put(kept, "photo");
      return cleared;
    }).catch(discard);
    if (marks) await this.restore(marks);
    await write;
  }

  /** @param {NonNullable<Work["marks"]>} kept */
  async restore(kept) {
    const bitmaps = await Promise.all(kept.map(([, { blob }]) => createImageBitmap(blob)));
    this.editor.step((marks) => {
      for (const [i, [name, { box }]] of kept.entries()) marks[name].load(bitmaps[i], box[0], box[1], true);
    });
    this.editor.notice("good", `Your work is back. ${this.editor.hint()}`);
  }

  /** The marks have changed: keep them, once nothing is being painted. */
  keepMarks() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.writeMarks().catch(discard), REST_MS);
  }

  /** @param {Settings} settings */
  keepSettings(settings) {
    this.settings = settings;
    if (this.id) void transact("readwrite", (store) => store.put(settings, "settings")).catch(discard);
  }

  /**
   * Return the values that were kept, or the present ones where there are none or other engines to choose from.
   *
   * @param {Settings} now
   */
  restoreSettings(now) {
    const kept = this.work.settings;
    return kept?.engines === now.engines ? kept.values : now.values;
  }

  async writeMarks() {
    const { id, timer } = this;
    if (this.editor.marks?.painting) return; // the end of the stroke comes here again
    const marks = await this.gatherMarks();
    if (this.timer !== timer || this.editor.marks?.painting) return; // so does what was painted meanwhile
    await transact("readwrite", (store) => {
      const photo = store.get("photo");
      // Another window of this browser may have opened another photo meanwhile: the newest one is kept.
      photo.onsuccess = () => photo.result?.id === id && this.id === id && store.put(marks, "marks");
      return photo;
    });
  }

  async gatherMarks() {
    const { marks, state, timeline } = this.editor;
    /** @type {[Layer, Painted][]} */
    const filled = (timeline?.chain(state.base) ?? []).flatMap(({ hole }) => (hole ? [["mask", hole]] : []));
    return [...filled, ...((await marks?.toPng()) ?? [])];
  }

  drawPicture() {
    const canvas = create("canvas", { width: CARD_WIDTH, height: CARD_HEIGHT });
    this.editor.timeline?.thumbnail(ORIGINAL, canvas);
    return canvas.toDataURL();
  }
}

/**
 * Return what is kept, null where nothing is: what is old or another user's goes.
 *
 * @returns {Promise<Work | null>}
 */
export async function findWork() {
  try {
    /** @type {Work | undefined} */
    const photo = await transact("readonly", (store) => store.get("photo"));
    if (!photo) return null;
    if (Date.now() - photo.id < MAX_AGE_MS && photo.user === getUser())
      return {
        ...photo,
        marks: (await transact("readonly", (store) => store.get("marks"))) ?? [],
        settings: await transact("readonly", (store) => store.get("settings")),
      };
    await discard();
  } catch {
    // this browser keeps nothing
  }
  return null;
}

/** Forget everything that is kept. */
export async function discard() {
  await transact("readwrite", (store) => store.clear()).catch(() => {}); // nothing can be kept, so nothing is
}

function getUser() {
  return getConfig().username ?? null;
}
