// The server's pictures of what is in view: asked for when the view rests, drawn where they belong in the photo.

import { Conversation } from "../../widgets/static/protocol.js";

/** @import { Component, Level, Picture, Request, ViewAnswer } from "../../widgets/static/protocol.js" */
/** @import { ZoomViewer } from "./zoom.js" */

/** @typedef {"after" | "before"} Layer the model's picture, or what it is compared with */

const REST_MS = 120; // without a move, before the server is asked
/** In the order in which the server sends them. @type {Layer[]} */
const LAYERS = ["after", "before"];

/** What is in view, its number, and how far the server is with it. */
export class ViewRequests {
  /**
   * @param {ZoomViewer} viewer whose view it is
   * @param {Component} component
   */
  constructor(viewer, component) {
    this.viewer = viewer;
    this.component = component;
    this.view = ""; // all that the pictures depend on, as text
    this.number = 0; // of that view: one more with every change
    this.requested = 0; // number of the view that was last asked for
    this.received = 0; // number of the view that the pictures are of
    /** @type {Map<Layer, Picture & { bitmap: ImageBitmap }>} */
    this.pictures = new Map();
    /** @type {number | null} */
    this.timer = null;
    this.busy = false; // an answer is awaited
  }

  /**
   * The view has moved.
   *
   * @param {unknown} view all that the pictures depend on
   */
  update(view) {
    const text = JSON.stringify(view);
    if (text === this.view) return;
    this.view = text;
    this.number += 1;
    this.postpone();
  }

  /** Ask once the view has rested for a while. */
  postpone() {
    if (this.timer) clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      this.timer = null;
      this.ask();
    }, REST_MS);
  }

  /** Ask for what is in view, unless that is there, or cannot be asked for now. */
  ask() {
    if (this.timer || this.received === this.number || !this.viewer.ready) return;
    if (!this.busy) {
      this.requested = this.number;
      this.setBusy(true);
      this.component.trigger("view");
    } else if (this.requested !== this.number) {
      this.component.trigger("drop"); // the answer under way comes at once, and then this is asked for
    }
  }

  /**
   * @param {boolean} busy
   * @param {string} [text]
   */
  setBusy(busy, text) {
    this.busy = busy;
    this.progress(0, text);
    this.viewer.refresh();
    if (!busy && this.requested !== this.number) this.ask();
  }

  /** Whether the status line says how an export of this view has ended, which can be read until a move. */
  get exportNoticed() {
    return this.viewer.exporter?.noticedAt === this.number;
  }

  /**
   * @param {number} share
   * @param {string} [text]
   */
  progress(share, text) {
    if (this.viewer.busy) return; // bar and line are the export's
    this.viewer.progress(share, this.exportNoticed ? "" : text);
  }

  /**
   * @param {Level} level
   * @param {string} text
   */
  notice(level, text) {
    this.viewer.notice(level, text);
  }

  /**
   * Let pictures go, all unless some are named.
   *
   * @param {...Layer} layers
   */
  drop(...layers) {
    for (const layer of layers.length ? layers : LAYERS) {
      this.pictures.get(layer)?.bitmap.close();
      this.pictures.delete(layer);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Layer} layer
   */
  draw(context, layer) {
    const picture = this.pictures.get(layer);
    const { timeline } = this.viewer;
    if (!picture || !timeline) return;
    const box = timeline.toDisplay(picture);
    if (timeline.alpha) context.clearRect(...box);
    // Made for this scale, it is shown pixel on pixel.
    context.imageSmoothingEnabled = Math.abs(context.getTransform().a * box[2] - picture.bitmap.width) > 0.01;
    context.drawImage(picture.bitmap, ...box);
  }

  // ---- what the server answered

  /**
   * @param {ViewAnswer} answer
   * @param {ImageBitmap[]} bitmaps
   */
  showView({ pictures, request }, bitmaps) {
    const late = request !== this.number;
    if (late || !bitmaps.length) {
      for (const bitmap of bitmaps) bitmap.close();
      if (!late) this.postpone(); // called off though still wanted: it had just been asked for, or an export began
      return;
    }
    this.drop();
    this.received = this.number;
    LAYERS.forEach((layer, i) => this.pictures.set(layer, { ...pictures[i], bitmap: bitmaps[i] }));
    this.viewer.view.redraw(...LAYERS);
    if (!this.exportNoticed) this.notice("good", this.viewer.summary());
  }
}

/** @extends {Conversation<ViewRequests>} */
export class ViewConversation extends Conversation {
  /**
   * @param {string} busyText
   * @returns {Promise<Request>}
   */
  async request(busyText) {
    const { asker } = this;
    const { baseline, bench, shown } = asker.viewer;
    asker.requested = asker.number; // the view may have moved since the question was raised
    asker.progress(0, busyText);
    const what = { seen: shown, window: asker.viewer.window(), against: baseline, number: asker.number };
    return { ...(await bench.editor.conversation.describe("")), ...what };
  }
}
