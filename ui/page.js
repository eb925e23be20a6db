"use strict";
// The search of the page. Its state is the address: every search is a link, and every link a search.
window.mm = (() => {
  const SEARCH = ["q", "image", "page", "region", "where", "weight", "group", "rerank", "repair", "show", "n"];
  const TABS = ["search", "library", "status"];
  const MAX_IMAGE_BYTES = 20 * 1024 * 1024;
  const MOST_PATIENCE = 20_000; // ms that an answer is waited for before the next search
  let bar, list, trigger, asked, keep = false;
  let number = 0; // of the last search; its answer carries it
  let since = 0; // when the search under way began, 0 for none
  let next; // the search that follows it

  const address = () => new URLSearchParams(location.search);
  const without = (params, ...names) => (names.forEach((name) => params.delete(name)), params);

  function searchOf(params) {
    const kept = new URLSearchParams();
    for (const name of SEARCH) if (params.get(name)) kept.set(name, params.get(name));
    return kept.toString();
  }

  // Go to an address of this page, and show what it asks for.
  function go(params, { replace = false, keepPlace = false } = {}) {
    const text = new URLSearchParams(params).toString();
    const url = text ? `?${text}` : location.pathname;
    keep = keepPlace;
    if (replace) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
    show();
  }

  function show() {
    const params = address();
    if (bar) fill(params);
    selectTab(params.get("tab") || "search");
    const search = searchOf(params);
    if (trigger && search !== asked) {
      asked = search;
      ask(search);
    }
    mmViewer.show(params);
  }

  // One search at a time: of those that come meanwhile, the last one follows.
  function ask(search) {
    list.classList.add("mm-pending");
    next = search;
    if (since && Date.now() - since < MOST_PATIENCE) return;
    next = undefined;
    since = Date.now();
    number += 1;
    const parts = new URLSearchParams(search);
    trigger(parts.has("image") || parts.has("page") ? "upload" : "submit", { link: search, number });
  }

  function answered() {
    const answer = list.querySelector("[data-answer]");
    if (!answer || Number(answer.dataset.answer) !== number || answer.querySelector("[data-more-to-come]")) return;
    since = 0;
    if (next !== undefined) ask(next);
    else list.classList.remove("mm-pending");
  }

  // Tabs

  function tabButtons() {
    return [...document.querySelectorAll("#mm-tabs [role=tab]")];
  }

  function tabOf(button) {
    return TABS.find((name) => button.textContent.trim().toLowerCase() === name);
  }

  function selectTab(name) {
    const button = tabButtons().find((one) => tabOf(one) === name);
    if (button && button.getAttribute("aria-selected") !== "true") button.click();
  }

  document.addEventListener("click", (event) => {
    const tab = event.target.closest("#mm-tabs [role=tab]");
    const name = tab && tabOf(tab);
    if (!name || name === (address().get("tab") || "search")) return;
    const params = without(address(), "view", "box", "tab");
    if (name !== "search") params.set("tab", name);
    const text = params.toString();
    history.replaceState(null, "", text ? `?${text}` : location.pathname);
  });

  // The search bar

  function parts() {
    const one = (name) => bar.querySelector(name);
    return {
      form: one("form"), words: one(".mm-words"), chip: one(".mm-chip"), picture: one(".mm-chip img"),
      drop: one(".mm-drop-image"), choose: one(".mm-choose"), capture: one(".mm-capture"),
      file: one(".mm-file"), mix: one(".mm-mix"), weight: one(".mm-mix input"), together: one(".mm-together"),
    };
  }

  function fill(params) {
    const { words, chip, picture, mix, weight, together } = parts();
    if (document.activeElement !== words || !words.value) words.value = params.get("q") || "";
    const page = params.get("page");
    const image = params.get("image");
    const source = page ? `thumbnails/${encodePath(page)}.jpg`
      : image ? `query-images/${encodeURIComponent(image)}.jpg` : "";
    chip.hidden = !source;
    if (source) picture.src = source;
    else picture.removeAttribute("src");
    mix.hidden = !(source && params.get("q"));
    together.hidden = !params.get("weight");
    weight.value = params.get("weight") || "0.5";
  }

  function encodePath(path) {
    return path.split("/").map(encodeURIComponent).join("/");
  }

  function barReady(element) {
    bar = element;
    const { form, words, drop, choose, capture, file, weight, together } = parts();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const params = without(address(), "n", "view", "box", "tab", "q");
      if (words.value.trim()) params.set("q", words.value.trim());
      if (!params.get("image") && !params.get("page")) params.delete("weight");
      asked = null; // Enter searches again, even for the same
      go(params);
    });
    words.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" && focusHit(0)) event.preventDefault();
      if (event.key === "Escape") words.blur();
    });
    choose.addEventListener("click", () => file.click());
    file.addEventListener("change", () => {
      if (file.files[0]) searchImage(file.files[0]);
      file.value = "";
    });
    drop.addEventListener("click", () => {
      go(without(address(), "image", "page", "region", "weight", "repair", "n", "view", "box"));
      words.focus();
    });
    weight.addEventListener("change", () => {
      const params = without(address(), "n");
      params.set("weight", weight.value);
      go(params, { replace: true });
    });
    together.addEventListener("click", () => go(without(address(), "weight", "n"), { replace: true }));
    if (navigator.mediaDevices && navigator.mediaDevices.getDisplayMedia) {
      capture.hidden = false;
      capture.addEventListener("click", captureScreen);
    }
    fill(address());
    if (!("ontouchstart" in window)) words.focus({ preventScroll: true });
  }

  // Look for an image: it goes to the server, and its id into the address.
  async function searchImage(file) {
    say("");
    if (file.size > MAX_IMAGE_BYTES) {
      say(`${file.name || "The image"}: has more than 20 MB; choose a smaller one`);
      return;
    }
    const { chip, picture, words } = parts();
    const local = URL.createObjectURL(file);
    picture.src = local;
    chip.hidden = false;
    list.classList.add("mm-pending");
    try {
      const name = encodeURIComponent(file.name || "the image");
      const answer = await fetch(`query-images?name=${name}`, { method: "POST", body: file });
      if (answer.status === 401) return location.reload(); // to the login
      const kept = await answer.json().catch(() => ({}));
      if (!answer.ok) throw new Error(kept.detail || "The image was not taken; choose another");
      const params = without(address(), "page", "region", "repair", "n", "view", "box", "tab", "q");
      params.set("image", kept.id);
      if (words.value.trim()) params.set("q", words.value.trim());
      go(params);
    } catch (error) {
      list.classList.remove("mm-pending");
      fill(address());
      say(error.message === "Failed to fetch" ? "The server does not answer; is it still running?" : error.message);
    } finally {
      URL.revokeObjectURL(local);
    }
  }

  async function captureScreen() {
    let stream;
    try {
      stream = await navigator.mediaDevices.getDisplayMedia({ video: true });
      const video = document.createElement("video");
      video.srcObject = stream;
      await video.play();
      const canvas = document.createElement("canvas");
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      canvas.getContext("2d").drawImage(video, 0, 0);
      canvas.toBlob((blob) => searchImage(new File([blob], "screen.png", { type: "image/png" })));
    } catch (error) {
      if (error.name !== "NotAllowedError") say("The screen could not be captured; paste a screenshot instead");
    } finally {
      if (stream) stream.getTracks().forEach((track) => track.stop());
    }
  }

  // One line under the bar, for what goes wrong before a search.
  function say(message) {
    let line = bar.querySelector(".mm-problem");
    if (!line) {
      line = document.createElement("p");
      line.className = "mm-problem";
      line.setAttribute("role", "alert");
      bar.querySelector("form").append(line);
    }
    line.hidden = !message;
    line.textContent = message && message[0].toUpperCase() + message.slice(1);
  }

  const imageAmong = (files) => [...files].find((file) => file.type.startsWith("image/"));
  const searching = () => bar && (address().get("tab") || "search") === "search";

  document.addEventListener("paste", (event) => {
    const image = searching() && imageAmong(event.clipboardData.files);
    if (!image) return;
    event.preventDefault();
    searchImage(image);
  });
  document.addEventListener("dragover", (event) => {
    if (!searching() || ![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    document.body.classList.add("mm-dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("mm-dropping");
  });
  document.addEventListener("drop", (event) => {
    document.body.classList.remove("mm-dropping");
    if (!searching() || !event.dataTransfer.files.length) return;
    event.preventDefault();
    const image = imageAmong(event.dataTransfer.files);
    if (image) searchImage(image);
    else say("Drop an image to search with it; files to be added go under Library");
  });

  // Results

  function resultsReady(element, fire, watch) {
    list = element;
    trigger = fire;
    list.addEventListener("submit", (event) => {
      if (!event.target.matches(".mm-where")) return;
      event.preventDefault();
      const params = without(address(), "n", "where");
      const where = event.target.elements.where.value.trim();
      if (where) params.set("where", where);
      go(params);
    });
    watch("value", () => {
      answered();
      filtersButton();
      if (!keep) window.scrollTo({ top: 0 });
      keep = true; // a second answer to the same search must not move the page
    });
    show();
  }

  function filtersButton() {
    const button = list.querySelector(".mm-filters");
    if (button) button.setAttribute("aria-expanded", document.body.classList.contains("mm-filtering"));
  }

  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const link = event.target.closest("a[data-go], a[data-tab], a[href^='?view=']");
    if (link) {
      event.preventDefault();
      const wanted = new URLSearchParams(link.getAttribute("href").slice(1));
      if (link.hash === "" && wanted.has("view")) mmViewer.open(wanted.get("view"), link.dataset.box);
      else go(wanted, { keepPlace: "keep" in link.dataset });
    } else if (event.target.closest(".mm-filters")) {
      document.body.classList.toggle("mm-filtering");
      filtersButton();
    } else if (event.target.closest(".mm-copy")) {
      copy(new URL(`?${searchOf(address())}`, location.href).href, event.target.closest(".mm-copy"));
    }
  });

  async function copy(text, button) {
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      window.prompt("Copy this:", text); // no clipboard without https
    }
    setTimeout(() => (button.textContent = before), 1500);
  }

  // Keyboard: / to the words, arrows among the hits, Enter opens (it is a link).

  const hitLinks = () => [...document.querySelectorAll("#mm-results .mm-hit h2 a")];

  function focusHit(number) {
    const link = hitLinks()[number];
    if (link) link.focus();
    return Boolean(link);
  }

  function columns() {
    const tops = hitLinks().map((link) => link.closest(".mm-hit").offsetTop);
    return tops.filter((top) => top === tops[0]).length || 1;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const typing = event.target.matches("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && searching()) {
      event.preventDefault();
      const { words } = parts();
      words.focus();
      words.select();
      return;
    }
    const at = hitLinks().indexOf(document.activeElement);
    if (at < 0) return;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns() }[event.key];
    if (event.key === "Escape") parts().words.focus();
    if (!step) return;
    event.preventDefault();
    if (at + step < 0) parts().words.focus();
    else focusHit(Math.min(at + step, hitLinks().length - 1));
  });

  window.addEventListener("popstate", () => {
    keep = false;
    show();
  });

  // The status is asked for when its tab is opened.
  function statusReady(element, trigger) {
    trigger("submit", {});
  }

  return { status: statusReady, bar: barReady, results: resultsReady, go, address, without, copy };
})();
