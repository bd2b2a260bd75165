// What the painted engine expects in the hole: a row a seed, a column a prior, coarsest first, then the fill.

import { create, find, getContext } from "../../widgets/static/dom.js";
import { Conversation } from "../../widgets/static/protocol.js";
import { Widget } from "../../widgets/static/widget.js";

/** @import { Component, PriorsAnswer } from "../../widgets/static/protocol.js" */
/** @import { Workbench } from "../../widgets/static/workbench.js" */
/** @import { Timeline } from "./timeline.js" */

export class Priors extends Widget {
  /**
   * @param {HTMLElement} root
   * @param {Component} component
   * @param {Workbench} bench
   */
  constructor(root, component, bench) {
    super(root);
    this.bench = bench;
    this.grid = find(root, ".grid");
    /** The editor's, of the photo that is shown. @type {Timeline | null} */
    this.timeline = null;
    this.conversation = new PriorsConversation(this, component);
    bench.followers.push(() => this.follow());
    this.refresh();
  }

  refresh() {
    Object.assign(this.root.dataset, { state: this.timeline ? "shown" : "empty", working: this.busy });
    document.body.dataset.sairPriors = this.busy ? "busy" : "ready";
  }

  /** Let those of another photo go. */
  follow() {
    if (!this.timeline || this.timeline === this.bench.editor.timeline) return;
    this.timeline = null;
    this.grid.replaceChildren();
    this.notice("info", "Paint over something, then press Look inside.");
    this.refresh();
  }

  /**
   * There is no bar.
   *
   * @param {number} share
   * @param {string} [text]
   */
  progress(share, text) {
    if (text) this.notice("busy", text);
  }

  /** The server no longer has the photo. */
  showLost() {
    this.bench.editor.showLost();
  }

  /**
   * @param {PriorsAnswer} answer
   * @param {ImageBitmap[]} bitmaps
   */
  showPriors({ seeds, columns }, bitmaps) {
    const cells = ["", ...columns].map(createCaption);
    seeds.forEach((seed, row) => {
      const pictures = bitmaps.slice(row * columns.length, (row + 1) * columns.length);
      cells.push(createCaption(`Seed ${seed}`), ...pictures.map(createPicture));
    });
    this.grid.style.setProperty("--columns", String(columns.length));
    this.grid.replaceChildren(...cells);
    this.timeline = this.bench.editor.timeline;
    this.refresh();
  }
}

/**
 * @param {string} text
 * @returns {HTMLElement}
 */
function createCaption(text) {
  return create("span", { textContent: text });
}

/**
 * @param {ImageBitmap} bitmap
 * @param {number} column
 * @param {ImageBitmap[]} row
 */
function createPicture(bitmap, column, row) {
  const className = column < row.length - 1 ? "prior" : "fill";
  const canvas = create("canvas", { width: bitmap.width, height: bitmap.height, className });
  getContext(canvas).drawImage(bitmap, 0, 0);
  return canvas;
}

/** @extends {Conversation<Priors>} */
class PriorsConversation extends Conversation {
  /**
   * @param {string} busyText
   * @param {string} part
   */
  async request(busyText, part) {
    this.asker.setBusy(true, busyText);
    return this.asker.bench.editor.conversation.describe(part);
  }
}
