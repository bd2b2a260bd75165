// The editor's conversation with the server: what is open, what is painted, which files come in.

import { Conversation } from "../../widgets/static/protocol.js";

/** @import { FileData, Request } from "../../widgets/static/protocol.js" */
/** @import { Editor } from "./editor.js" */
/** @import { Layer, Marks } from "./marks.js" */
/** @import { Painted } from "./mask.js" */

/** Where a request says the place of each layer. @type {Record<Layer, "box" | "source_box">} */
const BOXES = { mask: "box", source: "source_box" };

/**
 * What an event carries besides the state.
 *
 * @typedef {{
 *   file?: File,
 *   uploaded?: FileData,
 *   example?: string,
 *   seed?: number,
 *   points?: [number, number][],
 *   inside?: boolean[],
 * }} Extras uploaded: where the server put the file before
 */

/** @extends {Conversation<Editor>} */
export class EditorConversation extends Conversation {
  /** What the next event carries. @type {Extras | null} */
  pending = null;

  /** What was asked for last. */
  work = "";

  /** Where the server has put the files that were sent to it. @type {WeakMap<File, FileData>} */
  uploads = new WeakMap();

  /** What was sent to be filled last. @type {Painted | undefined} */
  hole;

  /** @param {Parameters<Conversation["receive"]>[0]} value */
  async receive(value) {
    // From the first progress on the server knows the work, and a fill can be cancelled.
    if (value?.kind === "progress") document.body.dataset.sairWork = this.work;
    return super.receive(value);
  }

  /** @param {File | undefined} file */
  openPhoto(file) {
    if (file) this.asker.keeper.open({ source: { file } });
  }

  /** @param {string} example */
  openExample(example) {
    this.asker.keeper.open({ source: { example } });
  }

  /** @param {File | undefined} file */
  openMask(file) {
    if (file) this.send("upload_mask", { file });
  }

  /**
   * Send an event, unless another is under way.
   *
   * @param {string} event
   * @param {Extras} extras
   * @returns {boolean} whether it was sent
   */
  send(event, extras) {
    if (this.asker.busy) {
      this.asker.notice("warn", "Wait until the fill is done.");
      return false;
    }
    this.pending = extras;
    this.component.trigger(event);
    return true;
  }

  /**
   * @param {File} file
   * @returns {Promise<FileData>}
   */
  async upload(file) {
    const { path, url } = await this.component.upload(file);
    return { path, url, orig_name: file.name, mime_type: file.type, meta: { _type: "gradio.FileData" } };
  }

  /**
   * Return where a file is on the server: it is sent only where the server does not have it any more.
   *
   * @param {File} file
   * @param {FileData} [uploaded]
   */
  async provide(file, uploaded) {
    const there = uploaded && (await fetch(uploaded.url, { method: "HEAD" })).ok;
    const found = there ? uploaded : await this.upload(file);
    this.uploads.set(file, found);
    return found;
  }

  /**
   * @param {string} busyText
   * @param {string} part
   */
  async request(busyText, part) {
    const { asker, pending } = this;
    this.pending = null;
    this.work = busyText.toLowerCase();
    delete document.body.dataset.sairWork;
    if (asker.timeline || pending) asker.setBusy(true, busyText);
    if (part === "fill") asker.showGuide();
    return this.describe(part, pending ?? {});
  }

  /**
   * @param {Marks} marks
   * @param {string} part as of `describe`
   * @returns {Promise<Request>}
   */
  async uploadMarks(marks, part) {
    /** @type {Request} */
    const request = {};
    const layers = await marks.toPng();
    if (part === "fill") this.hole = new Map(layers).get("mask");
    for (const [name, { blob, box }] of layers) {
      request[name] = await this.upload(new File([blob], `${name}.png`, { type: "image/png" }));
      request[BOXES[name]] = box;
    }
    return request;
  }

  /**
   * The editor's state, for any widget that asks about its photo.
   *
   * @param {string} part "mask" to send what is painted, "fill" where it is about to be filled
   * @param {Extras} [extras]
   * @returns {Promise<Request>}
   */
  async describe(part, { file, uploaded, example, seed, points, inside } = {}) {
    const editor = this.asker;
    /** @type {Request} */
    const request = {
      base: editor.state.base,
      shown: editor.saveableId(),
      seen: editor.seenId(),
      open: Boolean(editor.timeline),
    };
    try {
      if (part && editor.marks) Object.assign(request, await this.uploadMarks(editor.marks, part));
      if (file) request.file = await this.provide(file, uploaded);
      if (example) request.example = example;
      if (seed !== undefined) request.seed = seed;
      if (points) Object.assign(request, { points, inside });
    } catch (error) {
      request.problem = error instanceof Error ? error.message : String(error);
    }
    return request;
  }
}
