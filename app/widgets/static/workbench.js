// What the tabs share in the browser, as app/widgets/workbench.py holds what they share on the server.

import { closest } from "./dom.js";

/** @import { Editor } from "../../edit/static/editor.js" */
/** @import { LabelMap } from "../../semantics/static/labels.js" */
/** @import { StageWidget } from "./widget.js" */

/** Given to every tab: the editor, whose photo all others show, and who shows it. */
export class Workbench {
  constructor() {
    /** @type {Editor | null} */
    this.mountedEditor = null;
    /** @type {StageWidget[]} */
    this.stages = [];
    /** Called after every change of the editor. @type {(() => void)[]} */
    this.followers = [];
    /** The map that the Semantics tab shows. @type {LabelMap | null} */
    this.map = null;
    // A mouse click on a control gives the focus back, so that the next key is a shortcut and not a click.
    document.addEventListener("click", (event) => {
      const control = closest(event, "button");
      if (control && event.detail > 0 && !control.closest("dialog")) this.front()?.stage.focus({ preventScroll: true });
    });
  }

  /** @returns {Editor} */
  get editor() {
    if (!this.mountedEditor) throw new Error("The Edit tab is mounted before all others.");
    return this.mountedEditor;
  }

  set editor(editor) {
    this.mountedEditor = editor;
  }

  /** The editor has changed. */
  announce() {
    for (const follow of this.followers) follow();
  }

  /** Return what the open tab is about, if it is about a photo. */
  front() {
    return this.stages.find((widget) => widget.visible);
  }

  /**
   * @param {"edit" | "zoom" | "semantics"} name
   */
  openTab(name) {
    document.getElementById(`tab-${name}-button`)?.click();
    if (name === "edit") requestAnimationFrame(() => this.editor.stage.focus({ preventScroll: true }));
  }

  /** Press the open tab's main button: the one way in, for the mouse, the keyboard and a screen reader alike. */
  pressMainButton() {
    const widget = this.front();
    if (!widget || widget.busy) return;
    /** @type {HTMLElement | null} */ (document.querySelector(widget.mainButton))?.click();
  }
}
