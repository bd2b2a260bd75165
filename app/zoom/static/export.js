// What an export becomes, said before it is made; then its progress, and the file.

import { find } from "../../widgets/static/dom.js";
import { Conversation } from "../../widgets/static/protocol.js";

/** @import { Component, Level, Request } from "../../widgets/static/protocol.js" */
/** @import { ZoomViewer } from "./zoom.js" */

const MAX_SCALE = 64;

/** @typedef {"PNG" | "JPEG" | "WebP" | "TIFF"} Format */
/** @typedef {{ what: string, scale: number | null, format: Format }} Choice */
/** @typedef {{ megapixels: number, side: number }} Limit side: px of the longer side */

/**
 * @typedef {object} Options
 * @property {Choice} choice at first
 * @property {string} view the `what` that means the view; all else is the whole photo
 * @property {Record<Format, Limit>} limits
 */

/**
 * The side of the whole photo at a scale, as the server counts it: rounded half to even, then less one where the
 * last pixel's centre would lie beside the photo.
 *
 * @param {number} side photo px
 * @param {number} scale
 */
function scaleSide(side, scale) {
  const exact = side * scale;
  const count = exact % 1 === 0.5 ? 2 * Math.round(exact / 2) : Math.round(exact);
  return (count - 0.5) / scale < side ? count : count - 1;
}

export class Exporter {
  /**
   * @param {HTMLElement} root of the line
   * @param {Component} component its value holds the Options
   * @param {ZoomViewer} viewer
   */
  constructor(root, component, viewer) {
    /** @type {Options} */
    const { choice, view, limits } = component.props.value;
    this.line = find(root, "p");
    this.choice = choice;
    this.view = view;
    this.limits = limits;
    this.viewer = viewer;
    /** Number of the view at which something was last said. @type {number | null} */
    this.noticedAt = null;
    this.conversation = new ExportConversation(this, component);
    viewer.exporter = this;
    this.refresh();
  }

  /**
   * @param {string} what
   * @param {number | null} scale
   * @param {Format} format
   */
  choose(what, scale, format) {
    this.choice = { what, scale, format };
    this.refresh();
  }

  get busy() {
    return this.viewer.busy;
  }

  get ofView() {
    return this.choice.what === this.view;
  }

  /**
   * Width and height of the file in px; null for a scale that cannot be.
   *
   * @param {[number, number]} photo its size
   * @returns {[number, number] | null}
   */
  size([width, height]) {
    const { scale } = this.choice;
    if (this.ofView) {
      const view = this.viewer.window(Infinity);
      return [view.width, view.height];
    }
    if (typeof scale !== "number" || !(scale >= 1 && scale <= MAX_SCALE)) return null;
    return [scaleSide(width, scale), scaleSide(height, scale)];
  }

  /**
   * Level and text of the line.
   *
   * @returns {[Level, string]}
   */
  describe() {
    const { timeline } = this.viewer;
    if (!timeline) return ["info", "Open a photo to see how large the file becomes."];
    const size = this.size(timeline.size);
    if (!size) return ["warn", `Give a scale from 1 to ${MAX_SCALE}, for example 2.5.`];
    const { format } = this.choice;
    const [width, height] = size;
    const megapixels = (width * height) / 1e6;
    const text = `${width} x ${height} px, ${megapixels.toFixed(megapixels < 0.1 ? 3 : 1)} megapixels`;
    const limit = this.limits[format];
    let bound = "";
    if (Math.max(width, height) > limit.side) bound = `${limit.side} px a side`;
    if (megapixels > limit.megapixels) bound = `${limit.megapixels} here`;
    if (!bound) return ["info", text];
    return ["warn", `${text}, but ${format} is limited to ${bound}. ${this.advise(timeline.size, megapixels)}`];
  }

  /**
   * What to do about a limit.
   *
   * @param {[number, number]} photo its size
   * @param {number} megapixels of the file
   */
  advise([width, height], megapixels) {
    const { format } = this.choice;
    const limit = this.limits[format];
    const ways = [];
    if (format !== "TIFF" && megapixels <= this.limits.TIFF.megapixels) ways.push("TIFF");
    const most = Math.min(Math.sqrt((limit.megapixels * 1e6) / (width * height)), limit.side / Math.max(width, height));
    if (this.ofView) ways.push("a smaller window");
    else ways.push(most >= 1 ? `a scale up to ${Math.floor(most * 100) / 100}` : this.view);
    return `Choose ${ways.join(", or ")}.`;
  }

  refresh() {
    const [level, text] = this.describe();
    const { line } = this;
    if (line.textContent !== text) line.textContent = text; // what stays is not read out again
    line.dataset.level = level;
    Object.assign(document.body.dataset, {
      sairExport: this.busy ? "busy" : this.viewer.timeline ? "ready" : "empty",
      sairExportWhat: this.ofView ? "view" : "whole",
    });
  }

  // ---- shown on the stage, which is where people look

  /**
   * @param {Level} level
   * @param {string} text
   */
  notice(level, text) {
    this.noticedAt = this.viewer.requests.number;
    this.viewer.notice(level, text);
  }

  /**
   * @param {number} share
   * @param {string} [text]
   */
  progress(share, text) {
    this.viewer.progress(share, text);
  }

  /**
   * @param {boolean} busy
   * @param {string} [text]
   */
  setBusy(busy, text) {
    this.viewer.setBusy(busy, text);
    if (!busy) this.viewer.requests.ask(); // no view was asked for meanwhile
  }

  cancel() {
    if (this.busy) this.notice("busy", "Stopping the export");
  }
}

/** @extends {Conversation<Exporter>} */
class ExportConversation extends Conversation {
  /**
   * @param {string} busyText
   * @returns {Promise<Request>}
   */
  async request(busyText) {
    const { bench, shown, timeline } = this.asker.viewer;
    this.asker.setBusy(true, busyText);
    const what = timeline ? { seen: shown, window: this.asker.viewer.window(Infinity) } : {};
    return { ...(await bench.editor.conversation.describe("")), ...what };
  }
}
