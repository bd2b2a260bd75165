// The page's entry: what Gradio's own components call. `window.sair` is the promise of this module.

import { editTab } from "../edit/static/tab.js";
import { semanticsTab } from "../semantics/static/tab.js";
import { trainTab } from "../train/static/tab.js";
import { bindHead } from "../widgets/static/head.js";
import { watchServer } from "../widgets/static/lifeline.js";
import { Workbench } from "../widgets/static/workbench.js";
import { zoomTab } from "../zoom/static/tab.js";

/** @import { Asker, Component, Request } from "../widgets/static/protocol.js" */

/**
 * @typedef {object} Widget
 * @property {{ asker: Asker, request(busyText: string, part: string): Promise<Request>, fail(): void }} conversation
 */

const bench = new Workbench();
const edit = editTab(bench);
const zoom = zoomTab(bench);
const semantics = semanticsTab(bench);
const train = trainTab();

/** How each widget comes to life, by the elem_id of its component. */
const MOUNTS = { ...edit.widgets, ...zoom.widgets, ...semantics.widgets, ...train.widgets };

/** What a button can do without asking the server. */
export const commands = { ...edit.commands, ...zoom.commands, ...semantics.commands, ...train.commands };

/** @type {Map<string, Widget>} */
const widgets = new Map();

bindHead();

/**
 * Bring a widget to life. Called once by its component.
 *
 * @param {keyof typeof MOUNTS} name
 * @param {HTMLElement} element the component's own
 * @param {Component} component
 */
export function mount(name, element, component) {
  const root = element.firstElementChild;
  if (!(root instanceof HTMLElement)) throw new Error(`${name} has no HTML.`);
  widgets.set(name, MOUNTS[name](root, component));
}

/**
 * Return a widget that is mounted; also for a look at it from the browser's console.
 *
 * @param {string} name
 */
export function getWidget(name) {
  const widget = widgets.get(name);
  if (!widget) throw new Error(`${name} is not mounted.`);
  return widget;
}

/**
 * Return what an event of a widget sends to the server.
 *
 * @param {string} name
 * @param {string} busyText
 * @param {string} part "mask" to send what is painted, "fill" where it is about to be filled
 */
export function request(name, busyText, part) {
  const { conversation } = getWidget(name);
  const request = conversation.request(busyText, part);
  void watchServer(conversation.asker);
  return request;
}

/**
 * The server did not answer a widget.
 *
 * @param {string} name
 */
export function fail(name) {
  getWidget(name).conversation.fail();
}
