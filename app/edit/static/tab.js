// The Edit tab in the browser: its widgets, and what its Gradio buttons do there.

import { bindActions, find } from "../../widgets/static/dom.js";
import { BrushPointer } from "./brush.js";
import { Editor } from "./editor.js";
import { bindFiles, showExamples } from "./files.js";
import { Keys } from "./keys.js";
import { offerWork } from "./offer.js";
import { Priors } from "./priors.js";

/** @import { Component } from "../../widgets/static/protocol.js" */
/** @import { Workbench } from "../../widgets/static/workbench.js" */

/** @param {Workbench} bench */
export function editTab(bench) {
  return {
    widgets: {
      /** @type {(root: HTMLElement, component: Component) => Editor} */
      canvas: (root, component) => mountEditor(root, component, bench),
      /** @type {(root: HTMLElement, component: Component) => Priors} */
      priors: (root, component) => new Priors(root, component, bench),
    },
    commands: {
      invertMask: () => bench.editor.invertMask(),
      clearMask: () => bench.editor.clearMarks(),
      renewSelection: () => bench.editor.touch.renew(),
      setEngine: (/** @type {string} */ engine) => bench.editor.setEngine(engine),
      keepSettings: (/** @type {string} */ engines, /** @type {unknown[]} */ values) =>
        bench.editor.keeper.keepSettings({ engines, values }),
      restoreSettings: (/** @type {string} */ engines, /** @type {unknown[]} */ values) =>
        bench.editor.keeper.restoreSettings({ engines, values }),
      chooseMask: () => bench.editor.chooseMask(),
      useAsPhoto: () => bench.editor.useAsPhoto(),
    },
  };
}

/**
 * @param {HTMLElement} root
 * @param {Component} component its value holds the examples
 * @param {Workbench} bench
 */
function mountEditor(root, component, bench) {
  const editor = new Editor(root, component, bench);
  new Keys(editor, new BrushPointer(editor), bench);
  bindButtons(editor);
  bindFiles(editor);
  showExamples(editor, component.props.value?.examples ?? []);
  void offerWork(editor, component);
  // Results are gone with the page.
  window.addEventListener("beforeunload", (event) => editor.results.length && event.preventDefault());
  return editor;
}

/** @param {Editor} editor */
function bindButtons(editor) {
  const { root } = editor;
  /** @type {(tool: Editor["tool"]) => void} */
  const take = (tool) => {
    editor.setTool(tool);
    editor.setView("paint");
  };
  bindActions(root, {
    open: () => editor.choosePhoto(),
    brush: () => take("brush"),
    source: () => take("source"),
    select: () => take("select"),
    erase: () => take("erase"),
    undo: () => editor.undo(),
    redo: () => editor.redo(),
    paint: () => editor.setView("paint"),
    compare: () => editor.setView("compare"),
    zoomin: () => editor.view.zoom(1.4),
    zoomout: () => editor.view.zoom(1 / 1.4),
    fit: () => editor.view.fit(),
  });
  const size = find(root, ".size input", HTMLInputElement);
  size.addEventListener("input", () => editor.setDiameter(Number(size.value)));
  bindHold(find(root, "[data-act=original]"), editor);
}

/**
 * Show the original for as long as a button is held.
 *
 * @param {HTMLElement} button
 * @param {Editor} editor
 */
function bindHold(button, editor) {
  button.addEventListener("pointerdown", (event) => {
    button.setPointerCapture(event.pointerId);
    editor.hold(true);
  });
  for (const name of ["pointerup", "pointercancel", "blur"]) button.addEventListener(name, () => editor.hold(false));
  button.addEventListener("keydown", (event) => event.key === " " && editor.hold(true));
  button.addEventListener("keyup", () => editor.hold(false));
}
