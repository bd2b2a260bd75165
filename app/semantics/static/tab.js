// The Semantics tab in the browser: its widget, and what its Gradio buttons do there.

import { find } from "../../widgets/static/dom.js";
import { Pointer } from "../../widgets/static/pointer.js";
import { MapViewer } from "./map.js";

/** @import { Point } from "../../widgets/static/pointer.js" */
/** @import { Component } from "../../widgets/static/protocol.js" */
/** @import { Workbench } from "../../widgets/static/workbench.js" */

const CLICK_PX = 5; // a pointer that moved less has clicked, not dragged

/** @param {Workbench} bench */
export function semanticsTab(bench) {
  /** @type {MapViewer | undefined} */
  let viewer;
  return {
    widgets: {
      /** @type {(root: HTMLElement, component: Component) => MapViewer} */
      map: (root, component) => (viewer = mountMap(root, component, bench)),
    },
    commands: {
      askAgain: () => viewer?.askAgain(),
    },
  };
}

/**
 * @param {HTMLElement} root
 * @param {Component} component
 * @param {Workbench} bench
 */
function mountMap(root, component, bench) {
  const viewer = new MapViewer(root, component, bench);
  new MapPointer(viewer);
  viewer.bind({
    labels: () => viewer.setLook("labels"),
    confidence: () => viewer.setLook("confidence"),
    add: () => viewer.toggleAdding(),
    zoomin: () => viewer.view.zoom(1.4),
    zoomout: () => viewer.view.zoom(1 / 1.4),
  });
  const opacity = find(root, ".size input", HTMLInputElement);
  opacity.addEventListener("input", () => viewer.setOpacity(Number(opacity.value)));
  return viewer;
}

/**
 * A drag moves the photo, a click chooses; two fingers and the wheel zoom as in the editor.
 *
 * @extends {Pointer<MapViewer>}
 */
class MapPointer extends Pointer {
  /** Where the first pointer went down. @type {Point | null} */
  start = null;

  /** @param {PointerEvent} event */
  press(event) {
    if (!this.down.size) this.start = this.at(event);
    super.press(event);
  }

  /** @param {PointerEvent} event */
  release(event) {
    const [x, y] = this.at(event);
    const still = this.start && Math.hypot(x - this.start[0], y - this.start[1]) < CLICK_PX;
    const clicked = event.type === "pointerup" && this.drag === "pan" && still;
    super.release(event);
    if (clicked) this.widget.click(x, y, event.shiftKey);
  }

  /** @param {PointerEvent} event */
  hover(event) {
    if (event.pointerType !== "touch") this.widget.point(...this.at(event));
  }

  leave() {
    find(this.stage, ".tip").hidden = true;
  }
}
