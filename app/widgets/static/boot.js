// The page's only classic script. It starts the modules, which the element #sair-modules holds, what is imported
// first: each becomes a blob of its own, and the imports of the others are led to that blob's address. So the page
// needs nothing besides itself: no further request, which a path prefix, a login, a tunnel or a cache with an older
// version could spoil; and no import map, which browsers used to refuse once a module has run, as Gradio's own have.
// What Gradio runs before the modules are there waits for `window.sair`, the promise of the page's entry module.
Object.assign(window, {
  sair: (() => {
    /** @type {Map<string, string>} */
    const urls = new Map();
    let entry = "";
    /** @type {[path: string, source: string][]} */
    const modules = JSON.parse(document.getElementById("sair-modules")?.textContent ?? "[]");
    for (const [path, source] of modules) {
      const linked = source.replace(/"sair:([^"]+)"/g, (_, imported) => JSON.stringify(urls.get(imported)));
      const parts = [linked, `\n//# sourceURL=sair/${path}\n`]; // its name in the browser's developer tools
      entry = URL.createObjectURL(new Blob(parts, { type: "text/javascript" }));
      urls.set(path, entry);
    }
    return import(entry);
  })(),
});
