"use strict";
// What is seen of the photos: a card for each, which stays the same element throughout.

const at = (photo, what) => `pages/${page}/photos/${photo.id}/${what}?${photo.version}`;
const protectable = (photo) => photo.faces.length && !BUSY.includes(photo.state) &&
  alone.get(photo.id).size < photo.faces.length;
const strength = () => document.querySelector("[name=strength]:checked")?.value;
const same = (a, b) => a.length === b.size && a.every((index) => b.has(index));
const needed = (photo) => protectable(photo) && !(photo.state === "done" &&
  photo.strength === strength() && same(photo.alone, alone.get(photo.id)));

function show() {
  for (const photo of state.photos) {
    if (photo.state === "failed" && !photo.width && !refused.has(photo.id)) {
      refused.add(photo.id);
      note(photo.name, short(photo));
      ask(`pages/${page}/photos/${photo.id}`, "DELETE").catch(() => {});
    }
  }
  state.photos = state.photos.filter((p) => !(p.state === "failed" && !p.width));
  const here = new Set(state.photos.map((photo) => photo.id));
  for (const [id, card] of cards) if (!here.has(id)) {
    if (!refused.has(id)) note(card.name.textContent, "it was deleted here after an hour");
    card.root.remove();
    cards.delete(id);
  }
  for (const photo of state.photos) {
    if (!alone.has(photo.id)) alone.set(photo.id, new Set(photo.alone));
    if (!cards.has(photo.id)) cards.set(photo.id, makeCard(photo));
    showCard(cards.get(photo.id), photo);
  }
  document.body.classList.toggle("some", state.photos.length > 0);
  $("panel").hidden = !state.photos.length;
  $("hint").hidden = !state.photos.some((photo) => photo.faces.length && photo.state === "ready");
  showPanel();
  showTrial();
  shown();
}

const short = (photo) => photo.why.replace(/^cannot read .*?: /, "").replace(photo.name, "it");

function make(tag, kind, text = "", more = {}) {
  return Object.assign(document.createElement(tag), { className: kind, textContent: text, ...more });
}

function makeCard(photo) {
  const root = make("li", "card"), view = make("div", "view"), frame = make("div", "frame");
  const text = make("div", "text"), acts = make("div", "acts");
  const card = { root, frame, name: make("div", "name", photo.name), state: make("p", "state"),
    bar: make("progress", "", "", { max: 1 }), acts, seen: "", faces: [] };
  card.image = make("img", "", "", { alt: photo.name });
  card.compare = make("button", "small primary", "Compare");
  card.compare.onclick = () => compare(photo.id, card.compare);
  card.save = make("a", "button small", "Save", { download: "" });
  card.save.onclick = () => { const now = found(photo.id); saved.add(`${now.id} ${now.version}`); };
  card.remove = make("button", "remove", "×", { title: "Remove" });
  card.remove.onclick = () => act(() => refused.add(photo.id) && ask(`pages/${page}/photos/${photo.id}`, "DELETE"));
  for (const [one, what] of [[card.compare, "Compare"], [card.save, "Save"],
    [card.remove, "Remove"]]) one.setAttribute("aria-label", `${what} ${photo.name}`);
  card.bar.setAttribute("aria-label", `Progress of ${photo.name}`);
  acts.append(card.compare, card.save);
  text.append(card.name, card.state, card.bar, acts);
  view.append(frame, card.remove);
  root.append(view, text);
  $("cards").append(root);
  return card;
}

const found = (id) => state.photos.find((photo) => photo.id === id);

