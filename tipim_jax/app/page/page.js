"use strict";
// What the page knows, what it asks of this machine, and photos on their way there.
const known = "KNOWN";
const $ = (id) => document.getElementById(id);
const counted = (n, thing) => `${n} ${thing}${n === 1 ? "" : "s"}`;
const BUSY = ["sent", "looking", "waiting", "working"];

let page = "";              // the page's id, by which this machine knows its photos
let state = { photos: [], trial: null, loading: "" };
let timer = 0, gone = false, heard = "";
let began = 0, begun = 0;   // when what is being made began to move, and which share was done
const cards = new Map();    // a photo's id: its elements
const alone = new Map();    // a photo's id: faces that are left alone, by number
const saved = new Set();    // "id version" of what was saved
const refused = new Set();  // ids of what was removed, or turned out to be no photo
const unsent = [];
let sending = 0;

if (!["127.0.0.1", "localhost", "[::1]"].includes(location.hostname)) {
  $("where").textContent = "Photos go to the machine that this page comes from, and no further" +
    (isSecureContext ? "." : "; on the way others can read them.");
}

// --- this machine's answers

async function ask(path, method = "GET", body = undefined, more = {}) {
  const json = body !== undefined && !(body instanceof Blob);
  const answer = await fetch(path, { method, body: json ? JSON.stringify(body) : body, ...more });
  const text = await answer.text();
  const found = text ? JSON.parse(text) : {};
  if (!answer.ok) throw Object.assign(new Error(found.error || answer.statusText),
    { status: answer.status });
  return found;
}

// The pages that this browser had: who closes one while its photos are protected finds it again.
function ours() {
  try { return JSON.parse(localStorage.getItem("tipim")).filter((id) => id.length < 99).slice(0, 20); }
  catch { return []; }
}

async function open() {
  const previous = sessionStorage.getItem("tipim") || "";
  try {
    state = await ask("pages", "POST", { previous, begun: ours() });
    page = state.page;
    sessionStorage.setItem("tipim", page);
    localStorage.setItem("tipim", JSON.stringify([...new Set([page, ...ours()])]));
    for (const photo of state.photos) alone.set(photo.id, new Set(photo.alone));
    trouble("");
    show();
  } catch (error) { trouble(error.status ? error.message : CLOSED); }
  soon();
}

const CLOSED = "tipim was closed on this machine. Start it again, and open the address it says.";

async function look() {
  timer = 0;
  try {
    state = await ask(`pages/${page}`);
    trouble(state.trouble);
    show();
  } catch (error) {
    if (error.status === 404) {
      cards.clear(); $("cards").replaceChildren(); alone.clear();
      return open();
    }
    trouble(error.status ? error.message : CLOSED);
  }
  soon();
}

function soon(now = false) {
  if (gone) return;
  clearTimeout(timer);
  const busy = state.loading || state.photos.some((p) => BUSY.includes(p.state)) ||
    (state.trial && BUSY.includes(state.trial.state));
  timer = setTimeout(page ? look : open, now ? 0 : busy ? 300 : 4000);
}

async function act(doing) {
  try { await doing(); } catch (error) { trouble(error.status ? error.message : CLOSED); }
  soon(true);
}

function trouble(text) { $("trouble").hidden = !text; if ($("trouble").textContent !== text)
  $("trouble").textContent = text; }

function say(text) { if (text !== heard) $("said").textContent = heard = text; }

// --- photos on their way here

function note(name, why) {
  const item = document.createElement("li");
  item.textContent = `${name}: ${why}`;
  $("notes").querySelector("ul").append(item);
  $("notes").hidden = false;
}

function take(file, name) {
  if (name.split("/").some((part) => part.startsWith("."))) return;
  if (file.size > known.limits.upload) {
    const most = known.limits.upload / 1e6;
    return note(name, `it has ${Math.round(file.size / 1e6)} MB; a photo may have ${most} MB`);
  }
  if (/^(text|video|audio)\//.test(file.type) || file.type === "application/pdf")
    return note(name, "it is no photo");
  unsent.push({ file, name });
  send();
}

async function send() {
  if (sending >= 2 || !unsent.length) return;
  if (!page) { setTimeout(send, 300); return; }
  const { file, name } = unsent.shift();
  sending += 1;
  const query = new URLSearchParams({ name, modified: file.lastModified || 0 });
  try { await ask(`pages/${page}/photos?${query}`, "POST", file); } catch (error) {
    if (error.status === 429 && error.message.includes("again")) {
      unsent.push({ file, name });
      await new Promise((done) => { setTimeout(done, 500); });
    } else note(name, error.status ? error.message : "it could not be read or sent");
  }
  sending -= 1;
  soon(true);
  send();
}

async function walk(entry) {
  if (entry.isFile) {
    const file = await new Promise((good, bad) => entry.file(good, bad));
    return take(file, entry.fullPath.replace(/^\//, ""));
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((good, bad) => reader.readEntries(good, bad));
    if (!some.length) return;
    for (const one of some) await walk(one);
  }
}

function dropped(event) {
  event.preventDefault();
  document.body.classList.remove("over");
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.());
  if (entries.some(Boolean)) {
    for (const entry of entries.filter(Boolean))
      walk(entry).catch(() => note(entry.name, "it cannot be read"));
  } else for (const file of event.dataTransfer.files) take(file, file.name);
}
