"use strict";
// Before and after at full size, a slider between them, and what each recogniser says.

let comparing = "", opener = null, pressed = false;

function compare(id, from) {
  comparing = id;
  opener = from;
  const photo = found(id);
  $("compare-title").textContent = photo.name;
  $("compare-save").href = `pages/${page}/photos/${id}/save`;
  for (const what of ["before", "after", "mask"]) $(what).src = at(photo, what);
  $("share").value = 50;
  zoomed(false);
  showing("slider");
  verdicts(photo);
  $("compare").showModal();
  history.pushState({ comparing: id }, "");  // so that "back" comes back here
  fit();
  slide();
}

function shut() {
  comparing = "";
  $("compare").close();
  for (const what of ["before", "after", "mask"]) $(what).removeAttribute("src");
  opener?.focus();
}

function shown() {  // the photo may be deleted meanwhile
  if (comparing && !found(comparing)) history.back();
}

function slide() {
  const share = Number($("share").value);
  $("after").style.clipPath = `inset(0 0 0 ${share}%)`;
  $("line").style.left = `${share}%`;
}

function showing(what) {
  for (const button of document.querySelectorAll("[data-show]"))
    button.setAttribute("aria-pressed", String(button.dataset.show === what));
  $("mask").hidden = what !== "mask";
  $("slide").hidden = what === "mask";
  $("stage").classList.toggle("masked", what === "mask");
}

function zoomed(full) {
  $("zoom").setAttribute("aria-pressed", String(full));
  fit();
  const photo = found(comparing);
  if (!full || !photo?.faces.length) return;
  const [left, top, width, height] = photo.faces[0], stage = $("stage");
  stage.scrollLeft = (left + width / 2) * photo.width - stage.clientWidth / 2;
  stage.scrollTop = (top + height / 2) * photo.height - stage.clientHeight / 2;
}

function fit() {
  const photo = found(comparing);
  if (!photo) return;
  const full = $("zoom").getAttribute("aria-pressed") === "true", stage = $("stage");
  const scale = full ? 1 : Math.min(stage.clientWidth / photo.width,
    stage.clientHeight / photo.height);
  $("layers").style.width = `${photo.width * scale}px`;
  $("layers").style.height = `${photo.height * scale}px`;
}

function verdicts(photo) {
  const tables = photo.opinions.map((face, index) => {
    const several = photo.faces.length > 1 ? ` ${index + 1}` : "";
    if (!face.length) return make("p", "fine", `Face${several}: left alone.`);
    const table = make("table", ""), other = face.filter((one) => one.cosine < one.threshold);
    table.append(make("caption", "", `Face${several}: ${other.length} of ${
      counted(face.length, "recogniser")} take it for somebody else`));
    const body = table.createTBody();
    for (const one of [...face].sort((a, b) => b.held_out - a.held_out)) {
      const row = body.insertRow(), is = one.cosine >= one.threshold;
      row.append(make("th", "", one.recogniser + (one.held_out ? ", which never saw the mask" : ""),
        { scope: "row" }));
      row.append(make("td", is ? "same" : "other", is ? "still knows it" : "somebody else"));
      row.append(make("td", "", `likeness ${one.cosine.toFixed(2)}, one person from ${
        one.threshold.toFixed(2)}`));
    }
    return table;
  });
  $("verdicts").replaceChildren(...tables);
}

function drag(event) {
  const box = $("layers").getBoundingClientRect();
  $("share").value = Math.min(100, Math.max(0, 100 * (event.clientX - box.left) / box.width));
  slide();
}

$("share").oninput = slide;
$("layers").onpointerdown = (event) => { pressed = true; drag(event); };
addEventListener("pointermove", (event) => { if (pressed) drag(event); });
addEventListener("pointerup", () => { pressed = false; });
addEventListener("pointercancel", () => { pressed = false; });
addEventListener("resize", fit);
for (const button of document.querySelectorAll("[data-show]"))
  button.onclick = () => showing(button.dataset.show);
$("zoom").onclick = () => zoomed($("zoom").getAttribute("aria-pressed") !== "true");
$("close").onclick = () => history.back();
$("compare").oncancel = (event) => { event.preventDefault(); history.back(); };
$("compare-save").onclick = () => { const photo = found(comparing);
  saved.add(`${photo.id} ${photo.version}`); };
// Browsers close it of themselves when Escape is pressed twice.
$("compare").onclose = () => { if (comparing) history.back(); };
addEventListener("popstate", shut);
