"use strict";
// The library: uploads, jobs as they go on, the list of documents. Its HTML comes from the server.
mm.library = (element) => {
  const AT_ONCE = 2; // files on their way
  const POLL = 1500; // ms between two looks at running jobs
  const FILES_SHOWN = 8;
  const SAID = 8000; // ms that good news stay
  const one = (name) => element.querySelector(name);
  const all = (name) => [...element.querySelectorAll(name)];
  const root = one(".mm-library");
  const part = (name) => one(`[data-part=${name}]`);
  const list = { text: "", state: "", tag: "", sort: "title", order: "ascending", page: 1 };
  const selected = new Set();
  const html = {}; // of each part, as it came last
  let shown = "documents";
  let active = false;
  let finished = "";
  let fading;

  // Requests

  async function ask(path, body, method = "POST") {
    const options = { method };
    if (body) options.headers = { "Content-Type": "application/json" };
    if (body) options.body = JSON.stringify(body);
    const answer = await fetch(path, options).catch(() => {
      throw new Error("The server does not answer; is it still running?");
    });
    if (answer.status === 401 || answer.redirected) location.reload(); // the session has ended
    if (answer.ok) return answer;
    const told = await answer.json().catch(() => ({}));
    const detail = typeof told.detail === "string" ? told.detail : `The server refused: ${answer.status}`;
    throw new Error(detail[0].toUpperCase() + detail.slice(1));
  }

  function say(text, bad = false) {
    const note = one(".mm-news");
    note.textContent = text;
    note.classList.toggle("mm-news-bad", bad);
    clearTimeout(fading);
    fading = setTimeout(() => (note.textContent = ""), bad ? 4 * SAID : SAID);
  }

  const told = (action) => async (...given) => {
    try {
      return await action(...given);
    } catch (error) {
      say(error.message, true);
    }
  };

  const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

  // Parts of the tab

  async function load(name, query = "") {
    const text = await (await ask(`library/${name}${query}`, null, "GET")).text();
    const place = part(name);
    if (html[name] === text) return place;
    html[name] = text;
    const open = new Set([...place.querySelectorAll("details[open]")].map((d) => d.dataset.key));
    const focused = place.contains(document.activeElement) ? keyOf(document.activeElement) : "";
    place.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
    for (const details of place.querySelectorAll("details")) details.open = open.has(details.dataset.key);
    if (focused) place.querySelector(focused)?.focus({ preventScroll: true });
    return place;
  }

  // How a control is found again after its part was replaced.
  function keyOf(control) {
    const row = control.closest("[data-document], [data-job]");
    const at = row ? (row.dataset.job ? `[data-job="${row.dataset.job}"] ` : `[data-document="${row.dataset.document}"] `) : "";
    for (const [name, value] of Object.entries(control.dataset)) {
      return `${at}[data-${name}${value ? `="${CSS.escape(value)}"` : ""}]`;
    }
    return "";
  }

  let asked = 0;
  async function showDocuments() {
    const mine = ++asked;
    const place = await load("documents", `?${new URLSearchParams(list)}`);
    if (mine !== asked) return;
    for (const box of place.querySelectorAll("[data-check]")) {
      box.checked = selected.has(box.closest("tr").dataset.document);
    }
    showSelection();
  }

  async function showJobs() {
    const place = await load("jobs");
    const jobs = place.querySelector(".mm-jobs");
    const was = active;
    active = jobs.dataset.active === "1";
    if (jobs.dataset.finished !== finished || was !== active) {
      finished = jobs.dataset.finished;
      if (!one(".mm-editing")) await showDocuments();
    }
  }

  async function showDuplicates() {
    if (!html.duplicates) {
      const line = document.createElement("p");
      line.className = "mm-loading";
      line.textContent = "Looking for duplicates …";
      part("duplicates").replaceChildren(line);
    }
    await load("duplicates");
  }

  const visible = () => document.visibilityState === "visible" && element.offsetParent !== null;

  const refresh = told(async () => {
    await showJobs();
    await (shown === "documents" ? showDocuments() : showDuplicates());
  });

  async function poll() {
    if (!element.isConnected) return;
    if (active && visible()) await showJobs().catch(() => {});
    setTimeout(poll, POLL);
  }

  // Selection

  function showSelection() {
    const bar = one(".mm-selection");
    if (!bar) return;
    bar.hidden = !selected.size;
    one("[data-selected]").textContent = `${selected.size.toLocaleString("en")} selected`;
    const boxes = all("[data-check]");
    for (const box of boxes) box.closest("tr").classList.toggle("mm-chosen", box.checked);
    const every = one("[data-every]");
    if (!every) return;
    every.checked = boxes.length > 0 && boxes.every((box) => box.checked);
    every.indeterminate = !every.checked && boxes.some((box) => box.checked);
  }

  function check(box, on) {
    box.checked = on;
    const id = box.closest("tr").dataset.document;
    if (on) selected.add(id);
    else selected.delete(id);
  }

  // Actions

  const tag = told(async (documents, change) => {
    await ask("library/tag", { documents, ...change });
    await showDocuments();
    say(change.add ? `Tagged ${counted(documents.length, "document")}: ${change.add[0]}` : "");
  });

  const remove = told(async (documents, name) => {
    const dialog = one(".mm-confirm");
    one("#mm-confirm-title").textContent =
      documents.length === 1 && name ? `Remove “${name}”?` : `Remove ${counted(documents.length, "document")}?`;
    one(".mm-confirm-them").textContent = documents.length === 1 ? "It is" : "They are";
    dialog.returnValue = "";
    dialog.showModal();
    await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
    if (dialog.returnValue !== "remove") return;
    const done = await (await ask("library/remove", { documents })).json();
    for (const id of documents) selected.delete(id);
    html.duplicates = "";
    await showDocuments();
    say(`Removed ${counted(done.removed, "document")}` + (done.files ? `, deleted ${counted(done.files, "uploaded file")}` : ""));
  });

  const start = told(async (path, body = {}) => {
    await ask(path, body);
    await showJobs();
  });

  function edit(row, on) {
    row.classList.toggle("mm-editing", on);
    row.querySelector(".mm-row-actions [data-act=tags]").setAttribute("aria-expanded", on);
    row.querySelector(on ? ".mm-tag-form input" : ".mm-row-actions [data-act=tags]").focus();
  }

  const acts = {
    tags: (button, row) => edit(row, !row.classList.contains("mm-editing")),
    untag: async (button, row) => {
      await tag([row.dataset.document], { remove: [button.dataset.tag] });
      reopen(row.dataset.document);
    },
    remove: (button, row) => remove([row.dataset.document], row.querySelector(".mm-title").textContent),
    retry: (button, row) => start("library/retry", { documents: [row.dataset.document] }),
    cancel: (button) => start(`library/jobs/${button.closest("[data-job]").dataset.job}/cancel`),
    again: (button) => start(`library/jobs/${button.closest("[data-job]").dataset.job}/again`),
    clear: () => {
      selected.clear();
      for (const box of all("[data-check]")) box.checked = false;
      showSelection();
    },
    "remove-selected": () => remove([...selected]),
    "show-all": () => {
      Object.assign(list, { text: "", state: "", tag: "", page: 1 });
      one(".mm-narrow").reset();
      told(showDocuments)();
    },
    "stop-upload": () => stopUpload(),
  };

  // The row's editor, open again after the list was drawn anew.
  function reopen(id) {
    const row = one(`tr[data-document="${id}"]`);
    if (row) edit(row, true);
  }

  root.addEventListener("click", (event) => {
    const button = event.target.closest("button, input");
    if (!button) return;
    const { act, sort, page, show, choose } = button.dataset;
    if (act) acts[act](button, button.closest("tr"));
    else if (choose) one(`[data-files=${choose}]`).click();
    else if (page) turn({ page: Number(page) });
    else if (sort) {
      const turned = list.sort === sort ? list.order === "ascending" : sort === "date" || sort === "pages";
      turn({ sort, order: turned ? "descending" : "ascending", page: 1 });
    } else if (show) {
      shown = show;
      for (const other of all("[data-show]")) other.setAttribute("aria-pressed", other === button);
      one(".mm-narrow").classList.toggle("mm-away", shown !== "documents");
      for (const name of ["documents", "duplicates"]) part(name).hidden = name !== shown;
      refresh();
    }
  });

  async function turn(changes) {
    Object.assign(list, changes);
    one(".mm-narrow").elements.sort.value = list.sort;
    await told(showDocuments)();
    if ("page" in changes && part("documents").getBoundingClientRect().top < 0) part("documents").scrollIntoView();
  }

  root.addEventListener("change", (event) => {
    const box = event.target;
    if ("every" in box.dataset) for (const other of all("[data-check]")) check(other, box.checked);
    else if ("check" in box.dataset) check(box, box.checked);
    else if (box.dataset.files) {
      upload([...box.files].map((file) => ({ file, name: file.webkitRelativePath || file.name })));
      box.value = "";
    } else if (box.name === "sort") turn({ sort: box.value, order: ["date", "pages"].includes(box.value) ? "descending" : "ascending", page: 1 });
    showSelection();
  });

  root.addEventListener("submit", async (event) => {
    if (event.target.method === "dialog") return;
    event.preventDefault();
    const form = event.target;
    const row = form.closest("tr");
    const name = form.elements.tag?.value.trim();
    if (form.dataset.form === "tag" && name) {
      await tag([row.dataset.document], { add: [name] });
      reopen(row.dataset.document);
    } else if (form.dataset.form === "tag-selected" && name) {
      await tag([...selected], { [event.submitter?.value === "remove" ? "remove" : "add"]: [name] });
      form.reset();
    }
  });

  root.addEventListener("keydown", (event) => {
    const row = event.target.closest(".mm-editing");
    if (event.key === "Escape" && row) edit(row, false);
  });

  let typing;
  one(".mm-narrow").addEventListener("input", (event) => {
    if (event.target.name === "sort") return;
    clearTimeout(typing);
    typing = setTimeout(() => {
      const { text, state, tag: narrowed } = one(".mm-narrow").elements;
      turn({ text: text.value.trim(), state: state.value, tag: narrowed.value.trim(), page: 1 });
    }, 200);
  });

  // Uploads

  let going = null; // the upload under way

  const skipped = (name) => /(^|\/)(\.|~\$|Thumbs\.db$|desktop\.ini$)/i.test(name);

  const upload = told(async (given) => {
    const files = given.filter(({ name }) => !skipped(name));
    if (!files.length) return say(given.length ? "Only hidden files are in there; nothing was uploaded" : "", true);
    if (going) return say("Files are being uploaded; wait until they are there", true);
    const most = Number(root.dataset.maxFiles);
    const largest = Number(root.dataset.maxBytes);
    if (files.length > most) return say(`${counted(files.length, "file")} are too many; upload at most ${counted(most, "file")} at a time`, true);
    say("");
    const small = files.filter(({ file }) => file.size <= largest);
    const bytes = small.reduce((sum, { file }) => sum + file.size, 0);
    going = { id: "", bytes, sent: 0, done: 0, files: small, failed: [], requests: new Set(), stopped: false, rows: new Map() };
    const mine = going;
    one(".mm-uploading .mm-files").replaceChildren();
    for (const { name } of files.filter(({ file }) => file.size > largest)) fail(mine, name, "is larger than allowed");
    draw(mine);
    try {
      if (!small.length) throw new Error("No file was uploaded: all are larger than allowed");
      const tags = one("[data-tags]").value.split(",").map((word) => word.trim()).filter(Boolean);
      mine.id = (await (await ask("uploads", { files: small.length, bytes, tags })).json()).upload;
      let next = 0;
      const sending = Array.from({ length: AT_ONCE }, async () => {
        while (next < small.length && !mine.stopped) await send(mine, next++);
      });
      await Promise.all(sending);
      if (mine.stopped) return say("The upload was cancelled");
      await ask(`uploads/${mine.id}/done`, {});
      mine.id = "";
      one("[data-tags]").value = "";
      say(mine.failed.length ? `${counted(mine.failed.length, "file")} could not be uploaded: ${mine.failed.slice(0, 3).join("; ")}` : "", true);
    } finally {
      if (mine.id) fetch(`uploads/${mine.id}`, { method: "DELETE" }).catch(() => {});
      going = null;
      one(".mm-uploading").hidden = true;
      await showJobs().catch(() => {});
    }
  });

  async function send(mine, number) {
    const { file, name } = mine.files[number];
    let sent = 0;
    const moved = (bytes) => {
      mine.sent += bytes - sent;
      sent = bytes;
      draw(mine, name, file.size ? sent / file.size : 1);
    };
    for (const last of [false, true]) {
      moved(0);
      const problem = await put(mine, number, file, name, moved);
      if (mine.stopped) return;
      if (!problem || (problem.final && !last) || last) {
        moved(file.size);
        mine.done += 1;
        if (problem) fail(mine, name, problem.text);
        mine.rows.get(name)?.remove();
        mine.rows.delete(name);
        return draw(mine);
      }
      await new Promise((later) => setTimeout(later, 1000));
    }
  }

  // One file on its way; answers with what went wrong, null if nothing did.
  function put(mine, number, file, name, moved) {
    return new Promise((ended) => {
      const request = new XMLHttpRequest();
      mine.requests.add(request);
      request.open("PUT", `uploads/${mine.id}/${number}?name=${encodeURIComponent(name)}`);
      request.upload.onprogress = (event) => moved(Math.min(event.loaded, file.size));
      request.onloadend = () => {
        mine.requests.delete(request);
        if (request.status >= 200 && request.status < 300) return ended(null);
        let text = request.status ? `the server refused it (${request.status})` : "the connection was cut";
        try {
          text = JSON.parse(request.responseText).detail || text;
        } catch {
          // an answer of something in between
        }
        return ended({ text, final: request.status >= 400 && request.status < 500 });
      };
      request.send(file);
    });
  }

  function fail(mine, name, reason) {
    mine.failed.push(`${name}: ${reason}`);
  }

  function draw(mine, name, share) {
    const card = one(".mm-uploading");
    card.hidden = false;
    const whole = mine.bytes ? mine.sent / mine.bytes : 0;
    card.querySelector("progress").value = whole;
    const left = mine.failed.length ? `, ${mine.failed.length.toLocaleString("en")} failed` : "";
    card.querySelector("[data-said]").textContent =
      `Uploading ${mine.done.toLocaleString("en")} of ${counted(mine.files.length, "file")}, ${Math.floor(whole * 100)} %${left}`;
    if (!name) return;
    let row = mine.rows.get(name);
    if (!row && mine.rows.size < FILES_SHOWN) {
      row = document.createElement("li");
      row.append(document.createElement("bdi"), document.createElement("progress"));
      row.firstChild.textContent = name;
      row.lastChild.setAttribute("aria-label", name);
      mine.rows.set(name, row);
      card.querySelector(".mm-files").append(row);
    }
    if (row) row.lastChild.value = share;
  }

  function stopUpload() {
    if (!going) return;
    going.stopped = true;
    for (const request of going.requests) request.abort();
  }

  window.addEventListener("pagehide", () => {
    if (going?.id) fetch(`uploads/${going.id}`, { method: "DELETE", keepalive: true });
  });
  window.addEventListener("beforeunload", (event) => {
    if (going) event.preventDefault();
  });

  // Files and folders dropped on the tab

  const drop = one(".mm-drop");
  const hasFiles = (event) => drop && visible() && [...event.dataTransfer.types].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    drop.classList.add("mm-over-drop");
  });
  document.addEventListener("dragleave", (event) => {
    if (drop && !event.relatedTarget) drop.classList.remove("mm-over-drop");
  });
  document.addEventListener("drop", async (event) => {
    drop?.classList.remove("mm-over-drop");
    if (!hasFiles(event)) return;
    event.preventDefault();
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const plain = [...event.dataTransfer.files].map((file) => ({ file, name: file.name }));
    if (!entries.length) return upload(plain);
    say("Looking through what was dropped …");
    const found = [];
    for (const entry of entries) await told(walk)(entry, found);
    say("");
    upload(found);
  });

  async function walk(entry, found) {
    if (found.length > Number(root.dataset.maxFiles)) return;
    if (entry.isFile) {
      const file = await new Promise((given, refused) => entry.file(given, refused));
      found.push({ file, name: entry.fullPath.replace(/^\//, "") });
      return;
    }
    const reader = entry.createReader(); // which gives a hundred at a time
    for (;;) {
      const some = await new Promise((given, refused) => reader.readEntries(given, refused));
      if (!some.length) return;
      for (const inside of some) await walk(inside, found);
    }
  }

  new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) refresh();
  }).observe(root);
  document.addEventListener("visibilitychange", () => visible() && refresh());
  poll();
};
