// The Train tab in the browser: its widgets, and what its Gradio fields do there.

import { bindActions, find } from "../../widgets/static/dom.js";
import { FolderLine } from "./folder.js";
import { TrainingView } from "./train.js";

/** @import { Component } from "../../widgets/static/protocol.js" */

export function trainTab() {
  /** @type {FolderLine | undefined} */
  let folder;
  return {
    widgets: {
      train: mountView,
      /** @type {(root: HTMLElement, component: Component) => FolderLine} */
      "folder-line": (root, component) => (folder = new FolderLine(root, component)),
    },
    commands: {
      /** @type {(text: string) => void} */
      setFolder: (text) => folder?.setFolder(text),
    },
  };
}

/**
 * @param {HTMLElement} root
 * @param {Component} component
 */
function mountView(root, component) {
  const view = new TrainingView(root, component);
  bindActions(root, {
    stop: () => component.trigger("stop_run"),
    resume: () => component.trigger("resume_run"),
    use: () => component.trigger("use_model"),
    back: () => component.trigger("use_first"),
  });
  const { select } = view;
  select.addEventListener("change", () => view.choose(select.value));
  const slider = find(root, ".size input", HTMLInputElement);
  slider.addEventListener("input", () => view.chooseStep(Number(slider.value)));
  return view;
}
