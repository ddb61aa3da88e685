"use strict";
// The settings beside the photos: how strong, one face first, and all of them.

for (const [index, one] of known.strengths.entries()) {
  const label = make("label", "strength"), input = make("input", "", "", { type: "radio",
    name: "strength", value: one.name });
  const kept = sessionStorage.getItem("tipim-strength");
  const wanted = known.strengths.some((other) => other.name === kept) ? kept : known.default;
  input.checked = one.name === wanted || !index;
  input.onchange = () => { sessionStorage.setItem("tipim-strength", one.name); show(); };
  label.append(input, make("b", "", one.title), make("span", "", one.words));
  $("strengths").append(label);
}

function showPanel() {
  const to = state.photos.filter(needed), faces = to.reduce((sum, photo) =>
    sum + photo.faces.length - alone.get(photo.id).size, 0);
  const busy = state.photos.filter((p) => ["waiting", "working"].includes(p.state));
  const looking = state.photos.filter((p) => ["sent", "looking"].includes(p.state)).length +
    unsent.length + sending;
  const done = state.photos.filter((p) => p.state === "done");
  const none = state.photos.filter((p) => p.state === "ready" && !p.faces.length).length;
  $("protect").textContent = to.length
    ? `Protect ${counted(faces, "face")} in ${counted(to.length, "photo")}` : "Protect";
  $("protect").hidden = !to.length && (busy.length || done.length);
  $("protect").disabled = !to.length;
  $("save-all").hidden = !done.length;
  $("save-all").classList.toggle("primary", $("protect").hidden);  // one is the main one
  $("save-all").textContent = done.length === 1 ? "Save the photo as zip"
    : `Save ${busy.length ? "these" : "all"} ${done.length} as zip`;
  $("save-all").href = `pages/${page}/zip`;
  for (const photo of busy) batch.add(photo.id);
  if (!busy.length) { batch.clear(); began = 0; }
  const ours = state.photos.filter((photo) => batch.has(photo.id));
  const share = ours.reduce((sum, photo) => sum + (photo.state === "done" ? 1 : photo.state ===
    "working" ? photo.progress : 0), 0) / Math.max(1, ours.length);
  if (share && !began) { began = Date.now(); begun = share; }
  $("whole").hidden = !busy.length;
  moving($("whole"), share);
  let said = "";
  if (busy.length) {
    said = `${ours.length - busy.length} of ${counted(ours.length, "photo")} done${left(share)}`;
    if (state.loading && !share) said = `${state.loading} …`;
  } else if (looking) said = `looking for faces in ${counted(looking, "photo")} …`;
  else if (done.length && !to.length) {
    const vain = done.filter(stillKnown).length;
    said = `${counted(done.length, "photo")} masked${vain ? `; in ${vain} a face is still known`
      : ""}${none ? `; in ${none} no face was found` : ""}.`;
  }
  else if (!to.length) said = "No face to protect yet.";
  else if (none) said = `In ${counted(none, "photo")} no face was found.`;
  if ($("waiting").textContent !== said) $("waiting").textContent = said;
  if (state.photos.length) say(busy.length ? `${ours.length - busy.length} of ${
    counted(ours.length, "photo")} done` : said);
  document.title = busy.length ? `${Math.round(100 * share)} % – tipim`
    : "tipim: protect photos";
}

const batch = new Set();    // photos that are being protected, and were since the last rest

function left(share) {
  const seconds = (Date.now() - began) / 1000;
  if (!began || seconds < 3 || share - begun < 0.03) return "";
  const rest = seconds * (1 - share) / (share - begun);
  return rest < 60 ? `, about ${Math.max(5, 5 * Math.round(rest / 5))} seconds left`
    : `, about ${counted(Math.round(rest / 60), "minute")} left`;
}

$("protect").onclick = () => act(() => {
  const photos = {};
  for (const photo of state.photos.filter(needed)) photos[photo.id] = [...alone.get(photo.id)];
  say("Protecting");
  return ask(`pages/${page}/protect`, "POST", { strength: strength(), photos });
});
$("save-all").onclick = () => {
  for (const photo of state.photos) if (photo.state === "done")
    saved.add(`${photo.id} ${photo.version}`);
};

// --- one face first

let told = "";              // the trial whose outcome was said

function firstFace() {
  for (const photo of state.photos) {
    const face = photo.faces.findIndex((_, index) => !alone.get(photo.id).has(index));
    if (face >= 0) return { photo: photo.id, face };
  }
  return null;
}

$("try-button").onclick = () => act(() =>
  ask(`pages/${page}/trial`, "POST", { ...firstFace(), strength: strength() }));

function showTrial() {
  const trial = state.trial, busy = trial && BUSY.includes(trial.state);
  $("try-button").disabled = !firstFace() || busy;
  $("try-progress").hidden = !busy;
  moving($("try-progress"), busy && trial.progress);
  const done = trial?.state === "done";
  $("try-pictures").hidden = !done;
  let said = "";
  if (busy) said = state.loading ? `${state.loading} …` : trial.state === "waiting"
    ? "after what is being made now …" : making(trial.progress);
  else if (trial?.state === "failed") said = trial.why;
  else if (done) {
    const title = known.strengths.find((one) => one.name === trial.strength).title;
    const count = trial.opinions.length, still = trial.opinions.filter(knows).length;
    said = trial.why || !count ? trial.why : `${title}: ${still ? `${still} of ` : ""}${
      counted(count, "recogniser")} ${still ? "still know this face"
        : `${count === 1 ? "takes" : "take"} this face for somebody else`}. ${
      counted(Math.max(1, Math.round(trial.seconds)), "second")}.`;
    if ($("try-pictures").dataset.of !== trial.id) {
      $("try-pictures").dataset.of = trial.id;
      trying("after");
    }
  }
  $("try-said").hidden = !said;
  if ($("try-said").textContent !== said) $("try-said").textContent = said;
  if (done && told !== trial.id) { told = trial.id; say(said); }
}

function trying(what) {
  $("try-image").src = `pages/${page}/trial/${what}?${state.trial.id}`;
  $("try-image").alt = { before: "The face as it is", after: "The face with its mask",
    mask: "The mask, ten times as strong" }[what];
  for (const button of document.querySelectorAll("[data-try]"))
    button.setAttribute("aria-pressed", String(button.dataset.try === what));
}

for (const button of document.querySelectorAll("[data-try]"))
  button.onclick = () => trying(button.dataset.try);

// --- coming and going

$("choose").onclick = () => $("files").click();
$("choose-folder").onclick = () => $("folder").click();
$("choose-folder").hidden = !("webkitdirectory" in $("folder"));
for (const id of ["files", "folder"]) $(id).onchange = () => {
  for (const file of $(id).files) take(file, file.webkitRelativePath || file.name);
  $(id).value = "";
};
$("clear-notes").onclick = () => { $("notes").querySelector("ul").replaceChildren();
  $("notes").hidden = true; $("choose").focus(); };
document.addEventListener("dragover", (event) => { event.preventDefault();
  document.body.classList.add("over"); });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget)
  document.body.classList.remove("over"); });
document.addEventListener("drop", dropped);

addEventListener("beforeunload", (event) => {
  const lost = state.photos.some((photo) => photo.state === "done" &&
    !saved.has(`${photo.id} ${photo.version}`));
  if (lost || unsent.length) event.preventDefault();
});
addEventListener("pagehide", () => {
  gone = true;
  clearTimeout(timer);
  if (page) fetch(`pages/${page}/leave`, { method: "POST", keepalive: true }).catch(() => {});
});
addEventListener("pageshow", (event) => { if (event.persisted) { gone = false; open(); } });
open();
