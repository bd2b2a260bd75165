// What the pointer does on the editor's stage: brushes and eraser, and the divider.

import { find } from "../../widgets/static/dom.js";
import { Pointer } from "../../widgets/static/pointer.js";
import { drawStroke } from "./mask.js";

/** @import { Drag, Point } from "../../widgets/static/pointer.js" */
/** @import { Editor } from "./editor.js" */

/** @extends {Pointer<Editor>} */
export class BrushPointer extends Pointer {
  /** @param {Editor} editor */
  constructor(editor) {
    super(editor);
    this.ring = find(editor.root, ".ring"); // as large as the brush
    this.modifiers = { alt: false, shift: false };
  }

  /**
   * @param {PointerEvent} event
   * @returns {Drag}
   */
  dragOf(event) {
    this.modifiers = { alt: event.altKey, shift: event.shiftKey };
    return this.widget.state.view === "compare" ? "divide" : "stroke";
  }

  get selecting() {
    return this.widget.tool === "select";
  }

  begin() {
    if (this.drag !== "stroke") return;
    if (this.selecting) this.widget.touch.begin(this.modifiers.alt, this.modifiers.shift);
    else this.widget.marks?.begin();
  }

  finish() {
    if (this.drag !== "stroke") return;
    if (this.selecting) this.widget.touch.finish();
    else this.widget.finishStep();
  }

  cancel() {
    if (this.drag !== "stroke") return;
    if (this.selecting) return this.widget.touch.cancel();
    this.widget.marks?.cancel();
    this.widget.redrawMarks();
  }

  /**
   * @param {Point} before
   * @param {Point} now
   */
  follow(before, now) {
    super.follow(before, now);
    const { diameter, marks, tool, view } = this.widget;
    if (this.drag !== "stroke" || !marks) return;
    const width = Math.max(1, diameter / view.scale);
    /** @type {[number, number, number, number]} */
    const line = [...view.toPicture(...before), ...view.toPicture(...now)];
    if (this.selecting) return this.widget.touch.follow(line, view.scale);
    for (const name of marks.stroke(tool, line, width)) {
      // The whole layer anew would take too long.
      drawStroke(view.context(name), line, width, tool === "erase", marks[name].tint);
    }
  }

  /** @param {PointerEvent} event */
  hover(event) {
    const [x, y] = this.at(event);
    this.ring.hidden = event.pointerType === "touch";
    this.ring.style.transform = `translate(${x}px, ${y}px) translate(-50%, -50%)`;
  }

  leave() {
    this.ring.hidden = true;
  }
}
