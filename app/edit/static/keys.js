// Keyboard shortcuts of the whole page.

import { isTyping } from "../../widgets/static/dom.js";
import { toggleHelp } from "../../widgets/static/head.js";

/** @import { Workbench } from "../../widgets/static/workbench.js" */
/** @import { BrushPointer } from "./brush.js" */
/** @import { Editor } from "./editor.js" */

const CONTROLS = "button, a, summary, label, input"; // Enter does there what it always does
const DIVIDER_STEP = 0.05;

/** @type {Record<string, (editor: Editor) => void>} */
const ACTIONS = {
  "[": (editor) => editor.setDiameter(Math.min(editor.diameter / 1.2, editor.diameter - 1)),
  "]": (editor) => editor.setDiameter(Math.max(editor.diameter * 1.2, editor.diameter + 1)),
  b: (editor) => editor.setTool("brush"),
  e: (editor) => editor.setTool("erase"),
  s: (editor) => editor.setTool("source"),
  v: (editor) => editor.setTool("select"),
  c: (editor) => editor.setView(editor.state.view === "paint" ? "compare" : "paint"),
  "+": (editor) => editor.view.zoom(1.4),
  "=": (editor) => editor.view.zoom(1.4),
  "-": (editor) => editor.view.zoom(1 / 1.4),
  0: (editor) => editor.view.fit(),
};

export class Keys {
  /**
   * @param {Editor} editor
   * @param {BrushPointer} pointer
   * @param {Workbench} bench
   */
  constructor(editor, pointer, bench) {
    this.editor = editor;
    this.pointer = pointer;
    this.bench = bench;
    document.addEventListener("keydown", (event) => this.press(event));
    document.addEventListener("keyup", (event) => this.release(event));
    window.addEventListener("blur", () => this.releaseAll());
  }

  /** The window that has lost the focus is not told which keys go up. */
  releaseAll() {
    this.editor.hold(false);
    this.pointer.spaceHeld = false;
  }

  /** @param {KeyboardEvent} event */
  release(event) {
    if (event.key === "Tab") this.editor.hold(false);
    if (event.key === " ") this.pointer.spaceHeld = false;
  }

  /** Tab moves between controls as everywhere, except while the stage (or nothing) has the focus. */
  onStage() {
    const active = document.activeElement;
    return !active || active === document.body || this.editor.stage.contains(active);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const action = this.find(event);
    if (!action) return;
    if (event.key !== "Escape") event.preventDefault(); // which also closes what the browser has opened
    action();
  }

  /**
   * Return what a key does here; null where it does what it always does.
   *
   * @param {KeyboardEvent} event
   * @returns {(() => void) | null}
   */
  find(event) {
    const { editor } = this;
    const key = event.key.toLowerCase();
    const command = event.ctrlKey || event.metaKey;
    if (document.querySelector("dialog[open]")) return key === "h" ? toggleHelp : null;
    if (command && event.key === "Enter") return () => this.bench.pressMainButton();
    if (isTyping(event) || event.altKey) return null;
    if (!command && (key === "h" || key === "?")) return toggleHelp;
    if (!editor.visible) return null;
    if (command) {
      if (key === "y" || (key === "z" && event.shiftKey)) return () => editor.redo();
      return key === "z" ? () => editor.undo() : null;
    }
    return this.findOnEditor(event, key);
  }

  /**
   * @param {KeyboardEvent} event
   * @param {string} key
   * @returns {(() => void) | null}
   */
  findOnEditor(event, key) {
    const { editor } = this;
    const target = event.target instanceof Element ? event.target : document.body;
    const onPhoto = Boolean(editor.timeline) && this.onStage();
    if (key === "tab" && !event.shiftKey && onPhoto) return () => editor.hold(true);
    if (key === "enter" && !target.closest(CONTROLS)) return () => this.bench.pressMainButton();
    if (key === " " && onPhoto) return () => (this.pointer.spaceHeld = true);
    if (key === "escape") return () => editor.stage.blur();
    if (target.closest(".divider") && ["arrowleft", "arrowright"].includes(key)) {
      return () => editor.setDivider(editor.divider + (key === "arrowleft" ? -DIVIDER_STEP : DIVIDER_STEP));
    }
    const action = ACTIONS[key];
    return action ? () => action(editor) : null;
  }
}
