// A widget in a tab of its own that shows the photo which the editor shows.

import { bindActions } from "./dom.js";
import { StageWidget } from "./widget.js";

/** @import { Timeline } from "../../edit/static/timeline.js" */
/** @import { Workbench } from "./workbench.js" */

export class Viewer extends StageWidget {
  /**
   * @param {HTMLElement} root
   * @param {Workbench} bench
   * @param {string[]} layers
   * @param {string} mainButton
   */
  constructor(root, bench, layers, mainButton) {
    super(root, bench, layers, mainButton);
    /** The editor's, of the photo that is shown. @type {Timeline | null} */
    this.timeline = null;
    /** Id of the photo or result that the editor showed of it. @type {string | null} */
    this.photo = null;
    bench.followers.push(() => this.follow());
    new ResizeObserver(() => this.follow()).observe(this.stage); // the tab was opened
  }

  /** Show what the editor shows, if this tab is open. */
  follow() {}

  /** The server no longer has the photo. */
  showLost() {
    this.bench.editor.showLost();
  }

  /** Take over the editor's photo; return whether that is another one than before. */
  adoptPhoto() {
    const { timeline } = this.bench.editor;
    const photo = this.bench.editor.seenId();
    if (this.timeline === timeline && this.photo === photo) return false;
    const opened = this.timeline !== timeline;
    Object.assign(this, { timeline, photo });
    if (opened && timeline) this.view.open(timeline.photo.width, timeline.photo.height);
    return true;
  }

  /**
   * Tie the buttons of the widget's HTML to what they do, by their data-act.
   *
   * @param {Record<string, () => void>} actions
   */
  bind(actions) {
    bindActions(this.root, { fit: () => this.view.fit(), open: () => this.bench.editor.choosePhoto(), ...actions });
  }
}
