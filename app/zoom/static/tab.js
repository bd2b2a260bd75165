// The Zoom tab in the browser: its widgets, and what its Gradio buttons do there.

import { closest, find } from "../../widgets/static/dom.js";
import { Pointer } from "../../widgets/static/pointer.js";
import { ORIGINAL } from "../../widgets/static/protocol.js";
import { Exporter } from "./export.js";
import { ZoomViewer } from "./zoom.js";

/** @import { Drag } from "../../widgets/static/pointer.js" */
/** @import { Component } from "../../widgets/static/protocol.js" */
/** @import { Workbench } from "../../widgets/static/workbench.js" */
/** @import { Format } from "./export.js" */

/** @param {Workbench} bench */
export function zoomTab(bench) {
  /** @type {ZoomViewer} */
  let viewer;
  /** @type {Exporter | undefined} */
  let exporter;
  return {
    widgets: {
      /** @type {(root: HTMLElement, component: Component) => ZoomViewer} */
      zoom: (root, component) => (viewer = mountViewer(root, component, bench)),
      // Gradio mounts what stands first on the page first.
      /** @type {(root: HTMLElement, component: Component) => Exporter} */
      "export-line": (root, component) => (exporter = new Exporter(root, component, viewer)),
    },
    commands: {
      /** @type {(what: string, scale: number | null, format: Format) => void} */
      chooseExport: (what, scale, format) => exporter?.choose(what, scale, format),
      cancelExport: () => exporter?.cancel(),
    },
  };
}

/**
 * @param {HTMLElement} root
 * @param {Component} component
 * @param {Workbench} bench
 */
function mountViewer(root, component, bench) {
  const viewer = new ZoomViewer(root, component, bench);
  const { stage, view } = viewer;
  const pointer = new ZoomPointer(viewer);
  viewer.bind({
    original: () => viewer.show(ORIGINAL),
    filled: () => viewer.show(viewer.result),
    bicubic: () => viewer.setBaseline("bicubic"),
    nearest: () => viewer.setBaseline("nearest"),
    labels: () => viewer.setBaseline("labels"),
    one: () => viewer.setTimes(1),
  });
  const slider = find(root, ".size input", HTMLInputElement);
  slider.addEventListener("input", () => viewer.slideTo(Number(slider.value)));
  const field = find(root, ".times input", HTMLInputElement);
  field.addEventListener("change", () => viewer.setTimes(Number(field.value)));
  field.addEventListener("blur", () => viewer.showTimes());
  stage.addEventListener("dblclick", (event) => {
    const [x, y] = pointer.at(event);
    if (viewer.timeline && !closest(event, "button") && !viewer.isNearDivider(x)) view.zoom(2, x, y);
  });
  stage.addEventListener("keydown", (event) => {
    if (!viewer.timeline || event.ctrlKey || event.metaKey || event.altKey) return;
    if (viewer.press(event.key, Boolean(closest(event, ".divider")))) event.preventDefault();
  });
  return viewer;
}

/**
 * Drags the divider where it is, the photo elsewhere.
 *
 * @extends {Pointer<ZoomViewer>}
 */
class ZoomPointer extends Pointer {
  /** Also while a picture or an export is being made. */
  get enabled() {
    return Boolean(this.widget.timeline);
  }

  /**
   * @param {PointerEvent} event
   * @returns {Drag}
   */
  dragOf(event) {
    return this.widget.isNearDivider(this.at(event)[0]) ? "divide" : "pan";
  }

  begin() {
    if (this.drag === "divide") find(this.stage, ".divider").focus({ preventScroll: true });
  }

  /** @param {PointerEvent} event */
  hover(event) {
    if (!this.widget.timeline) return;
    this.stage.dataset.over = this.widget.isNearDivider(this.at(event)[0]) ? "divider" : "photo";
  }

  wheelZooms() {
    return true; // there is nothing to scroll to in the way
  }
}
