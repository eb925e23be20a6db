"use strict";
// One page, large: with what was found on it, its neighbours, its text, and its original.
window.mmViewer = (() => {
  const STRIP = 20; // thumbnails to each side
  const MOST_ZOOM = 8;
  let dialog, facts, zoom = 1, drawing = false, region, opener;

  function el(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value === undefined || value === null || value === false) continue;
      if (key === "on") for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
      else made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
    return made;
  }

  const part = (name) => dialog.querySelector(name);
  const button = (label, name, click, text) =>
    el("button", { type: "button", class: name, "aria-label": label, title: label, on: { click } }, text);

  function build() {
    dialog = el("dialog", { class: "mm-viewer", tabindex: -1, "aria-labelledby": "mm-viewer-title" },
      el("header", {},
        el("div", { class: "mm-viewer-name" }, el("h2", { id: "mm-viewer-title", dir: "auto" }), el("p", { class: "mm-place" })),
        el("div", { class: "mm-tools", role: "toolbar", "aria-label": "Page" },
          button("Previous page", "mm-previous", () => step(-1), "‹"),
          button("Next page", "mm-next", () => step(1), "›"),
          button("Smaller", "mm-smaller", () => setZoom(zoom / 1.5), "−"),
          button("Fit the window", "mm-fit", () => setZoom(1), "Fit"),
          button("Larger", "mm-larger", () => setZoom(zoom * 1.5), "+"),
          el("button", { type: "button", class: "mm-boxes", "aria-pressed": "true", on: { click: toggleBoxes } }, "Marks"),
          el("button", { type: "button", class: "mm-draw", "aria-pressed": "false", on: { click: () => setDrawing(!drawing) } }, "Search a region"),
          button("Close", "mm-close", close, "×"))),
      el("div", { class: "mm-viewer-body" },
        el("nav", { class: "mm-strip", "aria-label": "Pages of the document" }),
        el("div", { class: "mm-stage", tabindex: "0", role: "group", "aria-label": "Page picture" },
          el("div", { class: "mm-sheet" }, el("img", { alt: "", draggable: "false" }), el("div", { class: "mm-over" }))),
        el("section", { class: "mm-facts", "aria-label": "About the page", tabindex: "0" })));
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      if (drawing) setDrawing(false);
      else close();
    });
    dialog.addEventListener("keydown", key);
    part(".mm-sheet img").addEventListener("load", () => setZoom(zoom));
    stage(part(".mm-stage"));
    new ResizeObserver(() => dialog.open && setZoom(zoom)).observe(part(".mm-stage"));
    document.body.append(dialog);
  }

  // Open a page by "DOCUMENT/NUMBER"; `box` is the spot a screenshot was cut from.
  function open(view, box) {
    if (!/^[0-9a-f]{64}\/[1-9][0-9]{0,8}$/.test(view)) return;
    const params = mm.without(mm.address(), "box");
    params.set("view", view);
    if (box) params.set("box", box);
    const had = mm.address().has("view");
    if (!had) opener = document.activeElement;
    mm.go(params, { replace: had, keepPlace: true });
  }

  function close() {
    mm.go(mm.without(mm.address(), "view", "box"), { replace: true, keepPlace: true });
  }

  // Called after every change of the address.
  function show(params) {
    const view = params.get("view");
    if (!view || !/^[0-9a-f]{64}\/[1-9][0-9]{0,8}$/.test(view)) {
      if (dialog && dialog.open) {
        dialog.close();
        stopVideo();
        if (opener && opener.isConnected) opener.focus();
      }
      return;
    }
    if (!dialog) build();
    if (!dialog.open) {
      dialog.showModal();
      dialog.focus({ preventScroll: true }); // not on a button that may be disabled: keys would go nowhere
    }
    if (!facts || `${facts.document}/${facts.page}` !== view || facts.asked !== params.get("q")) load(view, params);
    else boxes(params);
  }

  async function load(view, params) {
    stopVideo();
    setDrawing(false);
    dialog.classList.add("mm-loading");
    const query = params.get("q") || "";
    let found;
    try {
      const answer = await fetch(`pages/${view}.json?q=${encodeURIComponent(query)}`);
      if (answer.status === 401) return location.reload(); // to the login
      found = await answer.json().catch(() => ({}));
      if (!answer.ok) throw new Error(found.detail || "The page cannot be shown");
    } catch (error) {
      found = { problem: error.message === "Failed to fetch" ? "The server does not answer" : error.message };
    }
    if (mm.address().get("view") !== view) return; // another page was asked for meanwhile
    dialog.classList.remove("mm-loading");
    if (found.problem) {
      facts = undefined;
      part(".mm-viewer-name h2").textContent = "This page cannot be shown";
      part(".mm-viewer-name p").textContent = "";
      part(".mm-strip").replaceChildren();
      part(".mm-over").replaceChildren();
      part(".mm-sheet img").removeAttribute("src");
      part(".mm-facts").replaceChildren(el("p", { class: "mm-problem", role: "alert" }, found.problem));
      return;
    }
    facts = { ...found, asked: params.get("q") };
    zoom = 1;
    part(".mm-viewer-name h2").textContent = facts.title;
    part(".mm-viewer-name p").textContent = facts.place;
    const picture = part(".mm-sheet img");
    picture.src = `pages/${view}.jpg`;
    picture.alt = `${facts.title}, ${facts.place}`;
    boxes(mm.address());
    strip();
    about();
    part(".mm-previous").disabled = neighbour(-1) === undefined;
    part(".mm-next").disabled = neighbour(1) === undefined;
    if (document.activeElement.disabled) dialog.focus({ preventScroll: true });
  }

  // The pages around

  const numbers = () => (facts.numbers.length ? facts.numbers : Array.from({ length: facts.pages }, (_, i) => i + 1));

  function neighbour(by) {
    const all = numbers();
    return all[all.indexOf(facts.page) + by];
  }

  function step(by) {
    const number = facts && neighbour(by);
    if (number !== undefined) open(`${facts.document}/${number}`);
  }

  function strip() {
    const all = numbers();
    const at = all.indexOf(facts.page);
    const around = all.slice(Math.max(0, at - STRIP), at + STRIP + 1);
    part(".mm-strip").hidden = all.length < 2;
    part(".mm-strip").replaceChildren(...around.map((number) =>
      el("button", {
        type: "button", "aria-label": `Page ${number}`, "aria-current": number === facts.page ? "page" : null,
        on: { click: () => open(`${facts.document}/${number}`) },
      }, el("img", { src: `thumbnails/${facts.document}/${number}.jpg`, alt: "", loading: "lazy" }), el("span", {}, String(number)))));
    const current = part(".mm-strip [aria-current]");
    if (current) current.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  // What was found on the page

  function boxes(params) {
    const spot = (params.get("box") || "").split(",").map(Number);
    const over = part(".mm-over");
    over.replaceChildren(...facts.marks.map((box) => el("i", { class: "mm-word", style: place(box) })));
    if (spot.length === 4 && spot.every((x) => x >= 0 && x <= 1)) over.append(el("i", { class: "mm-spot", style: place(spot) }));
    part(".mm-boxes").hidden = !over.children.length;
  }

  const place = ([x0, y0, x1, y1]) =>
    `left:${100 * x0}%;top:${100 * y0}%;width:${100 * (x1 - x0)}%;height:${100 * (y1 - y0)}%`;

  function toggleBoxes() {
    const hidden = part(".mm-sheet").classList.toggle("mm-bare");
    part(".mm-boxes").setAttribute("aria-pressed", String(!hidden));
  }

  // About the page

  function about() {
    const row = (name, ...children) => el("p", {}, el("span", { class: "mm-term" }, name), " ", ...children);
    const view = `${facts.document}/${facts.page}`;
    part(".mm-facts").replaceChildren(...[
      el("div", { class: "mm-actions" },
        el("button", { type: "button", class: "mm-similar-pages", on: { click: () => mm.go({ page: view }) } }, "Find similar"),
        el("button", { type: "button", class: "mm-cite", on: { click: (event) => mm.copy(facts.citation, event.target) } }, "Copy citation"),
        facts.video && el("button", { type: "button", class: "mm-play", on: { click: play } }, "Play from here"),
        facts.opens && el("a", { href: `${facts.opens}#page=${facts.page}`, target: "_blank", rel: "noopener" }, "Open original"),
        facts.original && el("a", { href: facts.original, class: "mm-download", download: "" }, "Download")),
      facts.why_not && el("p", { class: "mm-quiet" }, upper(facts.why_not)),
      facts.warning && el("p", { class: "mm-quiet" }, upper(facts.warning)),
      row("File", el("bdi", { class: "mm-file-path" }, facts.path)),
      facts.tags.length > 0 && row("Tags", facts.tags.join(", ")),
      facts.also_in.length > 0 && row("Also in", ...facts.also_in.flatMap((twin, index) => [
        index ? ", " : "", el("a", { href: `?view=${twin.document}/${twin.page}` }, `${twin.title}, page ${twin.page}`)])),
      el("h3", {}, facts.source === "ocr" ? "Recognised text" : "Text"),
      facts.text ? el("div", { class: "mm-text", dir: "auto" }, facts.text) : el("p", { class: "mm-quiet" }, "There is no text on this page."),
    ].filter(Boolean));
  }

  const upper = (text) => text[0].toUpperCase() + text.slice(1);

  function play() {
    stopVideo();
    const video = el("video", { controls: true, autoplay: true, src: `${facts.video}#t=${facts.seconds || 0}`, "aria-label": facts.title });
    video.addEventListener("error", () => {
      video.replaceWith(el("p", { class: "mm-problem", role: "alert" }, "This browser cannot play the video; download it instead."));
    });
    part(".mm-sheet").hidden = true;
    part(".mm-stage").append(video);
    part(".mm-stage").classList.add("mm-playing");
  }

  function stopVideo() {
    part(".mm-stage").querySelectorAll("video, .mm-problem").forEach((one) => one.remove());
    part(".mm-stage").classList.remove("mm-playing");
    part(".mm-sheet").hidden = false;
  }

  // Zoom, pan, and a region to search

  function setZoom(wanted) {
    const box = part(".mm-stage");
    const picture = part(".mm-sheet img");
    if (!picture.naturalWidth) return;
    const before = zoom;
    zoom = Math.min(Math.max(wanted, 1), MOST_ZOOM);
    const room = { width: box.clientWidth - 32, height: box.clientHeight - 32 };
    const fit = Math.min(room.width / picture.naturalWidth, room.height / picture.naturalHeight);
    const middle = [(box.scrollLeft + box.clientWidth / 2) / before, (box.scrollTop + box.clientHeight / 2) / before];
    part(".mm-sheet").style.width = `${picture.naturalWidth * fit * zoom}px`;
    box.scrollLeft = middle[0] * zoom - box.clientWidth / 2;
    box.scrollTop = middle[1] * zoom - box.clientHeight / 2;
    box.classList.toggle("mm-zoomed", zoom > 1);
  }

  function setDrawing(wanted) {
    drawing = wanted;
    part(".mm-stage").classList.toggle("mm-drawing", wanted);
    part(".mm-draw").setAttribute("aria-pressed", String(wanted));
    dialog.querySelectorAll(".mm-region").forEach((one) => one.remove());
  }

  function stage(box) {
    let start, panned;
    const fraction = (event) => {
      const sheet = part(".mm-sheet").getBoundingClientRect();
      return [(event.clientX - sheet.left) / sheet.width, (event.clientY - sheet.top) / sheet.height].map((x) => Math.min(Math.max(x, 0), 1));
    };
    box.addEventListener("pointerdown", (event) => {
      if (event.button || !facts || event.target.closest("button, video")) return;
      if (!drawing && event.pointerType !== "mouse") return; // fingers scroll by themselves
      event.preventDefault();
      box.focus({ preventScroll: true });
      box.setPointerCapture(event.pointerId);
      if (drawing) {
        dialog.querySelectorAll(".mm-region").forEach((one) => one.remove());
        start = fraction(event);
        region = el("div", { class: "mm-region" });
        part(".mm-sheet").append(region);
      } else panned = [event.clientX + box.scrollLeft, event.clientY + box.scrollTop];
    });
    box.addEventListener("pointermove", (event) => {
      if (start) region.setAttribute("style", place(rectangle(start, fraction(event))));
      else if (panned) box.scrollTo(panned[0] - event.clientX, panned[1] - event.clientY);
    });
    box.addEventListener("pointerup", (event) => {
      if (start) drawn(rectangle(start, fraction(event)));
      start = panned = undefined;
    });
    box.addEventListener("pointercancel", () => (start = panned = undefined));
    box.addEventListener("dblclick", () => !drawing && setZoom(zoom > 1 ? 1 : 2.5));
    box.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      setZoom(zoom * (event.deltaY < 0 ? 1.2 : 1 / 1.2));
    }, { passive: false });
  }

  const rectangle = ([x0, y0], [x1, y1]) => [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];

  function drawn(box) {
    if (box[2] - box[0] < 0.01 || box[3] - box[1] < 0.01) {
      region.remove();
      return;
    }
    const search = el("button", { type: "button", on: { click: () => mm.go({
      page: `${facts.document}/${facts.page}`, region: box.map((x) => x.toFixed(4)).join(","),
    }) } }, "Search this region");
    region.append(search);
    search.focus({ preventScroll: true });
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, video")) return;
    const act = {
      ArrowLeft: () => step(-1), ArrowRight: () => step(1), "+": () => setZoom(zoom * 1.5), "=": () => setZoom(zoom * 1.5),
      "-": () => setZoom(zoom / 1.5), 0: () => setZoom(1), b: toggleBoxes,
    }[event.key];
    if (!act || (zoom > 1 && event.key.startsWith("Arrow") && event.target.matches(".mm-stage"))) return;
    event.preventDefault();
    act();
  }

  return { open, show };
})();
