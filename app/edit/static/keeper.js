// The work that this browser keeps, so that neither a reload nor a server that ended takes it: the photo and what is
// painted on it. The settings beside it are kept by the page's gr.BrowserState.

import { create } from "../../widgets/static/dom.js";
import { getConfig, ORIGINAL } from "../../widgets/static/protocol.js";
import { transact } from "../../widgets/static/store.js";
import { CARD_HEIGHT, CARD_WIDTH } from "./history.js";

/** @import { Painted } from "./mask.js" */
/** @import { Layer } from "./marks.js" */
/** @import { Editor } from "./editor.js" */

/** @typedef {{ file?: File, example?: string }} Source where a photo comes from */

/**
 * @typedef {object} Work
 * @property {number} id of the photo: when it was opened, ms since 1970
 * @property {string | null} user who was logged in
 * @property {Source} source
 * @property {string} picture of the photo, small, a data URI
 * @property {Partial<Record<Layer, Painted>>} [marks]
 */

const MAX_BYTES = 200e6; // of a photo's file
const MAX_AGE_MS = 24 * 3600e3;
const REST_MS = 300; // without a stroke, before the marks are kept

export class Keeper {
  /** @param {Editor} editor */
  constructor(editor) {
    this.editor = editor;
    /** What was opened last, or is about to be. @type {Pick<Work, "source" | "marks">} */
    this.work = { source: {} };
    this.id = 0;
    this.timer = 0;
  }

  /**
   * Open a photo; with the marks that were kept of it, if any.
   *
   * @param {Pick<Work, "source" | "marks">} work
   */
  open(work) {
    this.work = work;
    this.editor.conversation.send("open", work.source);
  }

  /** Open the photo of this page again: the server no longer has it. */
  async reopen() {
    const { marks } = this.editor;
    this.open({ source: this.work.source, marks: marks ? await marks.toPng() : {} });
  }

  /** The photo is open: keep it from now on. */
  async keepPhoto() {
    const { source, marks } = this.work;
    this.id = Date.now();
    /** @type {Work} */
    const kept = { id: this.id, user: getUser(), source, picture: this.drawPicture() };
    const size = source.file?.size ?? 0;
    const write = transact("readwrite", (store) => {
      const cleared = store.clear();
      if (size > MAX_BYTES) return cleared;
      if (marks) store.put(marks, "marks");
      store.put(kept, "photo");
      return cleared;
    }).catch(discard);
    if (marks) await this.restore(marks);
    await write;
  }

  /** @param {NonNullable<Work["marks"]>} kept */
  async restore(kept) {
    const layers = /** @type {[Layer, Painted][]} */ (Object.entries(kept));
    const bitmaps = await Promise.all(layers.map(([, { blob }]) => createImageBitmap(blob)));
    this.editor.step((marks) => {
      for (const [i, [name, { box }]] of layers.entries()) marks[name].load(bitmaps[i], box[0], box[1]);
    });
    this.editor.notice("good", `Your work is back. ${this.editor.hint()}`);
  }

  /** The marks have changed: keep them, once nothing is being painted. */
  keepMarks() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.writeMarks().catch(discard), REST_MS);
  }

  async writeMarks() {
    const { id } = this;
    const { marks } = this.editor;
    if (!marks || marks.painting) return; // the end of the stroke comes here again
    const painted = await marks.toPng();
    await transact("readwrite", (store) => {
      const photo = store.get("photo");
      // Another window of this browser may have opened another photo meanwhile: the newest one is kept.
      photo.onsuccess = () => photo.result?.id === id && this.id === id && store.put(painted, "marks");
      return photo;
    });
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
      return { ...photo, marks: (await transact("readonly", (store) => store.get("marks"))) ?? {} };
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