function showCard(card, photo) {
  const what = photo.state === "done" ? "after" : "small";
  const seen = photo.version ? at(photo, what) : "";
  if (seen && seen !== card.seen) {
    card.image.src = card.seen = seen;
    if (!card.image.parentNode) card.frame.prepend(card.image);
    card.image.width = photo.width; card.image.height = photo.height;
  }
  if (card.faces.length !== photo.faces.length + photo.unsure.length) makeFaces(card, photo);
  photo.faces.forEach((_, index) => {
    const kept = alone.get(photo.id).has(index), face = card.faces[index];
    face.setAttribute("aria-pressed", String(!kept));
    face.disabled = BUSY.includes(photo.state);
    face.title = kept ? "Left alone; click to protect it" : "Masked; click to leave it alone";
  });
  const [said, kind] = words(photo);
  if (card.state.textContent !== said) card.state.textContent = said;
  card.state.className = `state ${kind}`;
  card.bar.hidden = !["working", "looking", "sent"].includes(photo.state);
  moving(card.bar, photo.state === "working" && photo.progress);
  card.acts.hidden = photo.state !== "done";
  card.root.classList.toggle("done", photo.state === "done");
  card.save.href = `pages/${page}/photos/${photo.id}/save`;
  card.remove.disabled = photo.state === "sent";
}

function makeFaces(card, photo) {
  card.faces.forEach((face) => face.remove());
  // Of a group the faces are to be large enough to be clicked.
  card.root.classList.toggle("group", photo.faces.some((box) => box[2] < 0.1));
  card.faces = [...photo.faces, ...photo.unsure].map((box, index) => {
    const sure = index < photo.faces.length;
    const face = make(sure ? "button" : "span", sure ? "face" : "face unsure");
    ["left", "top", "width", "height"].forEach((side, i) => {
      face.style[side] = `${100 * box[i]}%`;
    });
    if (sure) {
      face.setAttribute("aria-label", `Protect face ${index + 1} of ${photo.name}`);
      face.onclick = () => {
        const those = alone.get(photo.id);
        if (!those.delete(index)) those.add(index);
        show();
      };
    } else face.title = "It is not sure which way up this face is; it is not protected";
    card.frame.append(face);
    return face;
  });
}

function words(photo) {
  const faces = photo.faces.length, left = alone.get(photo.id).size;
  switch (photo.state) {
    case "sent": return ["arriving …", ""];
    case "looking": return ["looking for faces …", ""];
    case "waiting": return ["in the queue", ""];
    case "working": return [making(photo.progress), ""];
    case "failed": return [short(photo), "bad"];
    case "done": return verdict(photo);
  }
  if (!faces) return [photo.unsure.length
    ? "It is not sure which way up the face is: it is not protected."
    : "No face found: there is nothing to protect.", "bad"];
  if (left === faces) return ["Left alone; it will not be saved.", ""];
  return [`${counted(faces, "face")}${left ? `, ${left} left alone` : ""}`, ""];
}

const knows = (one) => one.cosine >= one.threshold;
const stillKnown = (photo) => photo.opinions.some((face) => face.some(knows));

// Before the first steps are done a program is compiled; that takes a while the first time.
const making = (share) => share ? `making the mask: ${Math.round(100 * share)} %`
  : "beginning; the first time that takes a little …";

function moving(bar, share) { if (share) bar.value = share; else bar.removeAttribute("value"); }

function verdict(photo) {
  if (photo.why) return [photo.why, "bad"];
  const faces = photo.opinions.filter((face) => face.length);
  const still = faces.filter((face) => face.some(knows)).length;
  const rest = photo.faces.length + photo.unsure.length - faces.length;
  const note = rest ? ` ${counted(rest, "face")} not protected.` : "";
  if (!faces.length) return [`Masked; no recogniser was asked.${note}`, ""];
  const all = faces.length === 1 ? "the face" : `all ${faces.length} faces`;
  const never = faces[0].some((one) => one.held_out);
  if (!still) return [`Protected: ${counted(faces[0].length, "recogniser")}${
    never ? ", one of which never saw the mask," : ""} ${faces[0].length === 1 ? "takes" : "take"} ${
    all} for somebody else.${note}`, "good"];
  const strongest = photo.strength === known.strengths.at(-1).name;
  return [`Masked, but a recogniser still knows ${
    faces.length === 1 ? "the face" : `${still} of ${faces.length} faces`}: ${strongest
    ? "do not post it where you are not to be found" : "try a stronger mask"}.${note}`, "bad"];
}
