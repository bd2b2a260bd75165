// What widgets are made of: a status line that says what happens, and mostly a stage that shows a photo.

import { setProgress, setStatus } from "./controls.js";
import { find } from "./dom.js";
import { Viewport } from "./viewport.js";

/** @import { Level } from "./protocol.js" */
/** @import { Workbench } from "./workbench.js" */

/** A widget with a status line and a progress bar; an Asker of protocol.js. */
export class Widget {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.busy = false; // an answer is awaited
  }

  /**
   * @param {Level} level
   * @param {string} text
   */
  notice(level, text) {
    setStatus(this.root, level, text);
  }

  /**
   * @param {number} share in [0, 1]
   * @param {string} [text]
   */
  progress(share, text) {
    setProgress(this.root, share);
    if (text) this.notice("busy", text);
  }

  /**
   * @param {boolean} busy
   * @param {string} [text]
   */
  setBusy(busy, text) {
    this.busy = busy;
    this.progress(0, text);
    this.refresh();
  }

  /** Set the attributes and labels that follow from the state; the look of every state lives in the style sheet. */
  refresh() {}
}

/** What a tab is about: a photo on a stage. */
export class StageWidget extends Widget {
  /**
   * @param {HTMLElement} root
   * @param {Workbench} bench
   * @param {string[]} layers the classes of the stage's canvases, lowest first
   * @param {string} mainButton selector of the Gradio button that comes next
   */
  constructor(root, bench, layers, mainButton) {
    super(root);
    this.bench = bench;
    this.mainButton = mainButton;
    this.stage = find(root, ".stage");
    this.view = new Viewport(this.stage, layers);
    bench.stages.push(this);
  }

  /** False while another tab is open. */
  get visible() {
    return this.stage.clientWidth > 0;
  }
}
