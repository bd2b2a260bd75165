// Whether the server is still the one that was asked. One that ended takes its answer with it, and Gradio tells no
// widget so: it reloads the page as soon as a server is back.

import { getConfig } from "./protocol.js";

/** @import { Asker } from "./protocol.js" */

const LOOK_MS = 2000;
const MISSES = 3; // in a row, before the server counts as gone
const LOST = "The connection to the server was lost, and this request with it. Go on once the server is back.";
const KEY = "sair-lost"; // of the tab's own storage: a request was lost

/** Those whose answers are awaited. @type {Set<Asker>} */
const awaited = new Set();

window.addEventListener("pagehide", () => {
  if ([...awaited].some((asker) => asker.busy)) rememberLoss();
});

/**
 * Free an asker, and say so, if its server ends while an answer is awaited.
 *
 * @param {Asker} asker
 */
export async function watchServer(asker) {
  if (awaited.has(asker)) return;
  awaited.add(asker);
  for (let misses = 0; asker.busy && misses < MISSES; ) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    misses = (await isSameServer()) ? 0 : misses + 1;
  }
  awaited.delete(asker);
  if (!asker.busy) return;
  rememberLoss();
  asker.setBusy(false);
  asker.notice("error", LOST);
}

/** Whether the page was loaded anew while a request was under way, or after one was lost; it is forgotten then. */
export function takeLoss() {
  try {
    const lost = sessionStorage.getItem(KEY) !== null;
    sessionStorage.removeItem(KEY);
    return lost;
  } catch {
    return false; // the browser keeps nothing
  }
}

function rememberLoss() {
  try {
    sessionStorage.setItem(KEY, "");
  } catch {
    // the browser keeps nothing: the message is missed after a reload
  }
}

async function isSameServer() {
  const { app_id: id, root } = getConfig();
  try {
    const response = await fetch(`${root.replace(/\/$/, "")}/gradio_api/app_id`, { cache: "no-store" });
    return response.ok && (await response.json()).app_id === id;
  } catch {
    return false;
  }
}
